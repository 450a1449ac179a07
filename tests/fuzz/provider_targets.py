"""Answers of model servers: chat, transcripts, speech and pages, in every dialect."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, cast

from aiohttp import WSMessage, WSMsgType
from hypothesis import strategies as st

from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError
from dispatcher.messages import Service, SpeechFormat
from dispatcher.providers.asr.dashscope_asr import DashscopeAsr
from dispatcher.providers.asr.funasr import FunAsr
from dispatcher.providers.asr.openai_transcription import read_transcript
from dispatcher.providers.asr.sherpa_onnx import SherpaOnnx
from dispatcher.providers.asr.sherpa_onnx_offline import SherpaOnnxOffline
from dispatcher.providers.llm.reply_reader import DeltaReader, read_reply
from dispatcher.providers.load_report import read_load_report
from dispatcher.providers.model_lists import names_in, unlisted_model
from dispatcher.providers.refusals import error_in_answer, status_error
from dispatcher.providers.tts.cosyvoice import CosyVoice
from dispatcher.providers.tts.speech_decoder import Form, decoded
from dispatcher.providers.tts.volcano import Volcano
from dispatcher.providers.tts.xfyun import Xfyun
from dispatcher.providers.websocket import Socket
from dispatcher.tools.model import Tool
from tests.fuzz import provider_seeds as seeds
from tests.fuzz.mutation import bytes_like, json_like, lines_like
from tests.fuzz.target import Target, loaded, messages_of, only, require_text, response_of, run

TOOL: Final = Tool(
    name="set_volume",
    description="Sets it.",
    parameters={"type": "object", "properties": {"volume": {"type": "integer"}}},
)
_KEY: Final = "FUZZ_KEY"


def instance(service: Service, **fields: Any) -> Instance:
    """Return an instance whose key is set."""
    os.environ.setdefault(_KEY, "a-key")
    keys: Any = {"api_key_env": _KEY, "api_secret_env": _KEY, "model": "a-model"}
    return Instance(service=service, name=f"{service}-1", endpoint="ws://model.lan:1", **keys, **fields)


ASR, LLM, TTS = instance("asr"), instance("llm"), instance("tts")


def _chat(data: bytes) -> None:
    async def read() -> None:
        for starts_thinking in (False, True):
            reader = DeltaReader(LLM, [TOOL], starts_thinking=starts_thinking)
            with only(InstanceError):
                async with aclosing(read_reply(LLM, response_of(data), reader)) as pieces:
                    require_text([piece async for piece in pieces])
                require_text(reader.finish())

    run(read())


def _transcript(data: bytes) -> None:
    for is_text in (False, True):
        with only(InstanceError):
            require_text(read_transcript(ASR, data, "auto", is_text=is_text))


def _page(data: bytes) -> None:
    with only(InstanceError):
        run(read_load_report(LLM, response_of(data)))
    names = names_in(data)
    require_text(names)
    require_text(unlisted_model(LLM, names))


def _refusal(data: bytes) -> None:
    """Read a body under each status, its beginning as headers too, and its JSON as an error in a 200."""
    said = data.decode("utf-8", "replace")
    head = said[:60].partition("\n")
    for status in (400, 401, 429, 500):
        error = status_error(LLM, status, said, {"Retry-After": head[0], "Date": head[2]})
        require_text([str(error), error.said])
        assert error.retry_after_s is None or error.retry_after_s >= 0
    require_text(str(error_in_answer(LLM, loaded(data))))


class _Messages:
    """A socket of a model server that sends the messages of a case, then closes."""

    close_code = 1006

    def __init__(self, messages: list[str | bytes]) -> None:
        self._messages = messages

    async def receive(self, _: float) -> WSMessage:
        if not self._messages:
            return WSMessage(WSMsgType.CLOSED, None, None)
        message = self._messages.pop(0)
        # Texts come undecoded, as `decode_text=False` asks.
        is_text = isinstance(message, str)
        raw = message.encode() if isinstance(message, str) else message
        return WSMessage(WSMsgType.TEXT if is_text else WSMsgType.BINARY, raw, None)

    async def send_str(self, _: str) -> None:
        pass

    async def send_bytes(self, _: bytes) -> None:
        pass


def _opened(of: Instance, provider: type[Any], messages: list[str | bytes]) -> Any:
    """Return a provider whose connection is to such a socket."""

    @asynccontextmanager
    async def opened(_: Instance) -> AsyncIterator[Socket]:
        yield Socket(of, cast("Any", _Messages(messages)))

    made = provider(None)
    made.open = opened
    return made


def _recognition(data: bytes) -> None:
    async def read() -> None:
        for provider in (FunAsr, DashscopeAsr, SherpaOnnx, SherpaOnnxOffline):
            with only(InstanceError):
                opened = _opened(ASR, provider, messages_of(data))
                require_text(await opened.transcribe(ASR, wav_bytes(bytes(640), 16_000), "auto"))

    run(read())


def _voices(data: bytes) -> None:
    async def read() -> None:
        cases: list[tuple[type[Any], list[str | bytes]]] = [
            (Xfyun, messages_of(data)),
            (CosyVoice, messages_of(data)),
            (Volcano, [data, data[: len(data) // 2]]),
        ]
        for provider, messages in cases:
            with only(InstanceError):
                speech = _opened(TTS, provider, messages).synthesize(TTS, "Hi.", "auto")
                async with aclosing(speech) as pieces:
                    assert all([isinstance(piece, bytes) async for piece in pieces])

    run(read())


def _speech(data: bytes) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        middle = sum(data[:4]) % (len(data) + 1)
        for piece in (data[:middle], data[middle:]):
            if piece:
                yield piece

    async def read() -> None:
        kinds: tuple[SpeechFormat, ...] = ("pcm", "wav", "mp3", "opus")
        for kind in kinds:
            form = Form(kind=kind, sample_rate_hz=16_000, may_pass=kind == "opus")
            with only(InstanceError):
                async with aclosing(decoded(TTS, pieces(), form)) as speech:
                    spoken = sum([len(pcm) async for pcm in speech])
                    # Opus packs silence 200 times; nothing may make more of a few bytes.
                    assert spoken <= 48_000 * (len(data) + 10)

    run(read())


TARGETS: Final = (
    Target(
        name="chat",
        cases=st.lists(
            json_like(seeds.CHUNKS).map(lambda each: b"data: " + each + b"\n\n")
            | bytes_like(seeds.STREAM_PARTS),
            max_size=5,
        ).map(b"".join)
        | lines_like(seeds.OLLAMA)
        | json_like(seeds.CHUNKS)
        | bytes_like(seeds.REPLIES),
        check=_chat,
    ),
    Target(
        name="transcript",
        cases=json_like(seeds.TRANSCRIPTS)
        | bytes_like(seeds.TRANSCRIPT_TEXTS)
        | json_like(seeds.TRANSCRIPTS).map(lambda each: b"data: " + each + b"\n\n"),
        check=_transcript,
    ),
    Target(name="recognition", cases=lines_like(seeds.RECOGNITION), check=_recognition, weight=0.5),
    Target(name="voices", cases=lines_like(seeds.VOICES) | bytes_like(seeds.VOLCANO), check=_voices),
    Target(name="speech", cases=bytes_like(seeds.SPEECH), check=_speech, weight=0.5),
    Target(name="page", cases=json_like(seeds.PAGES) | bytes_like(seeds.PAGE_TEXTS), check=_page),
    Target(name="refusal", cases=json_like(seeds.REFUSALS) | bytes_like(seeds.PAGE_TEXTS), check=_refusal),
)
