"""Transcripts in the forms that ASR servers answer in, beside OpenAI's own."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.providers.asr.openai_transcription import read_transcript
from tests.support.services.openai import FakeOpenAi


@pytest.mark.parametrize(
    "answer",
    [
        '"Hi there."',
        '[{"text": "Hi"}, {"text": " there."}]',
        '{"text": ["Hi there."]}',
        '{"result": [{"key": "u", "text": "Hi there.", "raw_text": "<|en|>Hi there."}]}',
        '{"code": 0, "data": {"text": "Hi there."}}',
        '{"transcript": "Hi there."}',
        '{"segments": [{"text": " Hi"}, {"text": " there."}]}',
        'data: {"type": "transcript.text.delta", "delta": "Hi there."}\n\ndata: [DONE]\n\n',
        'data: {"delta": "Hi"}\n\ndata: {"type": "transcript.text.done", "text": "Hi there."}\n\n',
    ],
)
async def test_a_transcript_is_found_wherever_a_server_puts_it(openai: FakeOpenAi, answer: str) -> None:
    """The web API of SenseVoice (`result`), FunASR's and FastAPI wrappers, OpenAI's `stream`."""
    openai.answers(answer)

    assert await openai.transcribe() == ("Hi there.", "auto")


async def test_a_server_that_found_no_speech_in_a_list_heard_nothing(openai: FakeOpenAi) -> None:
    openai.answers('{"result": []}')

    assert await openai.transcribe() == ("", "auto")


@pytest.mark.parametrize(
    ("usage", "billed_s"),
    [
        ('{"type": "duration", "seconds": 9}', 9.0),
        ('{"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}', None),
        ('{"seconds": true}', None),
        ('{"seconds": "9"}', None),
        ("null", None),
    ],
)
def test_the_seconds_that_a_server_bills_are_read(usage: str, billed_s: float | None) -> None:
    raw = f'{{"text": "Hi there.", "usage": {usage}}}'.encode()
    instance = Instance(service="asr", name="a", endpoint="http://127.0.0.1:9")
    assert read_transcript(instance, raw, "auto", is_text=False).billed_s == billed_s
