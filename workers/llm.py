"""Queue `llm`: from the transcript to sentences, and prompts that are read ahead."""

from __future__ import annotations

from typing import Any

from dispatcher.messages import PREFILL, RESPOND, TurnTicket
from dispatcher.pipeline import llm
from dispatcher.pipeline import prefill as prefill_stage
from dispatcher.pipeline.stage import run_stage
from workers.celery import app


@app.task(name=RESPOND, is_on_loop=True)
def respond(payload: dict[str, Any]) -> None:
    """Stream the reply to the ticket's text; sentences go to the front and to the TTS queue."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("llm", ticket, lambda context: llm.respond(context, ticket), is_thinking_allowed=True)


@app.task(name=PREFILL, is_on_loop=True)
def prefill(payload: dict[str, Any]) -> None:
    """Have an instance read the beginning of a device's next prompt."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("llm", ticket, lambda context: prefill_stage.prefill(context, ticket))
