"""Good answers of model servers, and odd ones of public reports, that fuzzing starts from.

The reports stand in docs/providers/openai-http.md.
"""

from __future__ import annotations

import base64
import gzip
import struct
from typing import Any, Final

from tests.fuzz.mutation import written
from tests.support.encoded import encoded, speech, wav

_CALL: Final = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "set_volume", "arguments": '{"volume": 30}'},
    "extra_content": {"google": {"thought_signature": "x"}},
}
CHUNKS: Final[list[Any]] = [
    {"id": "c", "choices": [{"index": 0, "delta": {"content": "It is noon."}, "finish_reason": None}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm.", "tool_calls": [_CALL]}}]},
    {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [{"text": "Hm."}]}, "Yes."]}}]},
    {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9}},
    {"choices": [{"message": {"content": "Whole.", "function_call": {"name": "x", "arguments": "{}"}}}]},
    {"choices": [], "usage": {"prompt_tokens": 812, "prompt_tokens_details": {"cached_tokens": 768}}},
    {"choices": [{"text": "old"}], "timings": {"cache_n": 3, "prompt_n": 4}, "prompt_filter_results": []},
    {"error": {"message": "Insufficient Balance", "code": "429", "type": "invalid_request_error"}},
    {"base_resp": {"status_code": 1004, "status_msg": "no"}, "detail": [{"loc": ["body"], "msg": "x"}]},
    {"choices": [{"delta": {"content": '<tool_call>{"name": "set_volume"}</tool_call>'}}]},
]
STREAM_PARTS: Final = [
    *(b"data: [DONE]\n\n", b": keep-alive\n\n", b"event: error\ndata: {}\n\n", b"data:\n\n"),
    b'data: {"choices": [{"delta": {"content": "a"}}]}\r\n\r\n',
    b'data: {"choices":\ndata: [{"delta": {"content": "a"}}]}\n\n',
]
REPLIES: Final = [
    written({"choices": [{"delta": {"content": text}}]})
    for text in (
        '<think>Hm.</think>Yes. <tool_call>{"name": "set_volume", "arguments": {"volume": 3}}</tool_call>',
        '{"name": "set_volume", "parameters": {"volume": [1, {"a": "b"}]}} and more',
        "<function=set_volume><parameter=volume>30</parameter></function>",
        '[set_volume(volume=30, more={"a": (1, 2)})]',
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>set_volume\n```json\n{}```",
        '[TOOL_CALLS]set_volume[ARGS]{"volume": 30}',
    )
]
OLLAMA: Final[list[Any]] = [
    {"model": "m", "message": {"role": "assistant", "content": "It is ", "thinking": "Hm."}, "done": False},
    {"message": {"content": "", "tool_calls": [_CALL]}, "done": False},
    {"message": {"content": "noon."}, "done": True, "done_reason": "stop", "prompt_eval_count": 26},
    {"error": "model 'x' not found"},
]
_SEGMENT: Final = {"text": " Hi.", "no_speech_prob": 0.01, "avg_logprob": -0.3}
TRANSCRIPTS: Final[list[Any]] = [
    {"text": "你好", "language": "chinese", "segments": [_SEGMENT, _SEGMENT]},
    {"code": 0, "data": {"result": [{"sentences": [{"text": "Hi."}]}]}},
    {"results": [{"transcript": "Hi."}, "there"], "error": None},
    {"type": "transcript.text.delta", "delta": "Hi."},
    {"error": {"message": "Invalid file", "code": 400}},
    [{"key": "a", "text": "Hi."}],
    "Hi.",
]
TRANSCRIPT_TEXTS: Final = [
    *(b"Thank you for watching!", b"<html><body>502</body></html>", b"", b"\n"),
    b'event: x\ndata: {"text": "Hi."}\n\ndata: [DONE]\n\n',
]
RECOGNITION: Final[list[Any]] = [
    {"mode": "2pass-online", "text": "你", "is_final": False},
    {"mode": "2pass-offline", "text": "<|zh|><|NEUTRAL|><|Speech|><|woitn|>你好", "is_final": True},
    {"header": {"event": "task-started", "task_id": "t"}, "payload": {}},
    {
        "header": {"event": "result-generated"},
        "payload": {"output": {"sentence": {"text": "Hi.", "end_time": 9, "heartbeat": False}}},
    },
    {"header": {"event": "task-finished"}, "payload": {"output": {}}},
    {"header": {"event": "task-failed", "error_code": "CLIENT_ERROR", "error_message": "request timeout"}},
    {"text": "hello", "segment": 0, "is_final": False, "lang": "<|en|>"},
    "Done!",
]
VOICES: Final[list[Any]] = [
    {"code": 0, "message": "success", "data": {"audio": "AAAA", "status": 1}, "sid": "s"},
    {"code": 0, "data": {"audio": base64.b64encode(bytes(640)).decode(), "status": 2}},
    {"code": 10109, "message": "too long", "data": None, "sid": "s"},
    {"header": {"event": "task-started"}},
    {"header": {"event": "task-finished"}, "payload": None},
    {"header": {"event": "task-failed", "error_code": "Throttling", "error_message": "slow"}},
]


