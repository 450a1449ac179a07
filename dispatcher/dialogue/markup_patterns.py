"""Patterns of the marks that chat templates and models put into replies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

# Longer than any mark with its attributes.
LONGEST_MARK: Final = 140
_THINK: Final = tuple(
    "think thinking thought thoughts reasoning reason reflection scratchpad analysis seed:think mm:think "
    "antthinking 思考 inner_monologue thought_process thinking_process".split()
)
_CALL: Final = tuple(
    "tool_call tool_calls tool-call toolcall function_call function_calls function-call functioncall "
    "tool_use minimax:tool_call seed:tool_call longcat_tool_call tool_code tools "
    "｜DSML｜function_calls".split()
)
_NAMED_CALL: Final = ("function", "invoke")
_RESULT: Final = ("tool_response", "tool_result", "function_results")
_STRAY: Final = ("answer", "final_answer", "response", "s", "end_of_turn", "start_of_turn", "eos")
# Words that open and close without a tag.
_OPENERS: Final = (
    "[THINK]", "◁think▷", "<|START_THINKING|>", "<|begin_of_thought|>", "<|thinking|>", "<|channel>thought",
)  # fmt: skip
_CLOSERS: Final = (
    "[/THINK]", "◁/think▷", "<|END_THINKING|>", "<|end_of_thought|>", "<|/thinking|>", "<channel|>",
)  # fmt: skip
_MARKS: Final = (
    *(*_OPENERS, *_CLOSERS),
    *("[TOOL_CALLS]", "[/TOOL_CALLS]", "[TOOL_REQUEST]", "<tool_call|>", "<|tool_call>"),
)
_ATTRIBUTES: Final = r"(?:\s[^<>]{0,80})?"
_END: Final = r"<\|(?:end|return|call|eot_id|eom_id|im_end|endoftext)\|>|</s>|<｜end▁of▁sentence｜>"
_HARMONY_END: Final = r"<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)"
_JSON: Final = r"\{(?=\s{0,20}[\"'])|\[(?=\s{0,20}\{\s{0,20}[\"'])"
_Kind = Literal["reasoning", "call", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Part of a reply that is not spoken.

    Attributes:
        opens: how it begins.
        closes: how it ends; the end of the reply ends every block.
        kind: what it holds.
        is_text_too: it is text of the reply where it holds no call.
    """

    opens: str
    closes: re.Pattern[str]
    kind: _Kind
    is_text_too: bool = False


def _any(words: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, words))


def _open_tag(names: tuple[str, ...], attributes: str = _ATTRIBUTES) -> str:
    return rf"<(?:{_any(names)}){attributes}>"


def _close_tag(names: tuple[str, ...]) -> str:
    return rf"</(?:{_any(names)})\s{{0,3}}>"


def _block(kind: _Kind, opens: str, closes: str, *, is_text_too: bool = False) -> Block:
    return Block(opens=opens, closes=re.compile(closes, re.IGNORECASE), kind=kind, is_text_too=is_text_too)


def _begun(word: str) -> str:
    """Return a pattern of all beginnings of a word, also of the whole and of nothing."""
    pattern = ""
    for sign in reversed(word):
        pattern = f"(?:{re.escape(sign)}{pattern})?"
    return pattern


