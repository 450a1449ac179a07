"""Bodies that come by HTTP, and the YAML: OTA, the console's log-in and actions, the catalogue."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import Mock

from aiohttp import StreamReader, web
from aiohttp.test_utils import make_mocked_request
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dispatcher.catalogue import load_catalogue
from dispatcher.console import access, operator_actions, persona_editor
from dispatcher.console.context import CONSOLE
from dispatcher.console.operator_sessions import OperatorSessions
from dispatcher.errors import ConfigError
from dispatcher.front.connection.front_context import CONTEXT
from dispatcher.front.http import ota
from dispatcher.messages import OTA_PATH
from dispatcher.settings import Settings
from tests.architecture.tree import ROOT
from tests.fuzz.mutation import bytes_like, json_like
from tests.fuzz.target import Target, only, require_text, run
from tests.unit.front.fakes import fake_front

_OTA: Final[list[Any]] = [
    {
        "version": 2,
        "mac_address": "02:4a:7d:e3:89:bf",
        "uuid": "7b94d69a-9808-4c59-9c9b-704333b38aff",
        "application": {"name": "xiaozhi", "version": "2.0.3", "idf_version": "v5.3"},
        "board": {"type": "wifi", "ssid": "home", "mac": "02-4A-7D-E3-89-BF", "ip": "1.2.3.4"},
        "partition_table": [{"label": "nvs", "type": 1}],
    }
]
_ACTIONS: Final[list[Any]] = [
    {"action": "eject", "subject": "llm-1", "value": "300", "why": "slow"},
    {"action": "name", "subject": "02:4a:7d:e3:89:bf", "value": "kitchen"},
    {"name": "Ada", "password": "open sesame"},
]
_HEADERS: Final = {"Content-Type": "application/json", "Device-Id": "", "X-Forwarded-For": "203.0.113.9"}
# As it stands in operator_actions and access: a field, what it was, what was expected.
_REFUSAL: Final = re.compile(r"(?:\w+: (?:was|had) .*; )?expected .+|wrong password|too many .+", re.DOTALL)


def _request(app: web.Application, path: str, data: bytes, headers: Mapping[str, str] = _HEADERS) -> Any:
    """Return a POST whose body is the case."""
    body = StreamReader(Mock(_reading_paused=False), 2**16, loop=asyncio.get_running_loop())
    body.feed_data(data)
    body.feed_eof()
    return make_mocked_request("POST", path, headers=headers, app=app, payload=body)


@cache
def _front() -> web.Application:
    """Return an application with a front's context; called inside the loop of the cases."""
    app = web.Application()
    app[CONTEXT] = fake_front().context
    return app


@cache
def _console() -> web.Application:
    app = web.Application()
    sessions = OperatorSessions("open sesame", now=_Minutes().now)
    app[CONSOLE] = cast("Any", SimpleNamespace(settings=Settings(), sessions=sessions))
    return app


class _Minutes:
    """A clock on which each look is a minute later, so that nobody is locked out."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def now(self) -> float:
        self.at_s += 61
        return self.at_s


def _ota(data: bytes) -> None:
    async def ask() -> None:
        answer = await ota.answer_device(_request(_front(), OTA_PATH, data))
        assert answer.status == 200
        require_text(answer.text)

    with capture_logs():
        run(ask())


async def _action(request: web.Request) -> Any:
    return await operator_actions._read(request, who="ada")


async def _edit(request: web.Request) -> Any:
    name, why, given = await persona_editor._read(request)
    empty = dict.fromkeys(persona_editor.FORM_KEYS.values(), "")
    return name, why, persona_editor._changed(empty, given)


def _actions(data: bytes) -> None:
    async def act() -> None:
        for read in (_action, _edit, access.sign_in):
            said = None
            try:
                require_text(await read(_request(_console(), "/actions", data)))
            except (web.HTTPBadRequest, web.HTTPForbidden, web.HTTPTooManyRequests) as refused:
                said = refused.text or ""
            assert said is None or _REFUSAL.fullmatch(said), said

    with capture_logs():
        run(act())


@cache
def _yaml_file() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-")) / "x.yaml"


def _yaml(data: bytes) -> None:
    """Load a file; each problem says where, and none has a second line."""
    path = _yaml_file()
    path.write_bytes(data)
    with only(ConfigError):
        try:
            load_catalogue(path, {}, log_warnings=False)
        except ConfigError as error:
            for problem in error.problems:
                assert problem.startswith(f"{path}:"), problem
                assert "\n" not in problem, problem
            raise


_SMALL: Final = b"""load_balancing:
  global_settings: {algorithm: response_time, failure_threshold: 3}
  api_gateway:
    asr_services: {instances: [{endpoint: "http://localhost:8100", weight: 2, max_concurrent: 10}]}
    llm_services: &llm
      instances:
        - {name: a, endpoint: "http://localhost:11434", model: "qwen2.5:3b", extra_body: {a: [1]}}
    tts_services: {<<: *llm, instances: [{endpoint: "http://localhost:5000", priority: high}]}
"""
_MORE: Final = b"""conversation:
  personas: {a: {prompt: Be brief., wake_words: [hi], timezone: Asia/Tokyo}}
  devices: {"02:4a:7d:e3:89:bf": {persona: a, voices: {"*": x}}}
  filler: {after_ms: 0}
playback: {lead_frames: 5}
kpis: {}
alerts: {webhook: "http://localhost:1/x"}
mcp_servers: {home: {url: "http://localhost:2/mcp", allow: [a]}}
phrase_cache: {enabled: true}
"""

TARGETS: Final = (
    Target(
        name="ota", cases=json_like(_OTA) | bytes_like([b"", b"{", b"x" * 70_000]), check=_ota, weight=0.3
    ),
    Target(
        name="console", cases=json_like(_ACTIONS) | bytes_like([b"{}", b"[]"]), check=_actions, weight=0.3
    ),
    Target(
        name="yaml",
        cases=bytes_like([_SMALL, _SMALL + _MORE, (ROOT / "config/embedded.yaml").read_bytes()])
        | st.tuples(bytes_like([_SMALL]), bytes_like([_MORE])).map(b"".join),
        check=_yaml,
        weight=0.1,
    ),
)
