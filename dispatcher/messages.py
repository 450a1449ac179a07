"""Messages between processes: queue and task names, payloads, reply kinds.

The front sends tasks by these names and never imports `workers`; workers answer with the reply
kinds. Everything is small JSON with ids; audio travels beside it, by claim key or reply entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Self, TypedDict

Service = Literal["asr", "llm", "tts"]
Language = Literal["auto", "en", "zh"]
AudioFormat = Literal["opus", "pcm"]
SpeechFormat = Literal["pcm", "wav", "mp3", "opus"]
Algorithm = Literal[
    "round_robin", "weighted_round_robin", "least_connections", "response_time", "resource_based"
]
# What a call looks for first; one that stands by has calls only where no other is in service.
Priority = Literal["high", "normal", "low", "standby"]
Thinking = Literal["off", "auto"]
TunerMode = Literal["off", "observe", "act"]
# What a connected device does: nothing, it listens, it waits for its answer, or it speaks that.
Activity = Literal["", "listening", "answering", "speaking"]
# Speech that is kept for the next time it is wanted: none, a sentence of an answer, or a phrase of our own.
Keep = Literal["", "sentence", "fixed"]

SERVICES: Final[tuple[Service, ...]] = ("asr", "llm", "tts")
CONTROL_QUEUE: Final = "control"
QUEUES: Final[tuple[str, ...]] = (*SERVICES, CONTROL_QUEUE)

# Where devices come in: first over HTTP for the address of the socket, then over that.
OTA_PATH: Final = "/xiaozhi/ota/"
WEBSOCKET_PATH: Final = "/xiaozhi/v1/"

# Separators of a MAC address as boards, routers and people write it: colons, dashes, dots, blanks or none.
_MAC: Final = re.compile(r"[0-9a-f]{2}(?:[-:._ ]?[0-9a-f]{2}){5}", re.ASCII)

# Set by `dispatcher up`: fronts print a line for its screen at the end of each turn, begun by a sign that no
# log line has; it never reaches a log file. "text": what the user said is in it, for the operator's terminal.
SCREEN_TURNS_VARIABLE: Final = "SCREEN_TURNS"
SCREEN_TURN_SIGN: Final = "\x1e"
# Between a front and the supervisor that hands it its socket: the numbers of both descriptors, and the words.
SOCKET_VARIABLE: Final = "FRONT_SOCKET_FD"
CHANNEL_VARIABLE: Final = "FRONT_CHANNEL_FD"
SAYS_SERVING: Final = b"s"
SAYS_LEAVING: Final = b"l"
MAY_GO: Final = b"g"

TRANSCRIBE: Final = "asr.transcribe"
RESPOND: Final = "llm.respond"
SYNTHESIZE: Final = "tts.synthesize"
PREFILL: Final = "llm.prefill"
CHECK_HEALTH: Final = "control.check_health"
ADJUST_WEIGHTS: Final = "control.adjust_weights"
# One task for every queue: what matters is which worker takes it.
CANARY: Final = "control.canary"
TUNE: Final = "control.tune"
SAMPLE_METRICS: Final = "control.sample_metrics"
JUDGE_KPIS: Final = "control.judge_kpis"
DRAIN_RECORDS: Final = "control.drain_records"
KEEP_RECORDS: Final = "control.keep_records"
KEEP_DEVICES: Final = "control.keep_devices"
REMEMBER: Final = "control.remember"

# The audio that devices hear: the server's hello promises exactly this.
REPLY_RATE_HZ: Final = 24_000
REPLY_FRAME_MS: Final = 60
# What a stock device sends.
UPLINK_RATE_HZ: Final = 16_000
# A tool that an LLM calls has so long; the front waits for its turn accordingly.
TOOL_TIMEOUT_S: Final = 10.0

ReplyKind = Literal[
    "transcript", "alive", "waiting", "emotion", "sentence", "audio", "tool", "end", "failed", "lost"
]
RecordKind = Literal["turn", "kpi", "sample", "alert", "decision", "usage"]


def canonical_device_id(text: str) -> str:
    """Return a device id in its one form: lower case, a MAC address with colons however written."""
    lowered = text.strip().lower()
    if not _MAC.fullmatch(lowered):
        return lowered
    digits = re.sub(r"[^0-9a-f]", "", lowered)
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One entry of the stream of records, on its way to SQL.

    Attributes:
        entry_ms, entry_seq: the two halves of the entry's id; they name it for ever, so that it is kept once.
        kind: which table it belongs to.
        fields: what was said of it, never words of a user; docs/records.md lists them.
    """

    entry_ms: int
    entry_seq: int
    kind: RecordKind
    fields: dict[str, Any]


