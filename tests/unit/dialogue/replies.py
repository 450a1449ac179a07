"""What the stages of a turn say, in few words."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.audio.packets import pack
from dispatcher.dialogue.steps import Play
from dispatcher.messages import Reply, ReplyKind


def transcript(text: str, *, attempt: int = 1) -> Reply:
    return _reply("transcript", attempt, text=text)


def emotion(name: str, *, attempt: int = 1) -> Reply:
    return _reply("emotion", attempt, text=name)


def sentence(index: int, text: str, *, attempt: int = 1) -> Reply:
    return _reply("sentence", attempt, index=index, text=text)


def audio(index: int, *packets: bytes, last: bool = False, attempt: int = 1) -> Reply:
    return _reply("audio", attempt, index=index, packets=pack(packets), last=last)


def play(*packets: bytes) -> Play:
    return Play(pack(packets))


def end(count: int, *, attempt: int = 1) -> Reply:
    return _reply("end", attempt, index=count)


def alive(*, attempt: int = 1) -> Reply:
    return _reply("alive", attempt)


def failed(reason: str, *, index: int = 0, attempt: int = 1, error: str = "") -> Reply:
    return replace(_reply("failed", attempt, index=index, text=reason), error=error)


def lost(stage: str, *, index: int = 0, attempt: int = 1, has_ended: bool = False) -> Reply:
    return _reply("lost", attempt, index=index, text=stage, last=has_ended)


def _reply(
    kind: ReplyKind, attempt: int, *, index: int = 0, text: str = "", packets: bytes = b"", last: bool = False
) -> Reply:
    return Reply(
        turn_id="a-turn", attempt=attempt, kind=kind, index=index, text=text, packets=packets, last=last
    )


def waiting(stage: str, *, index: int = 0, attempt: int = 1) -> Reply:
    return _reply("waiting", attempt, index=index, text=stage)
