"""Bench of the phrase cache: from a sentence's text to its first packet, anew, from the cache, without a TTS.

The bench is a front without devices: it starts typed turns and reads what a worker answers. The LLM and the
TTS are timed ones in its own process.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
from rich.table import Table

from dispatcher import chains
from dispatcher.bundled.engines import Engine
from dispatcher.bundled.timed_engines import TimedLlm, TimedLlmOptions, TimedTts, TimedTtsOptions
from dispatcher.dialogue_store import phrase_cache
from dispatcher.dialogue_store.phrase_cache import CACHE_NAME
from dispatcher.errors import FrontError
from dispatcher.messages import Reply, Service, TurnTicket
from dispatcher.ops.bench.bench_stack import running_stack
from dispatcher.ops.bench.bench_tables import bench_table, json_option
from dispatcher.ops.bench.timed_services import ANSWER, small_stack
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.percentile import percentile
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import decisions
from dispatcher.terminal.console import make_console
from dispatcher.terminal.figures import write_results
from dispatcher.turn_store.replies import ReplyReader

GOAL_MS: Final = 20.0
TURN_TIMEOUT_S: Final = 20.0
FIRST_AUDIO_S: Final = 0.2
SENTENCES: Final = 3
# Of a sentence that is kept: said once, said again, and then stored.
WARM_UP_TURNS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseRun:
    """Some turns in one state of the cache and of the TTS.

    Attributes:
        text_to_audio_ms: of each sentence: from its text to its first packet, both at the front.
        cached: sentences that came from the cache.
        failed: sentences that nobody spoke.
        leases: that were spent at the TTS.
    """

    name: str
    text_to_audio_ms: tuple[float, ...]
    cached: int
    failed: int
    leases: int


@click.command("phrases", short_help="Measure sentences from the phrase cache.")
@click.option("--turns", type=click.IntRange(min=1), default=20, show_default=True, help="Of each kind.")
@json_option
def phrases(*, turns: int, json_file: Path | None) -> None:
    """Measure how long a sentence waits for its sound: spoken anew, from the cache, and with no TTS.

    Exit code 1: a sentence of the cache came later than 20 ms after its text (95 of 100 count), spent a
    lease, or was not spoken without a TTS.
    """
    console = make_console()
    runs = run_interruptible(measure_phrases(turns))
    table = phrase_table(runs)
    console.print(table)
    write_results(json_file, {"": table})
    found = problems(runs)
    for problem in found:
        console.print(f"[red]FAIL[/]  {problem}", highlight=False)
    raise SystemExit(1 if found else 0)


def phrase_table(runs: tuple[PhraseRun, ...]) -> Table:
    """Return a row for each kind of turn."""
    table = bench_table("sentences", "text to audio p50 ms", "p95 ms", "cached", "not spoken", "TTS leases")
    for run in runs:
        times = run.text_to_audio_ms
        p50, p95 = (percentile(times, ratio) for ratio in (0.5, 0.95))
        shown = ["–" if value is None else f"{value:.1f}" for value in (p50, p95)]
        table.add_row(run.name, *shown, f"{run.cached}/{len(times)}", str(run.failed), str(run.leases))
    return table


def problems(runs: tuple[PhraseRun, ...]) -> list[str]:
    """Return what is not as it should be of all runs but the first, which asks a TTS."""
    found = []
    for run in runs[1:]:
        late_ms = percentile(run.text_to_audio_ms, 0.95)
        if late_ms is None or late_ms > GOAL_MS:
            found.append(f"{run.name}: p95 is {late_ms or 0:.1f} ms; at most {GOAL_MS:g} expected")
        if run.cached < len(run.text_to_audio_ms) or run.failed or run.leases:
            found.append(
                f"{run.name}: {run.cached} of {len(run.text_to_audio_ms)} from the cache, "
                f"{run.failed} not spoken, {run.leases} leases; all, none and none expected"
            )
    return found


async def measure_phrases(turns: int) -> tuple[PhraseRun, ...]:
    """Return the runs: anew, from the cache, and from it while no TTS answers.

    Raises:
        StartError: a process of the stack failed.
        FrontError: a turn was not answered.
    """
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-phrases-")))
        sections = {"phrase_cache": True}
        plan, services = await running.enter_async_context(small_stack(folder, timed_engines(), sections))
        # The bench is the front.
        plan = replace(plan, lines=plan.lines[:2])
        await running.enter_async_context(running_stack(plan, lambda _: None))
        url = plan.environment["REDIS_URL"]
        redis = RedisClient(connect(url))
        running.push_async_callback(redis.close)
        front = BenchFront(redis, ReplyReader(connect(url, socket_timeout_s=None), STREAM))
        await front.open()
        running.push_async_callback(front.close)
        await front.measure("warm-up", 1)
        anew = await front.measure("spoken anew", turns, is_cleared=True)
        await front.measure("warm-up", WARM_UP_TURNS)
        kept = await front.measure("from the cache", turns)
        await services.stop("tts")
        return anew, kept, await front.measure("from the cache, no TTS answers", turns)


def timed_engines() -> dict[Service, Engine]:
    """Return an LLM and a TTS; the ASR is never asked."""
    llm = TimedLlm(TimedLlmOptions(first_token_s=0.02, tokens_per_s=200, token_characters=4, text=ANSWER))
    return {"llm": llm, "tts": TimedTts(TimedTtsOptions(first_audio_s=FIRST_AUDIO_S))}


STREAM: Final = keys.reply_stream("bench-phrases")


class BenchFront:
    """A front without devices."""

    def __init__(self, redis: RedisClient, reader: ReplyReader) -> None:
        """Use these connections."""
        self._redis = redis
        self._reader = reader

    async def open(self) -> None:
        """Make the reply stream."""
        await self._reader.open()

    async def close(self) -> None:
        """Close the connection that reads."""
        await self._reader.close()

    async def measure(self, name: str, turns: int, *, is_cleared: bool = False) -> PhraseRun:
        """Run turns one after the other, perhaps each with an empty cache."""
        since = await decisions.last_id(self._redis)
        times: list[float] = []
        cached = failed = 0
        for _ in range(turns):
            if is_cleared:
                await phrase_cache.clear(self._redis)
            replies = await self._turn()
            texts = {reply.index: at_s for at_s, reply in replies if reply.kind == "sentence"}
            for index, at_s in texts.items():
                audio = [(at, each) for at, each in replies if each.kind == "audio" and each.index == index]
                failed += not audio
                times += [(audio[0][0] - at_s) * 1000] if audio else []
                cached += any(each.text == CACHE_NAME for _, each in audio)
        leases = len(await decisions.newest(self._redis, "tts", since=since))
        return PhraseRun(
            name=name, text_to_audio_ms=tuple(times), cached=cached, failed=failed, leases=leases
        )

    async def _turn(self) -> list[tuple[float, Reply]]:
        """Run a typed turn, and return its replies with the time at which each was read."""
        ticket = TurnTicket(
            turn_id=uuid.uuid4().hex,
            attempt=1,
            device_id="bench",
            reply_stream=STREAM,
            deadline_at_s=time.time() + TURN_TIMEOUT_S,
            language="en",
            text="What time is it?",
        )
        await chains.start_turn(self._redis, ticket)
        found: list[tuple[float, Reply]] = []
        give_up_at_s = time.monotonic() + TURN_TIMEOUT_S
        while sum(reply.last or reply.kind == "failed" for _, reply in found) < SENTENCES:
            if time.monotonic() > give_up_at_s:
                raise FrontError("bench phrases: a turn was not answered")
            read = await self._reader.read()
            found += [(time.monotonic(), reply) for reply in read if reply.turn_id == ticket.turn_id]
        return found
