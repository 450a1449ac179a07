"""What holds of every turn, in whatever order replies come, get lost, or come twice.

Stages are played by the test: what an attempt of the LLM says differs from what any other says, and
each piece of audio tells which sentence of which attempt it belongs to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audio.packets import unpack
from dispatcher.dialogue.steps import Apologise, BreakOff, Finish, Play, SendAgain, Step, Subtitle
from dispatcher.dialogue.turn import Turn
from dispatcher.messages import Reply
from tests.unit.dialogue.replies import audio, end, failed, lost, play, sentence, transcript

LATE_S = 10.0
# For each sentence of a reply, how many pieces of audio it has.
Shape = Sequence[int]
SHAPES = st.lists(st.integers(min_value=1, max_value=4), min_size=1, max_size=4)


def text_of(attempt: int, index: int) -> str:
    return f"{attempt}.{index}"


def speech(text: str, pieces: int, *, attempt: int, index: int, grouped: int = 1) -> deque[Reply]:
    """Return the audio of a sentence, as one sending of it delivers it: so many packets in a reply."""
    made = [f"{text}.{number}".encode() for number in range(pieces)]
    return deque(
        audio(index, *made[at : at + grouped], last=at + grouped >= pieces, attempt=attempt)
        for at in range(0, pieces, grouped)
    )


def spoken_reply(attempt: int, shape: Shape) -> list[Step]:
    """Return what a device has to see and hear of a reply."""
    steps: list[Step] = []
    for index, pieces in enumerate(shape):
        text = text_of(attempt, index)
        steps.append(Subtitle(text))
        steps += [play(f"{text}.{number}".encode()) for number in range(pieces)]
    return steps


@st.composite
def interleaved(draw: st.DrawFn, shapes: Sequence[Shape]) -> list[Reply]:
    """Draw an order of all replies of several LLMs; only a sentence's own audio keeps its order."""
    streams: list[deque[Reply]] = []
    for attempt, shape in enumerate(shapes, start=1):
        streams.append(deque([end(len(shape), attempt=attempt)]))
        for index, pieces in enumerate(shape):
            text = text_of(attempt, index)
            streams.append(deque([sentence(index, text, attempt=attempt)]))
            streams.append(speech(text, pieces, attempt=attempt, index=index))
    order = draw(st.permutations([at for at, stream in enumerate(streams) for _ in stream]))
    return [streams[at].popleft() for at in order]


def first_llm(replies: Sequence[Reply]) -> int:
    """Return the attempt of the LLM that was heard of first."""
    return next(reply.attempt for reply in replies if reply.kind in {"sentence", "end"})


@given(shapes=st.lists(SHAPES, min_size=1, max_size=2), data=st.data())
def test_a_whole_reply_is_spoken_once_in_order_and_ends(shapes: list[Shape], data: st.DataObject) -> None:
    replies = data.draw(interleaved(shapes))
    turn = Turn(text="Hi!", now=0.0, stage_timeout_s=LATE_S)

    steps = [step for reply in replies for step in turn.on_reply(reply, 0.0)]

    attempt = first_llm(replies)
    assert steps == [*spoken_reply(attempt, shapes[attempt - 1]), Finish()]
    assert turn.over


@given(shapes=st.lists(SHAPES, min_size=1, max_size=2), data=st.data())
def test_replies_that_come_twice_are_spoken_once(shapes: list[Shape], data: st.DataObject) -> None:
    replies = data.draw(interleaved(shapes))
    turn = Turn(text="Hi!", now=0.0, stage_timeout_s=LATE_S)
    for reply in replies:
        turn.on_reply(reply, 0.0)

    assert [step for reply in replies for step in turn.on_reply(reply, 0.0)] == []


