"""Types of the values in the YAML; each carries the words for what it expects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from dispatcher.catalogue.dialects import DIALECTS
from dispatcher.catalogue.endpoints import normalise_endpoint
from dispatcher.messages import Algorithm, Language, Priority, SpeechFormat, Thinking, TunerMode

# Marks a catalogue that comes from Redis, in the context of its validation.
PUBLISHED = "published"
# Marks an error whose text says itself what was there.
WHOLE = "whole"
# Capitals only: a key pasted here by mistake is refused, and so never shown.
VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# Far beyond what makes sense, and near enough that sums, tables and the clock of beat still hold it.
_MOST = 1_000_000
_LEAST_WEIGHT = 0.001
_LONGEST_S = 10_000 * 3600
_MOST_BODY_CHARACTERS = 10_000
# Without them a request would be none of ours.
_OWN_KEYS = frozenset({"messages", "stream", "input", "file"})


def expected(words: str) -> WrapValidator:
    """Use those words for whatever is wrong with the value, instead of pydantic's own."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("expected", "{words}", {"words": words}) from error

    return WrapValidator(check)


def in_own_words(rule: Callable[[str], str]) -> AfterValidator:
    """Use a rule whose ValueError says what was expected."""

    def check(text: str) -> str:
        try:
            return rule(text)
        except ValueError as error:
            raise PydanticCustomError("expected", "{words}", {"words": str(error)}) from error

    return AfterValidator(check)


def within(words: str, *, most: float, least: float = 0) -> AfterValidator:
    """Use those words for a number that is right in kind and beyond any use."""

    def check(value: float) -> float:
        if not least <= value <= most:
            raise PydanticCustomError("expected", "{words}", {"words": words})
        return value

    return AfterValidator(check)


def one_of(names: tuple[str, ...]) -> WrapValidator:
    """Say which words there are for whatever else stands there."""
    return expected(f"one of {', '.join(names)}")


