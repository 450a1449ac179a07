"""JSON-RPC 2.0 as a device speaks it: ids are numbers, an error may have no code, and anything may come.

Source: xiaozhi-esp32, main/mcp_server.cc; the protocol version is the one that it answers with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.tools.model import ToolResult

PROTOCOL_VERSION: Final = "2024-11-05"
MAX_RESULT_CHARACTERS: Final = 4_000
_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a device answered to one request.

    Attributes:
        error: its words; empty where the request was carried out.
    """

    id: int
    result: Any = None
    error: str = ""


def request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request; the device reads its id as a number only."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def notification(method: str) -> dict[str, Any]:
    """Return a message that nobody answers."""
    return {"jsonrpc": "2.0", "method": method}


def read_answer(payload: Any) -> Answer | None:
    """Return an answer, or None for whatever else a device may send: its own requests, notices, nonsense."""
    if not isinstance(payload, Mapping) or "method" in payload:
        return None
    number = payload.get("id")
    if not isinstance(number, (int, float)) or isinstance(number, bool) or number % 1:
        return None
    if "error" in payload:
        return Answer(id=int(number), error=_error_words(payload["error"]))
    return Answer(id=int(number), result=payload["result"]) if "result" in payload else None


def tool_result(result: Any) -> ToolResult:
    """Return the outcome of a `tools/call` in words for the LLM, cut to what it can bear."""
    parts = result.get("content") if isinstance(result, Mapping) else None
    if not isinstance(parts, list):
        return ToolResult(text=_cut(json.dumps(result, ensure_ascii=False)))
    text = "\n".join(
        str(part.get("text", "")) if part.get("type") == "text" else f"[{part.get('type')}]"
        for part in parts
        if isinstance(part, Mapping)
    )
    return ToolResult(text=_cut(text), failed=result.get("isError") is True)


def _error_words(error: Any) -> str:
    words = error.get("message") if isinstance(error, Mapping) else error
    shown = words if isinstance(words, str) else json.dumps(words, ensure_ascii=False)
    return shown.strip()[:_SHOWN_CHARACTERS] or "the device gave no reason"


def _cut(text: str) -> str:
    return text if len(text) <= MAX_RESULT_CHARACTERS else text[:MAX_RESULT_CHARACTERS] + "…"
