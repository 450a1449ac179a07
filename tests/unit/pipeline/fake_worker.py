"""A worker's context without a server: a router with rules of its own, and instances that follow a script."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from dispatcher.catalogue.model import NO_PHRASES, Catalogue, Instance, PhraseRules, ServiceConfig
from dispatcher.chains import PUSH
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceError, NoInstanceAvailable
from dispatcher.messages import SERVICES, Reply, Service, TurnTicket
from dispatcher.pipeline.attempt import Attempt, now
from dispatcher.pipeline.loop_thread import CancellableTurns
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.negotiation import RefusedParameters
from dispatcher.providers.protocols import LoadReport
from dispatcher.redis_client.lua_script import Script
from dispatcher.routing.call_clock import CallClock
from dispatcher.routing.call_usage import HOUSE, CallUsage, Payer
from dispatcher.routing.leases import FIRST_COME, PickMode, Slot, WaitingOrder
from dispatcher.routing.router import Lease
from dispatcher.routing.rules.hedging import SharedHedging
from dispatcher.routing.spare_slots import SPARE_ORDER
from dispatcher.settings import Settings
from dispatcher.turn_store import replies
from tests.unit.pipeline.fake_phrases import FakePhrases

Behaviour = Callable[[Attempt], Awaitable[str]]


def ticket_of(**fields: Any) -> TurnTicket:
    """Return the ticket of a turn with half a minute left."""
    base: dict[str, Any] = {
        "turn_id": "a-turn",
        "attempt": 1,
        "device_id": "a-device",
        "reply_stream": "a-front",
        "deadline_at_s": time.time() + 30,
    }
    return TurnTicket(**{**base, **fields})


@dataclass
class FakeRouter:
    """Leases in the order of the catalogue.

    Attributes:
        active: holds the catalogue, as the real one's does.
        full: instances without a free slot; whoever may wait for one does.
        panic: instances that are leased as the least bad.
        probes: instance to probe beside a call to another.
        outcomes, modes: (instance, outcome) of each lease that ended; (instance, mode) of each.
        held: leases now, by instance.
        dialogues, orders: of each lease, its place in line.
        spare, usages: instances that were leased on a spare slot; (instance, usage) of each lease.
    """

    active: SimpleNamespace
    full: set[str] = field(default_factory=set)
    panic: set[str] = field(default_factory=set)
    probes: dict[str, str] = field(default_factory=dict)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    modes: list[tuple[str, str]] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    dialogues: list[str] = field(default_factory=list)
    orders: list[WaitingOrder] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    usages: list[tuple[str, CallUsage]] = field(default_factory=list)

    @asynccontextmanager
    async def lease(
        self,
        service: Service,
        *,
        turn_id: str,  # noqa: ARG002  as the real one's
        deadline_at_s: float,
        excluded: Collection[str] = (),
        mode: PickMode = "",
        order: WaitingOrder = FIRST_COME,
        dialogue: str = "",
        payer: Payer = HOUSE,
        on_wait: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Lease]:
        """Hold a slot, and note how the block ended."""
        self.orders.append(order)
        instance = await self._pick(service, excluded, deadline_at_s, on_wait)
        name, clock, usage = instance.name, CallClock(), CallUsage(payer=payer)
        self.spare += [name] * (order is SPARE_ORDER)
        self.held[name] += 1
        self.modes.append((name, mode))
        self.dialogues.append(dialogue)
        slot = self._slot(service, name, self.probes.pop(name, "") if mode == "offer" else "")
        outcome = "ignored"
        try:
            yield Lease(instance=instance, slot=slot, wait_ms=0.0, clock=clock, usage=usage)
            outcome = "ok" if clock.teaches else "ignored"
        except InstanceError as error:
            outcome = "failed" if error.counts else "ignored"
            raise
        finally:
            self._end(name, outcome, usage)

    def _slot(self, service: Service, name: str, probe: str) -> Slot:
        reason = "panic" if name in self.panic else ""
        held = self.held[name]
        return Slot(
            service=service, name=name, lease_id="a-lease", in_flight=held, reason=reason, probe=probe
        )

    def _end(self, name: str, outcome: str, usage: CallUsage) -> None:
        self.usages.append((name, usage))
        self.held[name] -= 1
        self.outcomes.append((name, outcome))

    async def _pick(
        self, service: Service, excluded: Collection[str], deadline_at_s: float, on_wait: Callable[[], None]
    ) -> Instance:
        while True:
            left: list[Instance] = [
                each for each in self.active.current.services[service].instances if each.name not in excluded
            ]
            free = [each for each in left if each.name not in self.full]
            if free:
                return free[0]
            if not left or time.time() >= deadline_at_s:
                raise NoInstanceAvailable(service, "all full" if left else "none healthy")
            on_wait()
            await asyncio.sleep(0.05)


class FakeRedis:
    """What a stage sends to Redis: replies for the front, and tasks for the queues."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.replies: list[Reply] = []
        self.pushed: list[tuple[str, str]] = []
        self.answers: dict[str, Any] = {"LRANGE": [], "EXISTS": 0, "script": b""}

    @property
    def said(self) -> list[tuple[str, str]]:
        """Kind and text of each reply so far."""
        return [(reply.kind, reply.text) for reply in self.replies]

    def send_nowait(self, *command: Any, **_: bool) -> None:
        """Take a command; those that append a reply are read as a front does."""
        assert command[0] == "XADD", command
        words = [word if isinstance(word, bytes) else str(word).encode() for word in command[7:]]
        self.replies += replies.parsed(dict(zip(words[::2], words[1::2], strict=True)))

    async def run(self, script: Script, *, keys: Mapping[str, Any], arguments: Mapping[str, Any]) -> Any:
        """Take a task that is pushed; answer other scripts as the test wants it."""
        if script is not PUSH:
            return self.answers["script"]
        self.pushed.append((str(keys["queue"]), str(arguments["message"])))
        return len(self.pushed)

    async def execute(self, *command: Any) -> Any:
        """Answer as the test wants it, by the name of the command."""
        return self.answers[command[0]]


