"""Stories and poems: replies of several sentences."""

from __future__ import annotations

import re
from typing import Final, TypeAlias

from dispatcher.builtin.assistant.asked import Asked

_STORY: Final = re.compile(r"\bstor(?:y|ies)\b|\bfairy ?tale\b|\bonce upon a time\b")
_POEM: Final = re.compile(r"\bpoems?\b|\bpoetry\b|\brhyme\b|\bverse\b")
_STORY_ZH: Final = re.compile(r"故事|童话")
_POEM_ZH: Final = re.compile(r"诗|儿歌|歌谣")

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
POEMS: Final[Stories] = (
    (
        "😌 A short one. The kettle hums, the window glows, the evening comes on quiet toes.",
        "The clock has nothing left to say; it counts the crumbs of one good day.",
    ),
    (
        "😌 Here it is. A cloud came by and asked the tree: why do you never run with me?",
        "The tree said: friend, I cannot roam, but every bird here calls me home.",
    ),
)
POEMS_ZH: Final[Stories] = (
    (
        "😌 念一首短的。窗前灯一盏，壶里水声喧。",
        "晚风轻敲门，说是又一天。",
    ),
    (
        "😌 好的。白云问小树，为何不远行。",
        "小树笑着说，鸟儿在我心。",
    ),
)


def tell(asked: Asked) -> str | None:
    """Tell a story or a poem, another one at each turn."""
    if asked.language == "zh":
        story, poem, stories, poems = _STORY_ZH, _POEM_ZH, STORIES_ZH, POEMS_ZH
    else:
        story, poem, stories, poems = _STORY, _POEM, STORIES, POEMS
    for pattern, texts in ((story, stories), (poem, poems)):
        if pattern.search(asked.text):
            return ("" if asked.language == "zh" else " ").join(texts[asked.turn % len(texts)])
    return None
