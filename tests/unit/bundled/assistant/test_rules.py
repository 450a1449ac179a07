from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bundled.assistant.engine import AssistantEngine, AssistantOptions, tokens_of
from dispatcher.bundled.assistant.query import GO_ON_MARKS
from dispatcher.bundled.engines import Message
from dispatcher.dialogue.history import continuation
from dispatcher.dialogue.local_time import with_local_time
from dispatcher.messages import Language
from tests.unit.bundled.assistant.dialogues import NOW, STAND_IN, STAND_IN_ZH, says, talk


@pytest.mark.parametrize(
    ("said", "expected"), [("...", "did not catch"), ("", "did not catch"), ("😀😀", "did not catch")]
)
def test_nothing_heard_is_said_to_be_nothing(said: str, expected: str) -> None:
    assert expected in says(said)
    assert "没有听清" in says(said, hint="zh")


def test_without_letters_the_language_is_that_of_the_dialogue() -> None:
    assert "等于" in says("2+2", ("你好", "🙂 你好！"))
    assert " is 4." in says("2+2", ("hello", "🙂 Hello!"))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what did I just ask?", "You said: what time is it."),
        ("我刚才说了什么", "你刚才说：what time is it。"),
        ("say that again", "🙂 It is 3:25."),
        ("再说一遍", "🙂 It is 3:25."),
    ],
)
def test_it_remembers_the_dialogue(question: str, expected: str) -> None:
    assert expected in says(question, ("what time is it?", "🙂 It is 3:25."))


@pytest.mark.parametrize(
    ("question", "expected"), [("what's my name", "You are Anna."), ("我叫什么名字", "你叫Anna。")]
)
def test_it_remembers_a_name(question: str, expected: str) -> None:
    before = (("My name is Anna", "🙂 Hello!"), ("tell me a joke", "😆 ..."))
    assert expected in says(question, *before)


@pytest.mark.parametrize("question", ["what did I just ask", "say that again", "我刚才说了什么", "再说一遍"])
def test_at_the_beginning_there_is_nothing_to_remember(question: str) -> None:
    assert says(question)[0] in "🤔😳"


@pytest.mark.parametrize(
    "questions",
    [
        ("tell me a joke", "another one", "One more, please.", "tell me another joke"),
        ("tell me a joke", "thanks", "another one"),
        ("讲个笑话", "再讲一个", "还有吗", "换一个"),
        ("tell me a story", "another one", "one more story"),
        ("讲个故事", "再讲一个"),
    ],
)
def test_one_more_is_another_one(questions: tuple[str, ...]) -> None:
    told = [reply for reply in talk(*questions) if "welcome" not in reply]
    assert len({*told}) == len(told)
    assert not any(STAND_IN in reply or STAND_IN_ZH in reply for reply in told)


@pytest.mark.parametrize("said", ["tell me a joke", "讲个笑话"])
def test_no_joke_says_that_it_is_one_more(said: str) -> None:
    assert not [reply for reply in talk(*[said] * 6) if "One more" in reply or "再来一个" in reply]


def test_another_one_without_a_first_one_is_not_guessed() -> None:
    assert STAND_IN in says("another one")
    assert STAND_IN_ZH in says("再讲一个")


@pytest.mark.parametrize(
    ("questions", "expected"),
    [
        (("how many kilometers is five miles", "And ten miles?"), "10 miles is 16.09 kilometers."),
        (("how many kilometers is five miles", "and ten?", "and in feet?"), "10 miles is 52800 feet."),
        (("What is 100 celsius in kelvin?", "And in Fahrenheit?"), "is 212 degrees Fahrenheit."),
        (("convert 20 celsius to fahrenheit", "how about 30 degrees"), "30 degrees Celsius is 86"),
        (("五公里是多少英里", "那十公里呢"), "10公里等于6.214英里。"),
        (("五公里是多少英里", "那二十呢", "换成英尺呢"), "20公里等于65617英尺。"),
        (("三加五等于几", "那二十呢"), "3加20等于23。"),
        (("三加五等于几", "再加五"), "8加5等于13。"),
        (("what is 12 times 7", "and 8?", "plus five"), "96 plus 5 is 101."),
        (("what is 20 percent of 50", "and of 80?"), "20 percent of 80 is 16."),
        (("what is two and two", "and three and three?"), "3 plus 3 is 6."),
        (("What time is it in Tokyo?", "And in London?"), "It is 3:25 in the afternoon in London."),
        (("what time is it", "thanks", "what about New York?"), "10:25 in the morning in New York."),
        (("现在几点", "那东京呢", "纽约呢"), "纽约现在是上午10点25分。"),
        (("what day is it", "and tomorrow?"), "Tomorrow is Tuesday"),
        (("今天星期几", "那后天呢"), "后天是星期三"),
        (("what time is it in two hours", "and in three hours?"), "3 hours from now it will be 6:25"),
        (("两个小时以后是几点", "那三个小时呢"), "3个小时以后是晚上6点25分。"),
        (("what's the weather like", "and tomorrow?"), "no weather report"),
        (("今天天气怎么样", "那明天呢"), "没有天气预报"),
        (("hello", "and ten miles?"), "I have no answer to that."),
        (("what's the weather like", "and who was Caesar?"), "I have no answer to that."),
    ],
)
def test_a_follow_up_is_answered_as_the_question_that_it_stands_for(
    questions: tuple[str, ...], expected: str
) -> None:
    assert expected in talk(*questions)[-1]


