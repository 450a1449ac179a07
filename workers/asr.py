"""Queue `asr`: transcription of an utterance, whole or still spoken."""

from __future__ import annotations

from typing import Any

from celery import Task
from celery.exceptions import Ignore

from dispatcher.chains import follow
from dispatcher.messages import TRANSCRIBE, TurnTicket
from dispatcher.pipeline.asr import transcribe as transcribe_whole
from dispatcher.pipeline.asr_stream import transcribe_stream
from dispatcher.pipeline.stage import run_stage
from dispatcher.pipeline.worker_context import WorkerContext
from workers.celery import app


@app.task(name=TRANSCRIBE, bind=True, is_on_loop=True)
def transcribe(self: Task, payload: dict[str, Any]) -> dict[str, Any]:
    """Transcribe an utterance; the text goes to the front, and on to the LLM.

    Raises:
        Ignore: nothing was said, or nobody waits any more; the chain ends quietly.
    """
    ticket = TurnTicket.from_payload(payload)
    request = self.request
    stage = transcribe_stream if ticket.live else transcribe_whole

    async def work(context: WorkerContext) -> TurnTicket | None:
        following = await stage(context, ticket)
        if following and await follow(context.redis, request.chain or (), following, parent_id=request.id):
            request.chain = None
        return following

    following = run_stage("asr", ticket, work, sent_at_s=request.get("sent_at_s"))
    if following is None:
        raise Ignore
    return following.as_payload()
