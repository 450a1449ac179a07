"""Transcripts in the forms that ASR servers answer in, beside OpenAI's own."""

from __future__ import annotations

import pytest

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
