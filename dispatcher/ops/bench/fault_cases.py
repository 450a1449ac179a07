"""Cases of `dispatcher bench faults`: what fails, service by service, and the time of its first result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dispatcher.messages import Service
from dispatcher.routing.decisions import Decision

Decisions = Mapping[Service, Sequence[Decision]]

# Quick models: a transcript after 100 ms, a first sentence after some 150, the first audio after 50.
# The answer takes half a second to say.
_ASR: Final = "--set delay_s=0.1"
_LLM: Final = "--set tokens_per_s=100 --set token_characters=4"
_TTS: Final = "--set first_audio_s=0.05 --set audio_s_per_character=0.006"
# One sentence is one call: which of several calls a second request was made for is not written down.
_ONE_SENTENCE: Final = " --set text='The kettle is on the stove and warm.'"
_NOT_HEARD: Final = ("instance asr", "-Q asr")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCase:
    """A service, two instances of which are tried.

    Attributes:
        result: its first result, in words.
        modes: the ways to fail that are tried where none are named.
        excluded: other ways that its instances know, each with the reason why they show nothing.
        counted: what the time of the first result is, in words.
        options: of the timed instances, by a part of their command.
        unused: commands that its turns do without, by a part of them.
        speaks: the question is spoken; it is typed where no ASR is needed.
    """

    service: Service
    result: str
    modes: str
    counted: str
    options: Mapping[str, str]
    excluded: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = _NOT_HEARD
    speaks: bool = False

    def first_result_ms(self, decisions: Decisions, first_audio_ms: float | None) -> float | None:
        """Return the time of the first result of a turn, from its decisions of each service, oldest first.

        All times between decisions are by the clock of Redis. None where there was none.
        """
        asr, llm, tts = (decisions.get(service) or () for service in ("asr", "llm", "tts"))
        match self.service:
            case "asr":
                return float(llm[0].at_ms - asr[0].at_ms) if asr and llm else None
            case "llm":
                return float(tts[0].at_ms - llm[0].at_ms) if llm and tts else None
            case "tts":
                if first_audio_ms is None or not llm or not tts:
                    return None
                return first_audio_ms - (tts[0].at_ms - llm[0].at_ms)


FAULT_CASES: Final[Mapping[Service, ServiceCase]] = {
    "asr": ServiceCase(
        service="asr",
        result="transcript",
        modes="none,error,refuse,hang,slow=10,fast-error",
        counted="from the start of the ASR task (its first pick) to that of the LLM task (its first pick)",
        options={"instance asr": _ASR, "instance llm": _LLM, "instance tts": _TTS},
        excluded={
            "keepalive": "an ASR instance has no stream, so it comes out as hang",
            "stall-after": "an ASR instance has no stream, so it comes out as hang",
            "drip": "an ASR instance answers in one piece, which comes in time",
        },
        unused=(),
        speaks=True,
    ),
    "llm": ServiceCase(
        service="llm",
        result="first sentence",
        modes="none,error,refuse,hang,keepalive,stall-after=3,drip=2s,fast-error",
        counted="from the start of the LLM task (its first pick) to the task that speaks the first whole "
        "sentence (its pick)",
        options={"instance llm": _LLM, "instance tts": _TTS},
    ),
    "tts": ServiceCase(
        service="tts",
        result="first audio",
        modes="none,error,refuse,hang,keepalive,slow=15,fast-error",
        counted="from the question to the first packet at the device, less what the LLM took to the sentence",
        options={"instance llm": _LLM + _ONE_SENTENCE, "instance tts": _TTS},
        excluded={
            "stall-after": "the speech has begun by then, which no second request mends",
            "drip": "the speech has begun by then, which no second request mends",
        },
    ),
}
