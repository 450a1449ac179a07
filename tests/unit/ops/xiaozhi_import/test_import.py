"""A configuration of the other server becomes one of ours that loads."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from dispatcher.catalogue import Catalogue, load_catalogue
from dispatcher.catalogue.dialects import DIALECTS
from dispatcher.ops.xiaozhi_import.legacy_config import Legacy
from dispatcher.ops.xiaozhi_import.module_table import Moved, NotMoved, move
from dispatcher.supervisor.plan import make_plan
from dispatcher.supervisor.procfile import read_procfile
from tests.support.processes import ROOT

HUOSHAN = {
    "type": "huoshan_double_stream",
    "ws_url": "wss://openspeech.bytedance.com/api/v3/tts/bidirection",
    "appid": 1,
    "access_token": "t",
    "resource_id": "volc.service_type.10029",
    "speaker": "v",
}
PROCFILE = ROOT / "Procfile"
Run = Callable[..., Result]


def made(tmp_path: Path) -> Catalogue:
    """Return the result as every start reads it, with the keys of the env file."""
    env_file = tmp_path / "o.env"
    names = [line.partition("=")[0] for line in env_file.read_text("utf-8").splitlines()]
    return load_catalogue(tmp_path / "o.yaml", dict.fromkeys(names, "k"))


def test_what_the_user_wrote_wins_and_the_result_loads(server: Path, run: Run, tmp_path: Path) -> None:
    result = run(server)
    assert result.exit_code == 0, result.output
    catalogue = made(tmp_path)
    llm, _ = catalogue.services["llm"].instances
    assert (llm.name, llm.model) == ("alillm", "qwen-turbo")
    assert llm.endpoint == "https://dashscope.aliyuncs.com/compatible-mode/v1"
    tts, _ = catalogue.services["tts"].instances
    assert (tts.provider, tts.endpoint, tts.voice) == (
        "openai_http",
        "http://127.0.0.1:8880/v1",
        "zf_xiaoxiao",
    )
    assert [each.name for each in catalogue.services["asr"].instances] == ["asr-1", "asr-2"]


def test_a_built_in_instance_stands_by_for_each_service_that_was_taken_over(
    server: Path, run: Run, tmp_path: Path
) -> None:
    output = run(server).output
    services = made(tmp_path).services
    found = {
        name: [(each.name, each.priority) for each in service.instances] for name, service in services.items()
    }
    assert found == {
        "asr": [("asr-1", "normal"), ("asr-2", "normal")],
        "llm": [("alillm", "normal"), ("llm-1", "standby")],
        "tts": [("custom", "normal"), ("tts-1", "standby")],
    }
    assert "standing by, built in, for when these are out: llm-1, tts-1\n" in output


def test_make_run_starts_the_built_in_instances_that_are_named_and_no_others(
    server: Path, run: Run, tmp_path: Path
) -> None:
    run(server)
    plan = make_plan(read_procfile(PROCFILE), catalogue=made(tmp_path), environ={})
    started = [part.name for part in plan.specs if part.role == "instance"]
    assert started == ["asr-1", "asr-2", "llm-1", "tts-1"]


def test_what_was_not_selected_is_told_in_one_line(server: Path, run: Run) -> None:
    line = "  not imported, because not selected: LLM ChatGLMLLM, LLM DifyLLM, TTS EdgeTTS\n"
    assert line in run(server).output


def test_a_module_that_is_called_like_one_of_ours_gets_another_name(
    server: Path, run: Run, tmp_path: Path
) -> None:
    own = 'selected_module: {LLM: llm-1}\nLLM: {llm-1: {type: openai, base_url: "http://a:1/v1"}}'
    (server / "data" / ".config.yaml").write_text(own, "utf-8")
    assert run(server).exit_code == 0
    assert [each.name for each in load_catalogue(tmp_path / "o.yaml").services["llm"].instances] == [
        "my-llm-1",
        "llm-1",
    ]


def test_the_dialogue_is_taken_over_word_by_word(server: Path, run: Run, tmp_path: Path) -> None:
    run(server)
    rules = made(tmp_path).conversation
    assert rules.system_prompt == '你是小智: "台湾腔"。\n  - 讲话像连珠炮\n\n绝不长篇大论\n'
    assert rules.wake_words == ("你好小智", "小爱同学")
    assert {"退出", "关闭", "再见"} <= set(rules.goodbyes or ())
    assert (rules.greeting, rules.endpoint_silence_ms, rules.memory.enabled) == ("我在呢，请说。", 900, True)


def test_a_key_is_in_the_env_file_of_its_owner_and_nowhere_else(
    server: Path, run: Run, tmp_path: Path
) -> None:
    result = run(server)
    env_file = tmp_path / "o.env"
    assert env_file.read_text("utf-8") == "LLM_ALILLM_API_KEY='sk-'\"'\"'quoted'\"'\"' $key'\n"
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    assert "quoted" not in (tmp_path / "o.yaml").read_text("utf-8") + result.output
    assert "LLM_ALILLM_API_KEY" in result.output


def test_what_stays_behind_is_told_with_its_reason(server: Path, run: Run) -> None:
    output = run(server).output
    for words in (
        "ASR FunASR: FunASR ran inside the other server",
        "plugins (weather",
        "end_prompt:",
        "Intent:",
        "FRONT_PORT=8003",
        "IDLE_TIMEOUT_S=120",
    ):
        assert words in output
    assert "auth_key" not in output


def test_a_file_with_the_websocket_port_alone_means_the_usual_port_of_ota(server: Path, run: Run) -> None:
    file = server / "config.yaml"
    file.write_text(file.read_text("utf-8").replace("http_port: 8003, ", ""), "utf-8")
    output = run(server).output
    assert "FRONT_PORT=8003 answers them there" in output
    assert "FRONT_PORT=8000" not in output


def test_a_module_that_has_no_place_here_is_replaced_and_named(server: Path, run: Run) -> None:
    (server / "data" / ".config.yaml").write_text("selected_module: {LLM: DifyLLM, TTS: Gone}", "utf-8")
    result = run(server)
    assert result.exit_code == 0, result.output
    assert "LLM DifyLLM: nothing here speaks to type dify" in result.output
    assert "TTS Gone: its section is missing" in result.output


def test_a_key_that_was_never_filled_in_is_named(server: Path, run: Run) -> None:
    (server / "data" / ".config.yaml").unlink()
    assert (
        "its key was never filled in; write it to LLM_CHATGLMLLM_API_KEY"
        in run(server / "config.yaml").output
    )


def test_nothing_is_written_over_unless_forced(server: Path, run: Run) -> None:
    assert run(server).exit_code == 0
    again = run(server)
    assert again.exit_code == 1
    assert "is there already" in again.output
    assert run(server, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not readable as YAML"),
        ("- a", "expected a mapping"),
        ("[" * 600, "too deep"),
        (None, "expected the folder"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, run: Run, text: str | None, words: str) -> None:
    file = tmp_path / "config.yaml"
    if text is not None:
        file.write_text(text, "utf-8")
    result = run(file)
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "o.yaml").exists()


@pytest.mark.parametrize(
    ("service", "module", "keys"),
    [
        ("asr", {"type": "fun_server", "host": "10.0.0.2", "port": 10096, "is_ssl": True}, ("funasr", "wss://10.0.0.2:10096")),
        ("llm", {"type": "ollama", "base_url": "http://localhost:11434", "model_name": "q"}, ("ollama", "http://localhost:11434")),
        ("tts", {"type": "edge", "voice": "v"}, ("edge_tts", "wss://speech.platform.bing.com")),
        ("tts", HUOSHAN, ("volcano", "wss://openspeech.bytedance.com/api/v1/tts/ws_binary")),
        ("tts", {"type": "xunfei_stream", "app_id": 1, "api_key": "k", "api_secret": "s"}, ("xfyun", "wss://tts-api.xfyun.cn/v2/tts")),
    ],
)  # fmt: skip
def test_a_service_is_taken_over_where_this_version_speaks_to_it(
    service: str, module: dict[str, object], keys: tuple[str, str]
) -> None:
    outcome = move(service, module)  # type: ignore[arg-type]
    provider, endpoint = keys
    if provider in DIALECTS:
        assert isinstance(outcome, Moved)
        assert (outcome.keys["provider"], outcome.keys["endpoint"]) == (provider, endpoint)
    else:
        assert outcome == NotMoved(reason=f"this version has no provider {provider}")


def test_odd_sections_count_as_missing() -> None:
    legacy = Legacy(files=(), data={"server": [1], "wakeup_words": [{"a": 1}, "", "小智"]})
    assert legacy.section("server", "auth") == {}
    assert legacy.texts("wakeup_words") == ["小智"]
