"""An ear that heard everything and does not say what: another one is given the whole, beside it."""

from __future__ import annotations

import signal

from dispatcher.device_simulator import DeviceOptions, paced
from tests.integration.hearing.conftest import Ears
from tests.integration.hearing.speaking import (
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


async def test_an_ear_that_falls_silent_at_the_end_of_speech_loses_to_one_that_gets_the_whole(
    ears: Ears,
) -> None:
    ears.stack.restart_worker("asr")
    await ears.in_force(ears.live(1, priority="high"), ears.live(2, priority="low"))
    worker, hung = ears.stack.workers["asr"], ears.funasr[0]
    async with ears.stack.front.device("unanswered") as device:
        assert (await device.says()).transcript == WORDS
        since = worker.printed_bytes()
        # On a busy machine the first turn of a new worker may have asked both.
        picked, heard, told_byte = len(ears.picks()), len(ears.heard(2)), ears.stack.front.printed_bytes()
        await begin(device)
        await has_heard_half(ears, 1)
        hung.send_signal(signal.SIGSTOP)
        try:
            await end(device)
            answer = await device.answer()
        finally:
            hung.send_signal(signal.SIGCONT)
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)
    # Where the machine was so busy that the stage was sent once more, that sending heard the whole as well.
    again = len(ears.stack.front.events("stage late, sent again", told_byte))
    whole = [len(SPOKEN) * PACKET_BYTES]
    assert [told["bytes"] for told in ears.heard(2)[heard:]] == whole * (1 + again)
    assert ears.picks()[picked : picked + 2] == ["live-1", "live-2"]
    # It was not given up first: that takes it five seconds of silence.
    assert ASKED_BESIDE in worker.output(since)
    await nothing_is_held(ears)


async def test_while_the_user_speaks_no_ear_is_late(ears: Ears) -> None:
    await ears.in_force(ears.live(1, priority="high"), ears.live(2, priority="low"))
    async with ears.stack.front.device("slow-speaker") as device:
        assert (await device.says()).transcript == WORDS
        device.new_turn()
        await device.listen("start", mode="manual")
        async for packet in paced(SPOKEN, DeviceOptions().frame_ms):
            await device.send_packets([packet])
        await device.listen("stop")
        assert (await device.answer()).transcript == WORDS
    assert ears.picks() == ["live-1", "live-1"]


async def test_an_ear_that_wanted_the_whole_and_is_late_with_it_loses_to_one_that_hears_live(
    ears: Ears,
) -> None:
    await ears.in_force(ears.live(1, priority="low"), ears.whole(priority="high"))
    async with ears.stack.front.device("waiting-in-vain") as device:
        assert (await device.says()).transcript == TRANSCRIPT
        ears.stack.instances.of("asr")[0].fault("hang")
        answer = await device.says()
    assert (answer.transcript, answer.sentences) == (WORDS, SENTENCES)
    assert ears.picks()[-2:] == ["whole-1", "live-1"]
    ears.stack.instances.of("asr")[0].fault("none")
    await nothing_is_held(ears)