@pytest.mark.parametrize(
    ("questions", "later"),
    [
        (("who was Napoleon", "play a song", "who was Caesar"), "🤔 I have no answer to that."),
        (("今天天气怎么样", "放首歌", "拿破仑是谁"), "🤔 这个我不会。"),
    ],
)
def test_it_says_once_that_it_is_a_stand_in(questions: tuple[str, ...], later: str) -> None:
    replies = talk(*questions)
    assert [STAND_IN in reply or STAND_IN_ZH in reply for reply in replies] == [True, False, False]
    assert replies[-1] == later


@pytest.mark.parametrize(
    ("said", "language", "zone", "place", "expected"),
    [
        ("现在几点了？", "zh", "Asia/Shanghai", "", "🙂 现在是晚上11点25分。"),
        ("现在几点了？", "en", "Asia/Shanghai", "Xiamen", "🙂 现在是晚上11点25分。"),
        ("What time is it?", "zh", "America/New_York", "", "🙂 It is 10:25 in the morning."),
        ("what time is it in Springfield", "en", "America/New_York", "Springfield", "🙂 It is 10:25 in the"),
        ("今天几号", "zh", "Pacific/Auckland", "", "🙂 今天是2026年11月24日，星期二。"),
        ("What time is it in Shanghai?", "en", "Asia/Tokyo", "", "🙂 It is 11:25 at night on Monday in Sh"),
        ("where am I", "en", "Asia/Tokyo", "Osaka", "🙂 We are in Osaka."),
        ("who was Napoleon", "zh", "Asia/Shanghai", "北京", "🤔 I have no answer to that."),
        ("2+2", "zh", "Asia/Shanghai", "北京", "🙂 2 plus 2 is 4."),
        ("repeat after me: good day", "en", "Asia/Tokyo", "Osaka", "😜 good day"),
        ("", "zh", "Asia/Shanghai", "北京", "🤔 I did not catch that."),
    ],
)
def test_the_line_of_local_time_tells_zone_and_place_and_is_not_echoed(
    said: str, language: Language, zone: str, place: str, expected: str
) -> None:
    line = with_local_time(said, NOW.astimezone(ZoneInfo(zone)), language=language, place=place)
    reply = says(line)
    assert reply.startswith(expected)
    assert not {*"[]"} & {*reply}


def test_the_line_of_local_time_may_have_an_offset_alone() -> None:
    assert "5:25 in the afternoon" in says(
        "what time is it\n[Current time: Monday, 23 November 2026, 17:25 (UTC+02:00)]"
    )


@pytest.mark.parametrize("said", ["What is twelve times seven?", "十二乘以七是多少"])
def test_the_rest_of_a_broken_reply_is_the_reply_anew(said: str) -> None:
    whole = says(said)
    (_, spoken), (_, wish) = ((each.role, each.content) for each in continuation(whole[:6]))
    assert wish.startswith(GO_ON_MARKS)
    assert says(wish, (said, spoken)) == whole


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (0, "12:05 at night"),
        (2, "2:05 in the morning"),
        (8, "8:05 in the morning"),
        (12, "12:05 in the afternoon"),
        (20, "8:05 in the evening"),
    ],
)
def test_the_hour_is_said_as_people_say_it(hour: int, expected: str) -> None:
    assert expected in says("what time is it", now=NOW.replace(hour=hour, minute=5))


@pytest.mark.parametrize(
    "said", ["what is 9 to the power of 999999", "9**9**9**9", "9999999999 times 9999999999"]
)
def test_a_number_too_large_is_refused_at_once(said: str) -> None:
    assert "too large" in says(said)


@pytest.mark.parametrize(
    "said",
    [
        "what time " * 40 + "x",
        "几月几号" * 90 + "x",
        "and " * 100,
        "九" * 390 + "加一",
        "count to " + "9" * 5_000,
        "how many miles is " + "9" * 380 + " km",
        "what time is it " + "9" * 380 + " hours ago",
        "what day is it in " + "9" * 380,
        "请问" * 190 + "x",
        "量" * 100_000,
        "(" * 90 + "1+1",
        "what is " + "-" * 300 + "1",
    ],
)
def test_a_text_without_end_is_answered_at_once(said: str) -> None:
    assert ord(says(said)[0]) > 0x1F000


def test_a_long_history_of_follow_ups_is_answered_at_once() -> None:
    before = [(f"and {number} miles and then?", "x") for number in range(60)]
    assert STAND_IN in says("and ten?", *before)


@given(st.text(max_size=80))
def test_any_text_has_an_answer_that_begins_with_a_face(said: str) -> None:
    assert ord(says(said)[0]) > 0x1F000


@given(st.text(alphabet="0123456789+-*/%. ()eE^", min_size=3, max_size=40))
def test_any_sum_is_answered_and_no_error(said: str) -> None:
    assert says("what is " + said)


@given(st.text(max_size=60))
def test_the_tokens_together_are_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


async def test_the_engine_answers_by_its_clock() -> None:
    engine = AssistantEngine(AssistantOptions(tokens_per_s=10_000), now=lambda: NOW)
    question = [Message(role="user", content="几点了")]
    tokens = [str(token) async for token in engine.respond(question, language="auto")]
    assert "".join(tokens) == "🙂 现在是下午3点25分。"
    assert len(tokens) > 4
