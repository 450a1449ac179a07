"""Queue `asr`: transcription of an utterance, whole or still spoken."""

from __future__ import annotations

from typing import Any

from celery.exceptions import Ignore

from dispatcher.messages import TRANSCRIBE, TurnTicket
from dispatcher.pipeline.asr import transcribe as transcribe_whole
from dispatcher.pipeline.asr_stream import transcribe_stream
from dispatcher.pipeline.stage import run_stage
from workers.celery import app


@app.task(name=TRANSCRIBE, is_on_loop=True)
def transcribe(payload: dict[str, Any]) -> dict[str, Any]:
    """Transcribe an utterance; the text goes to the front, and on to the LLM.

    Raises:
        Ignore: nothing was said, or nobody waits any more; the chain ends quietly.
    """
    ticket = TurnTicket.from_payload(payload)
    work = transcribe_stream if ticket.live else transcribe_whole
    following = run_stage("asr", ticket, lambda context: work(context, ticket))
    if following is None:
        raise Ignore
    return following.as_payload()
