"""Jokes and stories: another one each time, as long as there are some."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from dispatcher.bundled.assistant.query import Query

_JOKE: Final = re.compile(r"\bjokes?\b|make me laugh|something funny|笑话|逗我|好笑的")
_STORY: Final = re.compile(r"\bstor(?:y|ies)\b|\bfairy ?tale\b|故事|童话")
# "Who wrote the story of ..." asks for something else.
_NOT_TOLD: Final = re.compile(r"^(?:who|what|when|where|why|which)\b|\babout\b|谁写|是什么|听懂|好听|关于")
_KEY_LENGTH: Final = 40
_KEY_LENGTH_ZH: Final = 12

# A story is its sentences.
Stories: TypeAlias = tuple[tuple[str, ...], ...]

STORIES: Final[Stories] = (
    (
        "🙂 Here is one. On a hill above the sea there lived an old lighthouse that was afraid of the dark.",
        "Every evening it lit its lamp as early as it could, and it never told anybody why.",
        "One night a small boat came in through the storm, and the sailor said: thank you for being brave.",
        "The lighthouse thought about that until the morning.",
        "Since then it still lights its lamp early, but now it says that it does so for the boats.",
    ),
    (
        "🙂 Listen. A young fox found a clock in the forest and heard it ticking.",
        "She thought that a very small animal lived inside, so she brought it berries every day.",
        "When the clock ran down, she was sad, and turned the little key on its back to wake the animal up.",
        "It ticked again, and the fox danced for joy.",
        "To this day she is the only one in the forest who is never late.",
    ),
    (
        "🙂 All right. A snail and a swallow wanted to see the end of the road.",
        "The swallow was back before lunch and said that there was nothing there but another road.",
        "The snail took the whole summer.",
        "It had met three beetles, a well and a garden full of strawberries, and it never did reach the end.",
        "Ask around which of the two has more to tell.",
    ),
)
STORIES_ZH: Final[Stories] = (
    (
        "🙂 好，听我讲。",
        "海边的小山上有一座老灯塔，它其实很怕黑。",
        "每天傍晚，它总是早早地把灯点亮，从来不说为什么。",
        "有一天夜里，一条小船穿过风暴回来了，船上的人说：谢谢你这么勇敢。",
        "灯塔想了整整一夜。",
        "从那以后，它还是早早点灯，不过它说，那是为了小船。",
    ),
    (
        "🙂 有一个。小狐狸在森林里捡到一个钟，听见里面滴答滴答地响。",
        "它以为里面住着一只很小的动物，就每天送果子来。",
        "后来钟停了，小狐狸很难过，轻轻拧了拧背后的小钥匙。",
        "钟又响了起来，小狐狸高兴得跳起了舞。",
        "直到今天，整个森林里只有它从不迟到。",
    ),
    (
        "🙂 来了。蜗牛和燕子都想看看路的尽头。",
        "燕子中午就飞回来了，说那里什么也没有，只有另一条路。",
        "蜗牛走了整整一个夏天，遇到了三只甲虫、一口井，还有一片草莓园，却始终没有走到头。",
        "你猜，谁的故事更多呢？",
    ),
)
JOKES: Final = (
    "😆 Here is one. Why did the clock go to school? It wanted to learn how to tell the time.",
    "😂 All right. I told my router a joke about packets. It got it, but only on the second try.",
    "😆 Listen. What did the kettle say to the cup? Stay cool, I will handle the hot part.",
    "😂 My calendar is worried. It says its days are numbered.",
)
JOKES_ZH: Final = (
    "😆 好，听着。闹钟为什么去上学？因为它想学会看时间。",
    "😂 有一个。路由器听了我的笑话没笑，过了一会儿说：刚才丢包了，请再讲一遍。",
    "😆 来了。茶壶对茶杯说：你别急，烫的事情交给我。",
    "😂 日历最近很担心，它说自己的日子不多了。",
)


def tell(query: Query) -> str | None:
    """Tell a joke or a story that was not told in this dialogue, else the one told longest ago."""
    if _NOT_TOLD.search(query.text):
        return None
    if _JOKE.search(query.text):
        return _fresh(JOKES_ZH if query.language == "zh" else JOKES, query)
    if not _STORY.search(query.text):
        return None
    separator = query.say(" ", "")
    stories = STORIES_ZH if query.language == "zh" else STORIES
    return _fresh([separator.join(each) for each in stories], query)


def _fresh(texts: Sequence[str], query: Query) -> str:
    return min(texts, key=lambda text: _last_told(text, query))


def _last_told(text: str, query: Query) -> int:
    """Return the place of the last reply with this text, -1 for none; a reply may have been interrupted."""
    length = _KEY_LENGTH_ZH if query.language == "zh" else _KEY_LENGTH
    key = text.partition(" ")[2][:length]
    told = [place for place, reply in enumerate(query.replies) if key in reply]
    return told[-1] if told else -1
