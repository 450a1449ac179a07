"""Refusals that take tools from an instance for a day, and those that only speak of tools."""

from __future__ import annotations

import pytest

from dispatcher.pipeline.tool_chat import refuses_tools


@pytest.mark.parametrize(
    "said",
    [
        "library/gemma:2b does not support tools",
        "tools param requires --jinja flag",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "No endpoints found that support tool use",
        "Unrecognized request argument supplied: tools",
        '{"detail":[{"loc":["body","tools"],"msg":"extra fields not permitted"}]}',
        "Function calling is not supported by this model",
        "tools is not supported in this model",
    ],
)
def test_a_refusal_of_tools_as_such_is_learned(said: str) -> None:
    assert refuses_tools(said)


@pytest.mark.parametrize(
    "said",
    [
        "The reasoning_content in the thinking mode must be passed back with tool calls",
        "Function call is missing a thought_signature in functionCall parts; unsupported",
        "Invalid schema for function 'light_on': unknown type in tools",
        "tools[3].function.name: unsupported characters",
        "messages with role 'tool' must be a response to a preceding message; unknown tool_call_id",
        "tools: too many, at most 128",
        "context length exceeded by tools",
    ],
)
def test_a_refusal_that_speaks_of_tools_is_not(said: str) -> None:
    assert not refuses_tools(said)
