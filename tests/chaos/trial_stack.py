"""Stack of a chaos trial: its disk is a tmpfs, its clock can jump, and proxies are its network."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path
from typing import Any, Final

from dispatcher.messages import SERVICES
from tests.chaos.network_proxy import NetworkProxy
from tests.integration.verify.chaos_stack import ChaosStack
from tests.support.instances import TimedInstance
from tests.support.processes import free_port, stop_all

DISK: Final = "128m"
SHIFTED_CLOCK: Final = Path(__file__).parent / "shifted_clock"


class TrialStack(ChaosStack):
    """A stack of `dispatcher up`, on a disk of its own in this mount namespace.

    Attributes:
        instance_proxies: in front of the first instance of each service.
        device_proxy: in front of the front.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        """Mount the disk and write the files; nothing listens yet."""
        self.instance_proxies: list[NetworkProxy] = []
        self._remote: list[TimedInstance] = []
        self._folder = folder
        self._rng = rng
        disk = folder / "var"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True)
        super().__init__(folder)
        self.device_proxy = NetworkProxy(free_port(), int(self.environ_of_commands["FRONT_PORT"]), rng)
        self._clock_file = folder / "clock"
        self.shift_clock(0)
        self.environ |= {"PYTHONPATH": str(SHIFTED_CLOCK), "SHIFTED_CLOCK_FILE": str(self._clock_file)}

    @property
    def proxies(self) -> list[NetworkProxy]:
        """Every proxy of it."""
        return [*self.instance_proxies, self.device_proxy]

    def shift_clock(self, seconds: int) -> None:
        """Let the wall clock of every process but the broker be so much ahead of the true one."""
        with self._clock_file.open("r+b" if self._clock_file.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))

    def start(self) -> None:
        """Start it, with the instances behind the proxies: `dispatcher up` starts what the YAML has here."""
        for remote in self._remote:
            remote.start()
        super().start()

    def finish(self) -> None:
        """Stop everything, and let go of the disk."""
        super().finish()
        stop_all(self._remote)
        subprocess.run(["umount", "--lazy", str(self._folder / "var")], check=False)

    def _lines(self) -> list[str]:
        return [
            line for line in super()._lines() if line.partition(":")[0] not in {r.name for r in self._remote}
        ]

    def _catalogue(self) -> dict[str, Any]:
        """Return the YAML, with the first instance of each service behind a proxy."""
        found = super()._catalogue()
        for service in SERVICES:
            first = found["load_balancing"]["api_gateway"][f"{service}_services"]["instances"][0]
            remote = TimedInstance(service, first["name"], self._folder)
            proxy = NetworkProxy(free_port(), remote.port, self._rng)
            self._remote.append(remote)
            self.instance_proxies.append(proxy)
            first["endpoint"] = f"http://127.0.0.1:{proxy.port}"
        return found
