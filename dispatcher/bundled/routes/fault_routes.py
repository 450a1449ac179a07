"""POST /faults, the switch of an instance, and the faults that concern its whole process."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, Field

from dispatcher.bundled.fault_setting import Fault, FaultMode, FaultSetting
from dispatcher.bundled.request_errors import read_model

PATH: Final = "/faults"
# Linger on, for 0 seconds: the peer gets a reset instead of an orderly end.
_RESET: Final = struct.pack("ii", 1, 0)


class FaultRequest(BaseModel):
    """The fault to switch to."""

    mode: FaultMode
    value: float | None = Field(default=None, ge=0, le=3600)
    for_s: float | None = Field(default=None, gt=0, le=3600)


class FaultRoutes:
    """Reading and setting of the switch."""

    def __init__(self, switch: FaultSetting) -> None:
        """Serve this switch."""
        self._switch = switch

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(PATH, self.show)
        app.router.add_post(PATH, self.set_fault)

    async def show(self, _: web.Request) -> web.Response:
        """Answer the fault that is set."""
        fault = self._switch.chosen
        return web.json_response({"mode": fault.mode, "value": fault.value})

    async def set_fault(self, request: web.Request) -> web.Response:
        """Set the fault that the body names."""
        wanted = read_model(FaultRequest, await request.read())
        self._switch.set_fault(Fault.of(wanted.mode, wanted.value), for_s=wanted.for_s)
        return await self.show(request)


def inject_faults(switch: FaultSetting) -> Middleware:
    """Return the middleware for the faults of a whole process; `FaultyEngine` does the others.

    The switch itself always answers, or nothing could switch back.
    """

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        mode = switch.current().mode
        if request.path == PATH or mode == "none":
            return await handler(request)
        if mode == "refuse":
            return _reset(request)
        if mode == "hang":
            await asyncio.Event().wait()
        if request.path == "/health" and switch.chosen.mode == "flap":
            return web.json_response({"status": "failing"}, status=500)
        return await handler(request)

    return inject


def _reset(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    # It is never sent; aiohttp wants an answer from every handler.
    return web.Response()
