"""A model server whose pages beside the calls say nothing, and what a check leaves of it in Redis."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table as fleets
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, Slot
from dispatcher.routing.overview import InstanceView, read_overview

REPLY = 'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'


@dataclass
class FakeModelServer:
    """Plays a server whose pages are as reported, and whose calls work while `call_status` says so.

    Reports: OpenCoworkAI/open-codesign #179 (Zhipu: no /models), devnen/Chatterbox-TTS-Server #173,
    rsxdalv/TTS-WebUI #603: GET /health and /v1/models answer 404, 405, 400, 500, 401 or a page; POST works.

    Attributes:
        models: answer of /v1/models and /api/tags; None where these are pages like any other.
        asked: path and body of each call.
    """

    page_status: int = 404
    page: str = ""
    models: Any = None
    call_status: int = 200
    refusal: str = '{"error":{"message":"model \'x\' not found"}}'
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    port: int = 0

    def instance(self, service: Service = "llm", **given: Any) -> Instance:
        """Return the line of this server, named A."""
        endpoint = f"http://127.0.0.1:{self.port}/v1"
        return Instance(service=service, name="A", endpoint=endpoint, **{"model": "m", **given})

    @property
    def calls(self) -> list[str]:
        """Paths of the calls, without those of pages."""
        return [path for path, _ in self.asked]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as reported."""
        if request.method == "GET":
            if self.models is not None and request.path in ("/v1/models", "/api/tags"):
                return web.json_response(self.models)
            return web.Response(status=self.page_status, text=self.page)
        body = await request.read()
        is_json = request.content_type == "application/json"
        self.asked.append((request.path, json.loads(body) if is_json else {"size": len(body)}))
        if self.call_status != 200:
            return web.Response(status=self.call_status, text=self.refusal)
        if request.path.endswith("/transcriptions"):
            return web.json_response({"text": ""})
        if request.path.endswith("/speech"):
            return web.Response(body=bytes(4800), content_type="audio/pcm")
        return web.Response(text=REPLY, content_type="text/event-stream")


async def publish(redis: RedisClient, *instances: Instance) -> None:
    """Put these instances in force."""
    services = {
        service: ServiceConfig(
            service=service,
            algorithm="round_robin",
            instances=tuple(each for each in instances if each.service == service),
        )
        for service in SERVICES
    }
    await fleets.publish(redis, Catalogue(path="", services=services))


async def view_of(redis: RedisClient, name: str = "A") -> InstanceView:
    """Return what an operator sees of an instance."""
    return next(each for each in (await read_overview(redis)).instances if each.name == name)


async def pick(redis: RedisClient, service: Service = "llm") -> Slot | NoSlot:
    """Pick an instance for a call."""
    return await leases.pick(redis, service, turn_id="turn", excluded=())


async def call_ends(redis: RedisClient, outcome: leases.Outcome, service: Service = "llm") -> str:
    """Let a call to instance A end; return what that changed."""
    slot = Slot(service=service, name="A", lease_id="x", in_flight=1, reason="")
    return await leases.finish(redis, slot, outcome=outcome, latency_ms=1, reason="HTTP 500")


async def age_of_last_call(redis: RedisClient, *fields: str, service: Service = "llm") -> None:
    """Move what was called or asked ten minutes into the past."""
    for each in fields:
        if at := await redis.execute("HGET", keys.instance(service, "A"), each):
            await redis.execute("HSET", keys.instance(service, "A"), each, float(at) - 600_000)


@asynccontextmanager
async def serving() -> AsyncGenerator[FakeModelServer]:
    """Serve a model server on a port of its own."""
    fake, app = FakeModelServer(), web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    async with TestServer(app) as running:
        fake.port = running.port or 0
        yield fake
