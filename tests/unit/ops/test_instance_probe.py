"""One probing call to an instance: its answer, its times, and what an operator is told of a failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dispatcher.catalogue.model import Instance
from dispatcher.errors import EmptyReply, InstanceFailed, InstanceForbidden, InstanceUnreachable
from dispatcher.messages import Service
from dispatcher.ops import instance_probe
from dispatcher.ops.instance_probe import InstanceProbe, Question, probe_instance
from tests.support.processes import free_port

REPLY = 'data: {"choices":[{"delta":{"content":"four"}}]}\n\ndata: [DONE]\n\n'
Probe = Callable[..., Awaitable[InstanceProbe]]


class Answers:
    """What the server answers to each path."""

    def __init__(self) -> None:
        self.by_path = {"/v1/chat/completions": (200, REPLY), "/v1/models": (200, '{"data":[{"id":"m"}]}')}
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        status, text = self.by_path.get(request.path, (404, ""))
        return web.Response(status=status, text=text, content_type="text/event-stream")


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
async def probe(answers: Answers) -> AsyncIterator[Probe]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answers.answer)
    async with TestServer(app) as server:

        async def run(service: Service = "llm", **question: Any) -> InstanceProbe:
            endpoint = str(server.make_url("/v1"))
            instance = Instance(service=service, name="A", endpoint=endpoint, model="m")
            return await probe_instance(instance, Question(**{"text": "2+2?", **question}))

        yield run


async def test_an_answer_comes_with_its_times_and_its_health(probe: Probe) -> None:
    found = await probe(system_prompt="Be brief.")
    assert (found.text, found.error) == ("four", None)
    assert found.connected_s is not None
    assert found.first_s is not None
    assert found.total_s is not None
    assert 0 < found.connected_s <= found.first_s <= found.total_s
    assert found.health.startswith("well")


async def test_calls_that_succeed_say_more_than_a_page_that_is_missing(
    probe: Probe, answers: Answers
) -> None:
    answers.by_path["/v1/models"] = (404, "")
    assert (await probe()).health.startswith("well by its calls; no page says so")


async def test_an_empty_reply_is_a_failure_though_every_page_is_fine(probe: Probe, answers: Answers) -> None:
    answers.by_path["/v1/chat/completions"] = (200, "data: [DONE]\n\n")
    found = await probe()
    assert isinstance(found.error, EmptyReply)
    assert found.total_s is None


@pytest.mark.parametrize(("status", "error"), [(401, InstanceForbidden), (500, InstanceFailed)])
async def test_a_refusal_is_part_of_the_result(
    probe: Probe, answers: Answers, status: int, error: type[Exception]
) -> None:
    answers.by_path["/v1/chat/completions"] = (status, "no")
    assert isinstance((await probe()).error, error)


async def test_a_model_that_the_server_does_not_list_is_named(probe: Probe, answers: Answers) -> None:
    answers.by_path["/v1/chat/completions"] = (404, "no such model")
    answers.by_path["/v1/models"] = (200, '{"data":[{"id":"another"}]}')
    found = await probe()
    assert found.health.startswith("failing: ")
    assert "another" in found.health


async def test_silence_of_a_voice_is_a_failure(probe: Probe, answers: Answers) -> None:
    answers.by_path["/v1/audio/speech"] = (200, "")
    assert isinstance((await probe("tts")).error, InstanceFailed)


async def test_an_answer_that_never_ends_is_cut(
    probe: Probe, monkeypatch: pytest.MonkeyPatch, answers: Answers
) -> None:
    del answers
    monkeypatch.setattr(instance_probe, "INSTANCE_PROBE_TIMEOUT_S", 0.0)
    found = await probe()
    assert isinstance(found.error, InstanceUnreachable)
    assert "no whole answer within 0 s" in found.error.reason


async def test_nobody_there_is_out_of_reach() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}/v1"
    found = await probe_instance(
        Instance(service="llm", name="A", endpoint=endpoint, model="m"), Question(text="hi")
    )
    assert isinstance(found.error, InstanceUnreachable)
    assert found.health.startswith("not well")
