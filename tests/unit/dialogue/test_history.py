"""What the LLM sees of the dialogue so far."""

from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.dialogue.history import (
    Message,
    as_plain_text,
    chat_messages,
    continuation,
    count_tokens,
    trim,
    well_formed,
)
from dispatcher.tools.model import ToolCall

MESSAGES = st.lists(
    st.builds(
        Message, role=st.sampled_from(["user", "assistant"]), content=st.text(alphabet="ab 你好", max_size=30)
    )
)


def user(text: str) -> Message:
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    return Message(role="assistant", content=text)


def tokens(messages: list[Message]) -> int:
    return sum(count_tokens(message.content) for message in messages)


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("你好", 2), ("你好，ab", 4), ("😀", 1)]
)
def test_a_chinese_character_is_a_token_and_so_are_four_others(text: str, count: int) -> None:
    assert count_tokens(text) == count


def test_a_dialogue_that_fits_stays_whole() -> None:
    dialogue = [user("one"), assistant("two"), user("three")]
    assert trim(dialogue, max_tokens=4) == dialogue


def test_the_oldest_exchanges_are_left_out_whole() -> None:
    old = [user("old question"), assistant("old answer")]
    new = [user("new question"), assistant("new answer")]
    assert trim(old + new, max_tokens=tokens(new) + 3) == new


def test_an_exchange_that_does_not_fit_ends_the_dialogue_even_if_older_ones_would() -> None:
    dialogue = [user("a"), user("b" * 400), user("c")]
    assert trim(dialogue, max_tokens=10) == [user("c")]


def test_an_answer_without_its_question_is_left_out() -> None:
    assert trim([assistant("hello"), user("hi")], max_tokens=100) == [user("hi")]
    assert trim([assistant("hello")], max_tokens=100) == []


def test_one_message_that_is_too_long_is_shortened() -> None:
    assert trim([user("a" * 100)], max_tokens=5) == [user("a" * 19 + "…")]
    assert trim([user("你" * 100)], max_tokens=5) == [user("你你你你…")]


def test_the_long_message_of_an_exchange_is_shortened_and_the_short_one_is_not() -> None:
    question, answer = trim([user("why?"), assistant("b" * 400)], max_tokens=11)
    assert question == user("why?")
    assert answer == assistant("b" * 39 + "…")


def test_an_answer_does_not_stay_when_there_is_no_room_for_its_question() -> None:
    assert trim([user("你好吗"), assistant("好")], max_tokens=2) == []
    assert trim([user("hello there"), assistant("hi")], max_tokens=0) == []


@given(dialogue=MESSAGES, max_tokens=st.integers(-1, 60))
def test_what_is_kept_fits_and_begins_with_a_question(dialogue: list[Message], max_tokens: int) -> None:
    kept = trim(dialogue, max_tokens=max_tokens)
    assert tokens(kept) <= max(max_tokens, 0)
    assert all(message.role == "user" for message in kept[:1])


def share_not_repeated(lengths: list[tuple[int, int]], *, prompt: int, max_tokens: int) -> float:
    """Return the share of all tokens of a dialogue's requests that the next request does not begin with."""
    history: list[Message] = []
    before: list[Message] = []
    sent = lost = 0
    for at, (asked, answered) in enumerate(lengths):
        question = user(f"{at} ".ljust(4 * asked, "q"))
        request = chat_messages("p" * 4 * prompt, history, question.content, max_tokens=max_tokens)
        # The local time stands behind the last message, in one request only.
        shared = takewhile(lambda pair: pair[0] == pair[1], zip(before[:-1], request, strict=False))
        sent, lost = sent + tokens(before), lost + tokens(before) - tokens([message for message, _ in shared])
        history += [question, assistant(f"{at} ".ljust(4 * answered, "a"))]
        before = request
    return lost / sent


EXCHANGES = st.lists(st.tuples(st.integers(2, 30), st.integers(5, 60)), min_size=60, max_size=90)


