"""The messages that start stages, read and run by Celery itself."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from celery import Celery
from celery.worker.request import Request

from dispatcher import chains
from dispatcher.errors import StateError
from dispatcher.messages import RESPOND, SERVICES, SYNTHESIZE, TRANSCRIBE, TurnTicket
from tests.unit.memory_redis import MemoryRedis

# Far enough for the longest run: a task whose deadline has passed is not run by Celery.
DEADLINE_S = float(round(time.time())) + 3600
SPOKEN = TurnTicket(
    turn_id="turn-1",
    attempt=2,
    device_id="02:4a:7d:e3:89:bf",
    reply_stream="replies:front-1",
    deadline_at_s=DEADLINE_S,
    language="zh",
    audio_format="pcm",
    uplink_rate_hz=48_000,
)
TYPED = SPOKEN.with_text("现在几点？", "zh")


class Broker(MemoryRedis):
    """A broker without a server, from whose queues Celery takes messages and runs them as a worker would.

    Attributes:
        ran: name and arguments of every task that was run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ran: list[tuple[str, tuple[Any, ...]]] = []
        self._app = Celery("test", broker="memory://", set_as_current=False)
        self._app.conf.update(result_backend=None, task_create_missing_queues=True)
        self._register_tasks()
        self._channel: Any = self._app.connection().channel()
        for queue in SERVICES:
            # Queues in memory belong to the process: another test may have left something.
            self._channel.queue_declare(queue)
            self._channel.queue_purge(queue)

    def take(self, queue: str) -> Request:
        """Return the one message that the front pushed to a queue, as a worker reads it."""
        self._channel._put(queue, *self.pushed(queue))
        return self.take_published(queue)

    def take_published(self, queue: str) -> Request:
        """Return a message that Celery itself sent to a queue."""
        message = self._channel.basic_get(queue)
        return Request(message, on_ack=lambda *_: None, app=self._app, hostname="worker")

    def pushed(self, queue: str) -> list[Any]:
        """Return the messages that the front pushed to a queue, newest first."""
        return [json.loads(str(raw)) for raw in self.lists[queue]]

    def _register_tasks(self) -> None:
        ran = self.ran

        def transcribe(payload: dict[str, Any]) -> dict[str, Any]:
            ran.append((TRANSCRIBE, (payload,)))
            return {**payload, "text": "Hi!"}

        def respond(payload: dict[str, Any]) -> None:
            ran.append((RESPOND, (payload,)))

        def synthesize(payload: dict[str, Any], index: int, text: str) -> None:
            ran.append((SYNTHESIZE, (payload, index, text)))

        works = {TRANSCRIBE: transcribe, RESPOND: respond, SYNTHESIZE: synthesize}
        for name, work in works.items():
            # Not shared: the workers' own tasks bear these names in the same process.
            self._app.task(work, name=name, shared=False)


@pytest.fixture
def broker() -> Broker:
    return Broker()


def chain(request: Request) -> Any:
    """Return what Celery would send after the task."""
    return request.message.decode()[2]["chain"]


async def test_a_spoken_turn_begins_with_its_transcription(broker: Broker) -> None:
    assert await chains.start_turn(broker.redis(), SPOKEN) == 1

    request = broker.take("asr")
    request.execute()

    assert broker.ran == [(TRANSCRIBE, (SPOKEN.as_payload(),))]
    assert [stage["task"] for stage in chain(request)] == [RESPOND]


async def test_a_typed_turn_begins_with_the_llm_and_has_no_chain(broker: Broker) -> None:
    await chains.start_turn(broker.redis(), TYPED)

    request = broker.take("llm")
    request.execute()

    assert broker.ran == [(RESPOND, (TYPED.as_payload(),))]
    assert chain(request) is None
    assert broker.pushed("asr") == []


async def test_a_sentence_goes_to_the_tts_queue_with_its_number(broker: Broker) -> None:
    await chains.synthesize(broker.redis(), TYPED, index=3, text="中午十二点。")

    broker.take("tts").execute()

    assert broker.ran == [(SYNTHESIZE, (TYPED.as_payload(), 3, "中午十二点。"))]


async def test_celery_goes_on_to_the_llm_with_what_the_transcription_returns(broker: Broker) -> None:
    await chains.start_turn(broker.redis(), SPOKEN)
    first = broker.take("asr")
    first.execute()

    second = broker.take_published("llm")
    second.execute()

    task, (payload,) = broker.ran[-1]
    assert task == RESPOND
    assert TurnTicket.from_payload(payload) == SPOKEN.with_text("Hi!", "zh")
    assert second.expires == first.expires
    assert second.root_id == first.id


async def test_a_worker_goes_on_to_the_llm_as_celery_would(broker: Broker) -> None:
    await chains.start_turn(broker.redis(), SPOKEN)
    request = broker.take("asr")
    following = SPOKEN.with_text("what time is it", "en")

    sent = await chains.follow(broker.redis(), chain(request), following, parent_id=request.id)

    assert sent
    (own,) = broker.pushed("llm")
    request.execute()  # Celery sends its own
    celerys = broker._channel._get("llm")["headers"]
    names = ("task", "id", "root_id", "parent_id", "expires", "argsrepr", "kwargsrepr", "retries")
    assert {name: own["headers"][name] for name in names} == {name: celerys[name] for name in names}
    assert json.loads(own["body"])[0] == [following.as_payload()]


