"""POST /faults: the switch of a timed instance, and the failures that concern the whole process."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, Field, ValidationError

from dispatcher.bundled.refusals import refusal_of
from dispatcher.bundled.timed.faults import Faults, Mode, fault_of

PATH: Final = "/faults"
# Linger on, for 0 seconds: the peer gets a reset instead of an orderly end.
_RESET: Final = struct.pack("ii", 1, 0)


class FaultRequest(BaseModel):
    """The fault to switch to."""

    mode: Mode
    value: float | None = Field(default=None, ge=0, le=3600)
    for_s: float | None = Field(default=None, gt=0, le=3600)


class FaultRoutes:
    """The switch."""

    def __init__(self, faults: Faults) -> None:
        """Switch these faults."""
        self._faults = faults

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(PATH, self.show)
        app.router.add_post(PATH, self.switch)

    async def show(self, _: web.Request) -> web.Response:
        """Answer the fault that is set."""
        fault = self._faults.chosen
        return web.json_response({"mode": fault.mode, "value": fault.value})

    async def switch(self, request: web.Request) -> web.Response:
        """Set the fault that the body names."""
        try:
            wanted = FaultRequest.model_validate_json(await request.read())
        except ValidationError as error:
            raise refusal_of(error) from error
        self._faults.set(fault_of(wanted.mode, wanted.value), for_s=wanted.for_s)
        return await self.show(request)


def injected(faults: Faults) -> Middleware:
    """Return the middleware for the faults of a whole process; the engines do the others themselves.

    The switch itself always answers, or nobody could switch back.
    """

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        mode = faults.current().mode
        if request.path == PATH or mode == "none":
            return await handler(request)
        if mode == "refuse":
            return _reset(request)
        if mode == "hang":
            await asyncio.Event().wait()
        if request.path == "/health" and faults.chosen.mode == "flap":
            return web.json_response({"status": "failing"}, status=500)
        return await handler(request)

    return inject


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    # Nobody reads it; aiohttp wants an answer from every handler.
    return web.Response()
