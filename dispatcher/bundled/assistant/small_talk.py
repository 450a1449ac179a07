"""Small talk by topics: courtesies, jokes and stories, coins and dice, and requests beyond a set of rules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dispatcher.bundled.assistant.query import Query

# Said once in a dialogue, with the first question that a real LLM would have answered.
STAND_IN: Final = (
    "I am only the built-in stand-in: one endpoint line in the configuration brings in a real language model."
)
STAND_IN_ZH: Final = "我只是内置的简易助手，在配置里加一行endpoint，就能接上真正的大模型。"
# So much of a reply tells it from others; it may have been interrupted after that.
_KEY_LENGTH: Final = 40
_KEY_LENGTH_ZH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A pattern of texts in both languages, and answers in each.

    Attributes:
        is_chance: any of the answers is given, instead of the one that was given longest ago.
    """

    pattern: re.Pattern[str]
    answers: tuple[str, ...]
    answers_zh: tuple[str, ...]
    is_chance: bool = False

    def answer(self, query: Query, text: str = "") -> str | None:
        """Return an answer where the text, or else that of the query, is about the topic."""
        if not self.pattern.search(text or query.text):
            return None
        answers = self.answers_zh if query.language == "zh" else self.answers
        if self.is_chance:
            return query.random.choice(answers)
        return min(answers, key=lambda answer: _last_given(answer, query))


def _last_given(answer: str, query: Query) -> int:
    """Return the index of the newest reply with that answer, -1 for none."""
    key = answer.partition(" ")[2][: _KEY_LENGTH_ZH if query.language == "zh" else _KEY_LENGTH]
    return max((index for index, reply in enumerate(query.replies) if key in reply), default=-1)


def _topic(pattern: str, answer: str, answer_zh: str) -> Topic:
    return Topic(pattern=re.compile(pattern), answers=(answer,), answers_zh=(answer_zh,))


def _whole(english: str, chinese: str, answer: str, answer_zh: str) -> Topic:
    """Return a topic of texts that hold nothing else."""
    return _topic(
        rf"^(?:{english})(?: (?:xiao ?zhi|today|then|now|so much|very much|a lot))*$"
        rf"|^(?:{chinese})(?:小智|了|啊|呀|吧|呢|哦|的|今天)*$",
        answer,
        answer_zh,
    )


