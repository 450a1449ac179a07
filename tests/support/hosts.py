"""Hosts made of network namespaces: each has its own address, and its cable can be pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

from tests.support.broker import give_up

NAMES: Final = ("a", "b")
# The links of a namespace go a moment after it: the next two of a process have new names and a new subnet.
_numbers = count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host, reached from the test by its address.

    Attributes:
        switch: the namespace of the switch that it is plugged into.
        cable: the end of its link at the switch.
    """

    namespace: str
    address: str
    switch: str
    cable: str

    def command(self, *words: str) -> list[str]:
        """Return a command line that runs on this host."""
        return [_ip(), "netns", "exec", self.namespace, *words]

    def pull_cable(self) -> None:
        """Cut it off: nothing is refused, nothing is reset, packets are just gone."""
        run("-n", self.switch, "link", "set", self.cable, "down")

    def plug_in(self) -> None:
        """End that."""
        run("-n", self.switch, "link", "set", self.cable, "up")


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Make two hosts on one switch; where that is not permitted the test is skipped, in CI it fails."""
    number = os.getpid() * 16 + next(_numbers) % 16
    mark = f"xz{number:x}"
    subnet = f"10.{number % 200 + 20}.{number // 200 % 250}"
    switch = f"{mark}sw"
    hosts = [
        Host(namespace=f"{mark}{name}", address=f"{subnet}.{last}", switch=switch, cable=f"cable-{name}")
        for last, name in enumerate(NAMES, start=2)
    ]
    try:
        _make_switch(switch, f"{subnet}.1", uplink=f"{mark}up")
        for host in hosts:
            _plug_in(host)
        yield hosts[0], hosts[1]
    finally:
        for namespace in (*(host.namespace for host in hosts), switch):
            subprocess.run([_ip(), "netns", "del", namespace], capture_output=True, check=False)


def _make_switch(switch: str, address: str, *, uplink: str) -> None:
    """Make a switch in a namespace of its own, where no firewall of this machine looks at what passes."""
    try:
        run("netns", "add", switch)
        run("-n", switch, "link", "add", "switch", "type", "bridge")
        run("link", "add", uplink, "type", "veth", "peer", "name", "uplink", "netns", switch)
    except subprocess.CalledProcessError as error:
        give_up(f"network namespaces cannot be made here: {error.stderr.strip()}")
    run("-n", switch, "link", "set", "uplink", "master", "switch", "up")
    run("-n", switch, "link", "set", "switch", "up")
    run("addr", "add", f"{address}/24", "dev", uplink)
    run("link", "set", uplink, "up")


def _plug_in(host: Host) -> None:
    run("netns", "add", host.namespace)
    inside, at_switch = ("-n", host.namespace), ("-n", host.switch)
    run(
        *at_switch, "link", "add", host.cable, "type", "veth", "peer", "name", "eth0", "netns", host.namespace
    )
    run(*at_switch, "link", "set", host.cable, "master", "switch", "up")
    run(*inside, "addr", "add", f"{host.address}/24", "dev", "eth0")
    run(*inside, "link", "set", "eth0", "up")
    run(*inside, "link", "set", "lo", "up")


def run(*words: str) -> None:
    """Run `ip`.

    Raises:
        subprocess.CalledProcessError: it refused.
    """
    subprocess.run([_ip(), *words], check=True, capture_output=True, text=True)


def _ip() -> str:
    found = shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        give_up("no `ip` on this machine: install iproute2")
    return found
