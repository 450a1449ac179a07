"""Tasks of DashScope's WebSocket: instructions out, events in.

Source: Model Studio documentation, WebSocket API of CosyVoice and of Paraformer realtime.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceFailed
from dispatcher.providers.dashscope_codes import NO_SPEECH_CODES, error_of
from dispatcher.providers.http import SHOWN_BYTES, as_object
from dispatcher.providers.websocket import Socket

STARTED: Final = "task-started"
RESULT: Final = "result-generated"
FINISHED: Final = "task-finished"
# Our own word: a recognition failed because nobody spoke.
NO_SPEECH: Final = "no-speech"
# What is more is no amount, and Redis cannot add it up.
_MOST: Final = 10**9
_FAILED: Final = "task-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Event of a task.

    Attributes:
        name: task-started, result-generated, task-finished, our no-speech; or one that is not known here.
        payload: what comes with it; empty where nothing does.
    """

    name: str
    payload: Mapping[str, Any]

    def usage(self, name: str) -> int | None:
        """Return what the task has used so far, such as "duration"; None where it does not say."""
        usage = self.payload.get("usage")
        amount = usage.get(name) if isinstance(usage, dict) else None
        return amount if type(amount) is int and 0 <= amount < _MOST else None


def read_event(instance: Instance, message: Mapping[str, Any]) -> Event:
    """Return the event of a message.

    Raises:
        InstanceError: the task failed, by whoever's fault; or the message is no event.
    """
    header, payload = message.get("header"), message.get("payload") or {}
    name = header.get("event") if isinstance(header, dict) else None
    if not isinstance(header, dict) or not isinstance(name, str) or not isinstance(payload, dict):
        raise InstanceFailed(instance.name, f"message was {message!r:.{SHOWN_BYTES}}, expected an event")
    if name != _FAILED:
        return Event(name=name, payload=payload)
    if str(header.get("error_code")).startswith(NO_SPEECH_CODES):
        return Event(name=NO_SPEECH, payload=payload)
    raise _failure(instance, header)


def _failure(instance: Instance, header: Mapping[str, Any]) -> InstanceError:
    """Return the error that the header of a failed task means."""
    code = str(header.get("error_code") or "no code")
    reason = f"{code}: {header.get('error_message')}"[:SHOWN_BYTES]
    error = error_of(code)(instance.name, reason)
    # A user who holds the button and is silent must not eject anybody.
    error.counts = error.counts and "request timeout after" not in reason
    return error


class DashScopeTask:
    """One task on a socket of its own.

    Attributes:
        socket: for what goes as binary messages.
    """

    def __init__(self, socket: Socket) -> None:
        """Give the task a name; `begin` starts it."""
        self.socket = socket
        self._task_id = str(uuid.uuid4())

    async def begin(self, payload: Mapping[str, Any], *, within_s: float) -> None:
        """Send run-task and return when the task has started.

        Raises:
            InstanceError: as in `receive`; or something else came than the word that it has.
        """
        await self.instruct("run-task", payload)
        came = await self.receive(within_s=within_s)
        if isinstance(came, bytes) or came.name != STARTED:
            raise InstanceFailed(
                self.socket.instance.name, f"answer was {came!r:.{SHOWN_BYTES}}, expected {STARTED}"
            )

    async def instruct(self, action: str, payload: Mapping[str, Any]) -> None:
        """Send an instruction: run-task, continue-task or finish-task."""
        header = {"action": action, "task_id": self._task_id, "streaming": "duplex"}
        await self.socket.send_object({"header": header, "payload": payload})

    async def receive(self, *, within_s: float) -> bytes | Event:
        """Return what comes next: sound, or an event.

        Raises:
            InstanceError: as in `read_event`; or errors of the socket.
        """
        message = await self.socket.receive(within_s=within_s)
        if isinstance(message, bytes):
            return message
        instance = self.socket.instance
        return read_event(instance, as_object(instance, message.encode()))
