"""Session of a connection: a state machine, without any I/O, of what the device announces.

The device's modes differ in who ends an utterance and in when the microphone is on:

| mode | utterance ends by | audio while a reply is made or spoken |
| --- | --- | --- |
| manual | `listen stop` | dropped |
| auto | silence (or `listen stop`) | dropped: the device has not handled `tts start` yet |
| realtime | silence | watched: speech is a barge-in |
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal

Mode = Literal["manual", "auto", "realtime"]


class Phase(Enum):
    """Phase of the dialogue on a connection."""

    IDLE = auto()
    LISTENING = auto()
    ANSWERING = auto()


class Command(Enum):
    """Action that the connection takes next."""

    OPEN_UTTERANCE = auto()
    """Forget what was recorded and record from now on."""
    SEND_UTTERANCE = auto()
    """Close the recording and start a turn with it."""
    SEND_TEXT = auto()
    """Start a turn with the typed text."""
    SEND_GREETING = auto()
    """Answer the wake word with the greeting."""
    CANCEL_TURN = auto()
    """Drop the turn under way, at every stage."""
    SAY_STOP = auto()
    """Send the device `tts stop`: the reply is over."""


class Session:
    """One dialogue on one connection."""

    def __init__(self) -> None:
        """Start idle; audio before `listen start` is dropped."""
        self.phase = Phase.IDLE
        self.mode: Mode = "auto"
        self._greets = False

    @property
    def records(self) -> bool:
        """Whether audio from the device belongs to the utterance."""
        if self.phase is Phase.LISTENING:
            return True
        return self.phase is Phase.ANSWERING and self.mode == "realtime"

    @property
    def watches_speech(self) -> bool:
        """Whether the server has to find the end of the utterance by itself."""
        return self.records and self.mode != "manual"

    def is_uttered(self, *, hears_speech: bool) -> bool:
        """Return whether what the microphone records is of an utterance that has begun.

        Args:
            hears_speech: whether speech was found, where the server has to find it.
        """
        return self.phase is Phase.LISTENING and (self.mode == "manual" or hears_speech)

    def listen_start(self, mode: Mode) -> list[Command]:
        """Open an utterance: the microphone is on; a reply that is still going on is spoken over.

        A stock device turns it on right after its wake word: that does not end the greeting.
        """
        if self._greets:
            self._greets = False
            self.mode = mode
            return [Command.OPEN_UTTERANCE]
        commands = self._barge_in()
        self.mode = mode
        self.phase = Phase.LISTENING
        return [*commands, Command.OPEN_UTTERANCE]

    def listen_stop(self) -> list[Command]:
        """End the utterance: by the button, by silence, or at its longest length."""
        if self.phase is not Phase.LISTENING:
            return []
        self.phase = Phase.ANSWERING
        return [Command.SEND_UTTERANCE]

    def greet(self) -> list[Command]:
        """Answer a wake word."""
        commands = self._barge_in()
        self.phase = Phase.ANSWERING
        self._greets = True
        return [*commands, Command.SEND_GREETING]

    def typed(self) -> list[Command]:
        """Answer an utterance that came as text."""
        commands = self._barge_in()
        self.phase = Phase.ANSWERING
        self._greets = False
        return [*commands, Command.SEND_TEXT]

    def speech_started(self) -> list[Command]:
        """Take in that speech was found; over a reply in realtime mode it is a barge-in."""
        if self.phase is not Phase.ANSWERING:
            return []
        self.phase = Phase.LISTENING
        self._greets = False
        return [Command.CANCEL_TURN, Command.SAY_STOP]

    def abort(self) -> list[Command]:
        """End the reply at the user's wish, with `tts stop` in every phase."""
        cancelled = [Command.CANCEL_TURN] if self.phase is Phase.ANSWERING else []
        # A microphone that is on may never be announced again.
        is_off = self.mode == "manual" or self.phase is Phase.IDLE
        self.phase = Phase.IDLE if is_off else Phase.LISTENING
        self._greets = False
        return [*cancelled, Command.SAY_STOP]

    def turn_ended(self, *, spoke: bool) -> list[Command]:
        """End the turn: it is played out, or nothing was said in it.

        A stock device that heard a reply sends `listen start` again in auto mode. One that heard
        nothing never left Listening, so it goes on being listened to.
        """
        if self.phase is not Phase.ANSWERING:
            return []
        self._greets = False
        listens_on = self.mode == "realtime" or (self.mode == "auto" and not spoke)
        self.phase = Phase.LISTENING if listens_on else Phase.IDLE
        opened = [Command.OPEN_UTTERANCE] if self.mode == "auto" and not spoke else []
        return opened if self.mode != "manual" and not spoke else [*opened, Command.SAY_STOP]

    def _barge_in(self) -> list[Command]:
        return [Command.CANCEL_TURN, Command.SAY_STOP] if self.phase is Phase.ANSWERING else []
