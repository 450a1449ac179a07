"""Responses that are written while they are made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import structlog
from aiohttp import web

from dispatcher.bundled.request_errors import has_disconnected

log = structlog.get_logger(__name__)


async def stream(
    request: web.Request,
    pieces: AsyncGenerator[bytes, None],
    *,
    headers: Mapping[str, str],
    error_piece: bytes = b"",
) -> web.StreamResponse:
    """Send the pieces as they come, and close the generator when the caller disconnects.

    The status waits for the first piece: an engine that fails before it is answered with an error.
    One that fails later leaves `error_piece` and a broken connection, never an answer that looks whole.
    """
    async with aclosing(pieces):
        piece: bytes | None = await anext(pieces, b"")
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            while piece is not None:
                if piece:
                    await response.write(piece)
                piece = await anext(pieces, None)
        except Exception as error:
            if not isinstance(error, ConnectionError) or not has_disconnected(request):
                log.exception("stream broke", path=request.path)
                await response.write(error_piece)
                if request.transport is not None:
                    request.transport.close()
        else:
            await response.write_eof()
        return response
