"""The front's parts for HTTP, served on loopback without a broker, and requests to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from dispatcher.catalogue.model import Catalogue
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.front.http.ota import add_ota
from dispatcher.front.http.probes import add_probes
from dispatcher.settings import Settings
from tests.unit.memory_redis import MemoryRedis

DEVICE = "02:4a:7d:e3:89:bf"
CLIENT = "7b94d69a-9808-4c59-9c9b-704333b38aff"
STOCK_HEADERS = {
    "Device-Id": DEVICE,
    "Client-Id": CLIENT,
    "Activation-Version": "1",
    "User-Agent": "bread-compact-wifi/2.0.3",
    "Accept-Language": "zh-CN",
}


class FrontApp:
    """A front of which only OTA and the probes are open.

    Attributes:
        redis: what stands in for the broker.
        context: what the front's parts share.
        begun: requests whose headers have come.
    """

    def __init__(
        self, client: TestClient[web.Request, web.Application], context: FrontContext, redis: MemoryRedis
    ) -> None:
        self.context = context
        self.redis = redis
        self.begun = 0
        self._client = client

    @property
    def app(self) -> web.Application:
        """The application that is served."""
        app = self._client.app
        assert app is not None
        return app

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port."""
        return self._client.host, self._client.port or 0

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        return await self._client.get(path, headers=headers)

    async def post(self, path: str, body: bytes, **headers: str) -> aiohttp.ClientResponse:
        return await self._client.post(path, data=body, headers=STOCK_HEADERS | headers)


@asynccontextmanager
async def open_front_app(data_dir: Path, **settings: str) -> AsyncGenerator[FrontApp]:
    """Serve a front whose settings are the defaults and these."""
    redis = MemoryRedis()
    context = FrontContext.create(
        Settings.model_validate({"data_dir": data_dir, **settings}),
        Catalogue(path="", services={}),
        redis=redis.redis(),
    )

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        front_app.begun += 1
        return await handler(request)

    app = web.Application(middlewares=[count])
    app[CONTEXT] = context
    add_ota(app)
    add_probes(app)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        front_app = FrontApp(client, context, redis)
        yield front_app
    await context.close()
