"""Faults that only a stack of a trial can have: of the network, of the clock, and of both disks' mounts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from dispatcher.ops.chaos.faults import FAULTS, FaultContext, Inject
from tests.chaos.network_proxy import NetworkMode
from tests.chaos.trial_stack import TrialStack

HOUR_S: Final = 3600
INSTANCE_MODES: Final[tuple[NetworkMode, ...]] = ("delay", "hold", "reset", "slice")
# Held or cut connections of a device are its user's network, and no fault of the stack.
DEVICE_MODES: Final[tuple[NetworkMode, ...]] = ("delay", "slice")


def trial_faults(stack: TrialStack) -> Mapping[str, Inject]:
    """Return every fault that `dispatcher verify` knows, and those of the network and the clock."""
    instances = {f"network-{mode}": _of_instances(stack, mode) for mode in INSTANCE_MODES}
    devices = {f"devices-{mode}": _of_devices(stack, mode) for mode in DEVICE_MODES}
    return {
        **FAULTS,
        **instances,
        **devices,
        "clock": _clock(stack, HOUR_S),
        "clock-back": _clock(stack, -HOUR_S),
    }


def _of_instances(stack: TrialStack, mode: NetworkMode) -> Inject:
    @asynccontextmanager
    async def inject(_: FaultContext) -> AsyncGenerator[str]:
        for proxy in stack.instance_proxies:
            proxy.set_mode(mode)
        try:
            yield f"the network to one instance of each service: {mode}"
        finally:
            for proxy in stack.instance_proxies:
                proxy.set_mode("pass")

    return inject


def _of_devices(stack: TrialStack, mode: NetworkMode) -> Inject:
    @asynccontextmanager
    async def inject(_: FaultContext) -> AsyncGenerator[str]:
        stack.device_proxy.set_mode(mode)
        try:
            yield f"the network to all devices: {mode}"
        finally:
            stack.device_proxy.set_mode("pass")

    return inject


def _clock(stack: TrialStack, seconds: int) -> Inject:
    @asynccontextmanager
    async def inject(_: FaultContext) -> AsyncGenerator[str]:
        stack.shift_clock(seconds)
        try:
            yield f"the clock of the host jumps by {seconds:+d} s, and back"
        finally:
            stack.shift_clock(0)

    return inject
