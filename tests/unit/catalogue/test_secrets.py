"""Keys as people leave them in variables: saved on Windows, copied with quotes, with their own "Bearer ".

Reports: NousResearch/hermes-agent PR #7146, OpenHands #485, ComfyUI Plush #152.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.model import AlertRules, Instance
from dispatcher.catalogue.secrets import plain_secret, read_secret, secret_problem
from dispatcher.settings import load_settings
from tests.unit.catalogue.files import ENDPOINT, CatalogueFile, file_with

KEY = "sk-0123abc.DEF_ghi-/+="


@pytest.mark.parametrize(
    "held",
    [
        f"{KEY}\r",
        f"{KEY}\r\n",
        f"  {KEY}\t\n",
        f'"{KEY}"',
        f"'{KEY}'\r\n",
        f'"{KEY}',
        f"“{KEY}”",
        f"Bearer {KEY}",
        f"bearer  {KEY}",
        f'"Bearer {KEY}"\r\n',
        f"Authorization: Bearer {KEY}",
        f"\ufeff{KEY}",
        f"\u200b{KEY}\u200d\u2060",
        f"sk-0123\u200babc{KEY.removeprefix('sk-0123abc')}",
        f"\u00a0{KEY}\u3000",
    ],
)
def test_a_key_with_what_an_editor_left_around_it_is_sent_as_it_was_meant(
    held: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", held)
    instance = Instance(
        service="llm", name="x", endpoint="http://a/v1", api_key_env="A_KEY", api_secret_env="A_KEY"
    )
    assert plain_secret(held).replace("\u200b", "") == KEY.replace("\u200b", "")
    assert (instance.api_key(), instance.api_secret()) == (KEY, KEY)
    assert McpServer(name="x", url="http://a", token_env="A_KEY").token() == KEY


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ("s3cret one", "which holds a blank inside"),
        ("s3cret\r\none", "which holds more than one line"),
        ("s3cret\tone", "which holds a control character"),
        ("s3cret\x1b[0m", "which holds a control character"),
        ("s3crét", "which holds a character that is no plain ASCII"),
        ("你的密钥s3cret", "which holds a character that is no plain ASCII"),
        ("s3cret\udcff", "which holds a character that is no plain ASCII"),
        ('""', "which is empty"),
        (" \r\n", "which is empty"),
        ("Bearer ", "which is empty"),
    ],
)
def test_a_key_that_no_header_can_carry_is_refused_at_start_by_its_name(
    catalogue_file: CatalogueFile, held: str, words: str
) -> None:
    (problem,) = catalogue_file.problems(file_with(f"{ENDPOINT}, api_key_env: EAR_KEY"), {"EAR_KEY": held})
    assert f"api_key_env: was 'EAR_KEY', {words}; expected a variable that holds the key" in problem
    assert "s3cr" not in problem


def test_a_bad_token_of_a_tool_server_and_a_bad_webhook_secret_are_named_too(
    catalogue_file: CatalogueFile,
) -> None:
    more = 'mcp_servers: {x: {url: "http://b", token_env: T}}\nalerts: {secret_env: S}'
    problems = catalogue_file.problems(file_with(more=more), {"T": "a b", "S": "a\x00b"})
    assert any("token_env: was 'T', which holds a blank inside" in each for each in problems)
    assert any("secret_env: was 'S', which holds a line end or a control" in each for each in problems)


def test_a_webhook_secret_may_be_a_sentence_and_loses_its_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", '"Bearer of 好 news"\r\n')
    assert AlertRules(secret_env="HOOK").secret() == "Bearer of 好 news"


def test_a_command_gets_its_variables_without_the_line_end_of_windows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME_TOKEN", "abc\r")
    assert McpServer(name="x", command="c", env_from=("HOME_TOKEN",)).environment() == {"HOME_TOKEN": "abc"}


def test_settings_of_a_file_saved_on_windows_are_read_as_they_were_meant() -> None:
    settings = load_settings({"REDIS_URL": "redis://:pw@127.0.0.1:6379/0\r", "FRONT_PORT": "8001\r"})
    assert (settings.redis_url, settings.front_port) == ("redis://:pw@127.0.0.1:6379/0", 8001)


@given(st.text(max_size=40))
def test_whatever_a_variable_holds_a_key_is_a_header_or_nothing(held: str) -> None:
    key = read_secret("K", {"K": held})
    assert key is None or (key.isascii() and key.isprintable() and " " not in key and key != "")
    assert (key is None) == bool(secret_problem(held))
