"""DashScope's realtime recognition as its documents describe it: a task on a socket, sentences, faults."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSMsgType, web

from tests.support.services.funasr import Fault

SENTENCE_BYTES: Final = 600 * 32
WORDS: Final = ("今天天气", "怎么样？")
NONSENSE: Final[dict[Fault, str]] = {
    "html": "<html><body>It works!</body></html>",
    "broken": '{"header": {"event": "resu',
    "types": '{"header": {"event": "result-generated"}, "payload": {"output": {"sentence": {"text": 3}}}}',
}


@dataclass
class DashscopeServer:
    """The service's side of every connection.

    Attributes:
        fails_with: an error code that `run-task` is answered with.
        fails_later_with: an error code that comes in mid-speech.
        ended_by_time: sentences end by their `end_time` alone, as before `sentence_end` was there.
        tasks: what `run-task` said, oldest first.
    """

    fault: Fault = "none"
    fails_with: str = ""
    fails_later_with: str = ""
    ended_by_time: bool = False
    tasks: list[dict[str, Any]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    early: int = 0
    finished: bool = False
    _task_id: str = ""

    async def talk(self, socket: web.WebSocketResponse) -> None:
        """Serve one connection."""
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                self.early += not self.tasks
                before = self._sentences
                self.sizes.append(len(message.data))
                if self._sentences > before and not await self._on_sentence(socket):
                    return
            elif message.type is WSMsgType.TEXT and not await self._on_action(
                socket, json.loads(message.data)
            ):
                return

    @property
    def _sentences(self) -> int:
        return sum(self.sizes) // SENTENCE_BYTES

    async def _on_action(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> bool:
        """Answer an action; return whether the connection goes on."""
        self._task_id = said["header"]["task_id"]
        if said["header"]["action"] == "run-task":
            self.tasks.append(said)
            if self.fails_with:
                return await self._fail(socket, self.fails_with)
            await self._tell(socket, "task-started")
        elif self.fault != "hang":
            self.finished = True
            await self._tell(socket, "task-finished", {"output": {}, "usage": None})
        return True

    async def _on_sentence(self, socket: web.WebSocketResponse) -> bool:
        if self.fails_later_with:
            return await self._fail(socket, self.fails_later_with)
        if self.fault == "close":
            return False
        if self.fault in NONSENSE:
            await socket.send_str(NONSENSE[self.fault])
        if self.fault == "half":
            await socket.send_bytes('{"header": {"event": "词'.encode()[:-1])
        text = WORDS[(self._sentences - 1) % len(WORDS)]
        for whole in (False, True):
            sentence: dict[str, Any] = {
                "begin_time": 600 * (self._sentences - 1),
                "end_time": 600 * self._sentences if whole else None,
                "text": text if whole else text[:2],
            }
            if not self.ended_by_time:
                sentence |= {"heartbeat": False, "sentence_end": whole}
            usage = {"duration": 1} if whole else None
            await self._tell(socket, "result-generated", {"output": {"sentence": sentence}, "usage": usage})
        beat = {"begin_time": 0, "end_time": None, "text": "", "heartbeat": True, "sentence_end": False}
        await self._tell(socket, "result-generated", {"output": {"sentence": beat}})
        return True

    async def _fail(self, socket: web.WebSocketResponse, code: str) -> bool:
        header = {
            "task_id": self._task_id,
            "event": "task-failed",
            "error_code": code,
            "error_message": "see the documents",
            "attributes": {},
        }
        await socket.send_str(json.dumps({"header": header, "payload": {}}))
        return False

    async def _tell(
        self, socket: web.WebSocketResponse, event: str, payload: dict[str, Any] | None = None
    ) -> None:
        header = {"task_id": self._task_id, "event": event, "attributes": {}}
        await socket.send_str(json.dumps({"header": header, "payload": payload or {}}, ensure_ascii=False))
