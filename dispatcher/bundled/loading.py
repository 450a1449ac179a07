"""Loading an engine beside the event loop, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from dispatcher.bundled.engines import Engine


class Loading:
    """One engine on its way into memory; a download may make that minutes."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        """Remember what to run; `engine` starts it."""
        self._load = load
        self._thread = threading.Thread(target=self._run, name="load-engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._outcome: asyncio.Future[Engine] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the thread is still at it."""
        return self._thread.is_alive()

    async def engine(self) -> Engine:
        """Return the engine, or raise what its loading raised."""
        self._loop = asyncio.get_running_loop()
        self._outcome = self._loop.create_future()
        self._thread.start()
        return await self._outcome

    def _run(self) -> None:
        try:
            engine = self._load()
        except BaseException as error:  # noqa: BLE001  it is raised where the engine is waited for
            self._tell(None, error)
        else:
            self._tell(engine, None)

    def _tell(self, engine: Engine | None, error: BaseException | None) -> None:
        # A loop that is closed belongs to an instance that was stopped meanwhile.
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._settle, engine, error)

    def _settle(self, engine: Engine | None, error: BaseException | None) -> None:
        if self._outcome is None or self._outcome.done():
            return
        if engine is not None:
            self._outcome.set_result(engine)
        elif error is not None:
            self._outcome.set_exception(error)