def _in_seconds(value: Any) -> Any:
    """Return the seconds of a text such as "30s"; anything else goes on as it is."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(match[1]) * _SECONDS[match[2]] if match else value


def _known_provider(name: str) -> str:
    if name not in DIALECTS:
        raise ValueError(f"one of {', '.join(DIALECTS)}")
    return name


def _server_address(text: str) -> str:
    """Return a `host:port` that nginx can take as it is."""
    match = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", text)
    if not match or not 1 <= int(match[1]) <= 65535:
        raise ValueError("host:port, such as 127.0.0.1:8000")
    return text


def _known_zone(value: str) -> str:
    """Return the name of a zone that this machine, or the package tzdata, knows."""
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(value) from error


def _by_instance(value: Any) -> Any:
    """Return a mapping for a voice that is the same everywhere."""
    return {EVERYWHERE: value} if isinstance(value, str) else value


def _not_off(value: float, info: ValidationInfo) -> float:
    """Refuse in the file the 0 that says off in a published catalogue."""
    if value == 0 and info.mode == "python":
        raise ValueError(value)
    return value


def _whole(value: float) -> float:
    if value % 1:
        raise ValueError(value)
    return value


def _web_address(text: str) -> str:
    """Return an address that can be posted to as it is; it may hold a token in its path or query."""
    wanted = "a URL that starts with http:// or https://, without user or password"
    try:
        parts = urlsplit(text)
        usable = (
            parts.scheme in {"http", "https"}
            and parts.hostname
            and parts.port != 0
            and "@" not in parts.netloc
        )
    except ValueError as error:
        raise ValueError(wanted) from error
    if not usable or re.search(r"\s", text):
        raise ValueError(wanted)
    return text


def _variable_name(text: str) -> str:
    if not VARIABLE_NAME.fullmatch(text):
        raise ValueError(
            "the name of a variable in capitals, such as DASHSCOPE_API_KEY, never the key itself"
        )
    return text


def _json_mapping(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a mapping that a request can carry."""
    own = sorted(_OWN_KEYS & body.keys())
    if own:
        words = f"keys other than {', '.join(own)}, which the dispatcher itself sends"
        raise PydanticCustomError("expected", "{words}", {"words": words})
    try:
        size = len(json.dumps(dict(body), allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        size = _MOST_BODY_CHARACTERS + 1
    if size > _MOST_BODY_CHARACTERS:
        words = f"texts, numbers, lists and mappings of {_MOST_BODY_CHARACTERS} characters at most"
        raise PydanticCustomError("expected", "{words}", {"words": words})
    return body


# In `voices`, the voice at every instance that is not named.
EVERYWHERE = "*"

_sane_count = within(f"a whole number of at most {_MOST}", most=_MOST)


def _at_least_one(items: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
    if not items and not (info.context or {}).get(PUBLISHED):
        raise PydanticCustomError("too_short", "at least one")
    return items


# Of a file; what was published once is taken as it is.
AtLeastOne = AfterValidator(_at_least_one)
Text = Annotated[str, Field(min_length=1), expected("a text (put it in quotes)")]
AnyText = Annotated[str, expected("a text (put it in quotes)")]
Weight = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False, strict=True),
    expected("a number above 0"),
    within(f"a number of {_LEAST_WEIGHT} to {_MOST}", least=_LEAST_WEIGHT, most=_MOST),
]
Count = Annotated[int, Field(ge=1, strict=True), expected("a whole number of at least 1"), _sane_count]
CountOrNone = Annotated[int, Field(ge=0, strict=True), expected("a whole number of at least 0"), _sane_count]
Ratio = Annotated[float, Field(ge=0, le=1, strict=True), expected("a number of 0 to 1")]
WasteShare = Annotated[float, Field(gt=0, le=0.9, strict=True), expected("a number above 0, at most 0.9")]
Complexity = Annotated[int, Field(ge=0, le=10, strict=True), expected("a whole number of 0 (cheapest) to 10")]
Frames = Annotated[int, Field(ge=1, le=40, strict=True), expected("a whole number of 1 to 40")]
Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False, strict=True),
    BeforeValidator(_in_seconds),
    expected("a time above 0: seconds as a number, or such as 30s, 500ms, 1m"),
    within("a time of at most 10000h", most=_LONGEST_S),
]
# Every instance is really called each time.
Interval = Annotated[Duration, within("a time of at least 100ms", least=0.1, most=_LONGEST_S)]
Url = Annotated[AnyText, in_own_words(normalise_endpoint)]
Address = Annotated[AnyText, in_own_words(_server_address)]
WebAddress = Annotated[AnyText, in_own_words(_web_address)]
VariableName = Annotated[AnyText, in_own_words(_variable_name)]
Provider = Annotated[AnyText, in_own_words(_known_provider)]
# The name becomes a part of Redis keys, log fields and page addresses.
InstanceName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    expected("a name of letters, digits, dots and dashes, 63 at most"),
]
AlgorithmName = Annotated[Algorithm, one_of(get_args(Algorithm))]
PriorityName = Annotated[Priority, one_of(get_args(Priority))]
Temperature = Annotated[
    float, Field(ge=0, le=2, allow_inf_nan=False, strict=True), expected("a number of 0 to 2")
]
ExtraBody = Annotated[
    Mapping[str, Any],
    expected("a mapping of keys that go into each request as they are"),
    AfterValidator(_json_mapping),
]
EndpointingName = Annotated[Literal["silence", "smart_turn"], one_of(("silence", "smart_turn"))]
# YAML takes a bare off for no.
ThinkingName = Annotated[
    Thinking,
    one_of(get_args(Thinking)),
    BeforeValidator(lambda value: "off" if value is False else value),
]
TunerModeName = Annotated[
    TunerMode,
    one_of(get_args(TunerMode)),
    BeforeValidator(lambda value: "off" if value is False else value),
]
LanguageName = Annotated[Language, one_of(get_args(Language))]
PhraseLanguage = Annotated[str, Field(pattern="^(zh|en)$"), one_of(("zh", "en"))]
SpeechFormatName = Annotated[SpeechFormat, one_of(get_args(SpeechFormat))]
# A count among bounds, which are numbers of any kind.
BoundCount = Annotated[
    float,
    Field(ge=1, strict=True),
    AfterValidator(_whole),
    expected("a whole number of at least 1"),
    _sane_count,
]
Switch = Annotated[bool, Field(strict=True), expected("true or false")]
Words = Annotated[tuple[Text, ...], expected("a list of texts")]
# `zh-CN-XiaoyiNeural`, or `{tts-1: zh-CN-XiaoyiNeural, xfyun: x4_xiaoyan}`.
Voices = Annotated[
    Mapping[str, Text],
    BeforeValidator(_by_instance),
    expected("a voice, or a mapping from an instance or provider to its voice"),
]
Zone = Annotated[
    str, AfterValidator(_known_zone), expected("an IANA time zone such as Asia/Shanghai or Europe/Berlin")
]
MemoryLength = Annotated[
    int, Field(ge=100, le=4000, strict=True), expected("a whole number of 100 to 4000 characters")
]
# A minute of silence is an outage, not a pause to fill.
FillerDelay = Annotated[
    int,
    Field(ge=0, le=60_000, strict=True),
    AfterValidator(_not_off),
    expected("a whole number of 1 to 60000 milliseconds; filler: null is off"),
]
# A phrase takes some 10 KB; more than a gigabyte is another kind of store.
Megabytes = Annotated[
    float,
    Field(ge=0, le=1024, strict=True),
    AfterValidator(_not_off),
    expected("a number above 0, at most 1024; phrase_cache: false is off"),
]
