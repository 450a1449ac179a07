"""A model server's host that is switched off while a connection to it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceUnreachable
from dispatcher.providers.http import new_session, request
from tests.support.hosts import two_hosts
from tests.support.processes import BIN, Process, free_port
from tests.support.waiting import soon


async def test_its_next_call_ends_by_the_system_and_not_by_the_silence_of_a_model(tmp_path: Path) -> None:
    with two_hosts() as (host, _):
        port = free_port()
        words = (BIN / "dispatcher", "instance", "llm", "--engine", "timed", "--host", host.address)
        server = Process("llm", host.command(*map(str, words), "--port", str(port)), folder=tmp_path)
        instance = Instance(service="llm", name="far", endpoint=f"http://{host.address}:{port}")
        async with new_session() as session:

            async def call() -> int:
                # What comes again by itself, a GET, would hide the end of the connection.
                url = f"{instance.endpoint}/faults"
                async with request(session, instance, "POST", url, json={"mode": "none"}) as answer:
                    return answer.status

            async def is_answered() -> bool:
                try:
                    return await call() == 200
                except InstanceUnreachable:
                    return False

            server.start()
            try:
                await soon(is_answered, what="the instance answers")
                host.pull_cable()
                with pytest.raises(InstanceError, match="Connection timed out"):
                    await call()
            finally:
                server.kill()
