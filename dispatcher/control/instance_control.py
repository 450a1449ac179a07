"""Actions on instances that are possible here: `dispatcher up` offers them in Redis, or a hook does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from pydantic import TypeAdapter, ValidationError

from dispatcher.catalogue.endpoints import normalise_endpoint
from dispatcher.control.added_instances import like_of, name_of
from dispatcher.control.rules.actions import Action, Kind
from dispatcher.control.rules.evidence import InstanceEvidence, Operable
from dispatcher.errors import ActionRefused, in_words
from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

HOOK_TIMEOUT_S: Final = 25.0
MAX_ANSWER_BYTES: Final = 4096
MAX_OUTPUT_BYTES: Final = 1_000_000
NO_HOOK: Final = "TUNER_HOOK names no program or address"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOffer:
    """What a `dispatcher up` can do to the bundled instances that it keeps.

    Attributes:
        growable: services of which it can start one more.
        restartable: instances that it keeps, as `service/instance`.
        throttle: how it gives them less CPU; empty where it cannot, and `no_throttle` says why.
    """

    growable: frozenset[str] = frozenset()
    restartable: frozenset[str] = frozenset()
    throttle: str = ""
    no_throttle: str = "no built-in instance runs here"

    def covers(self, kind: Kind, target: str) -> bool:
        """Return whether it can take an action."""
        match kind:
            case "instance":
                return target in self.growable
            case "restart_instance":
                return target in self.restartable
            case _:
                return bool(self.throttle)


_OFFER: Final = TypeAdapter(SupervisorOffer)


async def show_offer(redis: RedisClient, offer: SupervisorOffer) -> None:
    """Show that a supervisor runs on this host, and what it can do; for some seconds."""
    name = keys.supervisor(socket.gethostname())
    redis.send_nowait("SET", name, _OFFER.dump_json(offer), "EX", keys.SIGN_OF_LIFE_TTL_S)


async def read_offer(redis: RedisClient) -> SupervisorOffer | None:
    """Return what the supervisor of this host can do; None where none runs.

    Raises:
        StateError: Redis is out of reach.
    """
    written = await redis.execute("GET", keys.supervisor(socket.gethostname()))
    try:
        return None if written is None else _OFFER.validate_json(written)
    except ValidationError:  # of another version, which can do nothing to instances
        return SupervisorOffer()


def operable(
    offer: SupervisorOffer | None, hook: str, instances: tuple[InstanceEvidence, ...] = ()
) -> Operable:
    """Return what can be done to these instances; a hook is asked for all that no supervisor does."""
    offer = offer or SupervisorOffer()
    names = frozenset(f"{each.service}/{each.name}" for each in instances)
    return Operable(
        growable=frozenset(SERVICES) if hook else offer.growable,
        restartable=names if hook else offer.restartable & names,
        can_throttle=bool(hook or offer.throttle),
    )


def missing_operations(offer: SupervisorOffer | None, hook: str) -> Iterator[tuple[str, str]]:
    """Yield the kinds of action on instances that cannot act here, with the reason."""
    if hook:
        return
    nobody = f"no `dispatcher up` runs here, and {NO_HOOK}"
    found = offer or SupervisorOffer(no_throttle=nobody)
    kept = f"no built-in instance is kept by `dispatcher up` here, and {NO_HOOK}"
    if not found.growable:
        yield "instance", kept
    if not found.restartable:
        yield "restart_instance", kept
    if not found.throttle:
        yield "throttle", found.no_throttle


def hook_words(action: Action) -> tuple[str, ...]:
    """Return the words of an action for a hook: the same ones again change nothing."""
    service, _, name = action.target.partition("/")
    after = action.changes[0].after if action.changes else None
    match action.kind:
        case "instance":
            return "instances", service, str(int(after) if isinstance(after, (int, float)) else 0)
        case "restart_instance":
            return "restart", service, name
        case _:
            return "throttle", "on" if after else "off"


def read_added(answer: str, service: str, running: frozenset[str]) -> dict[str, str]:
    """Return the further instances of a hook's answer, by name: a line `LIKE URL` for each.

    Raises:
        ActionRefused: a line says something else.
    """
    added: dict[str, str] = {}
    for line in answer.splitlines():
        like, _, endpoint = line.strip().partition(" ")
        if f"{service}/{like}" not in running or not endpoint.startswith(("http://", "https://")):
            raise ActionRefused(
                f"the hook answered {line[:80]!r}; expected INSTANCE URL, as in asr-1 http://…"
            )
        number = 1 + sum(like_of(each) == like for each in added)
        added[name_of(like, number)] = normalise_endpoint(endpoint)
    return added


async def run_hook(hook: str, words: tuple[str, ...]) -> str:
    """Run the operator's program with these words, or post them to an address; return what it answers.

    Raises:
        ActionRefused: it failed, answered anything but success, or took longer than 25 s.
    """
    if not hook:
        raise ActionRefused(NO_HOOK)
    try:
        async with asyncio.timeout(HOOK_TIMEOUT_S):
            if hook.startswith(("http://", "https://")):
                return await _post(hook, words)
            return await _run(hook, words)
    except TimeoutError as error:
        raise ActionRefused(f"the hook was not done after {HOOK_TIMEOUT_S:.0f} s") from error
    except (OSError, ValueError, aiohttp.ClientError) as error:
        raise ActionRefused(f"the hook cannot be reached: {in_words(error)}") from error


async def _run(program: str, words: tuple[str, ...]) -> str:
    answer, complaint = bytearray(), bytearray()
    with _collected(answer) as stdout, _collected(complaint) as stderr:
        process = await asyncio.create_subprocess_exec(
            program,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            await process.wait()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())
    if process.returncode:
        raise ActionRefused(_last_line(complaint) or f"the hook ended with code {process.returncode}")
    return answer[:MAX_ANSWER_BYTES].decode("utf-8", "replace")


@contextmanager
def _collected(into: bytearray) -> Iterator[int]:
    """Lend the writing end of a pipe and collect what comes out of it, until the block ends.

    What a hook has started may keep its output open for ever, so the end of the output is not waited for.
    A hook that prints more than a megabyte stands still until it is killed.
    """
    loop = asyncio.get_running_loop()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)

    def collect() -> None:
        try:
            into.extend(os.read(reading, MAX_OUTPUT_BYTES))
        except BlockingIOError:
            return
        if len(into) >= MAX_OUTPUT_BYTES:
            loop.remove_reader(reading)

    loop.add_reader(reading, collect)
    try:
        yield writing
        collect()
    finally:
        loop.remove_reader(reading)
        os.close(reading)
        os.close(writing)


async def _post(url: str, words: tuple[str, ...]) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, json={"words": words}, allow_redirects=False) as answer,
    ):
        text = bytearray()
        while len(text) < MAX_ANSWER_BYTES and (piece := await answer.content.read(MAX_ANSWER_BYTES)):
            text += piece
        if answer.status != 200:
            raise ActionRefused(f"the hook answered {answer.status}: {_last_line(text)}")
        return text[:MAX_ANSWER_BYTES].decode("utf-8", "replace")


def _last_line(text: bytes | bytearray) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else ""
