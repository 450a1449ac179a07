"""Commands of an operator on their way to the front that holds the device, and back."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from dispatcher.devices import device_commands
from dispatcher.devices.device_commands import CommandResult, DeviceCommand, send
from dispatcher.redis_client.client import RedisClient

COMMAND = DeviceCommand(device_id="d", kind="alert", fields={"status": "Hello"})


class FakeRedis:
    """Fronts that are subscribed, and what each answers.

    Attributes:
        published: commands that they got.
        sent: answers of this front.
    """

    def __init__(self, *answers: bytes | None, fronts: int = 0) -> None:
        self.answers = list(answers)
        self.fronts = fronts or len(answers)
        self.published: list[Any] = []
        self.sent: list[tuple[Any, ...]] = []

    async def execute(self, name: str, *arguments: Any) -> Any:
        if name == "PUBLISH":
            self.published.append(json.loads(arguments[1]))
            return self.fronts
        assert name == "BLPOP"
        answer = self.answers.pop(0) if self.answers else None
        return None if answer is None else [b"key", answer]

    def send_nowait(self, *command: Any) -> None:
        self.sent.append(command)

    @property
    def client(self) -> RedisClient:
        """Return it as what commands are sent by."""
        return cast("RedisClient", self)


@pytest.mark.parametrize(
    ("redis", "result"),
    [
        (FakeRedis(b"not here", b"done"), "done"),
        (FakeRedis(b"not here", b"not here"), "not connected"),
        (FakeRedis(b"not here", fronts=2), "not connected"),
        (FakeRedis(), "no front"),
        (FakeRedis(fronts=1), "no front"),
    ],
    ids=["one holds it", "none holds it", "one is silent", "no front", "all are silent"],
)
async def test_the_answers_of_all_fronts_make_the_result(redis: FakeRedis, result: CommandResult) -> None:
    assert await send(redis.client, COMMAND) == result
    assert redis.published[0][1:] == ["d", "alert", {"status": "Hello"}]


@pytest.mark.parametrize(("is_connected", "answer"), [(True, b"done"), (False, b"not here")])
async def test_a_front_answers_whether_it_holds_the_device(*, is_connected: bool, answer: bytes) -> None:
    redis, handled = FakeRedis(), []

    async def handle(command: DeviceCommand) -> bool:
        handled.append(command)
        return is_connected

    await device_commands._answer(redis.client, json.dumps(["id", "d", "alert", {"status": "Hello"}]), handle)

    assert handled == [COMMAND]
    assert redis.sent[0][::2] == ("LPUSH", answer)


@pytest.mark.parametrize("published", ["{", "[]", '["id", "d", "a kind of tomorrow", {}]'])
async def test_a_command_of_another_version_is_left_to_others(published: str) -> None:
    async def handle(command: DeviceCommand) -> bool:
        raise AssertionError(command)

    redis = FakeRedis()
    await device_commands._answer(redis.client, published, handle)

    assert redis.sent == []
