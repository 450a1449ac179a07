"""Queue `tts`: from a sentence to packets."""

from __future__ import annotations

from typing import Any

from dispatcher.messages import SYNTHESIZE, Keep, TurnTicket
from dispatcher.pipeline import tts
from dispatcher.pipeline.stage import run_stage
from workers.celery import app


@app.task(name=SYNTHESIZE, is_on_loop=True)
def synthesize(payload: dict[str, Any], index: int, text: str, keep: Keep = "") -> None:
    """Speak sentence number `index` of a turn."""
    ticket = TurnTicket.from_payload(payload)
    run_stage("tts", ticket, lambda context: tts.speak(context, ticket, index, text, keep), index=index)
