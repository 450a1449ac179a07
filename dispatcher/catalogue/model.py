"""Catalogue of the YAML, frozen: services, instances, health rules, play-out, bounds and alerts.

The types of the fields check what the file has; see `fields.py` and `section.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.dialects import DEFAULT_PROVIDER, DIALECTS
from dispatcher.catalogue.fields import (
    AlgorithmName,
    AtLeastOne,
    Complexity,
    Count,
    CountOrNone,
    Duration,
    ExtraBody,
    Frames,
    InstanceName,
    Interval,
    LanguageName,
    Megabytes,
    PriorityName,
    Provider,
    Ratio,
    SpeechFormatName,
    Switch,
    Temperature,
    Text,
    ThinkingName,
    TunerModeName,
    Url,
    VariableName,
    WebAddress,
    Weight,
)
from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.nginx_proxy import NginxProxy
from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.catalogue.secrets import passphrase_problem, plain_passphrase, read_secret
from dispatcher.catalogue.section import Section, key
from dispatcher.catalogue.usage_rules import Price, UsageRules
from dispatcher.messages import Service

# A minute and a half of speech; small models may not stop by themselves.
DEFAULT_MAX_TOKENS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Section):
    """One model server that may take calls.

    Attributes:
        name: unique, such as "asr-1"; the word in logs, keys and pages.
        endpoint: base URL without a trailing slash; `/v1` was added when it had no path.
        weight: share of traffic wanted, > 0.
        max_concurrent: most calls at once, over all processes.
        provider: name of the wire dialect.
        app_id: names the user's application, where a service asks for that beside the key.
        api_key_env: name of the variable that holds the key; the key itself is never kept.
        api_secret_env: the same for the secret that signs requests, where a service wants one.
        format: how a TTS service is asked to send speech; None is the dialect's own choice.
        normalize_text: whether a TTS service is sent numbers, dates and units as words.
        keep_alive_s: how long a server keeps the model in memory after a call, where it can be set.
        thinking: whether an LLM may reason before it answers; None is the dialect's own choice.
        temperature: of an LLM's sampling; None is the server's own.
        max_tokens: length of a reply, at most; None is `DEFAULT_MAX_TOKENS`.
        num_ctx: context length that Ollama loads the model with; None is its own.
        extra_body: sent with each request as it is, over what the dialect sends itself.
        price: of its work; None where nothing is known of it.
        is_added: it runs beside those of the YAML, for as long as the tuner wants it.
    """

    service: Annotated[Service, key("#service")]
    name: InstanceName
    endpoint: Annotated[Url, Field(description="a URL, such as http://localhost:8100")]
    weight: Weight = 1.0
    priority: PriorityName = "normal"
    max_concurrent: Count = 4
    provider: Provider = DEFAULT_PROVIDER
    model: Text | None = None
    voice: Text | None = None
    language: LanguageName | None = None
    app_id: Text | None = None
    api_key_env: VariableName | None = None
    api_secret_env: VariableName | None = None
    format: SpeechFormatName | None = None
    normalize_text: Switch = False
    keep_alive_s: Annotated[Duration | None, key("keep_alive")] = None
    thinking: ThinkingName | None = None
    temperature: Temperature | None = None
    max_tokens: Count | None = None
    num_ctx: Count | None = None
    extra_body: ExtraBody = field(default_factory=dict, hash=False)
    price: Price | None = None
    is_added: Annotated[bool, key("#added")] = False

    @property
    def is_streaming_asr(self) -> bool:
        """Whether it can take an utterance while it is spoken."""
        dialect = DIALECTS.get(self.provider)
        return self.service == "asr" and dialect is not None and dialect.is_streaming

    @property
    def is_paid(self) -> bool:
        """Whether its calls cost money: by its price; without one, where it has a key."""
        return bool(self.api_key_env) if self.price is None else not self.price.is_free

    def api_key(self) -> str | None:
        """Return the key from the environment, or None where there is none that can be sent."""
        return read_secret(self.api_key_env)

    def api_secret(self) -> str | None:
        """Return the secret from the environment, or None where there is none that can be sent."""
        return read_secret(self.api_secret_env)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig(Section):
    """The instances of one service and how to choose among them.

    Attributes:
        max_concurrent: most calls at once over all instances, where that is less than their sum.
        max_fails, fail_timeout_s: when nginx leaves out an instance, and for how long, in nginx's own words.
    """

    service: Annotated[Service, key("#service")]
    algorithm: AlgorithmName
    instances: Annotated[
        tuple[Instance, ...], AtLeastOne, Field(description="a list of at least one instance")
    ]
    max_concurrent: Count | None = None
    max_fails: CountOrNone = 2
    fail_timeout_s: Annotated[Duration, key("fail_timeout")] = 30.0

    @property
    def slots(self) -> int:
        """Most calls at once over all instances."""
        slots = sum(instance.max_concurrent for instance in self.instances)
        return slots if self.max_concurrent is None else min(slots, self.max_concurrent)

    @property
    def paid(self) -> frozenset[str]:
        """Names of the instances whose calls may cost money."""
        return frozenset(each.name for each in self.instances if each.is_paid)

    @property
    def has_streaming_asr(self) -> bool:
        """Whether some instance can take an utterance while it is spoken."""
        return any(instance.is_streaming_asr for instance in self.instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules(Section):
    """When an instance counts as down, and when as back."""

    interval_s: Annotated[Interval, key("health_check_interval")] = 30.0
    failure_threshold: Count = 3
    recovery_threshold: Count = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback(Section):
    """How audio is encoded for a device, and paced to it.

    Attributes:
        lead_frames: so many frames leave ahead of their time.
        opus_complexity: effort of the encoder; docs/performance.md has what each level costs and gives.
    """

    lead_frames: Frames = 5
    opus_complexity: Complexity = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules(Section):
    """When an alert fires and ends, and where it is posted.

    Attributes:
        after_s: a figure is beyond its bound for so long before it fires.
        clear_after_s: it is back for so long before the alert ends.
        hysteresis_ratio: back means this share below the bound.
        webhook_url: gets each change as a POST; its text is signed with the secret.
        secret_env: name of the variable that holds the secret; the secret itself is never kept.
    """

    after_s: Annotated[Duration, key("after")] = 15.0
    clear_after_s: Annotated[Duration, key("clear_after")] = 30.0
    hysteresis_ratio: Annotated[Ratio, key("hysteresis")] = 0.1
    webhook_url: WebAddress | None = None
    secret_env: VariableName | None = None

    def secret(self) -> str | None:
        """Return the secret from the environment, or None where nothing is signed."""
        held = os.environ.get(self.secret_env) if self.secret_env else None
        return plain_passphrase(held) if held and not passphrase_problem(held) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleRules(Section):
    """What the console shows beyond figures and names.

    Attributes:
        transcripts: fronts keep the words of the last turns, and an opened turn shows them.
    """

    transcripts: Switch = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TunerRules(Section):
    """How far the tuner may go: say nothing, say what it would do, or do it."""

    mode: TunerModeName = "observe"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseRules(Section):
    """Which speech is kept to be played again (docs/adr/0040).

    Attributes:
        max_mb: of packets, at most; 0 switches the cache off.
        sentences: sentences of answers are kept as well, once they were said twice.
    """

    max_mb: Megabytes = 16.0
    sentences: Switch = True

    @property
    def is_on(self) -> bool:
        """Whether anything is kept."""
        return self.max_mb > 0


def _switched(value: Any) -> Any:
    """Return all defaults for true, and no room for false."""
    return {True: PhraseRules(), False: NO_PHRASES}[value] if isinstance(value, bool) else value


NO_PHRASES: Final = PhraseRules(max_mb=0.0)
PhraseCache = Annotated[PhraseRules, BeforeValidator(_switched)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Whole catalogue of the YAML."""

    path: str
    services: Mapping[Service, ServiceConfig]
    health: HealthRules = field(default_factory=HealthRules)
    nginx: NginxProxy = field(default_factory=NginxProxy)
    conversation: Conversation = field(default_factory=Conversation)
    playback: Playback = field(default_factory=Playback)
    kpis: KpiTargets = field(default_factory=KpiTargets)
    alerts: AlertRules = field(default_factory=AlertRules)
    tuner: TunerRules = field(default_factory=TunerRules)
    phrase_cache: PhraseRules = NO_PHRASES
    overload: OverloadRules = field(default_factory=OverloadRules)
    usage: UsageRules = field(default_factory=UsageRules)
    console: ConsoleRules = field(default_factory=ConsoleRules)
    mcp_servers: tuple[McpServer, ...] = ()

    def instance(self, name: str) -> Instance:
        """Return the instance of that name.

        Raises:
            KeyError: no service has it.
        """
        for service in self.services.values():
            for instance in service.instances:
                if instance.name == name:
                    return instance
        raise KeyError(name)