class FakeProviders:
    """Instances that follow a script each: the pieces of their next answers.

    Attributes:
        scripts: of each instance; one for each call to come.
        asked: (instance, what it was asked with) of each call.
        passed: instances that may send packets, one for each such call.
        refused: parameters that instances refuse.
    """

    def __init__(self) -> None:
        """Begin without a script."""
        self.scripts: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
        self.asked: list[tuple[str, Any]] = []
        self.passed: list[str] = []
        self.refused = RefusedParameters()

    def of(self, *_: Any) -> FakeProviders:
        """Return the client of an instance."""
        return self

    llm = tts = asr = streaming_asr = of

    async def check(self, instance: Instance) -> LoadReport:
        """Find every instance well."""
        del instance
        return LoadReport()

    def chat(self, instance: Instance, messages: Sequence[Message], *_: Any) -> AsyncGenerator[Any, None]:
        """Write as the script says."""
        return self._next(instance, messages)

    def synthesize(self, instance: Instance, text: str, _: str) -> AsyncGenerator[Any, None]:
        """Speak as the script says."""
        return self._next(instance, text)

    def synthesize_packets(self, instance: Instance, text: str, language: str) -> AsyncGenerator[Any, None]:
        """Speak as the script says, and note that packets are welcome."""
        self.passed.append(instance.name)
        return self.synthesize(instance, text, language)

    async def transcribe(self, instance: Instance, wav: bytes, _: str) -> Any:
        """Return the transcript that the script says."""
        return [piece async for piece in self._next(instance, wav)][-1]

    async def transcribe_stream(self, instance: Instance, pieces: AsyncGenerator[bytes, None], _: str) -> Any:
        """Return the transcript that the script says, at the end of the audio."""
        audio = b"".join([piece async for piece in pieces])
        return [piece async for piece in self._next(instance, audio)][-1]

    def _next(self, instance: Instance, asked: Any) -> AsyncGenerator[Any, None]:
        self.asked.append((instance.name, asked))
        return stream_of(*self.scripts[instance.name].pop(0))


@dataclass
class FakeLoop:
    """Keeps what goes on after a call."""

    kept: list[asyncio.Task[Any]] = field(default_factory=list)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Note a task."""
        self.kept.append(task)


@dataclass
class FakeWorker:
    """The context and what stands behind it."""

    context: WorkerContext
    router: FakeRouter
    redis: FakeRedis
    loop: FakeLoop
    providers: FakeProviders

    @classmethod
    def with_instances(cls, *instances: Instance, phrases: FakePhrases | None = None) -> FakeWorker:
        """Return a worker whose catalogue has these; call it inside a running loop.

        Where it has a phrase cache, that is switched on.
        """
        services = {
            service: ServiceConfig(
                service=service,
                algorithm="round_robin",
                instances=tuple(each for each in instances if each.service == service),
            )
            for service in SERVICES
        }
        rules = NO_PHRASES if phrases is None else PhraseRules()
        catalogue = Catalogue(path="", services=services, phrase_cache=rules)
        router = FakeRouter(active=SimpleNamespace(current=catalogue))
        redis, loop, providers = FakeRedis(), FakeLoop(), FakeProviders()
        device_tools = SimpleNamespace(listed=_no_tools)
        context = WorkerContext(
            settings=Settings(),
            started_with=catalogue,
            loop=cast("Any", loop),
            redis=cast("Any", redis),
            cache=cast("Any", redis),
            phrases=cast("Any", phrases),
            blocking_redis=cast("Any", redis),
            providers=cast("Any", providers),
            router=cast("Any", router),
            turns=CancellableTurns(),
            device_tools=cast("Any", device_tools),
            tool_servers=cast("Any", SimpleNamespace(listed=list)),
            hedging=SharedHedging.begin(now()),
        )
        return cls(context=context, router=router, redis=redis, loop=loop, providers=providers)


async def _no_tools(_: str) -> tuple[()]:
    return ()


def instance_of(service: Service, name: str, **fields: Any) -> Instance:
    """Return an instance that is called by its fake alone."""
    return Instance(service=service, name=name, endpoint="http://127.0.0.1:9", max_concurrent=4, **fields)


async def stream_of(*pieces: Any) -> AsyncGenerator[Any, None]:
    """Yield pieces; a number is a pause in seconds, an error is raised."""
    for piece in pieces:
        if isinstance(piece, float | int):
            await asyncio.sleep(piece)
        elif isinstance(piece, Exception):
            raise piece
        else:
            yield piece
