"""A stock xiaozhi device in software: what `dispatcher talk`, the benches and the tests speak with.

It learns its address by OTA, opens the WebSocket, and keeps the firmware's own rules: when the
microphone is open, when frames are taken, and how many the decode queue holds. The rules are pure
(`framing`, `messages`, `machine`, `decode_queue`, `turn`); `ota` and `device` do the I/O.
"""

from __future__ import annotations

from dispatcher.softdevice.decode_queue import DecodeQueue
from dispatcher.softdevice.device import SoftDevice, connect
from dispatcher.softdevice.framing import Version
from dispatcher.softdevice.machine import Mode
from dispatcher.softdevice.options import Address, DeviceOptions
from dispatcher.softdevice.ota import discover
from dispatcher.softdevice.speech import paced, packets_of
from dispatcher.softdevice.turn import Sentence, TurnEvent, TurnResult

__all__ = [
    "Address",
    "DecodeQueue",
    "DeviceOptions",
    "Mode",
    "Sentence",
    "SoftDevice",
    "TurnEvent",
    "TurnResult",
    "Version",
    "connect",
    "discover",
    "paced",
    "packets_of",
]
