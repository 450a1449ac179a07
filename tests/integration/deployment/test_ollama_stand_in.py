"""The stand-in for Ollama takes the words, variables and requests that compose has for the real one."""

from __future__ import annotations

import asyncio
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from dispatcher.bundled.timed_engines import ANSWER
from tests.support.processes import ROOT

SCRIPT: Final = ROOT / "config" / "docker" / "ollama_stand_in.py"
MODEL: Final = "qwen2.5:1.5b"


def loaded() -> ModuleType:
    spec = spec_from_file_location("ollama_stand_in", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def chat(url: str) -> tuple[int, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}v1/chat/completions", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_model_is_answered_with_from_its_pull_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ollama = loaded()

    async with TestServer(ollama.StandIn(tmp_path / "models", pull_s=0).app()) as server:
        url = str(server.make_url("/"))
        host = {"OLLAMA_HOST": url.removesuffix("/")}
        assert (await chat(url))[0] == 404
        assert await asyncio.to_thread(ollama.main, ["pull", MODEL], host) == 0
        assert '"completed": 986000000' in capfd.readouterr().err
        status, said = await chat(url)
        assert (status, said["choices"][0]["message"]["content"]) == (200, ANSWER)
        assert await asyncio.to_thread(ollama.main, ["list"], host) == 0
        assert capfd.readouterr().out.split() == ["NAME", MODEL]
    assert await asyncio.to_thread(ollama.main, ["list"], host) == 1
    assert ollama.main(["run", MODEL], host) == 2
