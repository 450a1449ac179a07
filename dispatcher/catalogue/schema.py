"""What the YAML may say, key by key. Each type carries the words for what it expects.

A key without a value counts as left out, so that a section may stand there with all its lines commented
out. Defaults are those of `model.py`; here None only means that nothing was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, get_args

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

from dispatcher.catalogue.endpoints import normalise_endpoint
from dispatcher.catalogue.model import PROVIDERS
from dispatcher.contracts import Algorithm, Language, Priority, Service

# Capitals only: a key pasted here by mistake is refused, and so never shown.
VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_ALL_THREE = "asr_services, llm_services and tts_services: a turn needs all three"
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _expected(words: str) -> WrapValidator:
    """Use those words for whatever is wrong with the value, instead of pydantic's own."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise PydanticCustomError("expected", "{words}", {"words": words}) from error

    return WrapValidator(check)


def _in_own_words(rule: Callable[[str], str]) -> AfterValidator:
    """Use a rule whose ValueError says what was expected."""

    def check(text: str) -> str:
        try:
            return rule(text)
        except ValueError as error:
            raise PydanticCustomError("expected", "{words}", {"words": str(error)}) from error

    return AfterValidator(check)


def _one_of(names: tuple[str, ...]) -> WrapValidator:
    return _expected(f"one of {', '.join(names)}")


def _in_seconds(value: Any) -> Any:
    """Return the seconds of a text such as "30s"; anything else goes on as it is."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(match[1]) * _SECONDS[match[2]] if match else value


def _known_provider(name: str) -> str:
    if name not in PROVIDERS:
        raise ValueError(f"one of {', '.join(PROVIDERS)}")
    return name


def _server_address(text: str) -> str:
    """Return a `host:port` that nginx can take as it is."""
    match = re.fullmatch(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})", text)
    if not match or not 1 <= int(match[1]) <= 65535:
        raise ValueError("host:port, such as 127.0.0.1:8000")
    return text


def _variable_name(text: str) -> str:
    if not VARIABLE_NAME.fullmatch(text):
        raise ValueError(
            "the name of a variable in capitals, such as DASHSCOPE_API_KEY, never the key itself"
        )
    return text


def default_name(service: Service, position: int) -> str:
    """Return the name of an instance that was given none; `position` counts from 0."""
    return f"{service}-{position + 1}"


Text = Annotated[str, Field(min_length=1), _expected("a text (put it in quotes)")]
AnyText = Annotated[str, _expected("a text (put it in quotes)")]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False), _expected("a number above 0")]
Count = Annotated[int, Field(ge=1), _expected("a whole number of at least 1")]
CountOrNone = Annotated[int, Field(ge=0), _expected("a whole number of at least 0")]
Frames = Annotated[int, Field(ge=1, le=40), _expected("a whole number of 1 to 40")]
Duration = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    BeforeValidator(_in_seconds),
    _expected("a time above 0: seconds as a number, or such as 30s, 500ms, 1m"),
]
Url = Annotated[str, _in_own_words(normalise_endpoint)]
Address = Annotated[str, _in_own_words(_server_address)]
VariableName = Annotated[str, _in_own_words(_variable_name)]
Provider = Annotated[str, _in_own_words(_known_provider)]
# The name becomes a part of Redis keys, log fields and page addresses.
InstanceName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
    _expected("a name of letters, digits, dots and dashes, 63 at most"),
]
AlgorithmName = Annotated[Algorithm, _one_of(get_args(Algorithm))]
PriorityName = Annotated[Priority, _one_of(get_args(Priority))]
LanguageName = Annotated[Language, _one_of(get_args(Language))]


class Section(BaseModel):
    """A mapping of the YAML: no unknown keys, no text taken for a number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class GlobalSettings(Section):
    """What holds for all services: the default algorithm and the health rules."""

    algorithm: AlgorithmName | None = None
    interval_s: Duration | None = Field(default=None, alias="health_check_interval")
    failure_threshold: Count | None = None
    recovery_threshold: Count | None = None


class UpstreamServerSection(Section):
    """One front behind nginx."""

    server: Address = Field(description="host:port, such as 127.0.0.1:8000")
    weight: Count | None = None
    max_fails: CountOrNone | None = None
    fail_timeout_s: Duration | None = Field(default=None, alias="fail_timeout")


class ConnectionPoolSection(Section):
    """nginx's keepalive pool."""

    keepalive: Count | None = None
    keepalive_requests: Count | None = None
    keepalive_timeout_s: Duration | None = Field(default=None, alias="keepalive_timeout")


class NginxSection(Section):
    """The entry in front of the fronts."""

    upstream_servers: list[UpstreamServerSection] | None = None
    connection_pool: ConnectionPoolSection | None = None


class InstanceSection(Section):
    """One model server."""

    endpoint: Url = Field(description="a URL, such as http://localhost:8100")
    name: InstanceName | None = None
    weight: Weight | None = None
    priority: PriorityName | None = None
    max_concurrent: Count | None = None
    provider: Provider | None = None
    model: Text | None = None
    voice: Text | None = None
    language: LanguageName | None = None
    api_key_env: VariableName | None = None


class ServiceSection(Section):
    """The instances of one service."""

    algorithm: AlgorithmName | None = None
    max_concurrent: Count | None = None
    instances: list[InstanceSection] = Field(min_length=1, description="a list of at least one instance")


class GatewaySection(Section):
    """All three services: a turn needs each of them."""

    asr_services: ServiceSection = Field(description=_ALL_THREE)
    llm_services: ServiceSection = Field(description=_ALL_THREE)
    tts_services: ServiceSection = Field(description=_ALL_THREE)


class LoadBalancingSection(Section):
    """The part of the file that the user's own structure names."""

    global_settings: GlobalSettings | None = None
    nginx_proxy: NginxSection | None = None
    api_gateway: GatewaySection = Field(description="the section that names the services")


class DeviceSection(Section):
    """What is fixed for one device."""

    language: LanguageName | None = None


class ConversationSection(Section):
    """How the dialogue goes."""

    language: LanguageName | None = None
    system_prompt: AnyText | None = None
    wake_words: list[Text] | None = None
    endpoint_silence_ms: Count | None = None
    max_utterance_s: Duration | None = None
    history_tokens: CountOrNone | None = None
    turn_timeout_s: Duration | None = None
    stage_timeout_s: Duration | None = None
    devices: dict[str, DeviceSection | None] | None = None


class PlaybackSection(Section):
    """How audio is paced."""

    lead_frames: Frames | None = None


class Root(Section):
    """The whole file."""

    load_balancing: LoadBalancingSection = Field(description="the section that names the instances")
    conversation: ConversationSection | None = None
    playback: PlaybackSection | None = None
