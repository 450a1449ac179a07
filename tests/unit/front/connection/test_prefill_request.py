"""Requests of a front that an LLM reads a prompt ahead."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.audio.packets import pack
from dispatcher.catalogue.conversation import PrefillRules
from dispatcher.catalogue.model import Instance, ServiceConfig
from dispatcher.front.connection.device_reader import MistakeLog
from dispatcher.front.connection.listen_controller import ListenController
from dispatcher.front.connection.protocol import Listen
from dispatcher.messages import Algorithm, Reply, Service
from dispatcher.redis_client import keys
from tests.unit.front.fakes import DEVICE, RULES, FakeFront, FakeSocket, fake_front, settle

PACKET = b"\x58"


def front_with(
    *, algorithm: Algorithm = "least_connections", count: int = 2, key: str | None = None, is_on: bool = True
) -> FakeFront:
    """Return a front whose catalogue has LLM instances."""
    instances = tuple(
        Instance(service="llm", name=f"llm-{at}", endpoint="http://127.0.0.1:9", api_key_env=key)
        for at in range(count)
    )
    services: dict[Service, ServiceConfig] = {
        "llm": ServiceConfig(service="llm", algorithm=algorithm, instances=instances)
    }
    return fake_front(rules=replace(RULES, prefill=PrefillRules(enabled=is_on)), services=services)


def controller_of(front: FakeFront) -> ListenController:
    return ListenController(
        front.context, FakeSocket().writer(), front.profile(), MistakeLog(DEVICE), lambda _: None
    )


async def starts(controller: ListenController) -> None:
    await controller.on_listen(Listen.model_validate({"type": "listen", "state": "start", "mode": "manual"}))
    await settle()


async def stops(controller: ListenController) -> None:
    await controller.on_listen(Listen.model_validate({"type": "listen", "state": "stop"}))
    await settle()


async def test_a_microphone_that_goes_on_has_the_prompt_read_and_the_turn_ends_that() -> None:
    front = front_with()
    controller = controller_of(front)
    await starts(controller)
    (ticket,) = front.queued("llm")
    assert ticket["device_id"] == DEVICE
    await controller.on_packet(PACKET)
    await stops(controller)
    assert ("SET", keys.cancelled(ticket["turn_id"])) in {each[:2] for each in front.redis.commands}
    assert len(front.queued("asr")) == 1


async def test_a_dialogue_that_goes_on_is_not_read_again_until_it_has_rested() -> None:
    front = front_with()
    controller = controller_of(front)
    await starts(controller)
    await starts(controller)
    assert len(front.queued("llm")) == 1, "one at a time"
    await controller.on_packet(PACKET)
    await stops(controller)
    await starts(controller)
    assert len(front.queued("llm")) == 1, "the turn has read it"
    front.clock.now_ms += 61_000
    await starts(controller)
    assert len(front.queued("llm")) == 2


async def test_a_greeting_reads_no_prompt_so_the_microphone_that_goes_on_after_it_has_it_read() -> None:
    rules = replace(RULES, prefill=PrefillRules(enabled=True), wake_words=("hey tim",), greeting="Yes?")
    front = fake_front(rules=rules, services=front_with().context.catalogue.services)
    controller = controller_of(front)
    await controller.on_listen(
        Listen.model_validate({"type": "listen", "state": "detect", "text": "hey tim"})
    )
    await settle()
    assert controller.turn is not None
    turn_id = front.queued("tts")[0]["turn_id"]
    made = pack([b"one", b"two"])
    controller.turn.on_reply(Reply(turn_id=turn_id, attempt=1, kind="audio", packets=made, last=True))
    front.clock.advance()
    assert controller.turn is None
    await starts(controller)
    assert len(front.queued("llm")) == 1


async def test_a_device_that_leaves_ends_it() -> None:
    front = front_with()
    controller = controller_of(front)
    await starts(controller)
    controller.close()
    await settle()
    (ticket,) = front.queued("llm")
    assert ("SET", keys.cancelled(ticket["turn_id"])) in {each[:2] for each in front.redis.commands}


async def test_nothing_is_read_ahead_where_that_is_off_or_of_no_use() -> None:
    for front in (
        front_with(is_on=False),
        front_with(algorithm="round_robin"),
        front_with(key="SOME_KEY"),
        fake_front(rules=replace(RULES, prefill=PrefillRules())),
    ):
        await starts(controller_of(front))
        assert front.queued("llm") == []
    only = front_with(algorithm="round_robin", count=1)
    await starts(controller_of(only))
    assert len(only.queued("llm")) == 1