def _volcano(kind: int, number: int, body: bytes, *, packs: bool = False) -> bytes:
    body = gzip.compress(body) if packs else body
    return bytes([0x11, kind << 4 | 1, 0x10 | packs, 0]) + struct.pack(">iI", number, len(body)) + body


VOLCANO: Final = [
    *(b"\x11\xb0\x11\x00", _volcano(0b1011, 1, bytes(64)), _volcano(0b1011, -1, bytes(64), packs=True)),
    *(_volcano(0b1111, 3001, b"quota exceeded"), _volcano(0b1111, 3011, b"x" * 40, packs=True)),
]
SPEECH: Final = [
    speech(16_000)[:2_000],
    wav(speech(24_000)[:2_000], 24_000),
    wav(speech(16_000)[:1_200], 16_000, channels=2, claims=1_200),
    wav(bytes(800), 48_000, code=3, bits=32),
    wav(bytes(801), 8_000, bits=8),
    encoded("mp3", "libmp3lame", 24_000)[:3_000],
    encoded("ogg", "libopus", 48_000)[:3_000],
    encoded("ogg", "libopus", 48_000, "stereo")[:2_000],
    b'{"error": {"message": "no such voice"}}' * 2,
]
PAGES: Final[list[Any]] = [
    {"status": "ok", "cpu": 0.2, "memory": 0.7},
    {"status": "loading model"},
    {"object": "list", "data": [{"id": "qwen2.5:3b", "owned_by": "me"}, {"name": "x"}, "y"]},
    {"models": [{"name": "llama3:latest", "model": "llama3:latest", "size": 3}]},
    [{"id": "a"}, {"id": "b"}],
]
PAGE_TEXTS: Final = [
    *(b"", b"<html><body>502 Bad Gateway</body></html>", b"OK", b"not found", b"\xff\xfe{}"),
    *(b"120\nMon, 30 Nov 2026 20:00:00 GMT", b"Mon, 30 Nov 2026 20:00:00 GMT\nMon, 30 Nov 2026 19:59:00 GMT"),
]
REFUSALS: Final[list[Any]] = [
    {"error": {"message": "Model Not Exist", "type": "invalid_request_error", "code": None}},
    {"error": {"code": "context_length_exceeded", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
    [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota"}}],
    {"detail": [{"loc": ["body", "model", 0], "msg": "field required"}]},
    {"error": "model 'x' not found"},
    {"error": {"code": "503", "message": "Loading model", "status_code": 503}},
    {"code": "DataInspectionFailed", "message": "no", "msg": "x", "error_msg": "y"},
]
