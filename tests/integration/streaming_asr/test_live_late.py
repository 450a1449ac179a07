"""An instance that received everything and sends no transcript: another one is given the whole, beside it."""

from __future__ import annotations

import signal

from dispatcher.device_simulator import DeviceOptions, paced
from tests.integration.streaming_asr.conftest import StreamingAsr
from tests.integration.streaming_asr.speaking import (
    PACKET_BYTES,
    SPOKEN,
    WORDS,
    begin,
    end,
    has_heard_half,
    nothing_is_held,
)
from tests.support.instances import SENTENCES, TRANSCRIPT

ASKED_BESIDE = "instance late, another one asked"


async def test_an_instance_that_is_silent_after_the_end_of_speech_loses_to_one_that_gets_the_whole(
    servers: StreamingAsr,
) -> None:
    servers.stack.restart_worker("asr")
    await servers.activate(servers.live(1, priority="high"), servers.live(2, priority="low"))
    worker, hung = servers.stack.workers["asr"], servers.funasr[0]
    async with servers.stack.front.device("unanswered") as device:
        assert (await device.says()).transcript == WORDS
        since = worker.printed_bytes()
        # On a busy machine the first turn of a new worker may have asked both.
        picked, heard = len(servers.picks()), len(servers.heard(2))
        told_byte = servers.stack.front.printed_bytes()
        await begin(device)
        await has_heard_half(servers, 1)
        hung.send_signal(signal.SIGSTOP)
        try:
            await end(device)
            answer = await device.answer()
        finally:
            hung.send_signal(signal.SIGCONT)
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)
    # Where the machine was so busy that the stage was sent once more, that sending heard the whole as well.
    again = len(servers.stack.front.events("stage late, sent again", told_byte))
    whole = [len(SPOKEN) * PACKET_BYTES]
    assert [told["bytes"] for told in servers.heard(2)[heard:]] == whole * (1 + again)
    assert servers.picks()[picked : picked + 2] == ["live-1", "live-2"]
    # It was not given up first: that takes it five seconds of silence.
    assert ASKED_BESIDE in worker.output(since)
    await nothing_is_held(servers)


async def test_while_the_user_speaks_no_instance_is_late(servers: StreamingAsr) -> None:
    await servers.activate(servers.live(1, priority="high"), servers.live(2, priority="low"))
    async with servers.stack.front.device("slow-speaker") as device:
        assert (await device.says()).transcript == WORDS
        device.new_turn()
        await device.listen("start", mode="manual")
        async for packet in paced(SPOKEN, DeviceOptions().frame_ms):
            await device.send_packets([packet])
        await device.listen("stop")
        assert (await device.answer()).transcript == WORDS
    assert servers.picks() == ["live-1", "live-1"]


async def test_an_ear_that_wanted_the_whole_and_is_late_with_it_loses_to_one_that_hears_live(
    servers: StreamingAsr,
) -> None:
    await servers.activate(servers.live(1, priority="low"), servers.whole(priority="high"))
    async with servers.stack.front.device("waiting-in-vain") as device:
        assert (await device.says()).transcript == TRANSCRIPT
        servers.stack.instances.of("asr")[0].fault("hang")
        answer = await device.says()
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)
    assert servers.picks()[-2:] == ["whole-1", "live-1"]
    servers.stack.instances.of("asr")[0].fault("none")
    await nothing_is_held(servers)
