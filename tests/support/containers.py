"""pytest-celery's containers as local processes: the same tests, without Docker.

pytest-celery drives everything through its container classes. These speak their language over a
process of this machine; a suite that does not load them runs on Docker.
"""

from __future__ import annotations

import signal
from typing import Any, Final

from pytest_celery import CeleryWorkerContainer, RedisContainer

from tests.support.broker import Broker
from tests.support.processes import Process
from tests.support.waiting import eventually

RUNNING: Final = "running"


class LocalContainer:
    """What pytest-celery asks of a container, answered by a process."""

    def __init__(self, process: Process) -> None:
        """Wrap a process; `ready` starts it."""
        self.process = process

    @property
    def id(self) -> str:
        """Its identity, in the place of a container's."""
        return f"{self.process.name}-{self.process.pid}"

    @property
    def name(self) -> str:
        """The name of the process."""
        return self.process.name

    @property
    def status(self) -> str:
        """Docker's word for whether it runs."""
        return RUNNING if self.process.runs else "exited"

    def reload(self) -> None:
        """Do nothing: the state of a process is always fresh."""

    def logs(self) -> str:
        """Return all that was printed, over all starts."""
        return self.process.output()

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send a signal and wait for the end."""
        self.process.send_signal(_signal(signal))
        self.process.ends()

    def stop(self, **_: Any) -> None:
        """End it in peace."""
        self.process.stop()

    def restart(self, timeout: float = 10) -> None:  # noqa: ARG002  a process has no grace to choose
        """End it in peace and start it again."""
        self.process.stop()
        self.ready()

    def ready(self) -> bool:
        """Start it where it does not run, and wait until it says that it is ready."""
        if not self.process.runs:
            said = self.process.printed_bytes()
            self.process.start()
            eventually(lambda: self._says_ready(said), what=f"{self.name} is ready")
        return True

    def teardown(self) -> None:
        """End it at once; `stop` is for tests of how it ends."""
        self.process.kill()

    def _says_ready(self, since_byte: int) -> bool:
        assert self.process.runs, self.logs()
        return str(self.ready_prompt) in self.process.output(since_byte)  # type: ignore[attr-defined]


class LocalRedis(LocalContainer, RedisContainer):  # type: ignore[misc]  # pytest-celery has no types
    """A broker of this machine; it is empty after each start."""

    def __init__(self, broker: Broker) -> None:
        """Wrap a broker."""
        super().__init__(broker)
        self._broker = broker

    @property
    def url(self) -> str:
        """Where workers find it."""
        return self._broker.url

    host_url = url

    @property
    def hostname(self) -> str:
        """The host in its address."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """The port in its address."""
        return self._broker.port


class LocalWorker(LocalContainer, CeleryWorkerContainer):  # type: ignore[misc]  # pytest-celery has no types
    """A worker of this machine, on the project's own application."""


def _signal(wanted: str | int) -> signal.Signals:
    return signal.Signals[wanted] if isinstance(wanted, str) else signal.Signals(wanted)
