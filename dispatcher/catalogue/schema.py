"""What the YAML may say, key by key.

A key without a value counts as left out, so that a section may stand there with all its lines commented
out. Defaults are those of `model.py`; here None only means that nothing was given.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dispatcher.catalogue.fields import (
    Address,
    AlgorithmName,
    AnyText,
    Count,
    CountOrNone,
    Duration,
    ExtraBody,
    Frames,
    InstanceName,
    Interval,
    LanguageName,
    PriorityName,
    Provider,
    Ratio,
    Section,
    SpeechFormatName,
    Temperature,
    Text,
    ThinkingName,
    TunerModeName,
    Url,
    VariableName,
    WebAddress,
    Weight,
)
from dispatcher.catalogue.model import KpiTargets
from dispatcher.catalogue.persona_schema import (
    DeviceSection,
    Filler,
    MemorySection,
    PersonaSection,
    Switch,
    Voices,
    Words,
    Zone,
)
from dispatcher.messages import Service

# Marks an error whose text says itself what was there.
WHOLE: Final = "whole"
_ALL_THREE = "asr_services, llm_services and tts_services: a turn needs all three"


def default_name(service: Service, position: int) -> str:
    """Return the name of an instance that was given none; `position` counts from 0."""
    return f"{service}-{position + 1}"


class GlobalSettings(Section):
    """What holds for all services: the default algorithm and the health rules."""

    algorithm: AlgorithmName | None = None
    interval_s: Interval | None = Field(default=None, alias="health_check_interval")
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
    app_id: Text | None = None
    api_key_env: VariableName | None = None
    api_secret_env: VariableName | None = None
    format: SpeechFormatName | None = None
    normalize_text: Switch | None = None
    keep_alive_s: Duration | None = Field(default=None, alias="keep_alive")
    thinking: ThinkingName | None = None
    temperature: Temperature | None = None
    max_tokens: Count | None = None
    num_ctx: Count | None = None
    extra_body: ExtraBody | None = None


class ServiceSection(Section):
    """The instances of one service."""

    algorithm: AlgorithmName | None = None
    max_concurrent: Count | None = None
    max_fails: CountOrNone | None = None
    fail_timeout_s: Duration | None = Field(default=None, alias="fail_timeout")
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


class ConversationSection(Section):
    """How the dialogue goes."""

    language: LanguageName | None = None
    name: Text | None = None
    system_prompt: AnyText | None = None
    voices: Voices | None = Field(default=None, alias="voice")
    wake_words: list[Text] | None = None
    greeting: AnyText | None = None
    goodbyes: Words | None = Field(default=None, alias="goodbye")
    timezone: Zone | None = None
    place: Text | None = None
    endpoint_silence_ms: Count | None = None
    max_utterance_s: Duration | None = None
    history_tokens: CountOrNone | None = None
    turn_timeout_s: Duration | None = None
    stage_timeout_s: Duration | None = None
    thinking_timeout_s: Duration | None = Field(default=None, alias="thinking_timeout")
    max_reply_s: Duration | None = None
    filler: Filler | None = None
    personas: dict[InstanceName, PersonaSection | None] | None = None
    devices: dict[str, DeviceSection | None] | None = None
    memory: MemorySection | None = None


class PlaybackSection(Section):
    """How audio is paced."""

    lead_frames: Frames | None = None


class BoundSection(Section):
    """What a figure is to keep to; `target` and `alert` are of one type in each kind of bound."""


class RatioBound(BoundSection):
    """A share, 0 to 1."""

    target: Ratio | None = None
    alert: Ratio | None = None


class TimeBound(BoundSection):
    """A time."""

    target: Duration | None = None
    alert: Duration | None = None


class CountBound(BoundSection):
    """A number of things."""

    target: Count | None = None
    alert: Count | None = None


class KpisSection(Section):
    """Targets and alert bounds; whether instances are healthy has none to choose."""

    window_s: Duration | None = Field(default=None, alias="window")
    share: RatioBound | None = None
    failover: TimeBound | None = None
    own_share: TimeBound | None = None
    first_audio_p50: TimeBound | None = None
    first_audio_p95: TimeBound | None = None
    devices: CountBound | None = None
    errors: RatioBound | None = None
    cpu: RatioBound | None = None
    memory: RatioBound | None = None
    network: RatioBound | None = None
    disk: RatioBound | None = None

    @field_validator("*")
    @classmethod
    def _in_order(cls, value: object, info: ValidationInfo) -> object:
        """Refuse an alert below its target, also where one of the two is the default."""
        if not isinstance(value, BoundSection):
            return value
        default = getattr(KpiTargets(), str(info.field_name))
        given = {key: number for key, number in value if number is not None}
        bound = replace(default, **given)
        if bound.alert is not None and bound.alert < bound.target:
            origins = {key: "" if key in given else " (the default)" for key in ("target", "alert")}
            has = ", ".join(f"{key} {getattr(bound, key):g}{origin}" for key, origin in origins.items())
            words = "has {has}; expected an alert that is not below its target"
            raise PydanticCustomError(WHOLE, words, {"has": has})
        return value


class AlertsSection(Section):
    """When an alert fires and ends, and who else is told."""

    after_s: Duration | None = Field(default=None, alias="after")
    clear_after_s: Duration | None = Field(default=None, alias="clear_after")
    hysteresis_ratio: Ratio | None = Field(default=None, alias="hysteresis")
    webhook_url: WebAddress | None = None
    secret_env: VariableName | None = None


class TunerSection(Section):
    """How far the tuner may go."""

    mode: TunerModeName | None = None


class McpServerSection(Section):
    """A server with tools: a command, or an address."""

    command: Text | None = None
    args: list[AnyText] | None = None
    env_from: list[VariableName] | None = None
    url: WebAddress | None = None
    token_env: VariableName | None = None
    allow: list[Text] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise PydanticCustomError("expected", "either a command or a url")
        if self.url is not None and (self.args or self.env_from):
            raise PydanticCustomError("expected", "args and env_from beside a command, not beside a url")
        if self.command is not None and self.token_env:
            raise PydanticCustomError("expected", "token_env beside a url; a command takes env_from")
        return self


class Root(Section):
    """The whole file."""

    load_balancing: LoadBalancingSection = Field(description="the section that names the instances")
    conversation: ConversationSection | None = None
    playback: PlaybackSection | None = None
    kpis: KpisSection | None = None
    alerts: AlertsSection | None = None
    tuner: TunerSection | None = None
    mcp_servers: dict[InstanceName, McpServerSection] | None = None
