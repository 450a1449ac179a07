"""Options of a device in software, and the address of its front."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Literal

from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.machine import Mode
from dispatcher.messages import AudioFormat

FrameMs = Literal[20, 60]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the WebSocket is, as OTA tells it.

    Attributes:
        url: `ws://` or `wss://`.
        token: sent as a bearer token; the header is left out when it is empty.
        version: framing that OTA asks for; None leaves it to the device.
    """

    url: str
    token: str = ""
    version: Version | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceOptions:
    """Differences between one device and another.

    Attributes:
        device_id: lower-case MAC address.
        client_id: uuid; empty makes it follow from the device id, so that a later run is the same client.
        version: framing of binary frames; None takes what OTA says, else 1.
        mode: how it listens; manual is push-to-talk.
        frame_ms: length of its own frames.
        audio_format: "pcm" is what web clients without a codec ask for.
        language: goes into `Accept-Language` of the OTA request; empty says nothing.
        queue_frames: capacity of the decode queue: 20 from firmware 2.5 on, 40 on 2.x before it, 10 on 1.6.2,
            5 on 1.6.0.
        dtx: silence is one byte per frame after the first 400 ms, as the firmware's encoder does.
        mcp: it tells that it has tools, and answers for them.
        keep_audio: results carry the packets heard; a bench of many devices leaves them out.
    """

    device_id: str = "02:00:00:00:00:01"
    client_id: str = ""
    version: Version | None = None
    mode: Mode = "manual"
    frame_ms: FrameMs = 60
    audio_format: AudioFormat = "opus"
    language: str = ""
    queue_frames: int = 20
    dtx: bool = True
    mcp: bool = True
    keep_audio: bool = True

    @property
    def sent_client_id(self) -> str:
        """The Client-Id that goes out."""
        return self.client_id or str(uuid.uuid5(uuid.NAMESPACE_OID, self.device_id))
