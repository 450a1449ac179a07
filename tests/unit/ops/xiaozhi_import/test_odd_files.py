"""Odd files of the other server, none of which ends in a trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from dispatcher.catalogue import Catalogue, load_catalogue
from dispatcher.ops.xiaozhi_import.legacy_config import Legacy
from dispatcher.ops.xiaozhi_import.module_table import NotMoved, move

Run = Callable[..., Result]


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ({"ws_url": "wss://bytedance.gizwitsapi.com/api/v3/tts/bidirection"}, "reseller"),
        ({"ws_url": "wss://openspeech.bytedance.com/x", "resource_id": "seed-tts-2.0"}, "seed-tts-2.0"),
    ],
)
def test_a_voice_that_only_version_3_of_volcano_has_is_not_taken_over(
    module: dict[str, object], words: str
) -> None:
    outcome = move("tts", {"type": "huoshan_double_stream", **module})
    assert isinstance(outcome, NotMoved)
    assert words in outcome.reason


def test_a_number_among_the_words_is_a_word() -> None:
    legacy = Legacy(files=(), data={"exit_commands": ["退出", 88, True, None]})
    assert legacy.texts("exit_commands") == ["退出", "88"]


def test_a_name_of_several_lines_breaks_neither_the_file_nor_the_screen(
    server: Path, run: Run, tmp_path: Path
) -> None:
    name = r'"a\nconversation: [\e[2J"'
    own = f'selected_module: {{LLM: {name}}}\nLLM: {{{name}: {{type: "x\\n- ["}}}}'
    (server / "data" / ".config.yaml").write_text(own, "utf-8")
    result = run(server)
    assert result.exit_code == 0, result.output
    assert "LLM a conversation: [ [2J: nothing here speaks to type x - [" in result.output
    assert made_without_keys(tmp_path).services["llm"].instances[0].name == "llm-1"


def made_without_keys(tmp_path: Path) -> Catalogue:
    """Return the result of an import that found no key."""
    return load_catalogue(tmp_path / "o.yaml", {})


def test_a_service_that_wants_no_key_gets_none(server: Path, run: Run, tmp_path: Path) -> None:
    own = 'selected_module: {LLM: LM}\nLLM: {LM: {type: openai, url: "http://a:1/v1", api_key: lm-studio}}'
    (server / "data" / ".config.yaml").write_text(own, "utf-8")
    output = run(server).output
    assert "never filled in" not in output
    assert made_without_keys(tmp_path).services["llm"].instances[0].api_key_env is None


def test_a_server_with_a_certificate_of_its_own_is_told_of(server: Path, run: Run) -> None:
    own = "selected_module: {ASR: F}\nASR: {F: {type: fun_server, host: 10.0.0.2, port: 10096, is_ssl: true}}"
    (server / "data" / ".config.yaml").write_text(own, "utf-8")
    assert "ASR F as funasr (its certificate has to be one that this host trusts" in run(server).output


def test_a_result_that_is_refused_says_where_to_mend_it(server: Path, run: Run) -> None:
    own = 'selected_module: {LLM: L}\nLLM: {L: {type: openai, url: "gopher://a", api_key: k}}'
    (server / "data" / ".config.yaml").write_text(own, "utf-8")
    result = run(server)
    assert result.exit_code == 2
    assert "endpoint: was 'gopher://a'; expected a URL" in result.output
    assert f"mend it there, or mend {server} and import again with --force" in result.output


def test_what_is_to_be_typed_is_never_taken_from_the_file_unless_it_is_a_number(
    server: Path, run: Run
) -> None:
    own = 'server: {http_port: "1; x"}\nclose_connection_no_voice_time: "120; rm"'
    (server / "data" / ".config.yaml").write_text(own, "utf-8")
    output = run(server).output
    assert "FRONT_PORT" not in output
    assert "IDLE_TIMEOUT_S" not in output
