"""OTA: how a device learns where its WebSocket is."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError

from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.options import Address, DeviceOptions
from dispatcher.errors import FrontError

FIRMWARE_VERSION: Final = "2.4.0"
BOARD: Final = "software-device"
OTA_TIMEOUT_S: Final = 10.0
_LOCALES: Final = {"en": "en-US", "zh": "zh-CN"}


class _WebSocket(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: str
    token: str
    version: Version | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    websocket: _WebSocket


async def discover(session: aiohttp.ClientSession, url: str, options: DeviceOptions) -> Address:
    """Return the address that the server at the OTA URL gives to this device.

    Raises:
        FrontError: nobody answers, or the answer names no WebSocket.
    """
    try:
        async with (
            asyncio.timeout(OTA_TIMEOUT_S),
            session.post(url, json=_board(options), headers=_headers(options)) as response,
        ):
            status, text = response.status, await response.text()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise FrontError(f"cannot reach {url}: {error}; does `dispatcher up` run?") from error
    except TimeoutError as error:
        raise FrontError(f"no answer from {url} within {OTA_TIMEOUT_S:.0f} s") from error
    if status != 200:
        raise FrontError(f"{url} answered {status}; a device expects 200: {text[:200]!r}")
    return _read_answer(url, text)


def _read_answer(url: str, text: str) -> Address:
    try:
        answer = _Answer.model_validate_json(text).websocket
    except ValidationError as error:
        raise FrontError(f"{url} named no usable WebSocket: {text[:200]!r}") from error
    return Address(url=answer.url, token=answer.token, version=answer.version)


def _headers(options: DeviceOptions) -> dict[str, str]:
    headers = {
        "Device-Id": options.device_id,
        "Client-Id": options.sent_client_id,
        "Activation-Version": "1",
        "User-Agent": f"{BOARD}/{FIRMWARE_VERSION}",
    }
    if options.language:
        headers["Accept-Language"] = _LOCALES.get(options.language, options.language)
    return headers


def _board(options: DeviceOptions) -> dict[str, Any]:
    return {
        "version": 2,
        "mac_address": options.device_id,
        "uuid": options.sent_client_id,
        "application": {"name": "xiaozhi", "version": FIRMWARE_VERSION},
        "board": {"type": BOARD, "name": BOARD, "mac": options.device_id},
    }
