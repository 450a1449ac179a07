"""Health of one instance: its probe page where it has one, else its calls, else one cheap call."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue.model import HealthRules, Instance
from dispatcher.catalogue.required_keys import what_is_missing
from dispatcher.dialogue.history import Message
from dispatcher.errors import (
    ContentRefused,
    EmptyReply,
    InstanceBusy,
    InstanceError,
    InstanceForbidden,
    InstanceRefused,
    InstanceUnreachable,
    StateError,
)
from dispatcher.messages import UPLINK_RATE_HZ
from dispatcher.providers.model_lists import ask_unlisted_model
from dispatcher.providers.protocols import LoadReport, PageProvider
from dispatcher.providers.registry import Providers
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.instance_table import CheckEvidence, LearnedHealth

log = structlog.get_logger(__name__)

NO_ANSWER: Final = "no answer in time"
# With the check before it, shorter than a round of checks.
CALL_TIMEOUT_S: Final = 8.0
# Probing calls to an instance that is in service, and to one that is not.
CALL_INTERVAL_S: Final = 300.0
CALL_AGAIN_S: Final = 5.0
SILENCE: Final = wav_bytes(bytes(2 * UPLINK_RATE_HZ), UPLINK_RATE_HZ)
# Some ASR servers answer 400 to a second of silence: they are healthy.
_ABOUT_SILENCE: Final = re.compile(
    r"speech|silen|too short|duration|no audio|no voice|静音|语音", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Result of one check.

    Attributes:
        reason: why it failed; empty where it passed, or where nothing speaks for or against the instance.
        evidence: what was seen beside that.
        reported: what the instance said of itself.
    """

    reason: str = ""
    evidence: CheckEvidence = field(default_factory=CheckEvidence)
    reported: LoadReport = field(default_factory=LoadReport)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the pages of a server show.

    Attributes:
        problem: why none tells that the server is healthy; empty where one does.
        is_a_word: the problem is the server's own word that it is not ready (503), not a page that it lacks.
        unlisted: says that its list of models lacks the line's; empty where it does not.
    """

    problem: str = ""
    is_a_word: bool = False
    unlisted: str = ""


async def check_instance(
    redis: RedisClient,
    providers: Providers,
    instance: Instance,
    *,
    rules: HealthRules,
    call_timeout_s: float = CALL_TIMEOUT_S,
) -> Examined:
    """Check an instance, count the result for all processes, and return it.

    Raises:
        StateError: Redis is out of reach.
    """
    try:
        found = await _examine(redis, providers, instance, call_timeout_s)
    except StateError:
        raise
    except Exception as error:  # noqa: BLE001  one instance must not end the checks of the others
        found = Examined(reason=_reason(instance, error))
    changed = await instance_table.note_check(
        redis,
        instance,
        reason=found.reason,
        rules=rules,
        cpu_ratio=found.reported.cpu_ratio,
        memory_ratio=found.reported.memory_ratio,
        evidence=found.evidence,
    )
    if changed:
        reason = found.evidence.missing or found.reason
        log.warning(f"instance {changed}", instance=instance.name, reason=reason)  # noqa: G004  one of four words
    return found


async def _examine(
    redis: RedisClient, providers: Providers, instance: Instance, call_timeout_s: float
) -> Examined:
    if missing := what_is_missing(instance):
        return Examined(reason=f"not configured: {missing}", evidence=CheckEvidence(missing=missing))
    provider = providers.of(instance)
    page = Page()
    try:
        reported = await provider.check(instance)
    except InstanceError as error:
        if not isinstance(provider, PageProvider) or isinstance(error, InstanceUnreachable):
            return Examined(reason=error.reason)
        page = Page(problem=error.reason, is_a_word=isinstance(error, InstanceBusy))
        reported = LoadReport()
    page = replace(page, unlisted=await ask_unlisted_model(provider, instance))
    if not page.unlisted and not page.problem:
        return Examined(reported=reported, evidence=CheckEvidence(page_worked=True))
    learned = await instance_table.read_health(redis, instance)
    found = _weigh(page, learned)
    if found is None and _may_call(instance, page, learned):
        found = await _probe_by_call(providers, instance, page, call_timeout_s)
    found = found or Examined(evidence=CheckEvidence(is_verdict=False))
    return replace(found, reported=reported)


def _weigh(page: Page, learned: LearnedHealth) -> Examined | None:
    """Return what a page and the calls so far say; None where only a call can tell."""
    if learned.is_serving or (learned.last_call_succeeded and not page.problem):
        return Examined()
    is_evidence = page.problem and not page.unlisted and (page.is_a_word or learned.page_worked)
    return Examined(reason=page.problem) if is_evidence and learned.is_in_service else None


def _reason(instance: Instance, error: Exception) -> str:
    """Return why a check failed, in words; what no provider should raise is logged as it is."""
    if isinstance(error, InstanceError):
        return error.reason
    if isinstance(error, TimeoutError):
        return str(error) or NO_ANSWER
    log.error("check broke", instance=instance.name, exc_info=error)
    return f"the check broke: {type(error).__name__}"


def _may_call(instance: Instance, page: Page, learned: LearnedHealth) -> bool:
    """Return whether a call may be made only to see whether it succeeds; a paid service seldom gets one."""
    if learned.is_held:
        return False
    since_s = learned.called_s_ago
    if not learned.is_in_service:
        return since_s is None or since_s >= CALL_AGAIN_S
    if instance.api_key_env:
        # A model that is not there is refused without a charge.
        return bool(page.unlisted) and since_s is None
    return since_s is None or since_s >= CALL_INTERVAL_S


async def _probe_by_call(providers: Providers, instance: Instance, page: Page, timeout_s: float) -> Examined:
    """Make the cheapest call; where it is refused, the list of models may say why."""
    evidence = CheckEvidence(called=True, page_worked=not page.problem)
    try:
        async with asyncio.timeout(timeout_s):
            await _call(providers, instance)
    except Exception as error:  # noqa: BLE001  one instance must not end the checks of the others
        if _shows_life(instance, error):
            return Examined(evidence=evidence)
        if isinstance(error, InstanceBusy) and error.reason.startswith("HTTP 429"):
            return Examined(evidence=replace(evidence, is_verdict=False))
        is_failing = isinstance(error, InstanceForbidden | InstanceRefused)
        reason = page.unlisted if is_failing and page.unlisted else _reason(instance, error)
        return Examined(reason=reason, evidence=replace(evidence, is_failing=is_failing))
    return Examined(evidence=evidence)


def _shows_life(instance: Instance, error: Exception) -> bool:
    """Return whether an answer that is none to a user shows that users would get one."""
    if isinstance(error, EmptyReply | ContentRefused):
        return True
    is_about_silence = isinstance(error, InstanceRefused) and _ABOUT_SILENCE.search(error.said)
    return instance.service == "asr" and bool(is_about_silence)


async def _call(providers: Providers, instance: Instance) -> None:
    """Make a call of one token, one word or a second of silence, and leave it at the first of the answer."""
    match instance.service:
        case "asr":
            await providers.asr(instance).transcribe(instance, SILENCE, "auto")
        case "llm":
            brief = replace(instance, max_tokens=1)
            messages = [Message(role="user", content="hi")]
            async with aclosing(providers.llm(brief).chat(brief, messages)) as pieces:
                await anext(pieces, None)
        case "tts":
            word = "好" if instance.language == "zh" else "OK"
            async with aclosing(providers.tts(instance).synthesize(instance, word, "auto")) as speech:
                await anext(speech, None)
