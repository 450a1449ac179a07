"""What the assistant can do, and what it says when it can do nothing."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.builtin.assistant.asked import Asked

_HELP: Final = re.compile(
    r"^(?:help|help me)$|\bwhat (?:can|do) you (?:do|know)\b"
    r"|\bwhat can i (?:say|ask)\b|\bhow (?:do|can) i use you\b"
)
_HELP_ZH: Final = re.compile(
    r"^(?:帮助|帮帮我|使用说明)$|你(?:会|能|可以|都会|都能)(?:做|干|说|帮我做)?(?:什么|啥|哪些)|怎么用你|有什么功能"
)
# What was heard is said again, but not a whole speech.
_MOST_REPEATED: Final = 120


def explain(asked: Asked) -> str | None:
    """Answer what one may ask."""
    if asked.language == "zh":
        if not _HELP_ZH.search(asked.text):
            return None
        return (
            "🙂 我会的不多。可以问我时间和日期，让我算数、换算单位、算一算定时到几点，听故事、诗和笑话，"
            "或者问我你刚才说了什么。想聊别的，请在配置里接上真正的大模型。"
        )
    if not _HELP.search(asked.text):
        return None
    return (
        "🙂 A few things. Ask me for the time or the date, for sums and units, when a timer would end, "
        "for a story, a poem or a joke, or what you said before. "
        "For everything else, put a real language model into the configuration."
    )


def fall_back(asked: Asked) -> str:
    """Say what was understood, and how a real language model takes over."""
    heard = asked.said if len(asked.said) <= _MOST_REPEATED else asked.said[:_MOST_REPEATED] + "…"
    heard = heard.strip().rstrip("。.!！?？")
    # A picture of a face alone has no words to repeat.
    heard = heard if any(sign.isalnum() for sign in heard) else ""
    if asked.language == "zh":
        if not heard:
            return "🤔 我没有听清。"
        return (
            f"🤔 我听到的是：{heard}。我只是内置的小助手，这个还不会。"
            "在配置文件里加一行 endpoint，接上 Ollama 或者 DashScope，就有真正的大模型来回答了。"
        )
    if not heard:
        return "🤔 I did not catch that."
    return (
        f"🤔 I heard: {heard}. I am only the built-in assistant and have no rule for that. "
        "One endpoint line in the configuration, for Ollama or DashScope, and a real language model answers."
    )
