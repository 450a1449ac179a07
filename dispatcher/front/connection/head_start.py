"""Head start of a turn: what is done for it while its user still speaks.

Where the catalogue has it, the utterance is transcribed while it is spoken (`streaming_utterance`), else a
turn is begun at a pause (`speculative_turn`); and before both an LLM reads the prompt (`prefill_request`).
"""

from __future__ import annotations

from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_tool_client import DeviceToolClient
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.microphone import Microphone
from dispatcher.front.connection.prefill_request import PrefillRequests
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.front.connection.speculative_turn import Speculations
from dispatcher.front.connection.streaming_utterance import StreamingUtterances
from dispatcher.front.connection.turn_tasks import BegunUtterance


class HeadStart:
    """Head start of the turns of one connection, one at a time."""

    def __init__(self, context: FrontContext, profile: DeviceProfile) -> None:
        """Begin nothing yet; a connection keeps to what was switched on when it began."""
        rules = context.catalogue.conversation
        self._streaming = StreamingUtterances(context, profile)
        # What is off costs a turn nothing.
        self._prefills = PrefillRequests(context, profile) if rules.prefill.enabled else None
        self._speculations = Speculations(context, profile) if rules.speculation.enabled else None

    async def prefill(self, tools: DeviceToolClient | None, audio: AudioParams) -> None:
        """Have the prompt read: the user is about to speak."""
        if self._prefills is not None:
            await self._prefills.send(tools, audio)

    async def follow(
        self, microphone: Microphone, tools: DeviceToolClient | None, *, may_pause: bool
    ) -> None:
        """Stream what was said since the last time, or begin a turn where `may_pause` and the user does."""
        await self._streaming.stream(microphone)
        if self._speculations is None or not may_pause or self._streaming.is_open:
            return
        if await self._speculations.follow(microphone, tools):
            self.end_prefill()

    def take(self, microphone: Microphone) -> BegunUtterance | None:
        """Hand over what was begun of the utterance that is over now."""
        ahead = None if self._speculations is None else self._speculations.take(microphone)
        return self._streaming.take(microphone) or ahead

    def discard(self) -> None:
        """Drop what was begun of an utterance before its end."""
        self._streaming.discard()
        if self._speculations is not None:
            self._speculations.discard()

    def end_prefill(self) -> None:
        """Drop what is still read ahead: the turn itself comes, or the device has disconnected."""
        if self._prefills is not None:
            self._prefills.end()

    def mark_read(self) -> None:
        """Note that an LLM has read the prompt just now."""
        if self._prefills is not None:
            self._prefills.mark_warm()
