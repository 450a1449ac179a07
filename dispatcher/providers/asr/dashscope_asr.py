"""DashScope's realtime recognition (Paraformer, Fun-ASR) over WebSocket.

Source: Alibaba Cloud Model Studio, "Paraformer WebSocket API", its client events and server events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceFailed
from dispatcher.messages import UPLINK_RATE_HZ, Language
from dispatcher.providers.asr.utterance_stream import (
    StreamingAsr,
    UtteranceStream,
    join_texts,
    slices,
)
from dispatcher.providers.dashscope import FINISHED, NO_SPEECH, RESULT, DashScopeTask, read_event
from dispatcher.providers.http import SHOWN_BYTES
from dispatcher.providers.protocols import Transcript

DEFAULT_MODEL: Final = "paraformer-realtime-v2"
# 100 ms, as the documents advise.
DASHSCOPE_SLICE_BYTES: Final = UPLINK_RATE_HZ * 2 * 100 // 1000
DASHSCOPE_START_TIMEOUT_S: Final = 5.0


class DashscopeAsr(StreamingAsr):
    """Calls DashScope's realtime recognition."""

    async def transcribe_stream(
        self, instance: Instance, speech: AsyncIterator[bytes], language: Language
    ) -> Transcript:
        """Return the last text of each sentence."""
        wanted = instance.language or language
        async with self.open(instance) as socket:
            task = DashScopeTask(socket)
            await task.begin(_recognition(instance, wanted), within_s=DASHSCOPE_START_TIMEOUT_S)
            stream = UtteranceStream(socket)
            billed = BilledTime()
            text = await stream.run(send=_send(task, speech), receive=_receive(stream, billed))
        return Transcript(text=text, language=wanted, billed_s=billed.seconds)


@dataclass(slots=True)
class BilledTime:
    """Seconds that the service says it is paid for, of the sentences so far; None until it says so."""

    seconds: int | None = None


def _recognition(instance: Instance, language: Language) -> dict[str, Any]:
    """Return what run-task asks for."""
    parameters: dict[str, Any] = {"format": "pcm", "sample_rate": UPLINK_RATE_HZ, "heartbeat": True}
    if language != "auto":
        parameters["language_hints"] = [language]
    return {
        "task_group": "audio",
        "task": "asr",
        "function": "recognition",
        "model": instance.model or DEFAULT_MODEL,
        "parameters": parameters,
        "input": {},
    }


async def _send(task: DashScopeTask, speech: AsyncIterator[bytes]) -> None:
    async for piece in slices(speech, DASHSCOPE_SLICE_BYTES):
        await task.socket.send(piece)
    await task.instruct("finish-task", {"input": {}})


async def _receive(stream: UtteranceStream, billed: BilledTime) -> str:
    ended: list[str] = []
    growing = ""
    while (message := await stream.receive_object()) is not None:
        event = read_event(stream.instance, message)
        billed.seconds = event.usage("duration") or billed.seconds
        if event.name in (FINISHED, NO_SPEECH):
            return join_texts([*ended, growing])
        if event.name != RESULT:
            continue
        sentence = _sentence(stream.instance, event.payload)
        if sentence.get("heartbeat") is True:
            continue
        growing = sentence["text"]
        if sentence.get("sentence_end", sentence.get("end_time") is not None) is True:
            ended.append(growing)
            growing = ""
    raise stream.silence_error()


def _sentence(instance: Instance, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the sentence of a result, which has a text."""
    output = payload.get("output")
    sentence = output.get("sentence") if isinstance(output, dict) else None
    if not isinstance(sentence, dict) or not isinstance(sentence.get("text"), str):
        raise InstanceFailed(instance.name, f"result was {payload!r:.{SHOWN_BYTES}}, expected a sentence")
    return sentence
