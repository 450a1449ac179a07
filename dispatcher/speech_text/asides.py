"""Asides of a reply, beside its words: citations, sources, kaomoji, stage directions."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.speech_text.rules import Match

_SOURCE_WORD: Final = (
    r"(?:sources?|via|refs?|references?|来源|资料来源|数据来源|信息来源|出处|参考资料|参考|引用|引自)"
)
# The exact sizes only bound the work.
_LINK: Final = r"\[[^\[\]\n]{0,120}\]\([^()\s]{0,500}\)"
_CITATIONS: Final = (
    # OpenAI's own marks, 【3†source】, [3†source], 【12】.
    re.compile("\ue200[^\ue201\n]{0,200}\ue201"),
    re.compile(r"[【\[][^【】\[\]\n]{0,60}†[^【】\[\]\n]{0,60}[】\]]"),
    re.compile(r"【\s?\d{1,3}(?:\s?[-:,，、]\s?\d{1,3}){0,5}\s?】"),
    # [^2], [1], [2, 3], [[4]](url), [5](url)
    re.compile(r"\[\^[\w-]{1,20}\]:?"),
    re.compile(r"^\[[\w-]{1,20}\]:\s?<?https?://\S{0,500}.*$", re.MULTILINE),
    re.compile(r"\[{1,2}[1-9]\d{0,2}\]{1,2}\([^()\s]{0,500}\)"),
    re.compile(r"\[{1,2}[1-9]\d{0,2}(?:\s?[,，、–-]\s?\d{1,3}){0,5}\]{1,2}"),
    # (source: ...), [citation needed], and an address in brackets of its own
    re.compile(
        rf"[(（]\s?{_SOURCE_WORD}\s?[:：]"
        r"(?:[^()（）\[\]\n]|\[[^\[\]\n]{0,80}\]|\([^()\n]{0,200}\)){0,300}[)）]",
        re.IGNORECASE,
    ),
    re.compile(
        rf"[\[【]\s?(?:{_SOURCE_WORD}\s?(?:[:：][^\[\]【】\n]{{0,200}})?|citation needed|来源请求)"
        r"\s?[\]】](?!\()",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<!\])[(（]\s?(?:{_LINK}|https?://[^\s()（）]{{1,500}})(?:\s?[,;，；、]\s?{_LINK}){{0,5}}\s?[)）]"
    ),
)

_FACE_SIGNS: Final = frozenset("ω▽△∀Д益﹏◕‿ᴗ﹀´｀•̀́ﾟ□╯╥┻≧≦ツ･｡ಠᴥ∇⌒￣＾ﾉヮワ๑≖◡⊙ﾛ﹃눈〃ᵕ⁄˘ε皿╰^ㅂつづд｀")
_ASCII_FACE: Final = (
    r"(?:\^[-_.ow]{0,2}\^|>[-_.]{0,2}<|[Tt][-_.][Tt]|;[-_.];|-_{1,3}-|=_{1,3}=|[oO0][_.][oO0]|@_@|~_~|x_x"
    r"|QAQ|QwQ|TAT)"
)
_FACE_INSIDE: Final = re.compile(rf"[*=;:o\s]{{0,3}}{_ASCII_FACE}[;*'=o~\s]{{0,3}}")
_FACE: Final = re.compile(
    r"(?:¯\\{0,2}_|[ヾヽ٩ᕙ╭╮ᕦ\\]|(?<![A-Za-z])[oO](?=[^\n]{1,26}[oO]))?[(（]([^()（）\n]{1,24})[)）]"
    r"(?:_/¯|[ノﾉ۶゛ゞوづっ╯︵┻━彡✧☆★♡♪シ/~～≡=]{0,8}(?:[*oO](?![A-Za-z*]))?)"
)
_BEAR: Final = re.compile("ʕ[^ʔ\n]{1,12}ʔ")
_BARE_FACE: Final = re.compile(
    rf"(?<![\w^<>=*_(-]){_ASCII_FACE}(?![\w^<>=*_-])|(?<=[\u3000-\uffee]){_ASCII_FACE}(?![\w^<>=*_-])"
    r"|(?<![A-Za-z0-9(])(?:[:;]-?[)(DPp]|:-?[|/\\*]|<3|XD)(?![\w(/*])",
    re.ASCII,
)

_DONE: Final = (
    "laughs laughing laughter laugh chuckles chuckling chuckle giggles giggling giggle smiles "
    "smiling smile grins grinning sighs sighing sigh pauses pausing pause nods nodding nod winks "
    "winking wink gasps gasping gasp coughs coughing yawns yawning yawn blushes blushing shrugs "
    "shrugging shrug waves waving sniffs sniffles sobs sobbing cries crying whispers whispering "
    "clears beat leans tilts bows hugs pats claps clapping applause hums humming sings snorts smirks "
    "frowns ponders thinks thinking excited excitedly softly gently cheerfully playfully warmly "
    "sarcastically dramatically silence"
).split()
_STAGE_EN: Final = rf"(?:[a-z]{{2,15}}ly )?(?:{'|'.join(_DONE)})(?: [a-z']{{1,15}}){{0,5}}[.!]?"
_STAGE_ZH: Final = (
    r"[\u4e00-\u9fff]{0,4}(?:微笑|大笑|轻笑|偷笑|苦笑|笑|叹气|叹息|叹了?一?口气|点头|摇头|停顿|沉思|思考|轻声|小声|低声"
    r"|眨眼|眨眨眼|挥手|挥挥手|鞠躬|害羞|脸红|拥抱|抱抱|歪头|歪着头|咳嗽|清嗓子?|沉默|开心|兴奋|温柔|哭|流泪|惊讶|皱眉|耸肩|鼓掌)"
    r"[地着了的说道一下笑状脸头声口气]{0,4}"
)
_STAGE: Final = re.compile(
    rf"(?<![\w*])(?P<sign>[*_])(?:{_STAGE_EN}|{_STAGE_ZH})(?P=sign)(?![\w*])|[(（\[【](?:{_STAGE_EN}|{_STAGE_ZH})[)）\]】](?![(])"
    rf"|(?<=[\u3000-\uffee])\*{_STAGE_ZH}\*|\*{_STAGE_ZH}\*(?=[\u3000-\uffee])",
    re.IGNORECASE | re.ASCII,
)


def without_asides(text: str) -> str:
    """Return the text without what is written beside the words."""
    for citation in _CITATIONS:
        text = citation.sub("", text)
    text = _BARE_FACE.sub("", _BEAR.sub("", _FACE.sub(_unless_face, text)))
    return _STAGE.sub("", text)


def _unless_face(match: Match) -> str:
    inside = match[1]
    words = sum(each.isalnum() and each not in _FACE_SIGNS for each in inside)
    signs = sum(each in _FACE_SIGNS for each in inside)
    is_face = _FACE_INSIDE.fullmatch(inside) or (
        signs >= 1 and words <= 2 and (signs >= 2 or not words) and inside != "^"
    )
    return "" if is_face and not any(each in "0123456789" for each in inside) else match[0]