TOPICS: Final = (
    _topic(
        r"^(?:help|help me)$|\bwhat (?:can|do) you (?:do|know)\b(?! about)"
        r"|\bwhat can i (?:say|ask)\b|\bhow (?:do|can) i use you\b|^(?:帮助|帮帮我|使用说明)$"
        r"|你(?:会|能|可以|都会|都能)(?:做|干|说|帮我做)?(?:什么|啥|哪些)|怎么用你|有什么功能",
        "🙂 A few things. Ask me for the time here or in another city, the date, sums, units, "
        "a story or a joke. For everything else, put a real language model into the configuration.",
        "🙂 我会的不多。可以问我这里或别处的时间和日期，让我算数、换算单位，听故事和笑话。"
        "想聊别的，请在配置里接上真正的大模型。",
    ),
    _whole(
        r"(?:and )?(?:who|what) are you|(?:what is|tell me|say) your name"
        r"|(?:introduce|tell me about) yourself|are you (?:a |an |the )?"
        r"(?:robot|human|person|real|ai|xiao ?zhi|chat ?gpt|language model|assistant)(?: person)?",
        r"你(?:到底)?是谁|你(?:是)?叫(?:什么|啥)(?:名字)?|你的?名字(?:是什么|叫什么|是啥)?"
        r"|(?:做个|来个|做一下)?(?:自我介绍|介绍一?下?你?自己)(?:一下)?"
        r"|你是(?:不是)?(?:机器人|人类?|真人|人工智能|ai|小智|大模型)吗?",
        "🙂 I am Xiaozhi, the built-in assistant. I follow rules and am no language model.",
        "🙂 我是小智，内置的小助手。我靠规则回答，不是大语言模型。",
    ),
    _whole(
        r"who (?:made|built|created|wrote|invented) you|where (?:do|are) you (?:come )?from|how old are you",
        r"(?:你是|是)?谁(?:做|造|发明|创造|开发|设计)(?:了|的|出)*你?(?:的|出来的)?|你(?:从哪里?来|今?年?几岁|多大)",
        "🙂 I come with this dispatcher, and I am as old as its last start.",
        "🙂 我是跟着这个系统一起来的，每次启动都算我的生日。",
    ),
    _whole(
        r"how are you(?: doing| feeling)?|how is it going|how do you (?:do|feel)"
        r"|are you (?:ok|okay|well|there)|what is up",
        r"你(?:还|过得)?好吗|你(?:最近|今天)?怎么样|最近(?:好吗|怎么样|如何)|(?:你)?在吗",
        "🙂 I am fine, thank you. How are you?",
        "🙂 我很好，谢谢！你呢？",
    ),
    _whole(
        r"(?:it is )?nice to meet you|i (?:am|feel) (?:very |quite |also )?(?:fine|good|great|well|happy|okay"
        r"|ok)(?: (?:too|thanks|thank you))*",
        r"我(?:也|今天)?(?:很好|不错|挺好|还行|很开心|很高兴)",
        "🙂 That is nice to hear!",
        "🙂 太好了！",
    ),
    _topic(
        r"(?<!no )\bthank(?:s| you)\b|^(?:well done|(?:good|great|nice) job|very good)$"
        r"|谢谢|多谢|感谢|辛苦了|^(?:你)?(?:真棒|真厉害|做得好|好样的)",
        "😉 You are welcome!",
        "😉 不客气！",
    ),
    _whole(
        r"(?:ok |okay )?good ?night(?: .{1,12})?|sleep well|i am going to (?:bed|sleep)",
        r".{0,2}晚安|我(?:要|去)睡觉?",
        "😴 Good night. Sleep well!",
        "😴 晚安，做个好梦！",
    ),
    _whole(
        r"(?:ok |okay )?(?:bye|goodbye|good bye|bye bye)(?: .{1,12})?"
        r"|see (?:you|ya)(?: (?:later|soon|tomorrow))?|stop|quit|exit|never mind|that is all"
        r"|be quiet|shut up",
        r".{0,3}(?:再见|拜拜|回头见|下次见|明天见)|停|停止|退出|别说|安静|闭嘴|没事",
        "🙂 Bye for now!",
        "🙂 再见，回头聊！",
    ),
    _whole(
        r"yes|yeah|yep|ok|okay|sure|all ?right|fine|good|great|cool|nice|i see",
        r"好|好的|是|对|嗯+|可以|行|没问题|知道|明白",
        "🙂 Good. What next?",
        "🙂 好的，接下来呢？",
    ),
    _whole(
        r"no|nope|no thanks|not now|nothing",
        r"不|不要|不用|不是|没有|算",
        "😌 All right. I am here when you need me.",
        "😌 好吧，需要的时候再叫我。",
    ),
)
GREETING: Final = _topic(
    r"^\W*(?:(?:hi|hello|hallo|hiya|hey|howdy|greetings|good (?:morning|afternoon|evening"
    r"|day))\b(?:\W+\w+){0,2}|xiao ?zhi)\W*$"
    r"|^(?:[嘿哎嗨小智]{0,2}(?:你好|您好|嗨|哈喽|早上好|早安|上午好|中午好|下午好|晚上好|大家好|小智|喂).{0,4}|早)\W*$",
    "🙂 Hello! How can I help?",
    "🙂 你好！有什么可以帮你？",
)
UNKNOWN_TOPICS: Final = (
    _topic(
        r"\b(?:weather|temperature (?:is it )?(?:outside|today)|(?:cold|hot|warm|sunny"
        r"|windy) (?:outside|today)|(?:(?:will|is|does) it"
        r"|going to) (?:be )?(?:rain|snow)(?:ing|y)?|forecast|umbrella|how (?:hot|cold|warm) is it)\b"
        r"|^what is the temperature$|天气|(?:会|在|要)下[雨雪]|下[雨雪][吗了]|气温"
        r"|(?:外面|室外|今天|现在|明天).{0,3}温度|带伞|冷不冷|热不热|[冷热]吗",
        "🤔 I cannot see outside and have no weather report.",
        "🤔 我看不到外面，也没有天气预报。",
    ),
    _topic(
        r"\b(?:news|headlines)\b|新闻|头条",
        "🤔 I have no news: I am not connected to the internet.",
        "🤔 我没有新闻，我不能上网。",
    ),
    _topic(
        r"\bsing\b|\b(?:play|put on|hear|listen to)\b.*\b(?:music|songs?|radio|podcasts?|album|something)\b"
        r"|^(?:play|music)\b|唱[首个支歌一]|(?:放|听|来|点|播).{0,6}[歌曲]|音乐|播放|电台",
        "🤔 I have no music to play.",
        "🤔 我没有音乐可以放。",
    ),
    _topic(
        r"\b(?:turn|switch) (?:(?:the |my )?(?:\w+ ){0,4})?(?:on|off|up|down)\b"
        r"|\b(?:volume up|thermostat|dim the)\b|打开|把.{1,8}[开关](?:了|上|掉|一下)|关掉|关上|关闭|开一下"
        r"|调高|调低|调大|调小|音量|亮度|开灯|关灯",
        "😔 I cannot control that from here.",
        "😔 这个我控制不了。",
    ),
)
STORIES: Final = (
    (
        "🙂 Here is one. On a hill above the sea there lived an old lighthouse "
        "that was afraid of the dark. "
        "Every evening it lit its lamp as early as it could, and it never told anybody why. "
        "One night a small boat came in through the storm, and the sailor said: "
        "thank you for being brave. "
        "The lighthouse thought about that until the morning. "
        "Since then it still lights its lamp early, but now it says that it does so for the boats."
    ),
    (
        "🙂 Listen. A young fox found a clock in the forest and heard it ticking. "
        "She thought that a very small animal lived inside, so she brought it berries every day. "
        "When the clock ran down, she was sad, and turned the little key on its back "
        "to wake the animal up. "
        "It ticked again, and the fox danced for joy. "
        "To this day she is the only one in the forest who is never late."
    ),
    (
        "🙂 All right. A snail and a swallow wanted to see the end of the road. "
        "The swallow was back before lunch and said that there was nothing there but another road. "
        "The snail took the whole summer. "
        "It had met three beetles, a well and a garden full of strawberries, "
        "and it never did reach the end. "
        "Ask around which of the two has more to tell."
    ),
)
STORIES_ZH: Final = (
    (
        "🙂 好，听我讲。海边的小山上有一座老灯塔，它其实很怕黑。"
        "每天傍晚，它总是早早地把灯点亮，从来不说为什么。"
        "有一天夜里，一条小船穿过风暴回来了，船上的人说：谢谢你这么勇敢。灯塔想了整整一夜。"
        "从那以后，它还是早早点灯，不过它说，那是为了小船。"
    ),
    (
        "🙂 有一个。小狐狸在森林里捡到一个钟，听见里面滴答滴答地响。"
        "它以为里面住着一只很小的动物，就每天送果子来。"
        "后来钟停了，小狐狸很难过，轻轻拧了拧背后的小钥匙。钟又响了起来，小狐狸高兴得跳起了舞。"
        "直到今天，整个森林里只有它从不迟到。"
    ),
    (
        "🙂 来了。蜗牛和燕子都想看看路的尽头。燕子中午就飞回来了，说那里什么也没有，只有另一条路。"
        "蜗牛走了整整一个夏天，遇到了三只甲虫、一口井，还有一片草莓园，却始终没有走到头。"
        "你猜，谁的故事更多呢？"
    ),
)
# "Who wrote the story of ..." asks for something else.
_NOT_TOLD: Final = r"^(?!(?:who|what|when|where|why|which)\b|.*(?:\babout\b|谁写|是什么|听懂|好听|关于)).*"
# Topics that "another one" asks for again.
REPEATABLE: Final = (
    Topic(
        pattern=re.compile(
            _NOT_TOLD + r"(?:\bjokes?\b|make me laugh|something funny|笑话|逗我|好笑的)", re.DOTALL
        ),
        answers=(
            "😆 Here is one. Why did the clock go to school? It wanted to learn how to tell the time.",
            "😂 All right. I told my router a joke about packets. It got it, but only on the second try.",
            "😆 Listen. What did the kettle say to the cup? Stay cool, I will handle the hot part.",
            "😂 My calendar is worried. It says its days are numbered.",
        ),
        answers_zh=(
            "😆 好，听着。闹钟为什么去上学？因为它想学会看时间。",
            "😂 有一个。路由器听了我的笑话没笑，过了一会儿说：刚才丢包了，请再讲一遍。",
            "😆 来了。茶壶对茶杯说：你别急，烫的事情交给我。",
            "😂 日历最近很担心，它说自己的日子不多了。",
        ),
    ),
    Topic(
        pattern=re.compile(_NOT_TOLD + r"(?:\bstor(?:y|ies)\b|\bfairy ?tale\b|故事|童话)", re.DOTALL),
        answers=STORIES,
        answers_zh=STORIES_ZH,
    ),
    Topic(
        pattern=re.compile(r"\b(?:flip|toss|throw)\b.*\bcoin\b|\bheads or tails\b|[抛扔掷].*硬币"),
        answers=("😏 Heads!", "😏 Tails!"),
        answers_zh=("😏 正面！", "😏 反面！"),
        is_chance=True,
    ),
    Topic(
        pattern=re.compile(r"\b(?:roll|throw)\b.*\b(?:dice|die)\b|[掷扔投摇].*(?:骰子|色子)"),
        answers=tuple(f"😏 A {count}!" for count in range(1, 7)),
        answers_zh=tuple(f"😏 {count}点！" for count in range(1, 7)),
        is_chance=True,
    ),
)


def tell(query: Query) -> str | None:
    """Tell a joke or a story that was not told in this dialogue, or throw a coin or a die."""
    return next((told for topic in REPEATABLE if (told := topic.answer(query))), None)


def chat(query: Query) -> str | None:
    """Answer courtesies, and questions about the assistant."""
    return next((said for topic in TOPICS if (said := topic.answer(query))), None) or greet(query)


def greet(query: Query) -> str | None:
    """Answer a greeting that stands alone."""
    return GREETING.answer(query, query.said.lower())


def decline(query: Query) -> str | None:
    """Answer that something well known cannot be done here."""
    said = next((said for topic in UNKNOWN_TOPICS if (said := topic.answer(query))), None)
    return with_stand_in(query, said) if said else None


def with_stand_in(query: Query, said: str) -> str:
    """Return the text, with the note on a real LLM where the dialogue does not have it yet."""
    if any(STAND_IN[:28] in reply or STAND_IN_ZH[:9] in reply for reply in query.replies):
        return said
    return query.say(f"{said} {STAND_IN}", f"{said}{STAND_IN_ZH}")