@dataclass
class Workers:
    """Stages that answer, fail, fall silent, are lost or answer late, as hypothesis draws it.

    Attributes:
        shape: of every reply, whoever makes it.
        streams: replies under way; those of one stream keep their order.
    """

    shape: Shape
    streams: list[deque[Reply]] = field(default_factory=list)

    def start(self, attempt: int, *, typed: bool, first: int = 0) -> None:
        """Begin the chain of a turn, or go on with its reply from a sentence."""
        words = deque([] if typed else [transcript("Hi!", attempt=attempt)])
        for index, pieces in list(enumerate(self.shape))[first:]:
            text = text_of(attempt, index)
            words.append(sentence(index, text, attempt=attempt))
            self.streams.append(speech(text, pieces, attempt=attempt, index=index))
        words.append(end(len(self.shape), attempt=attempt))
        self.streams.append(words)

    def obey(self, order: SendAgain) -> None:
        """Begin what the turn asks for once more."""
        if order.stage == "tts":
            pieces, grouped = self.shape[order.index], 1 + order.attempt % 3
            made = speech(order.text, pieces, attempt=order.attempt, index=order.index, grouped=grouped)
            self.streams.append(made)
        else:
            self.start(order.attempt, typed=order.stage == "llm", first=order.index)

    def next_reply(self, data: st.DataObject) -> Reply | None:
        """Let one stream answer, fail or fall silent for ever; None where nothing comes of it."""
        waiting = [stream for stream in self.streams if stream]
        if not waiting:
            return None
        stream = waiting[data.draw(st.integers(0, len(waiting) - 1), label="stream")]
        what = data.draw(st.sampled_from(["answer"] * 6 + ["fail", "silence", "dead", "slow"]), label="what")
        stage = {"transcript": "asr", "audio": "tts"}.get(stream[0].kind, "llm")
        match what:
            case "answer":
                return stream.popleft()
            case "fail":
                broken = stream[0]
                stream.clear()
                return failed(f"{stage}: away", index=broken.index, attempt=broken.attempt)
            case "dead" | "slow":
                loss = lost(stage, index=stream[0].index, attempt=stream[0].attempt, has_ended=what == "dead")
                if what == "dead":
                    stream.clear()
                return loss
            case _:
                stream.clear()
                return None


def run_turn(data: st.DataObject) -> list[Step]:
    """Return the steps of a turn among such workers, up to the moment when nothing comes any more."""
    typed = data.draw(st.booleans(), label="typed")
    workers = Workers(data.draw(SHAPES, label="shape"))
    workers.start(1, typed=typed)
    turn = Turn(text="Hi!" if typed else "", now=0.0, stage_timeout_s=LATE_S)
    steps: list[Step] = []
    now = 0.0
    for _ in range(data.draw(st.integers(0, 60), label="moments")):
        reply = workers.next_reply(data) if data.draw(st.integers(0, 7), label="late") else None
        now += 0.1 if reply else LATE_S
        wanted = turn.on_reply(reply, now) if reply else turn.on_clock(now)
        for step in wanted:
            if isinstance(step, SendAgain):
                workers.obey(step)
        steps += wanted
    # Silence from here on: a stage is sent once more at most, and given up after that.
    for _ in range(2 * len(workers.shape) + 4):
        now += LATE_S
        steps += turn.on_clock(now)
    assert turn.over
    return steps


@given(data=st.data())
def test_every_turn_ends_once_and_says_nothing_after_it(data: st.DataObject) -> None:
    steps = run_turn(data)

    ends = [step for step in steps if isinstance(step, Finish | Apologise | BreakOff)]
    assert ends == steps[-1:]


@given(data=st.data())
def test_an_apology_is_made_only_where_nothing_was_spoken(data: st.DataObject) -> None:
    steps = run_turn(data)

    apologised = isinstance(steps[-1], Apologise)
    assert apologised == (not any(isinstance(step, Play) for step in steps))


@given(data=st.data())
def test_no_piece_is_spoken_twice_and_none_is_out_of_order(data: st.DataObject) -> None:
    played = [step.packets for step in run_turn(data) if isinstance(step, Play)]

    packets = [packet.decode() for packed in played for packet in unpack(packed)]
    places = [tuple(int(part) for part in packet.split(".")) for packet in packets]
    sentences = [place[:2] for place, _ in groupby(places, key=lambda place: place)]
    assert [index for _, index in dict.fromkeys(sentences)] == sorted({index for _, index, _ in places})
    assert places == sorted(set(places))
    for _, of_sentence in groupby(places, key=lambda place: place[:2]):
        numbers = [number for _, _, number in of_sentence]
        assert numbers == list(range(len(numbers)))


@given(data=st.data())
def test_each_subtitle_stands_once_right_before_its_audio(data: st.DataObject) -> None:
    shown = [step for step in run_turn(data) if isinstance(step, Subtitle | Play)]

    subtitles = [step.text for step in shown if isinstance(step, Subtitle)]
    assert len(subtitles) == len(set(subtitles))
    current = ""
    for step in shown:
        if isinstance(step, Subtitle):
            assert step.text != current
            current = step.text
        else:
            assert {packet.decode().rpartition(".")[0] for packet in unpack(step.packets)} == {current}


@given(data=st.data())
def test_no_two_sendings_share_an_attempt(data: st.DataObject) -> None:
    attempts = [step.attempt for step in run_turn(data) if isinstance(step, SendAgain)]

    assert attempts == sorted({*attempts})
    assert 1 not in attempts
