"""The status of a deployment: as JSON, as tables, and as a reason while Redis is unreachable."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console
from rich.text import Text

from dispatcher.ops.live_status import show_json, view_or_reason
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.fleet import Fleet, llm
from tests.support.processes import free_port


async def test_scripts_get_one_object(redis: RedisClient, capsys: pytest.CaptureFixture[str]) -> None:
    await Fleet(redis).configure("round_robin", llm("A"))
    await show_json(redis)
    known = json.loads(capsys.readouterr().out)
    assert known["kpis"] is None
    assert (known["overload"]["step"], known["crowding"]) == (0, "")
    names = [one["name"] for service in known["services"] for one in service["instances"]]
    assert names == ["A"]


async def test_the_tables_name_every_instance(redis: RedisClient, fleet: Fleet) -> None:
    await fleet.configure("round_robin", llm("kettle"))
    console = Console(width=160, record=True, file=StringIO())
    console.print(await view_or_reason(redis, ""))
    assert "kettle" in console.export_text()


async def test_an_unreachable_redis_is_a_reason_in_the_place_of_the_tables() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    redis = RedisClient(connect(url))
    shown = await view_or_reason(redis, url)
    await redis.close()
    assert isinstance(shown, Text)
    assert shown.plain.startswith("no Redis answers at 127.0.0.1")
