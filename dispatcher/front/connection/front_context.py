"""What the connections of one front share, and the pump that brings replies to their turns."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from redis.exceptions import RedisError

from dispatcher.catalogue.model import Catalogue
from dispatcher.control.overrides import OVERRIDES_POLL_INTERVAL_S, RuntimeOverrides, read_overrides
from dispatcher.errors import StateError, in_words
from dispatcher.front.admission.connection_limiter import make_connection_limiter
from dispatcher.front.admission.socket_limiter import SocketLimiter
from dispatcher.front.admission.token_key import agree_on_key, load_key
from dispatcher.front.admission.tokens import Tokens
from dispatcher.front.connection.apology import Apologies
from dispatcher.front.connection.playback import Pacer
from dispatcher.front.lost_workers import watch_workers
from dispatcher.messages import Reply
from dispatcher.redis_client import keys
from dispatcher.redis_client.backoff import BackOff
from dispatcher.redis_client.client import PATIENCE_S, RedisClient, cache_client, connect
from dispatcher.routing.active_catalogue import LiveCatalogue, chosen_at_s, listen
from dispatcher.settings import Settings
from dispatcher.telemetry import front_presence
from dispatcher.turn_store.replies import ReplyReader

log = structlog.get_logger(__name__)

CLOCK_S: Final = 0.25
TRIM_EVERY_S: Final = 5.0


class ConnectedDevice(Protocol):
    """A device as the context sees it."""

    @property
    def is_busy(self) -> bool:
        """Whether it is in a turn or listening."""
        ...

    @property
    def is_owed(self) -> bool:
        """Whether it has begun something that it awaits the answer of: a turn, or an utterance."""
        ...

    async def close(self, *, code: int, reason: bytes) -> None:
        """Close the device's socket."""
        ...

    def tell(self, kind: str, **fields: str) -> None:
        """Send the device a message."""
        ...

    def reread(self) -> None:
        """Ask again what is known of the device."""
        ...


class RepliedTo(Protocol):
    """An utterance, or the turn that it became, as the context sees it."""

    def on_reply(self, reply: Reply) -> None:
        """Take in a reply of a stage."""
        ...


class RunningTurn(RepliedTo, Protocol):
    """A turn as the context sees it."""

    def on_clock(self) -> None:
        """Look after a stage that is late."""
        ...