async def test_a_chain_of_another_form_is_left_to_celery(broker: Broker) -> None:
    other = [{"task": "control.tune", "options": {"task_id": "an-id"}}]

    for chain_of_task in ([], other, [*other, *other], [17]):
        assert not await chains.follow(broker.redis(), chain_of_task, SPOKEN, parent_id="an-id")


async def test_a_ticket_comes_out_of_its_message_as_it_went_in(broker: Broker) -> None:
    await chains.start_turn(broker.redis(), SPOKEN)
    broker.take("asr").execute()

    (_, (payload,)) = broker.ran[0]
    assert TurnTicket.from_payload(payload) == SPOKEN


async def test_the_length_of_the_queue_is_returned(broker: Broker) -> None:
    redis = broker.redis()

    assert [await chains.start_turn(redis, SPOKEN) for _ in range(3)] == [1, 2, 3]


async def test_a_message_expires_at_the_deadline_of_its_turn(broker: Broker) -> None:
    await chains.start_turn(broker.redis(), SPOKEN)

    request = broker.take("asr")

    assert request.expires == datetime.fromtimestamp(DEADLINE_S, UTC)
    (following,) = chain(request)
    assert datetime.fromisoformat(following["options"]["expires"]) == request.expires


async def test_a_worker_drops_what_nobody_waits_for_any_more(broker: Broker) -> None:
    late = replace(SPOKEN, deadline_at_s=time.time() - 1)
    await chains.start_turn(broker.redis(), late)

    broker.take("asr").execute()

    assert broker.ran == []


async def test_nothing_that_was_said_is_shown_to_who_watches_the_tasks(broker: Broker) -> None:
    await chains.synthesize(broker.redis(), TYPED, index=0, text="中午十二点。")

    (message,) = broker.pushed("tts")
    assert message["headers"]["argsrepr"] == "('turn-1',)"
    assert "中午" not in json.dumps(message["headers"], ensure_ascii=False)


async def test_nothing_that_was_said_is_shown_of_the_stage_that_celery_sends(broker: Broker) -> None:
    await chains.start_turn(broker.redis(), SPOKEN)
    broker.take("asr").execute()

    request = broker.take_published("llm")
    assert request.args[0]["text"] == "Hi!"
    assert (request.argsrepr, request.kwargsrepr) == ("('turn-1',)", "{}")


def test_what_a_newer_version_added_to_a_ticket_is_left_out() -> None:
    assert TurnTicket.from_payload({**SPOKEN.as_payload(), "later": 1}) == SPOKEN


async def test_every_message_is_a_task_of_its_own(broker: Broker) -> None:
    redis = broker.redis()
    for _ in range(2):
        await chains.start_turn(redis, SPOKEN)

    messages = broker.pushed("asr")
    assert len({message["headers"]["id"] for message in messages}) == 2
    assert len({message["properties"]["delivery_tag"] for message in messages}) == 2


async def test_a_broker_that_is_away_is_said(broker: Broker) -> None:
    broker.away = True

    with pytest.raises(StateError, match="connection refused"):
        await chains.start_turn(broker.redis(), SPOKEN)


async def test_a_message_that_was_lost_with_its_worker_says_which_stage_of_which_turn_it_was(
    broker: Broker,
) -> None:
    await chains.start_turn(broker.redis(), SPOKEN)
    await chains.synthesize(broker.redis(), TYPED, index=3, text="中午十二点。")
    (asr,), (tts,) = broker.pushed("asr"), broker.pushed("tts")
    broker.take("asr").execute()  # Celery sends the LLM's message itself, in base64
    chained = broker._channel._get("llm")

    messages = [json.dumps(message).encode() for message in (asr, chained, tts)]
    found = [chains.stage_reply(message, "lost", has_ended=True) for message in messages]

    assert [each and each[0] for each in found] == [SPOKEN.reply_stream] * 3
    assert [(each[1].text, each[1].index) for each in found if each] == [("asr", 0), ("llm", 0), ("tts", 3)]
    assert {(each[1].turn_id, each[1].attempt, each[1].kind, each[1].last) for each in found if each} == {
        ("turn-1", 2, "lost", True)
    }


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"headers": {"task": "asr.transcribe"}, "body": "[[]]", "properties": {}}',
    ],
)
def test_a_message_that_is_no_stage_of_ours_was_lost_without_a_word(message: bytes) -> None:
    assert chains.stage_reply(message, "lost") is None


def test_a_message_with_an_endless_number_says_no_time_and_is_no_stage() -> None:
    endless = "9" * 400
    assert chains.sent_at_s(f'{{"headers": {{"sent_at_s": {endless}}}}}'.encode()) is None
    ticket = json.dumps(
        {"turn_id": "t", "attempt": 1, "device_id": "d", "reply_stream": "s", "deadline_at_s": 1.0}
    )
    body = json.dumps(f"[[{ticket}, 1e999]]")
    stage = f'{{"headers": {{"task": "llm.respond"}}, "properties": {{}}, "body": {body}}}'
    assert chains.stage_reply(stage.encode(), "lost") is None
