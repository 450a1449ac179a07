"""Queue `llm`: from the transcript to sentences, and prompts that are read ahead."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from celery import Task

from dispatcher.messages import PREFILL, RESPOND, TurnTicket
from dispatcher.pipeline import llm
from dispatcher.pipeline import prefill as prefill_stage
from dispatcher.pipeline.stage import run_stage
from dispatcher.pipeline.worker_context import WorkerContext
from workers.celery import app


@app.task(name=RESPOND, bind=True, is_on_loop=True)
def respond(self: Task, payload: dict[str, Any]) -> None:
    """Stream the reply to the ticket's text; sentences go to the front and to the TTS queue."""
    ticket = TurnTicket.from_payload(payload)
    sent_at_s = self.request.get("sent_at_s")

    def work(context: WorkerContext) -> Coroutine[Any, Any, None]:
        return llm.respond(context, ticket)

    run_stage("llm", ticket, work, is_thinking_allowed=True, sent_at_s=sent_at_s)


@app.task(name=PREFILL, is_on_loop=True)
def prefill(payload: dict[str, Any]) -> None:
    """Have an instance read the beginning of a device's next prompt."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("llm", ticket, lambda context: prefill_stage.prefill(context, ticket))
