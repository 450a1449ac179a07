"""What people say to an assistant, and what it says back. The first row that fits is taken."""

from __future__ import annotations

from typing import Final

from dispatcher.builtin.assistant.topic import Topic, says

TOPICS: Final = (
    Topic(
        says(
            r"\bjokes?\b",
            r"make me laugh",
            r"something funny",
            r"^another one$",
        ),
        says(
            r"笑话",
            r"逗我",
            r"好笑",
            r"再来一个",
        ),
        (
            "😆 Here is one. Why did the clock go to school? It wanted to learn how to tell the time.",
            "😂 All right. I told my router a joke about packets. It got it, but only on the second try.",
            "😆 Listen. What did the kettle say to the cup? Stay cool, I will handle the hot part.",
            "😂 One more. My calendar is worried. It says its days are numbered.",
        ),
        (
            "😆 好，听着。闹钟为什么去上学？因为它想学会看时间。",
            "😂 有一个。路由器听了我的笑话没笑，过了一会儿说：刚才丢包了，请再讲一遍。",
            "😆 来了。茶壶对茶杯说：你别急，烫的事情交给我。",
            "😂 再来一个。日历最近很担心，它说自己的日子不多了。",
        ),
    ),
    Topic(
        says(
            r"\bwho are you\b",
            r"\byour name\b",
            r"\bwhat are you\b",
            r"\bintroduce yourself\b",
            r"are you (?:a |an )?(?:robot|human|real|ai|chat ?gpt)",
        ),
        says(
            r"你是谁",
            r"你叫什么",
            r"你的名字",
            r"介绍一下你自己",
            r"自我介绍",
            r"你是(?:机器人|人|真人|人工智能)",
        ),
        ("🙂 I am Xiaozhi, the built-in assistant. I follow rules and am no language model.",),
        ("🙂 我是小智，内置的小助手。我靠规则回答，不是大语言模型。",),
    ),
    Topic(
        says(
            r"\bwho (?:made|built|created|wrote) you\b",
            r"\bwhere (?:do|are) you (?:come )?from\b",
            r"\bhow old are you\b",
        ),
        says(
            r"谁(?:做|造|发明|创造|开发)了?(?:的?你|出你)",
            r"你(?:从哪里?来|几岁|多大)",
        ),
        ("🙂 I come with this dispatcher, and I am as old as its last start.",),
        ("🙂 我是跟着这个系统一起来的，每次启动都算我的生日，所以不懂的地方请多包涵。",),
    ),
    Topic(
        says(
            r"\bhow are you\b",
            r"\bhow is it going\b",
            r"\bhow do you (?:do|feel)\b",
            r"\bare you (?:ok|okay|well|there)\b",
            r"\bwhat is up\b",
        ),
        says(
            r"你好吗",
            r"你怎么样",
            r"最近(?:好吗|怎么样)",
            r"你还好吗",
            r"你在吗",
            r"过得好吗",
        ),
        (
            "🙂 I am fine, thank you. All my queues are short today. How are you?",
            "😌 Quite relaxed. Waiting is easy for me. And you?",
        ),
        ("🙂 我很好，谢谢！今天排队的任务不多。你呢？", "😌 很悠闲，等人我最在行。你怎么样？"),
    ),
    Topic(
        says(
            r"\bi (?:am|feel) (?:fine|good|great|well|happy|okay|ok)\b",
        ),
        says(
            r"我(?:很好|不错|挺好|还行|很开心|很高兴)",
        ),
        ("🙂 Glad to hear that! What shall we do?",),
        ("🙂 太好了！那我们做点什么呢？",),
    ),
    Topic(
        says(
            r"\bi (?:am|feel) (?:so |very )?(?:sad|tired|lonely|bored|sick|angry|unhappy|stressed)\b",
        ),
        says(
            r"我(?:很|好|有点|太)?(?:难过|伤心|累|孤单|无聊|生气|不开心|不舒服|烦)",
        ),
        (
            "😔 I am sorry. A glass of water and some fresh air often help. Shall I tell you a story?",
            "😔 That is hard. I can keep you company for a while. Do you want to hear a joke?",
        ),
        ("😔 抱抱你。喝杯水，出去走一走，也许会好一点。要不要听个故事？", "😔 我在这里陪你。想听个笑话吗？"),
    ),
    Topic(
        says(
            r"\bthank(?:s| you)\b",
            r"\bwell done\b",
            r"\bgood (?:job|boy|girl)\b",
            r"\bgreat job\b",
            r"\bvery good\b",
        ),
        says(
            r"谢谢",
            r"多谢",
            r"感谢",
            r"辛苦了",
            r"真棒",
            r"真厉害",
            r"做得好",
            r"好样的",
        ),
        ("😉 You are welcome!", "🙂 Any time.", "😊 My pleasure."),
        ("😉 不客气！", "🙂 随时为你效劳。", "😊 应该的。"),
    ),
    Topic(
        says(
            r"\bgood ?night\b",
            r"\bsleep well\b",
            r"\bgoing to (?:bed|sleep)\b",
        ),
        says(
            r"晚安",
            r"我要睡了",
            r"去睡觉",
            r"睡觉了",
        ),
        ("😴 Good night. Sleep well!",),
        ("😴 晚安，做个好梦！",),
    ),
    Topic(
        says(
            r"\bbye\b",
            r"\bgoodbye\b",
            r"\bsee you\b",
            r"\bsee ya\b",
            r"^(?:stop|quit|exit|never mind|that is all|be quiet|shut up)$",
        ),
        says(
            r"再见",
            r"拜拜",
            r"回头见",
            r"下次见",
            r"^(?:停|停止|退出|别说了|安静|闭嘴|没事了?)$",
        ),
        ("😌 Bye for now!", "🙂 See you!"),
        ("😌 再见，回头聊！", "🙂 拜拜！"),
    ),
    Topic(
        says(
            r"\bi (?:love|like) you\b",
            r"\bmarry me\b",
            r"\bbe my friend\b",
        ),
        says(
            r"我(?:爱|喜欢)你",
            r"嫁给我",
            r"做我的?朋友",
        ),
        ("😍 That is kind. I like talking with you, too.",),
        ("😍 谢谢你，我也喜欢和你聊天。",),
    ),
    Topic(
        says(
            r"\byou are (?:so |very )?(?:stupid|dumb|silly|useless|bad|annoying|wrong)\b",
            r"\bi hate you\b",
        ),
        says(
            r"你(?:真|好|太|很)?(?:笨|傻|蠢|没用|烦人|讨厌|糟糕)",
            r"我讨厌你",
        ),
        ("😳 You may be right. I am only a few rules; a real language model would do better.",),
        ("😳 你说得对，我只会几条规则，换上真正的大模型就聪明多了。",),
    ),
    Topic(
        says(
            r"\b(?:weather|temperature outside|will it rain|is it raining|forecast|umbrella)\b",
        ),
        says(
            r"天气",
            r"下雨",
            r"下雪",
            r"气温",
            r"带伞",
            r"冷不冷",
            r"热不热",
        ),
        ("🤔 I cannot see outside. I have no way to the internet, so please look through the window.",),
        ("🤔 我看不到外面。我只有一些规则，不能上网，麻烦你看看窗外吧。",),
    ),
    Topic(
        says(
            r"\bsing\b",
            r"\bsong\b",
            r"\bplay (?:some |the |a )?(?:music|song|radio)",
        ),
        says(
            r"唱(?:首|个|一)?",
            r"放(?:首|一首|点)?(?:歌|音乐)",
            r"来首歌",
            r"听歌",
            r"听音乐",
            r"播放",
        ),
        ("😜 La la la! That was my whole concert. I have no music to play, but I can tell a story.",),
        ("😜 啦啦啦！我的演唱会到此结束。我没有音乐可以放，不过可以讲故事。",),
    ),
    Topic(
        says(
            r"\b(?:turn|switch) (?:on|off|up|down)\b",
            r"\bturn (?:the )?(?:\w+ ){1,4}(?:on|off|up|down)\b",
            r"\b(?:volume|brightness|thermostat)\b",
        ),
        says(
            r"(?:打开|关掉|关上|关闭|开一下|调高|调低|调大|调小).*",
            r"音量",
            r"亮度",
            r"开灯",
            r"关灯",
        ),
        ("😔 I cannot reach that from here. I am only the built-in assistant, without hands on the house.",),
        ("😔 这个我控制不了。我只是内置的小助手，还不能管家里的设备。",),
    ),
    Topic(
        says(
            r"\bmeaning of life\b",
            r"\bfavou?rite colou?r\b",
            r"\bfavou?rite (?:food|number)\b",
        ),
        says(
            r"人生的?意义",
            r"生命的意义",
            r"最?喜欢(?:什么|哪种|哪个)",
        ),
        ("🤔 A good question. Some say the answer is 42; I say it is good company and a short queue.",),
        ("🤔 好问题。有人说答案是42，我觉得是有人陪，还不用排队。",),
    ),
    Topic(
        says(
            r"^(?:yes|yeah|yep|ok|okay|sure|all right|alright|fine|good|great|cool|nice)$",
        ),
        says(
            r"^(?:好|好的|好啊|是|是的|对|对的|嗯嗯?|可以|行|没问题)$",
        ),
        ("🙂 Good. What next?",),
        ("🙂 好的，接下来呢？",),
    ),
    Topic(
        says(
            r"^(?:no|nope|no thanks|not now|nothing)$",
        ),
        says(
            r"^(?:不|不要|不用|不是|没有|算了|不用了)$",
        ),
        ("😌 All right. I am here when you need me.",),
        ("😌 好吧，需要的时候再叫我。",),
    ),
    Topic(
        says(
            r"^(?:hi|hello|hallo|hiya|howdy|greetings|good (?:morning|afternoon|evening|day))\b",
            r"^(?:hi |hello )?xiao ?zhi$",
        ),
        says(
            r"^(?:你好|您好|嗨|哈喽|早上好|早安|早|上午好|中午好|下午好|晚上好|大家好|在吗|小智)",
            r"^喂",
        ),
        (
            "🙂 Hello! How can I help?",
            "🙂 Hi there! Ask me for the time, a sum, or a story.",
        ),
        ("🙂 你好！有什么可以帮你？", "🙂 嗨！可以问我时间、算数，或者听个故事。"),
    ),
)
