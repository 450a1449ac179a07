"""The presence of a front in Redis."""

from __future__ import annotations

import asyncio
import json

from dispatcher.front.connection.presence_loop import PresenceLoop
from dispatcher.redis_client import keys
from tests.unit.front.fakes import FakeDevice, fake_front, settle


async def test_a_front_publishes_its_devices_and_what_they_do() -> None:
    front = fake_front()
    talker = FakeDevice(activity="speaking")
    front.context.devices.update({"one": FakeDevice(received_at_s=7.4), "two": talker})

    PresenceLoop(front.context).publish()
    await settle()

    (written,) = [words for words in front.redis.commands if words[0] == "HSET"]
    fields = dict(zip(written[2::2], written[3::2], strict=True))
    assert written[1] == keys.front(front.context.front_id)
    assert (fields["devices"], fields["busy"], fields["in_turn"]) == ("2", "1", "0")
    assert (fields["overload_step"], fields["line_ms"], fields["turned_away"]) == ("0", "0", "0")
    assert json.loads(fields["heard"]) == {"one": 7, "two": 1}
    assert json.loads(fields["activity"]) == {"two": "speaking"}


async def test_it_publishes_at_once_and_until_it_is_cancelled() -> None:
    front = fake_front()

    running = asyncio.create_task(PresenceLoop(front.context).run())
    await settle()
    running.cancel()

    assert [words[1] for words in front.redis.commands if words[0] == "ZADD"] == [keys.FRONTS]
