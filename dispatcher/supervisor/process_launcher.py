"""Start of the processes of one spec, each at the socket of the one before where it has one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from dispatcher.settings import Settings
from dispatcher.supervisor.handover_channel import HandoverChannel
from dispatcher.supervisor.listening_socket import ListeningSocket
from dispatcher.supervisor.process import Process
from dispatcher.supervisor.process_spec import ProcessSpec


class ProcessLauncher:
    """Starts processes of one spec."""

    def __init__(self, spec: ProcessSpec, environment: Mapping[str, str]) -> None:
        self._spec = spec
        self._environment = environment
        self._socket = ListeningSocket.of(spec)

    async def start(self) -> Process:
        """Return a new process.

        Raises:
            OSError: the program is missing or may not be run, or another program has the port.
        """
        if self._socket is None:
            return await Process.start(self._spec, self._environment)
        channel = HandoverChannel(self._socket.bind(), *self._socket.companions)
        try:
            return await Process.start(self._spec, self._environment, channel=channel)
        except OSError:
            channel.close()
            raise

    def close_socket(self) -> None:
        """Free the port until the next start: waiting clients are refused."""
        if self._socket is not None:
            self._socket.close()


def process_environment(settings: Settings) -> dict[str, str]:
    """Return the variables of the processes: ours, with the paths made firm.

    The folder of this Python comes first on PATH, so that `celery` and `dispatcher` of this
    environment are found without activating it.
    """
    folder = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "DISPATCHER_CONFIG": str(settings.dispatcher_config.absolute()),
        "DATA_DIR": str(settings.data_dir.absolute()),
        "FRONT_ON_NETWORK": "true",
        "PATH": os.pathsep.join([folder, os.environ.get("PATH", os.defpath)]),
        # Who runs this chooses the file, whenever it was written (docs/adr/0006-live-reload.md).
        "CONFIG_CHOSEN_AT_S": str(time.time()),
        # Lines reach the log when they are printed, not when a buffer is full.
        "PYTHONUNBUFFERED": "1",
    }
