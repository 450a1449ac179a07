"""Sections of the page, a module each: what it reads of the shared state, as JSON.

A new section is a module here with a `read` and a line of `SECTIONS`. In `static/` it is a module with
`NEEDS` and `render`, a line of `SECTIONS` in `app.js`, texts in both languages, an element in `index.html`.
"""

from __future__ import annotations

from typing import Final

from dispatcher.console.live_feed import PageSection
from dispatcher.console.sections import (
    actions,
    alerts,
    devices,
    events,
    personas,
    queues,
    status,
    tuner,
    turns,
)

SECTIONS: Final = (
    PageSection(name="status", read=status.read),
    PageSection(name="queues", read=queues.read),
    PageSection(name="turns", read=turns.read),
    PageSection(name="events", read=events.read),
    PageSection(name="devices", read=devices.read, period_s=2),
    PageSection(name="personas", read=personas.read, period_s=2),
    PageSection(name="tuner", read=tuner.read, period_s=2),
    PageSection(name="actions", read=actions.read),
    PageSection(name="alerts", read=alerts.read, period_s=5),
)
