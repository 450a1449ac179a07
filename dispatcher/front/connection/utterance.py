"""What the user said, and the ticket of the turn that answers it."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace

from dispatcher.devices.registry import Registered
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.front.connection.streaming_utterance import StreamingUtterance
from dispatcher.messages import AudioFormat, Language, TurnTicket


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What the user said: packets, or typed text.

    Attributes:
        persona: what an operator chose for the device.
        phrase: the whole reply where it is known already, such as a greeting.
        uplink: the packets were sent while they were spoken, and are heard already.
    """

    device_id: str
    language: Language
    audio_format: AudioFormat
    uplink_rate_hz: int
    recording: tuple[bytes, ...] = ()
    text: str = ""
    persona: str = ""
    phrase: str = ""
    uplink: StreamingUtterance | None = None


async def empty_utterance(who: DeviceProfile, known: Registered, params: AudioParams) -> Utterance:
    """Return what each utterance of a device begins with: whose it is, and how it sounds."""
    return Utterance(
        device_id=who.peer.device_id,
        language=await who.language(),
        persona=known.persona,
        audio_format=params.format,
        uplink_rate_hz=params.sample_rate,
    )


def ticket_of(utterance: Utterance, context: FrontContext, turn_timeout_s: float) -> TurnTicket:
    """Return the ticket of a turn that begins now; one whose stream is open already has its turn's id."""
    deadline_at_s = time.time() + turn_timeout_s
    if utterance.uplink is not None:
        opened = utterance.uplink.ticket
        return replace(opened, deadline_at_s=deadline_at_s, live=False, persona=utterance.persona)
    return TurnTicket(
        turn_id=uuid.uuid4().hex,
        attempt=1,
        device_id=utterance.device_id,
        reply_stream=context.reply_stream,
        deadline_at_s=deadline_at_s,
        language=utterance.language,
        audio_format=utterance.audio_format,
        uplink_rate_hz=utterance.uplink_rate_hz,
        text=utterance.text,
        persona=utterance.persona,
    )
