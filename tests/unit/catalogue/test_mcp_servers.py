"""`mcp_servers:` in the YAML: what it says, and what is told of mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.errors import ConfigError

SERVICES = """
load_balancing:
  api_gateway:
    asr_services: {instances: [{endpoint: "http://localhost:1"}]}
    llm_services: {instances: [{endpoint: "http://localhost:2"}]}
    tts_services: {instances: [{endpoint: "http://localhost:3"}]}
"""
ENVIRON = {"NOTES_DIR": "x", "HOME_TOKEN": "hunter2"}


def load(folder: Path, servers: str) -> tuple[McpServer, ...]:
    path = folder / "with-tools.yaml"
    path.write_text(f"{SERVICES}mcp_servers:{servers}", encoding="utf-8")
    return load_catalogue(path, ENVIRON).mcp_servers


def test_both_kinds_of_server_are_read_in_the_files_order(tmp_path: Path) -> None:
    servers = load(
        tmp_path,
        """
  notes: {command: uvx, args: [mcp-notes, --all], env_from: [NOTES_DIR]}
  home: {url: "https://home.example/mcp", token_env: HOME_TOKEN, allow: [light_on]}
""",
    )
    assert servers == (
        McpServer(name="notes", command="uvx", args=("mcp-notes", "--all"), env_from=("NOTES_DIR",)),
        McpServer(name="home", url="https://home.example/mcp", token_env="HOME_TOKEN", allow=("light_on",)),
    )


def test_no_section_and_an_empty_one_are_no_servers(tmp_path: Path) -> None:
    assert load(tmp_path, "") == load(tmp_path, " {}") == ()


def test_servers_are_published_by_names_of_variables_only(tmp_path: Path) -> None:
    path = tmp_path / "with-tools.yaml"
    path.write_text(f'{SERVICES}mcp_servers: {{h: {{url: "http://h/mcp", token_env: HOME_TOKEN}}}}', "utf-8")
    catalogue = load_catalogue(path, ENVIRON)
    assert decode(encode(catalogue)) == catalogue
    assert "hunter2" not in encode(catalogue)


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("{}", "mcp_servers.x: was a mapping; expected either a command or a url"),
        ('{command: a, url: "http://b"}', "mcp_servers.x: was a mapping; expected either a command or a url"),
        ('{url: "http://b", args: [c]}', "expected args and env_from beside a command, not beside a url"),
        ("{command: a, token_env: HOME_TOKEN}", "expected token_env beside a url; a command takes env_from"),
        ('{url: "ftp://b"}', "mcp_servers.x.url: was 'ftp://b'; expected a URL that starts with http://"),
        ("{command: a, env_from: [NOT_SET]}", "mcp_servers.x.env_from[0]: was 'NOT_SET', which is not set"),
        ('{url: "http://b", token_env: NOT_SET}', "mcp_servers.x.token_env: was 'NOT_SET', which is not set"),
        (
            "{command: a, env_from: [sk-123]}",
            "mcp_servers.x.env_from[0]: was something else; expected the name",
        ),
        ("{comand: a}", "mcp_servers.x.comand: unknown key; did you mean command?"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, server: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, f" {{x: {server}}}")
    assert told in str(refused.value)
    assert "sk-123" not in str(refused.value)