_REASONING_CLOSE: Final = f"{_close_tag(_THINK)}|{_any(_CLOSERS)}"
HEADER: Final = _block("nothing", r"<\|(?:start|channel)\|>", r"<\|message\|>")
BLOCKS: Final = {
    f"block{number}": block
    for number, block in enumerate(
        (
            _block("reasoning", f"{_open_tag(_THINK)}|{_any(_OPENERS)}", _REASONING_CLOSE),
            _block("call", _open_tag(_CALL), _close_tag(_CALL)),
            _block("call", _open_tag(_NAMED_CALL, r"[\s=][^<>]{1,100}"), _close_tag(_NAMED_CALL)),
            _block("nothing", _open_tag(_RESULT), _close_tag(_RESULT)),
            _block(
                "call",
                r"<[|｜]tool[▁_ ]calls?[▁_ ]begin[|｜]>",
                r"<[|｜]tool[▁_ ]calls[▁_ ]end[|｜]>|<｜end▁of▁sentence｜>",
            ),
            _block("call", r"\[TOOL_REQUEST\]", r"\[END_TOOL_REQUEST\]"),
            _block("call", r"<\|tool_calls_section_begin\|>", r"<\|tool_calls_section_end\|>"),
            _block("call", r"<\|START_ACTION\|>", r"<\|END_ACTION\|>"),
            _block("call", r"<\|action_start\|>", r"<\|action_end\|>"),
            _block("call", r"<\|tool_call>", r"<tool_call\|>"),
            _block("call", r"\[TOOL_CALLS\]|<\|python_tag\|>|<\|tool_call\|>", rf"{_END}|<\|/tool_call\|>"),
            _block("call", r"\[(?=[a-z_][\w.]{0,60}\()", r"\)\s{0,5}\]", is_text_too=True),
            _block(
                "call",
                rf"(?<!`)```(?:tool_code\b|[\w-]{{0,20}}\s{{0,5}}(?=<(?:tool_call|function)|{_JSON}))",
                "```",
                is_text_too=True,
            ),
            _block("nothing", r"<\|start_header_id\|>", r"<\|end_header_id\|>"),
            _block("nothing", r"<\|im_start\|>", r"\n"),
            HEADER,
        )
    )
}
_HARMONY_REASONING: Final = _block("reasoning", "", _HARMONY_END)
_HARMONY_CALL: Final = _block("call", "", _HARMONY_END)
# Marks that stand alone: ends of turns, halves of what is above.
_STRAY_MARK: Final = (
    rf"<[|｜][^|｜<>\s]{{1,40}}[|｜]>|{_close_tag((*_CALL, *_NAMED_CALL, *_RESULT, *_STRAY))}"
    rf"|{_open_tag(_STRAY, '')}|\[/TOOL_CALLS\]"
)
MARK: Final = re.compile(
    f"(?P<close>{_REASONING_CLOSE}|<(?:{_any(_THINK)})\\s?/>)|(?P<json>{_JSON})|"
    + "|".join(f"(?P<{name}>{block.opens})" for name, block in BLOCKS.items())
    + f"|(?P<stray>{_STRAY_MARK})",
    re.IGNORECASE,
)
_ALL_NAMES: Final = (*_THINK, *_CALL, *_NAMED_CALL, *_RESULT, *_STRAY)
# What may become a mark when more comes.
UNFINISHED: Final = re.compile(
    rf"(?:</?(?:{'|'.join(map(_begun, _ALL_NAMES))})"
    rf"|</?(?:{_any(_ALL_NAMES)})(?:[\s=/][^<>]{{0,100}})?"
    r"|<[|｜][^|｜<>\s]{0,40}[|｜]?|\[[a-z_][\w.]{0,60}"
    rf"|{'|'.join(re.escape(word[0]) + _begun(word[1:]) for word in _MARKS)}"
    r"|\[\s{0,20}(?:\{\s{0,20})?|\{\s{0,20}"
    r"|(?<!`)`{1,2}|(?<!`)```[\w-]{0,20}\s{0,5}(?:\{\s{0,20}|\[\s{0,20}(?:\{\s{0,20})?|<[a-z_]{0,10})?)\Z",
    re.IGNORECASE,
)


def message_block(header: str) -> Block | None:
    """Return what follows a header of harmony: a call, reasoning, or None for text."""
    if "to=" in header:
        return _HARMONY_CALL
    return _HARMONY_REASONING if "analysis" in header else None


_USER_DOES: Final = (
    "is want ask say said just has need greet mention seem would might wrote sent typed gave request did "
    "could think told question message"
).split()
_USER_DOES_ZH: Final = "问说想要让希询的发在可似需提请给打只又刚现用输这表叫是"
_MUST: Final = ("figure", "respond", "reply", "answer", "determine", "provide", "come up", "address")
# How models begin to think; a reply to a user does not begin like this.
_THOUGHTS: Final = (
    *("the user's", "the user\u2019s", *(f"the user {verb}" for verb in _USER_DOES)),
    *(f"user {verb}" for verb in _USER_DOES),
    *(f"{who} {need} {verb}" for who in ("i", "we") for need in ("need to", "should") for verb in _MUST),
    *(f"{who}{verb}" for who in ("用户", "这个用户") for verb in _USER_DOES_ZH),
    *(f"let me {verb}" for verb in ("think", "figure", "analyze", "recall", "consider", "break this")),
    *("we are asked", "the system prompt", "thinking process", "thought process", "let's think"),
    *("here's a thinking process", "the question is", "they are asking", "they're asking", "they want"),
    *"让我想 让我思考 我现在需要 我需要先 我需要回答 我应该回答".split(),
)
_LEADS: Final = (
    *("okay", "ok", "alright", "all right", "hmm", "well", "so", "now", "first", "got it"),
    *("嗯", "好的", "好", "唔", "首先", "现在"),
)
_LED: Final = re.compile(
    rf"\s*(?:(?:(?:{_any(_LEADS[:10])})[\s,.…!:*]|(?:{_any(_LEADS[10:])}))[\s,.…!:*，。！：、]*){{0,3}}",
)
# Harmony without its special tokens: what it begins with, and where its reasoning ends.
_BARE_HARMONY: Final = "analysis"
BARE_HARMONY_END: Final = "assistantfinal"
_LONGEST_LEAD: Final = 100


def thought_likeness(text: str) -> bool | None:
    """Return whether the first words of a reply are reasoning without a tag; None while more are needed."""
    lower = text.lstrip().lower()
    if lower.startswith(_BARE_HARMONY):
        following = text.lstrip()[len(_BARE_HARMONY) :][:1]
        return None if not following else following.isupper() or following >= "\u2e80"
    rest = lower[_LED.match(lower).end() :]  # type: ignore[union-attr]  # it matches nothing too
    if rest.startswith(_THOUGHTS):
        return True
    may_come = any(word.startswith(rest) for word in (*_THOUGHTS, *_LEADS, _BARE_HARMONY))
    return None if may_come and len(text) <= _LONGEST_LEAD else False
