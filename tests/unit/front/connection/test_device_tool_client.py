"""What a device is asked when it connects."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from dispatcher.front.connection.device_tool_client import DeviceToolClient
from tests.unit.memory_redis import MemoryRedis


async def test_a_client_that_reads_the_vision_address_gets_its_tools() -> None:
    """xiaozhi-sdk reads `params.capabilities.vision.url` of `initialize`, and lists no tools without it."""
    sent: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    tools = DeviceToolClient(MemoryRedis().redis(), sent.put_nowait, device_id="d")
    tools.start()

    asked = await asyncio.wait_for(sent.get(), timeout=5)

    tools.close()
    assert asked["method"] == "initialize"
    assert asked["params"]["capabilities"] == {"vision": {"url": "", "token": ""}}
