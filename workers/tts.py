"""Queue `tts`: from a sentence to packets."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from celery import Task

from dispatcher.messages import SYNTHESIZE, Keep, TurnTicket
from dispatcher.pipeline import tts
from dispatcher.pipeline.stage import run_stage
from dispatcher.pipeline.worker_context import WorkerContext
from workers.celery import app


@app.task(name=SYNTHESIZE, bind=True, is_on_loop=True)
def synthesize(self: Task, payload: dict[str, Any], index: int, text: str, keep: Keep = "") -> None:
    """Speak sentence number `index` of a turn."""
    ticket = TurnTicket.from_payload(payload)
    due_at_s = self.request.get("due_at_s")

    def work(context: WorkerContext) -> Coroutine[Any, Any, None]:
        return tts.speak(context, ticket, index, text, keep, due_at_s=due_at_s)

    run_stage("tts", ticket, work, index=index, sent_at_s=self.request.get("sent_at_s"))
