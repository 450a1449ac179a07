"""The face of a reply: the prompt asks the LLM to begin with an emoji, the device shows an emotion."""

from __future__ import annotations

from typing import Final, Literal, get_args

from dispatcher.speech_text.emoji import leading_emoji, undressed

Emotion = Literal[
    "neutral", "happy", "laughing", "funny", "sad", "angry", "crying", "loving", "embarrassed", "surprised",
    "shocked", "thinking", "winking", "cool", "relaxed", "delicious", "kissy", "confident", "sleepy", "silly",
    "confused",
]  # fmt: skip

EMOTIONS: Final[tuple[Emotion, ...]] = get_args(Emotion)

# Every face of Unicode, without variation selectors, and the gestures, hearts and signs that LLMs
# use instead of one. An emoji that stands in no row is neutral.
_EMOJI_OF: Final[dict[Emotion, str]] = {
    "neutral": "😶 😐 😑 🫥 🤖 👽 🗿",
    "happy": "🙂 😀 😃 😊 ☺ 😺 😸 🥲 👋 🎉 🎊 🥳 ✨ 🌟 ☀ 🌞 🌈 🙌 👏 🎂 🎁 🌸 🌻",
    "laughing": "😆 😄 😁 😅 😹",
    "funny": "😂 🤣 🤡 🎭",
    "sad": "😔 🙁 ☹ 😞 😟 😕 😢 😥 😓 😿 😩 😫 😣 😖 🥺 🥹 🫤 💔 🤒 🤕 🤧 😷 🥀 🫂",
    "angry": "😠 😡 🤬 😤 😾 👿 😈 💢 👹 👺",
    "crying": "😭",
    "loving": (
        "😍 🥰 😻 🤗 💕 💖 💗 💓 💞 💝 💘 💟 🫶 🌹 ❤ 🧡 💛 💚 💙 💜 🩷 🩵 🩶 🤎 🖤 🤍 ❣ ♥ ❤\u200d🔥 ❤\u200d🩹"
    ),
    "embarrassed": "😳 😬 🫣 🙈 🤦 🤦\u200d♂ 🤦\u200d♀ 🙇 🙇\u200d♂ 🙇\u200d♀ 🙏 🙊 🤭",
    "surprised": "😲 😮 😯 🤩 😦 🫢 👀 ❗ ❕ 💥",
    "shocked": "😱 😨 😰 😧 🙀 🤯 💀 ☠ 👻 🥶 🥵 🚨 ⚠ 🤢 🤮",
    "thinking": "🤔 🧐 🤨 💭 💡 🔍 🔎 📝 📚 🧠 ⏳ ⌛",
    "winking": "😉 🫡 🤞 🤙",
    "cool": "😎 🕶 🥸 🤠 🚀 🔥 🎸",
    "relaxed": "😌 😇 🙃 😮\u200d💨 🍵 ☕ 🧘 🧘\u200d♂ 🧘\u200d♀ 🍃 🌊 🎵 🎶",
    "delicious": "🤤 😋 🍽 🍰 🍕 🍔 🍜 🍲 🍚 🥟 🍣 🍎 🍓 🍦 🍫 🍳 🥗",
    "kissy": "😘 😗 😙 😚 😽 🫦 💋 💌",
    "confident": "😏 😼 💪 👍 👌 ✌ ✅ ✔ 👊 ✊ 🏆 🥇 💯 🫰",
    "sleepy": "😴 😪 🥱 \U0001fae9 💤 🌙 🌛 🌜 🛌 🛏",
    "silly": "😜 🤑 😛 😝 🤪 🤓 🥴 🤥 🤫 🤐 🐒 🐵 🙉",
    "confused": "🙄 😵 😵\u200d💫 😶\u200d🌫 😒 🤷 🤷\u200d♂ 🤷\u200d♀ ❓ ❔ 🫠 🫨 🙂\u200d↔ 👎",
}

# The text that the `llm` message carries beside the emotion: the first of its row.
EMOTION_EMOJI: Final[dict[str, str]] = {emotion: row.split()[0] for emotion, row in _EMOJI_OF.items()}

_TABLE: Final[dict[str, Emotion]] = {
    emoji: emotion for emotion, row in _EMOJI_OF.items() for emoji in row.split()
}


def emotion_of(emoji: str) -> Emotion:
    """Return the emotion that the emoji stands for; "neutral" for one that stands for none.

    A joined emoji that has no row of its own counts as its first part.
    """
    plain = undressed(emoji)
    return _TABLE.get(plain) or _TABLE.get(plain[:1], "neutral")


class EmotionTaker:
    """The emoji at the beginning of a streamed reply, and the text behind it."""

    def __init__(self) -> None:
        """Begin with the reply."""
        self._held = ""
        self._decided = False

    def feed(self, text: str) -> tuple[Emotion | None, str]:
        """Return the emotion, once, as soon as it is certain, and the text that is ready to be used.

        Text is held back while it is empty or may still be part of the first emoji.
        """
        if self._decided:
            return None, text
        self._held = (self._held + text).lstrip()
        if not self._after_emoji():
            return None, ""
        return self.finish()

    def finish(self) -> tuple[Emotion | None, str]:
        """Return what is held back, when the reply has ended."""
        emoji, text = leading_emoji(self._held), self._after_emoji()
        self._held = ""
        self._decided = True
        return emotion_of(emoji) if emoji else None, text

    def _after_emoji(self) -> str:
        return self._held[len(leading_emoji(self._held)) :].lstrip()
