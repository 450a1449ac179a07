"""Writing an answer while it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)


async def stream(
    request: web.Request,
    pieces: AsyncGenerator[bytes, None],
    *,
    headers: Mapping[str, str],
    last_words: bytes = b"",
) -> web.StreamResponse:
    """Send the pieces as they come, and close the generator when the caller goes away.

    The status waits for the first piece: an engine that fails before it is answered with an error.
    One that fails later leaves `last_words` and a broken connection, never an answer that looks whole.
    """
    async with aclosing(pieces):
        first = await anext(pieces, b"")
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            if first:
                await response.write(first)
            async for piece in pieces:
                if piece:
                    await response.write(piece)
        except ConnectionError:
            # The caller is gone.
            raise
        except Exception:
            log.exception("stream broke", path=request.path)
            await response.write(last_words)
            if request.transport is not None:
                request.transport.close()
            return response
        await response.write_eof()
        return response
