"""Tools that the other server had, each with what does the same here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from dispatcher.ops.xiaozhi_import.legacy import Legacy, kind_of, text_of

_HOME_ASSISTANT: Final = (
    "plugins (Home Assistant): add its own integration Model Context Protocol Server there, "
    "and its address with a token under mcp_servers here (docs/tools.md)"
)
# By the beginning of a plugin's or function's name; the first that fits tells.
_REPLACED_BY: Final[Mapping[str, str]] = {
    "get_weather": "plugins (weather): an MCP server for weather under mcp_servers (docs/tools.md)",
    "get_news": "plugins (news): an MCP server for news or RSS under mcp_servers (docs/tools.md)",
    "hass_play_music": "plugins (music by Home Assistant): Home Assistant's MCP server has its media players",
    "home_assistant": _HOME_ASSISTANT,
    "hass_": _HOME_ASSISTANT,
    "play_music": "plugins (music): files are not played here; speakers of Home Assistant are, by its MCP",
    "change_role": "plugins (change_role): a persona for each device or group (docs/devices.md)",
    "search_from_ragflow": "plugins (knowledge base): an MCP server of RAGFlow under mcp_servers",
}
# What is there without a word: the clock, good-bye, and the device's own tools.
_BUILT_IN: Final = ("handle_exit_intent", "get_time", "get_lunar", "get_calendar", "handle_speaker", "exit")


def tool_lines(legacy: Legacy) -> Iterator[str]:
    """Yield a line for each tool that the other server offered its LLM."""
    names = [*legacy.section("plugins"), *_functions(legacy)]
    lines = dict.fromkeys(_line(str(name)) for name in names if not str(name).startswith(_BUILT_IN))
    yield from lines


def _functions(legacy: Legacy) -> list[str]:
    """Return the functions of the Intent in use."""
    chosen = text_of(legacy.section("selected_module").get("Intent"))
    if kind_of(legacy, "Intent") == "nointent":
        return []
    functions = legacy.section("Intent", chosen).get("functions")
    return [text_of(each) for each in functions if text_of(each)] if isinstance(functions, list) else []


def _line(name: str) -> str:
    known = next((words for beginning, words in _REPLACED_BY.items() if name.startswith(beginning)), None)
    return known or f"plugins ({name}): tools come by MCP servers here (docs/tools.md)"
