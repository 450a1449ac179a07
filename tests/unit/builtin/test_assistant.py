from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.builtin.assistant.asked import asked_of
from dispatcher.builtin.assistant.engine import AssistantEngine, AssistantOptions, tokens_of
from dispatcher.builtin.assistant.rules import answer
from dispatcher.builtin.engines import Language, Message

# A Monday.
NOW = datetime(2026, 11, 23, 15, 25, 30, 123_457, tzinfo=UTC)


def says(said: str, *before: tuple[str, str], hint: Language = "auto", now: datetime = NOW) -> str:
    """Return the answer to a question, after the exchanges before it."""
    messages = [
        Message(role=role, content=content)
        for exchange in before
        for role, content in zip(("user", "assistant"), exchange, strict=True)
    ]
    return answer(asked_of([*messages, Message(role="user", content=said)], hint=hint, now=now))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("What time is it?", "It is 3:25 in the afternoon."),
        ("whats the time", "It is 3:25 in the afternoon."),
        ("Hello! What time is it?", "It is 3:25 in the afternoon."),
        ("Can you tell me the time, please?", "It is 3:25 in the afternoon."),
        ("what time is it in new york", "not of New York. Here it is 3:25"),
        ("What day is it today?", "Today is Monday, November 23, 2026."),
        ("what is the date tomorrow", "Tomorrow is Tuesday, November 24, 2026."),
        ("what day was yesterday", "Yesterday was Sunday, November 22, 2026."),
        ("What's 12 times 7?", "12 times 7 is 84."),
        ("what is twelve times seven", "12 times 7 is 84."),
        ("how much is twenty percent of fifty", "20 percent of 50 is 10."),
        ("what is the square root of 144", "The square root of 144 is 12."),
        ("Add five and seven.", "5 plus 7 is 12."),
        ("one hundred and five minus six", "105 minus 6 is 99."),
        ("how many miles are in ten kilometers", "10 kilometers is 6.214 miles."),
        ("convert 100 Fahrenheit to Celsius", "100 degrees Fahrenheit is 37.78 degrees Celsius."),
        ("how many feet in a mile", "1 mile is 5280 feet."),
        ("what is 5 kg in meters", "measure different things"),
        ("set a timer for five minutes", "5 minutes from now it will be 3:30 in the afternoon."),
        ("remind me in an hour and a half", "1.5 hours from now it will be 4:55"),
        ("what time will it be in twenty minutes", "20 minutes from now it will be 3:45"),
        ("set a timer", "For how long?"),
        ("set a timer for 9999 hours", "too long"),
        ("hello", "Hello! How can I help?"),
        ("how are you", "I am fine"),
        ("Who are you?", "the built-in assistant"),
        ("tell me a joke", "clock"),
        ("Tell me a story.", "lighthouse"),
        ("a poem please", "kettle"),
        ("thank you very much", "You are welcome"),
        ("repeat after me: The sea is blue", "The sea is blue"),
        ("My name is Anna.", "Hello, Anna!"),
        ("flip a coin", "Tails!"),
        ("roll a dice", "A 2!"),
        ("what can you do", "Ask me for the time"),
        ("turn on the light in the kitchen", "I cannot reach that"),
        ("who was Napoleon?", "I heard: who was Napoleon. "),
    ],
)
def test_it_answers_in_english(said: str, expected: str) -> None:
    assert expected in says(said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("现在几点了？", "现在是下午3点25分。"),
        ("請問現在幾點", "现在是下午3点25分。"),
        ("今天星期几", "今天是星期一，2026年11月23日。"),
        ("明天是几号", "明天是2026年11月24日，星期二。"),
        ("三十乘以四是多少", "30乘以4等于120。"),
        ("一百的百分之二十是多少", "100的百分之20等于20。"),
        ("根号十六是多少", "根号16等于4。"),
        ("六除以零", "除以零可不行"),
        ("十公里是多少英里", "10公里等于6.214英里。"),
        ("五斤等于多少公斤", "5斤等于2.5公斤。"),
        ("五公斤是多少米", "不是一类单位"),
        ("定一个五分钟的闹钟", "5分钟以后是下午3点30分。"),
        ("两个半小时以后是几点", "2.5个小时以后是下午5点55分。"),
        ("半个小时后提醒我", "30分钟以后是下午3点55分。"),
        ("定个闹钟", "要多久呢"),
        ("你好小智", "有什么可以帮你"),
        ("小智", "有什么可以帮你"),
        ("你是谁", "内置的小助手"),
        ("讲个笑话", "闹钟"),
        ("给我讲一个故事", "灯塔"),
        ("念首诗", "窗前灯一盏"),
        ("谢谢", "不客气"),
        ("跟我说：你好世界", "你好世界"),
        ("我叫小明", "你好，小明"),
        ("掷骰子", "2点！"),
        ("你会什么", "时间和日期"),
        ("什么是量子力学", "我听到的是：什么是量子力学。"),
    ],
)
def test_it_answers_in_chinese(said: str, expected: str) -> None:
    assert expected in says(said)


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


def test_the_next_joke_is_another_one() -> None:
    first = says("tell me a joke")
    assert says("tell me a joke", ("tell me a joke", first)) != first


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (0, "12:05 at night"),
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