class FrontContext:
    """The shared parts of one front process.

    Attributes:
        devices: connections by device id; one device has one.
        names: what the operator calls them, by device id.
        connections, seats: of the port, and of sockets of devices among them.
        turns: turns under way, by turn id.
        uplinks: utterances that are still being spoken, by the id of their turn.
        draining: the front is about to stop; no new device is let in, and what was begun may end.
        knobs: as they stood a second ago.
    """

    draining = False
    replies_flow = False
    _turns_ended = 0

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        """Connect nothing yet; must be called inside the front's loop."""
        self.settings = settings
        self.front_id = f"{settings.server_id}-{secrets.token_hex(4)}"
        self.reply_stream = keys.reply_stream(self.front_id)
        self.redis = RedisClient(connect(settings.redis_url), patience_s=PATIENCE_S)
        self.cache = cache_client(settings, self.redis)
        chosen_s = chosen_at_s(settings, catalogue.path)
        self.live = LiveCatalogue(self.redis, catalogue, chosen_at_s=chosen_s)
        self.pacer = Pacer(asyncio.get_running_loop())
        self.apologies = Apologies()
        self.tokens = Tokens(load_key(settings)) if settings.front_auth == "token" else None
        self.devices: dict[str, ConnectedDevice] = {}
        self.names: dict[str, str] = {}
        self._heard_at_s: dict[str, float] = {}
        self.connection_limiter = make_connection_limiter(settings)
        self.socket_limiter = SocketLimiter(
            per_address=settings.max_connections_per_address,
            silent_per_address=settings.max_silent_per_address,
            refusals=self.connection_limiter.refusals,
        )
        self.turns: dict[str, RunningTurn] = {}
        self.uplinks: dict[str, RepliedTo] = {}
        self.knobs = RuntimeOverrides()
        self._reader = ReplyReader(connect(settings.redis_url, socket_timeout_s=None), self.reply_stream)
        # A Redis that comes back empty has the stream before it has a task whose worker would look for it.
        self.redis.on_connect_commands(*self._reader.opening)
        self._reloads = connect(settings.redis_url, socket_timeout_s=None)
        self._tasks: list[asyncio.Task[None]] = []
        self._short_tasks: set[asyncio.Task[None]] = set()

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue in force; new connections and turns go by it."""
        return self.live.current

    @property
    def most_devices(self) -> int:
        """How many devices are let in now: the tuner may ask for fewer than this front could take."""
        limit = self.knobs.max_devices
        return self.settings.max_devices if limit is None else min(limit, self.settings.max_devices)

    async def join(self) -> None:
        """Become one of the fronts of this Redis: the same catalogue, the same key of tokens.

        Raises:
            StateError: Redis is out of reach.
            ConfigError: the catalogue in force is of another version.
        """
        await self.live.sync()
        await self._agree_on_tokens()

    def start(self) -> None:
        """Start reading replies and watching for late stages."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(work())
            for work in (
                self._pump_replies,
                self._watch_turns,
                self.socket_limiter.watch,
                self._trim,
                self._show,
                self._follow_knobs,
            )
        ]
        self._tasks.append(loop.create_task(listen(self._reloads, self.live)))
        self._tasks.append(loop.create_task(watch_workers(self.redis)))

    def follow(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the pump, until the front closes."""
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def note_heard(self, device_id: str) -> None:
        """Note that a device has sent something now."""
        self._heard_at_s[device_id] = time.time()

    def end_turn(self, turn_id: str) -> bool:
        """Forget a turn; return whether it was known."""
        known = self.turns.pop(turn_id, None) is not None
        self._turns_ended += known
        return known

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something short for a turn; a broker that is away is logged, the turn's clock goes on."""
        task = asyncio.get_running_loop().create_task(_quietly(work))
        self._short_tasks.add(task)
        task.add_done_callback(self._short_tasks.discard)

    async def close(self) -> None:
        """Stop the pump and close the connections to Redis."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reader.close()
        await self.live.close()
        await self._reloads.aclose()
        if self.cache is not self.redis:
            await self.cache.close()
        await self.redis.close()

    async def _agree_on_tokens(self) -> None:
        """Use the key of all fronts; asked on each new connection, since the Redis may be new as well."""
        if self.tokens is not None:
            self.tokens = Tokens(await agree_on_key(self.redis, self.settings))

    async def _pump_replies(self) -> None:
        """Bring every reply to its turn; a turn that is gone needs none."""
        pauses = BackOff()
        while True:
            try:
                await self._reader.open()
                self.replies_flow = True
                pauses.reset()
                await self._agree_on_tokens()
                while True:
                    for reply in await self._reader.read():
                        self._hand_over(reply)
            except (RedisError, OSError, StateError) as error:
                self.replies_flow = False
                if not pauses.tries:
                    log.warning("replies interrupted", reason=in_words(error))
                await asyncio.sleep(pauses.next_s())

    def _hand_over(self, reply: Reply) -> None:
        turn = self.turns.get(reply.turn_id) or self.uplinks.get(reply.turn_id)
        if turn is None:
            return
        try:
            turn.on_reply(reply)
        except Exception:  # one reply that its turn cannot use must not silence every other device
            log.exception("reply not usable", turn=reply.turn_id, kind=reply.kind)

    async def _watch_turns(self) -> None:
        """Give every turn the clock, so that a late stage is sent again or apologised for."""
        while True:
            await asyncio.sleep(CLOCK_S)
            for turn_id, turn in list(self.turns.items()):
                try:
                    turn.on_clock()
                except Exception:  # nor must one turn stop the clock of the others
                    log.exception("turn lost its clock", turn=turn_id)

    async def _trim(self) -> None:
        """Keep the reply stream short and alive."""
        while True:
            await asyncio.sleep(min(TRIM_EVERY_S, self.knobs.reply_kept_s or TRIM_EVERY_S))
            with suppress(StateError):  # the pump says when Redis is away
                await self._reader.trim(self.redis)

    async def _follow_knobs(self) -> None:
        """Look how the knobs stand, once a second; while Redis is away they stay as they were."""
        while True:
            with suppress(StateError):  # the pump says when Redis is away
                self.knobs = await read_overrides(self.redis)
            await asyncio.sleep(OVERRIDES_POLL_INTERVAL_S)

    async def _show(self) -> None:
        """Tell which devices are here, when each was last heard, and how many of them are busy."""
        while True:
            now_s = time.time()
            self._heard_at_s = {each: self._heard_at_s.get(each, now_s) for each in self.devices}
            self.names = {each: name for each, name in self.names.items() if each in self.devices}
            counts = front_presence.FrontCounts(
                devices=len(self.devices),
                busy=sum(device.is_busy for device in self.devices.values()),
                in_turn=len(self.turns),
                turns_begun=self._turns_ended + len(self.turns),
            )
            with suppress(StateError):  # the pump says when Redis is away
                front_presence.publish(self.redis, self.front_id, counts, heard_at_s=self._heard_at_s)
            await asyncio.sleep(front_presence.PRESENCE_INTERVAL_S)


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except StateError as error:
        log.warning("redis out of reach", reason=str(error))


CONTEXT: Final = web.AppKey("context", FrontContext)
