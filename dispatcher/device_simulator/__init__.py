"""A stock xiaozhi device in software: what `dispatcher talk`, the benches and the tests speak with.

It learns its address by OTA, opens the WebSocket, and keeps the firmware's own rules: when the
microphone is open, when frames are taken, and how many the decode queue holds. The rules are pure
(`framing`, `messages`, `machine`, `decode_queue`, `turn`); `ota` and `device` do the I/O.
"""

from __future__ import annotations

from dispatcher.device_simulator.decode_queue import DecodeQueue
from dispatcher.device_simulator.device import SimulatedDevice, connect
from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.machine import Mode
from dispatcher.device_simulator.options import Address, DeviceOptions
from dispatcher.device_simulator.ota import discover
from dispatcher.device_simulator.speech import paced, packets_of
from dispatcher.device_simulator.turn import Sentence, TurnEvent, TurnResult

__all__ = [
    "Address",
    "DecodeQueue",
    "DeviceOptions",
    "Mode",
    "Sentence",
    "SimulatedDevice",
    "TurnEvent",
    "TurnResult",
    "Version",
    "connect",
    "discover",
    "paced",
    "packets_of",
]
