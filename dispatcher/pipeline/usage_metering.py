"""Metering of calls: usage as the instance reports it, and our own count where it does not.

A call that failed before anything came is not counted: services bill what they answered. One that is given up
in the middle (a hedge that lost, a barge-in) is counted, since its instance was asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Final

from dispatcher.audio import packets
from dispatcher.audio.opus import SAMPLE_BYTES
from dispatcher.audio.opus_frames import OpusPackets
from dispatcher.dialogue.history import Message, count_tokens
from dispatcher.dialogue.persona import persona_name
from dispatcher.errors import InstanceError
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, TurnTicket
from dispatcher.pipeline.worker_context import WorkerContext
from dispatcher.providers.protocols import SpeechUsage, Transcript
from dispatcher.routing.call_usage import CallUsage, Payer
from dispatcher.tools.model import ChatPiece, Progress, PromptUsage, Tool, ToolCall

_PCM_BYTES_PER_S: Final = REPLY_RATE_HZ * SAMPLE_BYTES
_PACKET_PCM_BYTES: Final = _PCM_BYTES_PER_S * REPLY_FRAME_MS // 1000


def payer_of(context: WorkerContext, ticket: TurnTicket) -> Payer:
    """Return whose calls those of a turn are."""
    rules = context.catalogue.conversation
    return Payer(
        device_id=ticket.device_id, persona=persona_name(rules, ticket.device_id, chosen=ticket.persona)
    )


async def metered_chat(
    stream: AsyncGenerator[ChatPiece, None],
    usage: CallUsage,
    messages: Sequence[Message],
    tools: Sequence[Tool] = (),
) -> AsyncGenerator[ChatPiece, None]:
    """Yield a reply, and note the tokens of the request and of what was written."""
    written: list[ChatPiece] = []
    is_refused = False
    try:
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, PromptUsage):
                    _report_tokens(usage, piece)
                else:
                    written.append(piece)
                yield piece
    except InstanceError:
        is_refused = not written
        raise
    finally:
        if not is_refused and "completion_tokens" not in usage.reported:
            usage.counted["completion_tokens"] = sum(map(_tokens_in, written))
        if not is_refused and "prompt_tokens" not in usage.reported:
            usage.counted["prompt_tokens"] = _tokens_of_request(messages, tools)


def _report_tokens(usage: CallUsage, said: PromptUsage) -> None:
    usage.reported["prompt_tokens"] = said.tokens
    if said.cached is not None:
        usage.reported["cached_tokens"] = said.cached
    if said.completion is not None:
        usage.reported["completion_tokens"] = said.completion


def _tokens_in(piece: ChatPiece) -> int:
    match piece:
        case str():
            return count_tokens(piece)
        case ToolCall():
            return count_tokens(piece.name + piece.arguments)
        case Progress():
            return count_tokens(piece.reasoning)
    return 0


def _tokens_of_request(messages: Iterable[Message], tools: Iterable[Tool]) -> int:
    texts = [each.content for each in messages]
    texts += [f"{each.name}{each.description}{json.dumps(dict(each.parameters))}" for each in tools]
    return sum(map(count_tokens, texts))


async def metered_transcript(
    work: Awaitable[Transcript], usage: CallUsage, *, seconds: Callable[[], float]
) -> Transcript:
    """Return a transcript, and note the seconds of speech; `seconds` counts those that were sent so far."""
    try:
        heard = await work
    except asyncio.CancelledError:
        usage.counted["seconds"] = seconds()
        raise
    if heard.billed_s is None:
        usage.counted["seconds"] = seconds()
    else:
        usage.reported["seconds"] = heard.billed_s
    return heard


async def metered_speech(
    stream: AsyncGenerator[bytes, None], usage: CallUsage, text: str
) -> AsyncGenerator[bytes, None]:
    """Yield speech, and note the characters of the text and the seconds of what came."""
    spoken_bytes = 0
    is_refused = False
    try:
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, SpeechUsage):
                    usage.reported["characters"] = piece.characters
                    continue
                is_packed = isinstance(piece, OpusPackets)
                spoken_bytes += len(packets.unpack(piece)) * _PACKET_PCM_BYTES if is_packed else len(piece)
                yield piece
    except InstanceError:
        is_refused = not spoken_bytes
        raise
    finally:
        if not is_refused:
            usage.counted["characters"] = len(text)
            # Nobody reports these: what was received is what there is, and no estimate.
            usage.reported["seconds"] = spoken_bytes / _PCM_BYTES_PER_S
