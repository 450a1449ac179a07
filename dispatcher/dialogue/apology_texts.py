"""Texts of the apologies: what a device hears whose turn gets no answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from dispatcher.errors import BudgetSpent
from dispatcher.messages import Language

# A tool may have done what was asked for before the answer failed, or some of the answer was played.
# "admit" is for a client in the name of a device that is bound to another one, "busy" for a turn that is not
# begun because too many wait, "spent" for one whose budget is used up.
Kind = Literal["sorry", "done", "cut", "busy", "spent", "admit"]
APOLOGIES: Final[Mapping[tuple[Kind, Language], str]] = {
    ("sorry", "en"): "Sorry, I could not answer that. Please try again.",
    ("sorry", "zh"): "抱歉，我暂时回答不了，请再试一次。",
    ("admit", "en"): "Please admit this device on the server first.",
    ("admit", "zh"): "请先在服务器上允许这台设备接入。",
    ("done", "en"): "That is done, but I could not finish my answer.",
    ("done", "zh"): "已经做好了，不过我没能把话说完。",
    ("cut", "en"): "But I could not finish my answer.",
    ("cut", "zh"): "不过我没能把话说完。",
    ("busy", "en"): "Too many at once. Please try again in a moment.",
    ("busy", "zh"): "现在问的人太多了，请过一会儿再试。",
    ("spent", "en"): "The budget for my answers is used up for now.",
    ("spent", "zh"): "回答的额度暂时用完了，请以后再试。",
}


# In the place of an error: the turn is not begun, or not gone on with, since too many wait.
TOO_MANY: Final = "too many"
_KINDS: Final[Mapping[str, Kind]] = {BudgetSpent.__name__: "spent", TOO_MANY: "busy"}


def kind_of(error: str, *, is_tool_done: bool) -> Kind:
    """Return the apology for a turn without an answer, by the class of its error and whether a tool acted."""
    return "done" if is_tool_done else _KINDS.get(error, "sorry")
