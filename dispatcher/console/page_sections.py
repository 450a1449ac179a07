"""Sections of the page: what each reads of the shared state, as JSON.

A new section is a reader here with a line of `SECTIONS`. In `static/` it is a module with `NEEDS` and
`render`, a line of `SECTIONS` in `app.js`, texts in both languages, an element in `index.html`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from dispatcher.console.action_log import read_actions
from dispatcher.console.live_feed import FeedSources, PageSection
from dispatcher.console.persona_editor import FORM_KEYS, form_of
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.control import tuner_store
from dispatcher.control.overload_status import overload_of
from dispatcher.devices import registry
from dispatcher.devices.device_tables import as_json
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import decisions, instance_table
from dispatcher.routing.budget_views import read_budgets
from dispatcher.telemetry import turn_log
from dispatcher.telemetry.front_presence import read_connected
from dispatcher.telemetry.status_fields import budget_fields, status_fields

DEVICES_SHOWN: Final = 100
DECISIONS_READ: Final = 120
EXPERIMENTS_SHOWN: Final = 30


async def read_status(_: FeedSources, snapshot: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return instances and KPIs, in the very fields of `dispatcher status --json`."""
    return status_fields(snapshot.overview, snapshot.kpis, snapshot.phrases, speculation=snapshot.speculation)


async def read_queues(sources: FeedSources, snapshot: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return depth, age, waits and consumers of each queue, and the overload; None is unknown."""
    slot_waits, queue_waits = sources.turns.wait_p95_ms(), sources.events.queue_wait_p95_ms()
    rows = [
        {
            "queue": canary.queue,
            "depth": snapshot.overview.queues.get(canary.queue, 0),
            "oldest_age_s": snapshot.oldest_age_s.get(canary.queue),
            "queue_wait_ms": canary.delay_ms,
            "queue_wait_p95_ms": queue_waits.get(canary.queue),
            "slot_wait_p95_ms": slot_waits.get(canary.queue),
            "workers": snapshot.workers.get(canary.queue, 0),
            "pool": snapshot.pools.get(canary.queue, 0),
            "is_consumed": canary.is_consumed,
            "dropped": snapshot.overview.dropped.get(canary.queue, 0),
        }
        for canary in snapshot.canaries
    ]
    return {
        "queues": rows,
        "redis_memory": asdict(snapshot.memory),
        "records_backlog": snapshot.records.backlog if snapshot.records else 0,
        "overload": asdict(overload_of(snapshot.fronts, snapshot.overload_pin)),
    }


async def read_turns(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last turns, newest first."""
    return {"turns": sources.turns.newest()}


async def read_events(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the events of the fleet since the console started, newest first."""
    return {"events": sources.events.newest()}


async def read_devices(sources: FeedSources, snapshot: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the devices as `dispatcher devices list --json` has them, the connected ones first, by name.

    Without the activation code, which would let the device in.
    """
    found, connected = await asyncio.gather(
        registry.read_all(sources.redis, most=DEVICES_SHOWN), read_connected(sources.redis)
    )
    late = sources.turns.late_frames()
    rows = [
        {**as_json(device, connected.get(device.device_id)), "gaps": late.get(device.device_id, 0)}
        for device in found
    ]
    for row in rows:
        del row["code"]
    rows.sort(key=_place)
    return {
        "devices": rows,
        "connected": sum(front.devices for front in snapshot.fronts.values()),
        "busy": sum(front.busy for front in snapshot.fronts.values()),
    }


def _place(row: Mapping[str, Any]) -> tuple[bool, bool, str]:
    """Return where a device stands, which stays as it talks: a row that moves is missed by a click."""
    return not row["connected"], not row["first_seen_ms"], (row["name"] or row["device_id"]).casefold()


async def read_personas(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the default, whose name is empty, and each persona, with what is edited of it; no prompts."""
    active = await instance_table.read_active(sources.redis)
    if active is None:
        return {"personas": []}
    rules = active.catalogue.conversation
    rows = []
    for persona in ("", *rules.persona_names):
        form, edit = form_of(rules, persona), rules.edited.get(persona)
        del form["system_prompt"]
        edited = [key for field, key in FORM_KEYS.items() if getattr(edit, field, None) not in (None, {})]
        rows.append({"persona": persona, **form, "edited": edited})
    return {"personas": rows}


async def read_tuner(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the tuner's last experiments, newest first, with evidence and verdict."""
    experiments, state = await asyncio.gather(
        tuner_store.read_log(sources.redis, count=DECISIONS_READ), tuner_store.load(sources.redis)
    )
    rows = [
        {
            "number": each.first.number,
            "at_s": each.first.at_s,
            "cause": each.first.cause,
            "evidence": each.first.evidence,
            "action": each.first.action.in_words(),
            "why": each.first.why,
            "event": each.latest.event,
            "verdict": each.latest.verdict,
            "is_active": state.find(each.first.number) is not None,
        }
        for each in experiments[: -EXPERIMENTS_SHOWN - 1 : -1]
    ]
    return {"experiments": rows}


async def read_operator_actions(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last actions of operators, newest first: who did what, when, and why."""
    return {"actions": await read_actions(sources.redis)}


async def read_alerts(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the last begins and ends of alerts, newest first; None where the records cannot be read."""
    return {"changes": await sources.records.known_alerts()}


async def read_spent_budgets(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return what is spent of each budget, in the fields of `dispatcher status --json`."""
    return {"budgets": budget_fields(await read_budgets(sources.redis))}


SECTIONS: Final = (
    PageSection(name="status", read=read_status),
    PageSection(name="queues", read=read_queues),
    PageSection(name="turns", read=read_turns),
    PageSection(name="events", read=read_events),
    PageSection(name="devices", read=read_devices, period_s=2),
    PageSection(name="personas", read=read_personas, period_s=2),
    PageSection(name="tuner", read=read_tuner, period_s=2),
    PageSection(name="actions", read=read_operator_actions),
    PageSection(name="alerts", read=read_alerts, period_s=5),
    PageSection(name="budgets", read=read_spent_budgets, period_s=2),
)


async def explain(redis: RedisClient, turn_id: str) -> Mapping[str, Any]:
    """Return each call of a turn, as `dispatcher why` has them, and its words where the catalogue shows them.

    Raises:
        UnknownName: none is kept of it.
        StateError: Redis is out of reach.
    """
    found = await decisions.of_turn(redis, turn_id)
    end = await turn_log.read_end(redis, found[0].turn_id)
    # Those that were kept before it was switched off are shown no more.
    if end is not None and (end.said or end.answered) and not await _shows_words(redis):
        end = replace(end, said="", answered="")
    calls = [{**asdict(decision), "is_probe": decision.is_probe} for decision in found]
    return {"turn": found[0].turn_id, "calls": calls, "end": None if end is None else asdict(end)}


async def _shows_words(redis: RedisClient) -> bool:
    active = await instance_table.read_active(redis)
    return active is not None and active.catalogue.console.transcripts
