"""Watch over the disk: one that is full or read-only is reported, and the broker goes on without its file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dispatcher.host_metrics.disk import sample_disk
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.supervisor.polling import poll
from dispatcher.supervisor.process_output import Level

DISK_POLL_INTERVAL_S: Final = 0.5
# A rewrite of the broker's file that failed is not tried again at every poll.
BROKER_RETRY_S: Final = 10.0
BROKER_FOLDER: Final = "broker"


class DiskWatch:
    """Polls the disk of DATA_DIR and, where the broker is ours, whether that can write its file.

    An append-only file that cannot be written makes Valkey and Redis refuse every write, and so every turn.
    Dialogues and devices then live in memory alone until there is space again; a broker that dies meanwhile
    comes back with what its file held.
    """

    def __init__(
        self,
        data_dir: Path,
        redis: RedisClient | None,
        *,
        say: Callable[[str, Level], None],
        on_healed: Callable[[], None],
    ) -> None:
        """Watch a folder; `redis` is None where the broker is elsewhere.

        Args:
            data_dir: the folder.
            redis: the embedded broker.
            say: shows the operator a line.
            on_healed: writes anew what could not be written.
        """
        self._data_dir = data_dir
        self._redis = redis
        self._say = say
        self._on_healed = on_healed
        self._trouble = ""
        self._retry_at_s = 0.0

    async def follow(self) -> None:
        """Poll for ever."""
        await poll(self._poll, interval_s=DISK_POLL_INTERVAL_S)

    async def _poll(self) -> None:
        self._poll_disk()
        if self._redis is not None:
            await self._poll_broker(self._redis)

    def _poll_disk(self) -> None:
        sample = sample_disk(self._data_dir)
        trouble = sample.trouble if sample else "it is gone"
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble:
            self._say(
                f"{self._data_dir}: {trouble}: turns go on, logs, records and dialogues are not kept", "error"
            )
        else:
            self._retry_at_s = 0.0
            self._say(f"{self._data_dir} can be written to again", "info")
            self._on_healed()

    async def _poll_broker(self, redis: RedisClient) -> None:
        info: Mapping[str, Any] = await redis.execute("INFO", "persistence")  # redis-py has parsed it
        is_kept = bool(info.get("aof_enabled"))
        has_failed = bool(self._trouble) or info.get("aof_last_write_status") == "err"
        if not has_failed if is_kept else bool(self._trouble) or _now_s() < self._retry_at_s:
            return
        folder = as_text(await redis.execute("CONFIG", "GET", "dir")).get("dir", "")
        if Path(folder).parent.name != BROKER_FOLDER:
            return  # it began on a disk that it could not write to, and must not write over what lies there
        self._retry_at_s = _now_s() + BROKER_RETRY_S
        await redis.execute("CONFIG", "SET", "appendonly", "no" if is_kept else "yes")
        if is_kept:
            self._say("the broker goes on without its file: dialogues are kept in memory alone", "warning")
        else:
            self._say("the broker keeps its file again", "info")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
