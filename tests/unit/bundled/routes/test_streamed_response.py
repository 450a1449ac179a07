"""Streams whose caller disconnects."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.bundled.request_errors import answer_errors
from dispatcher.bundled.routes.streamed_response import stream


@pytest.mark.parametrize("heard", [0, 1])
async def test_a_caller_that_disconnects_just_before_a_write_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture, heard: int
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        async def pieces() -> AsyncGenerator[bytes, None]:
            for _ in range(heard):
                yield b"one"
            assert request.transport is not None
            # As a loop that read the end of the connection, and cancels the handler in its next round.
            request.transport.close()
            yield b"two"

        return await stream(request, pieces(), headers={})

    app = web.Application(middlewares=[answer_errors])
    app.router.add_get("/", answer)
    async with TestClient(TestServer(app)) as client:
        with pytest.raises(aiohttp.ClientError):
            await (await client.get("/")).read()
    assert not [each for each in caplog.records if each.exc_info]


async def test_an_engine_whose_own_connection_breaks_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"one"
            raise ConnectionResetError("its model server is gone")

        return await stream(request, pieces(), headers={}, error_piece=b"broken")

    app = web.Application(middlewares=[answer_errors])
    app.router.add_get("/", answer)
    async with TestClient(TestServer(app)) as client:
        with pytest.raises(aiohttp.ClientPayloadError):
            await (await client.get("/")).read()
    assert "stream broke" in capsys.readouterr().out
