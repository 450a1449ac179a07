"""What was said before in this dialogue."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.builtin.assistant.asked import Asked, plain_chinese, plain_english
from dispatcher.builtin.engines import SpokenLanguage

_LAST_QUESTION: Final = re.compile(
    r"\bwhat (?:did|have) i (?:just )?(?:say|said|ask|asked)"
    r"|\bwhat (?:was|is) my (?:last |previous )?question"
)
_LAST_QUESTION_ZH: Final = re.compile(r"我(?:刚才|刚刚|刚|上一?[句次])?(?:说|问)了?(?:什么|啥)|上一个问题")
_AGAIN: Final = re.compile(
    r"^(?:say|repeat)(?: that| it)?(?: again| one more time)?$"
    r"|\bwhat did you (?:just )?say|^(?:pardon|what|come again)$"
)
_AGAIN_ZH: Final = re.compile(r"再说一[遍次]|重复一[遍次下]|你(?:刚才|刚刚)?说(?:了|的)?什么|没听清")
_AFTER_ME: Final = re.compile(r"\b(?:repeat after me|say after me)[\s:,]+(.+)", re.IGNORECASE | re.DOTALL)
_AFTER_ME_ZH: Final = re.compile(r"跟(?:着)?我(?:说|念|读)[:：，,\s]*(.+)", re.DOTALL)
_NAME: Final = re.compile(r"\b(?:my name is|call me) ([a-z][a-z-]*)")
_NAME_ZH: Final = re.compile(r"我(?:的名字)?(?:叫|是叫)(?!什么|啥)(\S{1,6})")
_ASKS_NAME: Final = re.compile(r"\bwhat is my name\b|\bwho am i\b|\b(?:know|remember) my name\b")
_ASKS_NAME_ZH: Final = re.compile(r"我(?:叫|的?名字是)(?:什么|啥)|我是谁|记得我的名字")


def repeat(asked: Asked) -> str | None:
    """Answer what was asked or answered before, or say what one is told to say."""
    after = (_AFTER_ME_ZH if asked.language == "zh" else _AFTER_ME).search(asked.said)
    if after:
        return f"😜 {after[1].strip()}"
    if _matches(asked, _LAST_QUESTION, _LAST_QUESTION_ZH):
        return _last_question(asked)
    if not _matches(asked, _AGAIN, _AGAIN_ZH):
        return None
    if asked.replies:
        return asked.replies[-1]
    return "😳 我还没说过话呢。" if asked.language == "zh" else "😳 I have not said anything yet."


def recall_name(asked: Asked) -> str | None:
    """Answer what the user is called, or take note of it."""
    chinese = asked.language == "zh"
    if _matches(asked, _ASKS_NAME, _ASKS_NAME_ZH):
        name = next(
            (found for said in reversed((*asked.known, *asked.earlier)) if (found := _name(said))), ""
        )
        if not name:
            return "🤔 你还没告诉我呢。" if chinese else "🤔 You have not told me yet."
        return f"😉 你叫{name}。" if chinese else f"😉 You are {name}."
    name = _name_in(asked.said, asked.language)
    if not name:
        return None
    return f"🙂 你好，{name}！很高兴认识你。" if chinese else f"🙂 Hello, {name}! Nice to meet you."


def _last_question(asked: Asked) -> str:
    if not asked.earlier:
        return (
            "🤔 这是我们的第一句话。"
            if asked.language == "zh"
            else "🤔 This is the first thing you said to me."
        )
    last = asked.earlier[-1].rstrip("。.!！?？ ")
    return f"😉 你刚才说：{last}。" if asked.language == "zh" else f"😉 You said: {last}."


def _matches(asked: Asked, english: re.Pattern[str], chinese: re.Pattern[str]) -> bool:
    return (chinese if asked.language == "zh" else english).search(asked.text) is not None


def _name(said: str) -> str:
    return _name_in(said, "zh") or _name_in(said, "en")


def _name_in(said: str, language: SpokenLanguage) -> str:
    if language == "zh":
        found = _NAME_ZH.search(plain_chinese(said))
        return found[1] if found else ""
    found = _NAME.search(plain_english(said))
    return found[1].title() if found else ""
