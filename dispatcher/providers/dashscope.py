"""What the tasks of DashScope's WebSocket share: instructions, events, and whose fault a failed task is.

Source: Model Studio documentation, WebSocket API of CosyVoice and of Paraformer realtime, error codes.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
)
from dispatcher.providers.http import SHOWN_BYTES, as_object, key_of
from dispatcher.providers.websocket import Socket, open_socket

STARTED: Final = "task-started"
FINISHED: Final = "task-finished"
FAILED: Final = "task-failed"
# How codes begin, and whose fault they are; the others are the service's own troubles.
_ERRORS: Final[dict[str, type[InstanceError]]] = {
    **dict.fromkeys(("Throttling", "LimitRequests", "RateLimit"), InstanceBusy),
    **dict.fromkeys(("InvalidApiKey", "AccessDenied", "Arrearage", "PrepaidBillOverdue"), InstanceForbidden),
    **dict.fromkeys(("AllocationQuota", "CommodityNotPurchased", "Model", "WorkSpace"), InstanceForbidden),
    **dict.fromkeys(("InvalidParameter", "InvalidURL", "BadRequest", "UnsupportedModel"), InstanceForbidden),
    "DataInspectionFailed": InstanceRefused,
}


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
        """Send run-task and return when the task has started; errors as in `receive`."""
        await self.instruct("run-task", payload)
        while await self.receive(within_s=within_s) != STARTED:
            pass

    async def instruct(self, action: str, payload: Mapping[str, Any]) -> None:
        """Send an instruction: run-task, continue-task or finish-task."""
        header = {"action": action, "task_id": self._task_id, "streaming": "duplex"}
        await self.socket.send_object({"header": header, "payload": payload})

    async def receive(self, *, within_s: float) -> bytes | str | dict[str, Any]:
        """Return what comes next: binary, the name of a bare event, or the output of a result.

        Raises:
            InstanceError: the task failed, by whoever's fault; or errors of the socket.
        """
        message = await self.socket.receive(within_s=within_s)
        if isinstance(message, bytes):
            return message
        instance = self.socket.instance
        answer = as_object(instance, message.encode())
        header, payload = answer.get("header"), answer.get("payload")
        if not isinstance(header, dict) or not isinstance(header.get("event"), str):
            raise InstanceFailed(instance.name, f"event was {message[:SHOWN_BYTES]!r}, expected a header")
        if header["event"] == FAILED:
            raise task_error(instance, header)
        if header["event"] in {STARTED, FINISHED}:
            return str(header["event"])
        return payload if isinstance(payload, dict) else {}


def task_error(instance: Instance, header: Mapping[str, Any]) -> InstanceError:
    """Return the error that the header of a failed task means."""
    code = str(header.get("error_code"))
    kind = next((kind for begins, kind in _ERRORS.items() if code.startswith(begins)), InstanceFailed)
    return kind(instance.name, f"{code}: {header.get('error_message')}"[:SHOWN_BYTES])


@asynccontextmanager
async def open_task(session: aiohttp.ClientSession, instance: Instance) -> AsyncIterator[DashScopeTask]:
    """Connect with the instance's key; the key is checked here, and no task is begun yet."""
    headers = {"Authorization": f"bearer {key_of(instance)}"}
    async with open_socket(session, instance, instance.endpoint, headers=headers) as socket:
        yield DashScopeTask(socket)