# Outcomes of a turn whose user has no whole answer.
FAILED_OUTCOMES: Final = frozenset({"apologised", "cut", "turned away"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTicket:
    """What every task of a turn carries.

    Attributes:
        turn_id: one exchange; also names the claim and the cancel flag.
        attempt: 1 for the first sending; a stage that is sent again counts on.
        device_id: names the dialogue history.
        reply_stream: Redis stream of the front that holds the device.
        deadline_at_s: Unix time after which nobody waits for this turn.
        language: the language of the device, or "auto".
        audio_format: what the device hears, and what the claim holds.
        uplink_rate_hz: sample rate of the utterance in the claim.
        text: the utterance as text: typed by the user, or filled in by the ASR task.
        tool_list: names the list of what the device can do; empty where it can do nothing.
        persona: the one that an operator chose for the device at run time; empty leaves it to the YAML.
        live: the utterance comes in a stream while it is spoken, instead of in a claim.
        spoken: what an earlier sending of the reply gave away to be spoken, where it broke off.
        spoken_count: how many sentences that is; the reply goes on with this index.
        overload_step: of dispatcher/routing/rules/overload.py, on which the turn began.
        traceparent: of the turn's trace, as W3C writes it; empty where it is not traced.
        speculative: the utterance may not be over; the front plays nothing of the turn until it is committed.
    """

    turn_id: str
    attempt: int
    device_id: str
    reply_stream: str
    deadline_at_s: float
    language: Language = "auto"
    audio_format: AudioFormat = "opus"
    uplink_rate_hz: int = UPLINK_RATE_HZ
    text: str = ""
    tool_list: str = ""
    persona: str = ""
    live: bool = False
    spoken: str = ""
    spoken_count: int = 0
    overload_step: int = 0
    traceparent: str = ""
    speculative: bool = False

    def as_payload(self) -> dict[str, Any]:
        """Return the ticket as JSON-ready fields, without those that only few turns have."""
        # A worker of an older version takes every ticket but these.
        fields = {name: getattr(self, name) for name in self.__slots__}
        if not self.spoken_count:
            del fields["spoken"], fields["spoken_count"]
        if not self.overload_step:
            del fields["overload_step"]
        if not self.traceparent:
            del fields["traceparent"]
        if not self.speculative:
            del fields["speculative"]
        return fields

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> Self:
        """Return the ticket of a task's argument, without what a newer version added to it.

        Raises:
            TypeError: a field is missing (a message of another version).
        """
        return cls(**{name: value for name, value in payload.items() if name in cls.__slots__})

    def with_text(self, text: str, language: Language) -> Self:
        """Return the ticket with the transcript and its language filled in."""
        return replace(self, text=text, language=language)


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePresence:
    """A connected device as its front reports it every few seconds.

    Attributes:
        heard_at_s: Unix time at which it sent something last.
    """

    heard_at_s: float
    activity: Activity = ""


class ReplyFields(TypedDict, total=False):
    """What a reply says beside its turn and kind; see `Reply`."""

    index: int
    text: str
    packets: bytes
    last: bool
    timings: dict[str, str | float] | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One entry of a front's reply stream.

    Attributes:
        turn_id: which turn it belongs to; the front drops what it no longer knows.
        attempt: which sending of the stage it comes from.
        kind: transcript and emotion (`text`) · alive (the LLM thinks or loads: its time does not
            count, and it is not sent again) · waiting (`text` = stage, `index`: its worker waits for
            a free slot, or shows life again after it was lost, so it is not sent again) ·
            sentence (`index`, `text`) · audio (`index`, `packets`, `last` on the sentence's final entry;
            `text` = the cache that it came from) ·
            tool (`text` = a call for the device, empty where a server is called; `last` = that is
            over) · end (`index` = number of sentences, `text` = why it was ended before its model did) ·
            failed (`text` = stage and reason, `error`) · lost (its worker shows no life, or it was
            speculative and ended without a result: `text` = stage, `index`, `last` where its end is known).
        index: number of the sentence, from 0.
        text: transcript, sentence, emotion or reason.
        packets: audio packed by `dispatcher.audio.packets.pack`.
        last: no more audio follows for this sentence.
        timings: facts for the turn's summary line, such as the instance and its time in ms.
        error: class of the error that a stage failed with, a name of dispatcher/errors.py.
    """

    turn_id: str
    attempt: int
    kind: ReplyKind
    index: int = 0
    text: str = ""
    packets: bytes = b""
    last: bool = False
    timings: dict[str, str | float] | None = None
    error: str = ""
