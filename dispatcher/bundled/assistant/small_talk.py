"""Small talk, and what a set of rules owns up to not knowing. The first topic that matches is taken."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Patterns for a whole text, or for a part of it, and an answer in each language."""

    english: re.Pattern[str]
    chinese: re.Pattern[str]
    answer: str
    answer_zh: str


def _whole(*ways: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:{'|'.join(ways)})(?: (?:xiao ?zhi|today|then|now|so much|very much|a lot))*$")


def _whole_zh(*ways: str) -> re.Pattern[str]:
    return re.compile(rf"^(?:{'|'.join(ways)})(?:小智|了|啊|呀|吧|呢|哦|的|今天)*$")


TOPICS: Final = (
    Topic(
        english=_whole(
            r"(?:and )?(?:who|what) are you",
            r"(?:what is|tell me|say) your name",
            r"(?:introduce|tell me about) yourself",
            r"are you (?:a |an |the )?(?:robot|human|person|real|ai|xiao ?zhi|chat ?gpt"
            r"|language model|assistant)(?: person)?",
        ),
        chinese=_whole_zh(
            r"你(?:到底)?是谁",
            r"你(?:是)?叫(?:什么|啥)(?:名字)?",
            r"你的?名字(?:是什么|叫什么|是啥)?",
            r"(?:做个|来个|做一下)?(?:自我介绍|介绍一?下?你?自己)(?:一下)?",
            r"你是(?:不是)?(?:机器人|人类?|真人|人工智能|ai|小智|大模型)吗?",
        ),
        answer="🙂 I am Xiaozhi, the built-in assistant. I follow rules and am no language model.",
        answer_zh="🙂 我是小智，内置的小助手。我靠规则回答，不是大语言模型。",
    ),
    Topic(
        english=_whole(
            r"who (?:made|built|created|wrote|invented) you",
            r"where (?:do|are) you (?:come )?from",
            r"how old are you",
        ),
        chinese=_whole_zh(
            r"(?:你是|是)?谁(?:做|造|发明|创造|开发|设计)(?:了|的|出)*你?(?:的|出来的)?",
            r"你(?:从哪里?来|今?年?几岁|多大)",
        ),
        answer="🙂 I come with this dispatcher, and I am as old as its last start.",
        answer_zh="🙂 我是跟着这个系统一起来的，每次启动都算我的生日。",
    ),
    Topic(
        english=_whole(
            r"how are you(?: doing| feeling)?",
            r"how is it going",
            r"how do you (?:do|feel)",
            r"are you (?:ok|okay|well|there)",
            r"what is up",
        ),
        chinese=_whole_zh(
            r"你(?:还|过得)?好吗", r"你(?:最近|今天)?怎么样", r"最近(?:好吗|怎么样|如何)", r"(?:你)?在吗"
        ),
        answer="🙂 I am fine, thank you. How are you?",
        answer_zh="🙂 我很好，谢谢！你呢？",
    ),
    Topic(
        english=_whole(
            r"(?:it is )?nice to meet you",
            r"i (?:am|feel) (?:very |quite |also )?(?:fine|good|great|well|happy|okay"
            r"|ok)(?: (?:too|thanks|thank you))*",
        ),
        chinese=_whole_zh(r"我(?:也|今天)?(?:很好|不错|挺好|还行|很开心|很高兴)"),
        answer="🙂 That is nice to hear!",
        answer_zh="🙂 太好了！",
    ),
    Topic(
        english=re.compile(r"(?<!no )\bthank(?:s| you)\b|^(?:well done|(?:good|great|nice) job|very good)$"),
        chinese=re.compile(r"谢谢|多谢|感谢|辛苦了|^(?:你)?(?:真棒|真厉害|做得好|好样的)"),
        answer="😉 You are welcome!",
        answer_zh="😉 不客气！",
    ),
    Topic(
        english=_whole(
            r"(?:ok |okay )?good ?night(?: .{1,12})?", r"sleep well", r"i am going to (?:bed|sleep)"
        ),
        chinese=_whole_zh(r".{0,2}晚安", r"我(?:要|去)睡觉?"),
        answer="😴 Good night. Sleep well!",
        answer_zh="😴 晚安，做个好梦！",
    ),
    Topic(
        english=_whole(
            r"(?:ok |okay )?(?:bye|goodbye|good bye|bye bye)(?: .{1,12})?",
            r"see (?:you|ya)(?: (?:later|soon|tomorrow))?",
            r"stop|quit|exit|never mind|that is all|be quiet|shut up",
        ),
        chinese=_whole_zh(r".{0,3}(?:再见|拜拜|回头见|下次见|明天见)", r"停|停止|退出|别说|安静|闭嘴|没事"),
        answer="🙂 Bye for now!",
        answer_zh="🙂 再见，回头聊！",
    ),
    Topic(
        english=_whole(r"yes|yeah|yep|ok|okay|sure|all ?right|fine|good|great|cool|nice|i see"),
        chinese=_whole_zh(r"好|好的|是|对|嗯+|可以|行|没问题|知道|明白"),
        answer="🙂 Good. What next?",
        answer_zh="🙂 好的，接下来呢？",
    ),
    Topic(
        english=_whole(r"no|nope|no thanks|not now|nothing"),
        chinese=_whole_zh(r"不|不要|不用|不是|没有|算"),
        answer="😌 All right. I am here when you need me.",
        answer_zh="😌 好吧，需要的时候再叫我。",
    ),
)
GREETING: Final = Topic(
    english=re.compile(
        r"^\W*(?:(?:hi|hello|hallo|hiya|hey|howdy|greetings|good (?:morning|afternoon|evening"
        r"|day))\b(?:\W+\w+){0,2}|xiao ?zhi)\W*$"
    ),
    chinese=re.compile(
        r"^(?:[嘿哎嗨小智]{0,2}(?:你好|您好|嗨|哈喽|早上好|早安|上午好|中午好|下午好|晚上好|大家好|小智|喂).{0,4}|早)\W*$"
    ),
    answer="🙂 Hello! How can I help?",
    answer_zh="🙂 你好！有什么可以帮你？",
)
UNKNOWN_TOPICS: Final = (
    Topic(
        english=re.compile(
            r"\b(?:weather|temperature (?:is it )?(?:outside|today)|(?:cold|hot|warm|sunny"
            r"|windy) (?:outside|today)|(?:(?:will|is|does) it"
            r"|going to) (?:be )?(?:rain|snow)(?:ing|y)?|forecast|umbrella|how (?:hot|cold|warm) is it)\b"
            r"|^what is the temperature$"
        ),
        chinese=re.compile(
            r"天气|(?:会|在|要)下[雨雪]|下[雨雪][吗了]|气温|(?:外面|室外|今天|现在|明天).{0,3}温度|带伞|冷不冷|热不热|[冷热]吗"
        ),
        answer="🤔 I cannot see outside and have no weather report.",
        answer_zh="🤔 我看不到外面，也没有天气预报。",
    ),
    Topic(
        english=re.compile(r"\b(?:news|headlines)\b"),
        chinese=re.compile(r"新闻|头条"),
        answer="🤔 I have no news: I am not connected to the internet.",
        answer_zh="🤔 我没有新闻，我不能上网。",
    ),
    Topic(
        english=re.compile(
            r"\bsing\b|\b(?:play|put on|hear|listen to)\b.*\b(?:music|songs?|radio|podcasts?"
            r"|album|something)\b|^(?:play|music)\b"
        ),
        chinese=re.compile(r"唱[首个支歌一]|(?:放|听|来|点|播).{0,6}[歌曲]|音乐|播放|电台"),
        answer="🤔 I have no music to play.",
        answer_zh="🤔 我没有音乐可以放。",
    ),
    Topic(
        english=re.compile(
            r"\b(?:turn|switch) (?:(?:the |my )?(?:\w+ ){0,4})?(?:on|off|up|down)\b"
            r"|\b(?:volume up|thermostat|dim the)\b"
        ),
        chinese=re.compile(
            r"打开|把.{1,8}[开关](?:了|上|掉|一下)|关掉|关上|关闭|开一下|调高|调低|调大|调小|音量|亮度|开灯|关灯"
        ),
        answer="😔 I cannot control that from here.",
        answer_zh="😔 这个我控制不了。",
    ),
)


def chat(query: Query) -> str | None:
    """Answer what people say to be polite, or to find out who is talking."""
    said = next((said for topic in TOPICS if (said := _answer(topic, query, query.text))), None)
    return said or greet(query)


def greet(query: Query) -> str | None:
    """Answer a greeting that nothing else comes with."""
    return _answer(GREETING, query, query.said.lower())


def own_up(query: Query) -> str | None:
    """Answer that something well known cannot be done here."""
    found = (_answer(topic, query, query.text) for topic in UNKNOWN_TOPICS)
    said = next((each for each in found if each), None)
    return with_stand_in(query, said) if said else None


def with_stand_in(query: Query, said: str) -> str:
    """Return the text, with the note on a real LLM where the dialogue does not have it yet."""
    if any(STAND_IN[:28] in reply or STAND_IN_ZH[:9] in reply for reply in query.replies):
        return said
    return query.say(f"{said} {STAND_IN}", f"{said}{STAND_IN_ZH}")


def _answer(topic: Topic, query: Query, text: str) -> str | None:
    pattern = topic.chinese if query.language == "zh" else topic.english
    return query.say(topic.answer, topic.answer_zh) if pattern.search(text) else None
