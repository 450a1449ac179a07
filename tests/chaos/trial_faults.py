"""Faults that only a stack of a trial can have: of the network, of the clock, and of both disks' mounts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from dispatcher.ops.chaos.faults import FAULTS, FaultContext, Inject
from tests.chaos.network_proxy import NetworkMode, NetworkProxy
from tests.chaos.trial_stack import TrialStack

Value = TypeVar("Value")
HOUR_S: Final = 3600
INSTANCE_MODES: Final[tuple[NetworkMode, ...]] = ("delay", "hold", "reset", "slice")
# Held or cut connections of a device are its user's network, and no fault of the stack.
DEVICE_MODES: Final[tuple[NetworkMode, ...]] = ("delay", "slice")


def trial_faults(stack: TrialStack) -> Mapping[str, Inject]:
    """Return every fault that `dispatcher verify` knows, and those of the network and the clock."""
    instances = {
        f"network-{mode}": _network(stack.instance_proxies, "one instance of each service", mode)
        for mode in INSTANCE_MODES
    }
    devices = {
        f"devices-{mode}": _network([stack.device_proxy], "all devices", mode) for mode in DEVICE_MODES
    }
    return {
        **FAULTS,
        **instances,
        **devices,
        "clock": _clock(stack, HOUR_S),
        "clock-back": _clock(stack, -HOUR_S),
    }


def _network(proxies: Sequence[NetworkProxy], whose: str, mode: NetworkMode) -> Inject:
    def set_mode(wanted: NetworkMode) -> None:
        for proxy in proxies:
            proxy.set_mode(wanted)

    return _reversed(set_mode, mode, "pass", f"the network to {whose}: {mode}")


def _clock(stack: TrialStack, seconds: int) -> Inject:
    return _reversed(
        stack.shift_clock, seconds, 0, f"the clock of the host jumps by {seconds:+d} s, and back"
    )


def _reversed(put: Callable[[Value], None], faulty: Value, usual: Value, words: str) -> Inject:
    """Return the fault that puts something into a faulty state, and back."""

    @asynccontextmanager
    async def inject(_: FaultContext) -> AsyncGenerator[str]:
        put(faulty)
        try:
            yield words
        finally:
            put(usual)

    return inject
