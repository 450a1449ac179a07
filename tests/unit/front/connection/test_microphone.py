"""What is recorded of a microphone, and when an utterance begins and ends in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from dispatcher.audio import vad
from dispatcher.audio.opus import OpusDecoder, OpusEncoder, PacketEncoder
from dispatcher.audio.pcm import level_dbfs
from dispatcher.catalogue.conversation import Conversation, Endpointing
from dispatcher.errors import AudioError
from dispatcher.front.connection.microphone import MAX_PACKET_BYTES, Microphone, SpeechEvent
from dispatcher.front.connection.pause_judge import Pause, PauseJudge
from dispatcher.front.connection.protocol import AudioParams
from tests.unit.audio.speech import RATE_HZ, say, silence

STOCK = AudioParams()
PCM = AudioParams(format="pcm", frame_duration=20)
RULES = Conversation(max_utterance_s=3.0, endpoint_silence_ms=700)
QUESTION = "What is the weather like today?"
# One byte: 60 ms of silence that the sender left out (RFC 6716, configuration 11).
SILENT_PACKET = b"\x58"
SHORT_SILENT_PACKET = b"\xf8"  # the same for 20 ms
Sender = Callable[[bytes], list[bytes]]


def packet(number: int) -> bytes:
    """Return a packet of 60 ms that can be told from others."""
    return SILENT_PACKET + bytes([number])


def packets(pcm: bytes) -> list[bytes]:
    """Return what a stock device sends of a sound."""
    encoder = PacketEncoder(OpusEncoder(RATE_HZ, 60))
    return [*encoder.feed(pcm), *encoder.flush()]


def pcm_frames(pcm: bytes) -> list[bytes]:
    """Return what a device that sends PCM sends of a sound."""
    return [pcm[at : at + 640] for at in range(0, len(pcm), 640)]


def hear(microphone: Microphone, sound: list[bytes]) -> list[tuple[int, SpeechEvent]]:
    """Return what was heard, and at which packet."""
    heard = ((at, microphone.add(packet, watch_speech=True)) for at, packet in enumerate(sound))
    return [(at, event) for at, event in heard if event]


def utterance(microphone: Microphone, sound: list[bytes]) -> list[bytes]:
    """Return what is recorded at the moment when the speech in a sound is over."""
    heard = (microphone.add(packet, watch_speech=True) for packet in sound)
    assert "speech ended" in heard
    return microphone.take()


async def listening(params: AudioParams = STOCK, rules: Conversation = RULES) -> Microphone:
    """Return a microphone in whose sound speech is looked for."""
    say(QUESTION)  # skips the test where no voice is installed
    microphone = Microphone(params, rules)
    await microphone.load_speech_model()
    return microphone


def test_with_a_button_everything_is_recorded_in_order() -> None:
    microphone = Microphone(STOCK, RULES)
    for number in range(10):
        assert microphone.add(packet(number), watch_speech=False) is None

    assert microphone.take() == [packet(number) for number in range(10)]
    assert microphone.take() == []


def test_a_new_utterance_forgets_the_one_before() -> None:
    microphone = Microphone(STOCK, RULES)
    microphone.add(packet(1), watch_speech=False)
    microphone.open()
    microphone.add(packet(2), watch_speech=False)

    assert microphone.take() == [packet(2)]


def test_silence_of_one_byte_is_recorded_and_an_impossible_packet_is_not() -> None:
    microphone = Microphone(STOCK, RULES)
    largest = bytes(MAX_PACKET_BYTES["opus"])
    for sent in (SILENT_PACKET, b"", largest + b"\0", b"\x03", largest):
        microphone.add(sent, watch_speech=False)

    assert microphone.take() == [SILENT_PACKET, largest]
    assert microphone.dropped == 3


def test_the_length_of_a_recording_is_that_of_its_sound_whatever_the_hello_said() -> None:
    microphone = Microphone(STOCK, RULES)
    heard = [microphone.add(SHORT_SILENT_PACKET, watch_speech=False) for _ in range(150)]

    assert heard == [None] * 149 + ["full"]


def test_a_button_that_is_held_too_long_is_said_and_the_recording_does_not_grow() -> None:
    microphone = Microphone(STOCK, RULES)
    heard = [microphone.add(packet(number), watch_speech=False) for number in range(60)]

    assert heard == [None] * 49 + ["full"] * 11
    assert len(microphone.take()) == 50


def test_without_a_speech_model_a_recording_does_not_grow_either() -> None:
    microphone = Microphone(STOCK, RULES)
    for _ in range(200):
        microphone.add(SILENT_PACKET, watch_speech=True)

    assert len(microphone.take()) == 50


async def test_a_microphone_that_goes_on_again_listens_on() -> None:
    microphone = await listening()
    sound = packets(silence(1) + say(QUESTION) + silence(1))
    assert "speech started" in {microphone.add(packet, watch_speech=True) for packet in sound[:30]}

    await microphone.load_speech_model()

    assert "speech ended" in {microphone.add(packet, watch_speech=True) for packet in sound[30:]}


async def test_a_missing_speech_model_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    vad._load_session.cache_clear()
    monkeypatch.setattr(vad, "find_spec", lambda _: None)

    with pytest.raises(AudioError, match="no speech model"):
        await Microphone(STOCK, RULES).load_speech_model()


@pytest.mark.parametrize(("params", "sent"), [(STOCK, packets), (PCM, pcm_frames)], ids=["opus", "pcm"])
async def test_speech_begins_and_ends_an_utterance(params: AudioParams, sent: Sender) -> None:
    microphone = await listening(params)
    sound = sent(silence(1) + say(QUESTION) + silence(1))

    events = hear(microphone, sound)

    assert [event for _, event in events] == ["speech started", "speech ended"]
    (began, _), (ended, _) = events
    frame_s = params.frame_duration / 1000
    assert 1.0 <= began * frame_s <= 1.6
    assert ended * frame_s >= 1 + len(say(QUESTION)) / 2 / RATE_HZ + 0.3


async def test_the_recording_begins_a_little_before_the_speech() -> None:
    microphone = await listening()
    sound = packets(silence(5) + say(QUESTION))
    hear(microphone, sound)
    recorded = microphone.take()

    assert recorded == sound[-len(recorded) :]
    left_out = len(sound) - len(recorded)
    assert 4.4 <= left_out * 0.06 <= 5.0


async def test_hours_of_silence_leave_no_more_than_a_run_up() -> None:
    microphone = await listening()

    assert hear(microphone, packets(silence(60))) == []
    assert len(microphone.take()) * 0.06 <= 0.5


async def test_speech_without_an_end_is_ended_at_the_longest_utterance() -> None:
    microphone = await listening(rules=replace(RULES, max_utterance_s=2.0))
    sound = packets(say(QUESTION) * 4)

    began, ended = hear(microphone, sound)[:2]

    assert (began[1], ended[1]) == ("speech started", "speech ended")
    assert (ended[0] - began[0]) * 0.06 <= 2.1


async def test_packets_that_do_not_decode_are_left_out() -> None:
    microphone = await listening()
    # Code 3 of Opus with a frame count of zero: no decoder takes it.
    broken = b"\xff\x00"
    for packet in (SILENT_PACKET, broken, SILENT_PACKET):
        microphone.add(packet, watch_speech=True)

    assert microphone.take() == [SILENT_PACKET, SILENT_PACKET]
    assert microphone.dropped == 1


async def test_an_utterance_holds_the_speech_and_a_second_one_is_found_like_the_first() -> None:
    microphone = await listening()
    sound = packets(say(QUESTION) + silence(1))

    first, second = utterance(microphone, sound), utterance(microphone, sound)

    decoder = OpusDecoder(RATE_HZ)
    for taken in (first, second):
        assert taken == sound[: len(taken)]
        assert level_dbfs(b"".join(decoder.decode(packet) for packet in taken)) > -40


def test_what_was_not_sent_on_yet_comes_in_entries_and_stays_in_the_recording() -> None:
    microphone = Microphone(STOCK, RULES)
    sent = []
    for number in range(5):
        microphone.add(packet(number), watch_speech=False)
        sent.append(microphone.take_unsent(at_least_ms=120))

    assert sent == [[], [packet(0), packet(1)], [], [packet(2), packet(3)], []]
    assert microphone.take_unsent(at_least_ms=0) == [packet(4)]
    assert microphone.take_unsent(at_least_ms=0) == []
    assert microphone.take() == [packet(number) for number in range(5)]


def test_what_moved_out_of_a_full_recording_is_not_sent_on_any_more() -> None:
    microphone = Microphone(STOCK, RULES)
    for number in range(60):
        microphone.add(packet(number), watch_speech=False)
        if number == 19:
            assert len(microphone.take_unsent(at_least_ms=0)) == 20

    # The recording holds the last 50; of these the first ten were sent on.
    assert microphone.take_unsent(at_least_ms=40 * 60) == [packet(number) for number in range(20, 60)]
    microphone.open()
    assert microphone.take_unsent(at_least_ms=0) == []


async def test_the_run_up_is_sent_on_with_the_speech() -> None:
    microphone = await listening()
    sound = packets(silence(1) + say(QUESTION))
    for each in sound:
        microphone.add(each, watch_speech=True)
        if microphone.in_speech:
            break

    fresh = microphone.take_unsent(at_least_ms=120)
    assert 0.2 <= len(fresh) * 0.06 <= 0.6
    assert microphone.take() == fresh


class SaidJudge:
    """A judge whose answer is known; the sound that it was asked about is kept."""

    def __init__(self, finished: float) -> None:
        self.asked: list[Pause] = []
        self._finished = finished

    def load(self) -> None:
        pass

    def judge(self, pause: Pause) -> None:
        self.asked.append(pause)
        pause.on_judged(self._finished)


SMART = replace(RULES, endpointing=Endpointing(strategy="smart_turn"), max_utterance_s=20.0)


async def judged(finished: float, sound: bytes, *, params: AudioParams = STOCK) -> tuple[int, SaidJudge]:
    """Return after how many packets a sound was over, and who judged its pauses."""
    judge = SaidJudge(finished)
    microphone = Microphone(params, SMART, cast("PauseJudge", judge))
    await microphone.load_speech_model()
    send = pcm_frames if params.format == "pcm" else packets
    heard = hear(microphone, send(sound))
    return next(at for at, event in heard if event == "speech ended"), judge


@pytest.mark.parametrize("params", [STOCK, PCM])
async def test_a_finished_sentence_needs_less_silence_and_an_unfinished_one_more(params: AudioParams) -> None:
    sound = silence(1) + say(QUESTION) + silence(3)
    per_packet_ms = params.frame_duration
    finished, judge = await judged(0.9, sound, params=params)
    unfinished, _ = await judged(0.1, sound, params=params)

    assert 1200 <= (unfinished - finished) * per_packet_ms <= 1400  # 1500 and 192 ms
    (asked,) = judge.asked
    # The whole question, with so much before it as soft consonants need; not the second of silence.
    assert len(say(QUESTION)) < len(asked.pcm) < len(say(QUESTION)) + 2 * 0.8 * RATE_HZ
    assert 0.55 < asked.silence_s < 0.65


async def test_a_pause_goes_on_until_somebody_speaks() -> None:
    _, judge = await judged(0.1, silence(1) + say(QUESTION) + silence(0.5) + say(QUESTION) + silence(2))
    assert [pause.goes_on() for pause in judge.asked] == [False, False]


async def test_the_silence_at_the_end_of_an_utterance_is_known() -> None:
    microphone = await listening()
    heard = hear(microphone, packets(silence(1) + say(QUESTION) + silence(2)))
    assert "speech ended" in [event for _, event in heard]
    assert 700 <= microphone.ended_silence_ms < 800


async def test_by_silence_alone_nobody_is_asked() -> None:
    judge = SaidJudge(0.9)
    microphone = Microphone(STOCK, RULES, cast("PauseJudge", judge))
    await microphone.load_speech_model()
    hear(microphone, packets(say(QUESTION) + silence(1)))
    assert judge.asked == []
