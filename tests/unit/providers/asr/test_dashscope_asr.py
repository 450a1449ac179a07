"""DashScope's realtime recognition as its documents describe it, well and badly."""

from __future__ import annotations

import aiohttp
import pytest

from dispatcher.errors import (
    InstanceFailed,
    InstanceUnreachable,
)
from dispatcher.providers.asr import dashscope_asr, utterance_stream
from dispatcher.providers.asr.dashscope_asr import DASHSCOPE_SLICE_BYTES, DEFAULT_MODEL, DashscopeAsr
from dispatcher.providers.protocols import LoadReport
from tests.support.services.dashscope_asr import DashscopeServer
from tests.support.services.socket_server import SocketServer, read_for_ever
from tests.unit.providers.asr.spoken_utterance import says, tone


@pytest.fixture
def provider(http_session: aiohttp.ClientSession) -> DashscopeAsr:
    return DashscopeAsr(http_session)


@pytest.fixture
def server(sockets: SocketServer) -> DashscopeServer:
    server = DashscopeServer()
    sockets.talks(server.talk)
    return server


@pytest.mark.parametrize("ended_by_time", [False, True])
async def test_the_sentences_make_the_transcript(
    provider: DashscopeAsr, sockets: SocketServer, server: DashscopeServer, *, ended_by_time: bool
) -> None:
    server.ended_by_time = ended_by_time
    heard = await provider.transcribe_stream(sockets.instance("asr"), says(tone(600), tone(650)), "zh")
    assert (heard.text, heard.language, heard.billed_s) == ("今天天气怎么样？", "zh", 1)
    assert server.finished
    assert server.early == 0
    assert sum(server.sizes) == 1250 * 32
    assert set(server.sizes[:-1]) == {DASHSCOPE_SLICE_BYTES}


async def test_the_task_is_begun_as_the_documents_say(
    provider: DashscopeAsr,
    sockets: SocketServer,
    server: DashscopeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASR_KEY", "secret-of-asr")
    instance = sockets.instance("asr", api_key_env="ASR_KEY")
    await provider.transcribe_stream(instance, says(tone(100)), "zh")
    await provider.transcribe_stream(
        sockets.instance("asr", model="fun-asr-realtime"), says(tone(100)), "auto"
    )
    assert sockets.requests[0].headers["Authorization"] == "Bearer secret-of-asr"
    hinted, other = (task["payload"] for task in server.tasks)
    assert server.tasks[0]["header"]["streaming"] == "duplex"
    assert (hinted["model"], other["model"]) == (DEFAULT_MODEL, "fun-asr-realtime")
    assert hinted["parameters"]["language_hints"] == ["zh"]
    assert "language_hints" not in other["parameters"]
    assert {task["header"]["task_id"] for task in server.tasks} == {
        task["header"]["task_id"] for task in server.tasks if len(task["header"]["task_id"]) == 36
    }
    assert len({task["header"]["task_id"] for task in server.tasks}) == 2


@pytest.mark.parametrize(
    "message",
    ["[]", "{}", '{"header": 3}', '{"header": {"event": "task-finished"}}', '{"header": {"event": 7}}'],
)
async def test_a_task_that_does_not_start_is_the_fault_of_the_service(
    provider: DashscopeAsr, sockets: SocketServer, message: str
) -> None:
    sockets.sends(message)
    with pytest.raises(InstanceFailed):
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "zh")


async def test_a_service_that_never_starts_or_never_ends_a_task_is_left(
    provider: DashscopeAsr, sockets: SocketServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashscope_asr, "DASHSCOPE_START_TIMEOUT_S", 0.2)
    monkeypatch.setattr(utterance_stream.UtteranceStream.receive_object, "__kwdefaults__", {"within_s": 0.2})
    sockets.talks(read_for_ever)
    with pytest.raises(InstanceUnreachable):
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "zh")
    sockets.talks(DashscopeServer(fault="hang").talk)
    with pytest.raises(InstanceUnreachable, match="no transcript"):
        await provider.transcribe_stream(sockets.instance("asr"), says(tone(600)), "zh")


async def test_the_check_begins_no_task(
    provider: DashscopeAsr, sockets: SocketServer, server: DashscopeServer
) -> None:
    assert await provider.check(sockets.instance("asr")) == LoadReport()
    assert not server.tasks
