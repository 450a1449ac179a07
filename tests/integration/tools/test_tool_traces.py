"""Calls of tools in the trace of their turn, at a collector of somebody else."""

from __future__ import annotations

import pytest

from tests.support.scripted_models import ScriptedModels, calls, says
from tests.support.services.otlp_collector import CollectedSpan, OtlpCollector
from tests.support.stack import Stack
from tests.support.tool_device import device_of
from tests.support.waiting import soon

CITY = "Timbuktu"


async def spans_of_turn(stack: Stack, collector: OtlpCollector, since: int) -> list[CollectedSpan]:
    """Return the trace of the one turn that was finished since, as soon as its tool is in it."""
    found: list[CollectedSpan] = []

    async def is_collected() -> bool:
        finished = stack.front.events("turn finished", since)
        found[:] = collector.of(finished[0]["turn"]) if finished else []
        return {"turn", "process llm"} <= {span.name for span in found} and any(map(tool_of, found))

    await soon(is_collected, what="the trace has the tool")
    return found


def tool_of(span: CollectedSpan) -> str:
    """Return the tool that a span is of, "" for another span."""
    is_tool = span.attributes.get("gen_ai.operation.name") == "execute_tool"
    return str(span.attributes["gen_ai.tool.name"]) if is_tool else ""


@pytest.mark.parametrize(("tool", "fails"), [("frog_forecast", False), ("frog_break_down", True)])
async def test_a_call_of_a_tool_server_is_a_span_between_the_calls_of_the_llm(
    tool_stack: Stack, models: ScriptedModels, collector: OtlpCollector, tool: str, *, fails: bool
) -> None:
    models.script += [calls((tool, {} if fails else {"city": CITY})), says("So it is.")]
    since = tool_stack.front.printed_bytes()
    async with tool_stack.front.device(f"traced-{tool}") as device:
        assert (await device.types("well?")).sentences == ("So it is.",)
    spans = await spans_of_turn(tool_stack, collector, since)
    (called,) = filter(tool_of, spans)
    names = {span.number: span.name for span in spans}
    assert (called.name, names[called.parent]) == (f"execute_tool {tool}", "process llm")
    assert (called.attributes["xiaozhi.tool.server"], called.is_error) == ("frog", fails)
    assert called.attributes["gen_ai.tool.call.id"]
    assert CITY.encode() not in b"".join(collector.bodies)


async def test_a_call_of_the_devices_own_tool_is_a_span_too(
    tool_stack: Stack, collector: OtlpCollector
) -> None:
    since = tool_stack.front.printed_bytes()
    async with device_of(tool_stack, "traced-board") as device:
        await device.types("set the volume to 30")
    assert device.board.volume == 30
    (called,) = filter(tool_of, await spans_of_turn(tool_stack, collector, since))
    assert called.attributes["xiaozhi.tool.server"] == "device"
    assert not called.is_error
