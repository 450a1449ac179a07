"""A device speaks to streaming ASR: what is transcribed, when, and what becomes of it."""

from __future__ import annotations

from itertools import islice

from dispatcher.device_simulator import DeviceOptions
from dispatcher.device_simulator.speech import silence
from tests.integration.streaming_asr.conftest import StreamingAsr
from tests.integration.streaming_asr.speaking import (
    HALF,
    PACKET_BYTES,
    SPOKEN,
    WORDS,
    begin,
    end,
    has_heard_half,
    is_picked_and_heard,
    nothing_is_held,
)
from tests.support.device import Device
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.waiting import soon

# 700 ms of silence end an utterance; this is 1.2 s of it.
QUIET = list(islice(silence(DeviceOptions()), 20))


async def test_packets_flow_while_the_user_speaks_and_the_chain_answers(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1))
    async with servers.stack.front.device("live-speaker") as device:
        await begin(device)
        await has_heard_half(servers, 1)
        assert not device.of_this_turn
        assert servers.stack.leases() == 1
        await end(device)
        answer = await device.answer()
    (told,) = servers.heard(1)
    assert (told["bytes"], told["ended"]) == (len(SPOKEN) * PACKET_BYTES, True)
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)
    await nothing_is_held(servers)


async def test_at_the_end_of_speech_no_more_than_its_last_packets_are_still_to_be_sent(
    servers: StreamingAsr,
) -> None:
    await servers.activate(servers.live(1))
    async with servers.stack.front.device("nearly-done") as device:
        device.new_turn()
        await device.listen("start", mode="manual")
        await device.send_packets(SPOKEN)

        async def heard_nearly_all() -> bool:
            # One entry of the stream is two packets; the second of them may be missing.
            return (
                bool(servers.heard(1)) and servers.heard(1)[-1]["bytes"] >= (len(SPOKEN) - 1) * PACKET_BYTES
            )

        await soon(heard_nearly_all, what="all but the last entry is heard before the button is released")
        (before,) = servers.heard(1)
        assert not before["ended"]
        await device.listen("stop")
        assert (await device.answer()).transcript == WORDS
    (after,) = servers.heard(1)
    assert after["messages"] - before["messages"] <= 1


async def test_an_open_microphone_holds_no_slot_before_speech_is_found(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1))
    async with servers.stack.front.device("open-mic") as device:
        await device.listen("start", mode="auto")
        await device.send_packets(QUIET * 3)
        # A typed turn is answered after all that silence was taken in.
        await device.types("are you there?")
        assert not servers.heard(1)
        device.new_turn()
        await device.listen("start", mode="auto")
        await device.send_packets([*QUIET, *SPOKEN[:HALF]])
        await has_heard_half(servers, 1, packets=HALF - 5)
        await device.send_packets([*SPOKEN[HALF:], *QUIET])
        answer = await device.answer()
    (told,) = servers.heard(1)
    assert told["ended"]
    # Its run-up and its silent end belong to it; the silence before does not.
    assert len(SPOKEN) - 5 <= told["bytes"] / PACKET_BYTES <= len(SPOKEN) + len(QUIET)
    assert answer.sentences == SENTENCES


async def test_turns_follow_each_other_and_many_speak_at_once(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1))
    async with (
        servers.stack.front.device("first") as first,
        servers.stack.front.device("second") as second,
        servers.stack.front.device("third") as third,
    ):
        for _ in range(2):
            for device in (first, second, third):
                await begin(device)
            for device in (first, second, third):
                await end(device)
                assert (await device.answer()).transcript == WORDS
    assert [told["bytes"] for told in servers.heard(1)] == [len(SPOKEN) * PACKET_BYTES] * 6


async def test_a_held_slot_counts_for_the_whole_utterance(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1, max_concurrent=1))
    async with servers.stack.front.device("holder") as holder, servers.stack.front.device("waiter") as waiter:
        await begin(holder)
        await has_heard_half(servers, 1)
        await begin(waiter)
        await end(waiter)
        assert (servers.stack.leases(), len(servers.heard(1))) == (1, 1)
        await end(holder)
        assert (await holder.answer()).transcript == WORDS
        assert (await waiter.answer()).transcript == WORDS
    assert [told["ended"] for told in servers.heard(1)] == [True, True]


async def test_an_instance_that_wants_the_whole_gives_its_slot_back_while_the_user_speaks(
    servers: StreamingAsr,
) -> None:
    # The one that hears live is the worse choice here, so the other one is picked.
    await servers.activate(servers.live(1, priority="low"), servers.whole(priority="high"))
    async with servers.stack.front.device("whole") as device:
        await begin(device)

        async def gave_back() -> bool:
            return servers.picks() == ["whole-1"] and servers.stack.leases() == 0

        await soon(gave_back, what="the slot is given back")
        await end(device)
        assert (await device.answer()).transcript == TRANSCRIPT
    assert not servers.heard(1)
    assert servers.picks() == ["whole-1", "whole-1"]


async def test_weights_hold_between_instances_that_hear_live_and_those_that_want_the_whole(
    servers: StreamingAsr,
) -> None:
    await servers.activate(servers.live(1), servers.whole(weight=2.0))
    heard: list[str] = []
    async with servers.stack.front.device("weighed") as device:
        for _ in range(6):
            picks = len(servers.picks())
            await begin(device)
            # A last text that is the first one is waited for, and that makes an instance a slow one (ADR 24).
            await is_picked_and_heard(servers, picks=picks)
            await end(device)
            heard.append((await device.answer()).transcript)
    assert sorted(heard) == sorted([WORDS] * 2 + [TRANSCRIPT] * 4)


async def test_where_no_instance_hears_live_nothing_is_streamed(servers: StreamingAsr) -> None:
    await servers.activate(servers.whole())
    async with servers.stack.front.device("as-ever") as device:
        assert (await device.says()).transcript == TRANSCRIPT
    assert servers.picks() == ["whole-1"]


async def test_a_device_of_another_rate_is_heard_at_16_khz(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1))
    sound = b"\x00\x10\x00\xf0" * 36_000
    async with Device.connected(servers.stack.front.socket_url, device_id="pcm-48") as device:
        await device.hello(format="pcm", sample_rate=48_000)
        device.new_turn()
        await device.listen("start", mode="manual")
        await device.send_packets(sound[at : at + 5760] for at in range(0, len(sound), 5760))
        await device.listen("stop")
        await device.answer()
    (told,) = servers.heard(1)
    assert 0.95 * len(sound) / 3 <= told["bytes"] <= len(sound) / 3