@settings(max_examples=30)
@given(lengths=EXCHANGES, max_tokens=st.integers(1000, 3000))
def test_most_of_a_request_is_the_beginning_of_the_next_one(
    lengths: list[tuple[int, int]], max_tokens: int
) -> None:
    assert share_not_repeated(lengths, prompt=0, max_tokens=max_tokens) < 0.25
    assert share_not_repeated(lengths, prompt=1000, max_tokens=max_tokens) < 0.12


def test_the_prompt_comes_first_and_the_utterance_last() -> None:
    history = [user("hi"), assistant("hello")]
    assert chat_messages("Be brief.", history, "why?", max_tokens=100) == [
        Message(role="system", content="Be brief."),
        *history,
        user("why?"),
    ]


def test_an_empty_prompt_is_not_sent() -> None:
    assert chat_messages("", [], "why?", max_tokens=100) == [user("why?")]


def test_the_utterance_is_kept_when_the_budget_is_used_up() -> None:
    history = [user("a" * 40), assistant("b" * 40)]
    assert chat_messages("", history, "c" * 40, max_tokens=12) == [user("c" * 40)]


CALL = ToolCall(id="c1", name="set_volume", arguments="{}")
ASKED = Message(role="assistant", content="", tool_calls=(CALL,))
DONE = Message(role="tool", content="true", tool_call_id="c1")


def system(text: str) -> Message:
    return Message(role="system", content=text)


@pytest.mark.parametrize(
    ("messages", "formed"),
    [
        ([system("s"), user("a"), assistant("b"), user("c")],) * 2,
        ([user("a"), system("s"), user("b")], [system("s"), user("a\nb")]),
        ([system("s"), assistant("b"), user("c")], [system("s"), user("c")]),
        ([user("a"), assistant("b"), assistant("c")], [user("a"), assistant("b\nc")]),
        ([user("a"), ASKED, DONE, assistant("b")],) * 2,
        ([user("a"), DONE, assistant(""), assistant("b")], [user("a"), assistant("b")]),
    ],
)
def test_a_request_has_the_form_that_strict_templates_take(
    messages: list[Message], formed: list[Message]
) -> None:
    assert well_formed(messages) == formed


@given(MESSAGES)
def test_roles_alternate_whatever_the_dialogue_was(messages: list[Message]) -> None:
    roles = [message.role for message in well_formed(messages)]
    assert roles == [("user", "assistant")[at % 2] for at in range(len(roles))]


@pytest.mark.parametrize(("spoken", "word"), [("Sure, here it is.", "repeat"), ("好的，在这里。", "重复")])
def test_a_substitute_is_asked_to_go_on_by_the_user_in_the_language_of_the_reply(
    spoken: str, word: str
) -> None:
    partial, wish = continuation(spoken)
    assert partial == assistant(spoken)
    assert wish.role == "user"
    assert word in wish.content


def test_a_first_request_is_not_asked_to_go_on() -> None:
    assert continuation("") == []


def test_a_dialogue_without_tools_stays_as_it_is() -> None:
    messages = [Message(role="system", content="Be kind."), Message(role="user", content="Hi.")]
    assert as_plain_text(messages) == messages


def test_calls_and_results_become_words_with_roles_that_take_turns() -> None:
    asked = (ToolCall(id="1", name="status", arguments="{}"), ToolCall(id="2", name="set", arguments="{}"))
    messages = [
        Message(role="user", content="Louder!"),
        Message(role="assistant", content="", tool_calls=asked),
        Message(role="tool", content="70", tool_call_id="1"),
        Message(role="tool", content="true", tool_call_id="2"),
        Message(role="assistant", content="Done.", tool_calls=asked[:1]),
        Message(role="tool", content="80", tool_call_id="gone"),
    ]
    assert [(message.role, message.content) for message in as_plain_text(messages)] == [
        ("user", "Louder!"),
        ("assistant", "(I call status, set.)"),
        ("user", "(Result of status: 70)\n(Result of set: true)"),
        ("assistant", "Done."),
        ("user", "(Result of a tool: 80)"),
    ]


def test_a_result_without_a_dialogue_before_it_is_told_all_the_same() -> None:
    assert as_plain_text([Message(role="tool", content="x")])[0].content == "(Result of a tool: x)"
