"""Conversation of the other server in our keys, and what has no counterpart here, with its replacement."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from dispatcher.dialogue.goodbye import GOODBYES
from dispatcher.ops.xiaozhi_import.house_language import greeting_lines
from dispatcher.ops.xiaozhi_import.legacy_config import Legacy, is_placeholder, kind_of, text_of
from dispatcher.ops.xiaozhi_import.module_options import says_something

# Types of memory that keep nothing of a dialogue for the next one.
_WITHOUT_MEMORY: Final = frozenset({"", "nomem", "mem_report_only"})
OTHER_OTA_PORT: Final = "8003"  # where the other server answers OTA unless `http_port` says otherwise
_SILENCE_MS: Final = range(300, 3001)
_ZONE_HOURS: Final = range(-12, 15)
_ZONE_NAMES: Final = {8: "Asia/Shanghai", 9: "Asia/Tokyo", 0: "Etc/UTC"}
# Modules of theirs that have no counterpart, and what to do instead.
_STAYS: Final[Mapping[str, str]] = {
    "mcp_endpoint": "mcp_endpoint: name the server under mcp_servers",
    "voiceprint": "voiceprint: speakers are not told apart",
    "VLLM": "VLLM: pictures are not looked at",
    "end_prompt": "end_prompt: the assistant's own answer to a good-bye is the last word",
    "enable_stop_tts_notify": "enable_stop_tts_notify: no sound tells that an answer is over",
    "tts_timeout": "tts_timeout: a turn has deadlines of its own",
    "context_providers": "context_providers: name MCP servers under mcp_servers",
}
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


def conversation_lines(legacy: Legacy, taken: list[str], left: list[str]) -> Iterator[str]:
    """Yield the lines of `conversation:`, and note what was taken and what could not be."""
    yield "conversation:"
    prompt = text_of(legacy.data.get("prompt"))
    if prompt:
        taken.append("prompt as conversation.system_prompt")
        yield "  system_prompt: " + _block(prompt)
    words = legacy.texts("wakeup_words")
    if words:
        taken.append(f"{len(words)} wakeup_words as wake_words")
        yield "  wake_words:"
        yield from (f"    - {quoted(word)}" for word in words)
    yield from greeting_lines(legacy, taken, left)
    commands = legacy.texts("exit_commands")
    if commands:
        taken.append(f"{len(commands)} exit_commands as goodbye")
        yield "  goodbye:"
        yield from (f"    - {quoted(word)}" for word in dict.fromkeys([*commands, *GOODBYES]))
    yield from _silence(legacy, taken)
    if kind_of(legacy, "Memory") not in _WITHOUT_MEMORY:
        taken.append("Memory as conversation.memory, kept in your own database")
        yield "  memory: {enabled: true}"
    yield from _timezone(legacy, taken)
    yield "  history_tokens: 2000"


def left_behind(legacy: Legacy) -> Iterator[str]:
    """Yield what was not taken over, a line each, with the reason."""
    if text_of(legacy.section("manager-api").get("url")):
        yield "manager-api: what was set in its web console is not in these files; enter it here by hand"
    yield from _tool_lines(legacy)
    yield from (words for name, words in _STAYS.items() if says_something(name, legacy.data.get(name)))
    if kind_of(legacy, "Memory") == "mem0ai":
        yield "Memory mem0ai: what its own service remembers stays there"
    if kind_of(legacy, "Intent") not in {"", "nointent"}:
        yield "Intent: the LLM calls the tools of the device by itself; functions of the other server stay"
    if "{{" in text_of(legacy.data.get("prompt")):
        yield "prompt: what stands in {{ }} was filled in by the other server; take it out"
    yield from _access(legacy)
    seconds = text_of(legacy.data.get("close_connection_no_voice_time"))
    if seconds.isdecimal() and int(seconds):
        yield f"close_connection_no_voice_time: set IDLE_TIMEOUT_S={seconds} in the environment"


def _tool_lines(legacy: Legacy) -> Iterator[str]:
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


def _access(legacy: Legacy) -> Iterator[str]:
    server = legacy.section("server")
    auth = legacy.section("server", "auth")
    if auth.get("enabled"):
        yield "server.auth: OTA gives each device a token of its own here (docs/devices.md); old tokens stay"
    if not is_placeholder(text_of(server.get("auth_key"))):
        yield "server.auth_key: tokens are signed with a key that is made at the first start (var/auth.key)"
    port = text_of(server.get("http_port")) or (OTHER_OTA_PORT if server else "")
    if (public := text_of(server.get("websocket"))) and not is_placeholder(public):
        yield "server.websocket: devices get the address that they asked; FRONT_PUBLIC_URL names another one"
    if port.isdecimal():
        yield f"server: devices ask port {port} for OTA; FRONT_PORT={port} answers them there, unchanged"


def _silence(legacy: Legacy, taken: list[str]) -> Iterator[str]:
    vad = text_of(legacy.section("selected_module").get("VAD"))
    silence: Any = legacy.section("VAD", vad).get("min_silence_duration_ms")
    if isinstance(silence, int) and silence in _SILENCE_MS:
        taken.append("min_silence_duration_ms as endpoint_silence_ms")
        yield f"  endpoint_silence_ms: {silence}"


def _timezone(legacy: Legacy, taken: list[str]) -> Iterator[str]:
    """Yield the zone of an offset in hours; China's by its name, others by their offset."""
    offset = legacy.section("server").get("timezone_offset")
    try:
        hours = float(text_of(offset))
    except ValueError:
        return
    if hours not in _ZONE_HOURS:
        return
    taken.append("server.timezone_offset as conversation.timezone")
    # POSIX counts the other way round: Etc/GMT-9 is nine hours ahead.
    name = _ZONE_NAMES.get(int(hours)) or f"Etc/GMT{-int(hours):+d}"
    yield f"  timezone: {name}"


def quoted(value: Any) -> str:
    """Return a value as YAML takes it anywhere: JSON is YAML."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _block(text: str) -> str:
    """Return a text of several lines as a block; one with odd signs in quotes."""
    lines = text.splitlines()
    if not all(line.isprintable() for line in lines) or not lines:
        return quoted(text)
    # The number tells where the text begins, should its first line be indented.
    return "|2\n" + "\n".join(f"    {line}".rstrip() for line in lines)
