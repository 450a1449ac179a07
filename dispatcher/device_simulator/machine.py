"""State machine of the firmware, without I/O: idle, listening, speaking."""

from __future__ import annotations

from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["manual", "auto", "realtime"]
State: TypeAlias = Literal["idle", "listening", "speaking"]


class DeviceMachine:
    """The state of one device; methods are what happens to it."""

    def __init__(self, mode: Mode) -> None:
        """Begin idle."""
        self.mode: Mode = mode
        self.state: State = "idle"
        self._started = False

    @property
    def microphone_open(self) -> bool:
        """Whether frames go up now: while listening, and in realtime also while it speaks."""
        if self.mode == "realtime":
            return self._started
        return self.state == "listening"

    @property
    def accepts_audio(self) -> bool:
        """Whether a binary frame is taken; in any other state the firmware drops it."""
        return self.state == "speaking"

    def start_listening(self) -> bool:
        """Turn the microphone on.

        Returns:
            whether `listen start` has to be sent: realtime says it once, the others each time.
        """
        said = self._started and (self.mode == "realtime" or self.state == "listening")
        self.state = "listening"
        self._started = True
        return not said

    def stop_listening(self) -> None:
        """Release the talk button."""
        self.state = "idle"
        self._started = False

    def begin_speaking(self) -> None:
        """Handle `tts start`, which closes the microphone except in realtime."""
        self.state = "speaking"

    def end_speaking(self) -> bool:
        """Handle `tts stop`.

        Returns:
            whether the device goes back to listening and says `listen start` again (auto only).
        """
        was_speaking = self.state == "speaking"
        if not was_speaking:
            return False
        if self.mode == "manual" or not self._started:
            self.state = "idle"
            return False
        self.state = "listening"
        return self.mode == "auto"
