"""The values that the YAML knows. Each type carries the words for what it expects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from dispatcher.catalogue.dialects import DIALECTS
from dispatcher.catalogue.endpoints import normalise_endpoint
from dispatcher.messages import Algorithm, Language, Priority, SpeechFormat, Thinking, TunerMode

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


def _json_mapping(body: dict[str, Any]) -> dict[str, Any]:
    """Return a mapping that a request can carry."""
    own = sorted(_OWN_KEYS & body.keys())
    if own:
        words = f"keys other than {', '.join(own)}, which the dispatcher itself sends"
        raise PydanticCustomError("expected", "{words}", {"words": words})
    try:
        size = len(json.dumps(body, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        size = _MOST_BODY_CHARACTERS + 1
    if size > _MOST_BODY_CHARACTERS:
        words = f"texts, numbers, lists and mappings of {_MOST_BODY_CHARACTERS} characters at most"
        raise PydanticCustomError("expected", "{words}", {"words": words})
    return body


_sane_count = within(f"a whole number of at most {_MOST}", most=_MOST)

Text = Annotated[str, Field(min_length=1), expected("a text (put it in quotes)")]
AnyText = Annotated[str, expected("a text (put it in quotes)")]
Weight = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    expected("a number above 0"),
    within(f"a number of {_LEAST_WEIGHT} to {_MOST}", least=_LEAST_WEIGHT, most=_MOST),
]
Count = Annotated[int, Field(ge=1), expected("a whole number of at least 1"), _sane_count]
CountOrNone = Annotated[int, Field(ge=0), expected("a whole number of at least 0"), _sane_count]
Ratio = Annotated[float, Field(ge=0, le=1), expected("a number of 0 to 1")]
Frames = Annotated[int, Field(ge=1, le=40), expected("a whole number of 1 to 40")]
Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
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
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False), expected("a number of 0 to 2")]
ExtraBody = Annotated[
    dict[str, Any],
    expected("a mapping of keys that go into each request as they are"),
    AfterValidator(_json_mapping),
]
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
SpeechFormatName = Annotated[SpeechFormat, one_of(get_args(SpeechFormat))]


class Section(BaseModel):
    """A mapping of the YAML: no unknown keys, no text taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
