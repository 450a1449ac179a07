"""`dispatcher reload`: what stands over the YAML stays over it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from click.testing import CliRunner

from dispatcher.catalogue.personas import Persona
from dispatcher.cli.reload import reload
from dispatcher.control.persona_edits import edit_persona
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from tests.support.broker import Broker

CONFIG = Path(__file__).parents[3] / "config" / "embedded.yaml"


async def test_a_persona_that_was_edited_stays_so_over_a_reload_that_changes_nothing(
    redis: RedisClient, broker: Broker, tmp_path: Path
) -> None:
    runner = CliRunner(env={"REDIS_URL": broker.url, "DATA_DIR": str(tmp_path)})

    async def words() -> str:
        return (await asyncio.to_thread(runner.invoke, reload, ["--config", str(CONFIG)])).output

    assert await words() == f"{CONFIG} is in force, the first one\n"
    await edit_persona(redis, "", Persona(system_prompt="Be brief."))
    assert "says what is active already" in await words()
    active = await instance_table.read_active(redis)
    assert active is not None
    assert active.catalogue.conversation.edited == {"": Persona(system_prompt="Be brief.")}
