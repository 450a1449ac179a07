"""Transcripts in the forms that ASR servers answer in, beside OpenAI's own."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.providers.asr.openai_transcription import read_transcript
from tests.support.services.openai import FakeOpenAi

ASR = Instance(service="asr", name="a", endpoint="http://127.0.0.1:9")


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
    assert read_transcript(ASR, raw, "auto", is_text=False).billed_s == billed_s


@pytest.mark.parametrize("digits", [1, 400])
def test_a_number_too_long_for_a_float_is_passed_over(digits: int) -> None:
    long = "9" * digits
    raw = f'{{"text": "Hi.", "usage": {{"seconds": {long}}}, "segments": [{{"no_speech_prob": {long}}}]}}'
    read = read_transcript(ASR, raw.encode(), "auto", is_text=False)

    assert (read.billed_s, read.no_speech_ratio) == ((9.0, 9.0) if digits == 1 else (None, None))


@pytest.mark.parametrize(
    "answer", [r'{"text": "Hi \ud83d"}', r'["Hi \ud83d"]', r'data: {"text": "Hi \ud83d"}']
)
def test_half_a_sign_in_a_transcript_can_be_sent_on(answer: str) -> None:
    assert read_transcript(ASR, answer.encode(), "auto", is_text=False).text == "Hi \ufffd"
