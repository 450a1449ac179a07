"""Nothing that a home had set is lost without a word: options of modules, memory, greeting, tools, encodings.

The files are written as public homes have theirs: keys in headers, modules renamed, GBK from Notepad.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from dispatcher.catalogue import Catalogue, load_catalogue
from dispatcher.ops.xiaozhi_import.house_language import language_of

Run = Callable[..., Result]
KOKORO = """
selected_module: {TTS: KokoroTTS}
TTS:
  KokoroTTS:
    type: custom
    method: POST
    url: "http://nas.lan:8880/v1/audio/speech"
    params: {input: "{prompt_text}", response_format: mp3, voice: af_heart, lang_code: a, speed: 1.2}
    headers: {Authorization: Bearer sk-home-1, X-Room: kitchen}
    format: mp3
    output_dir: tmp/
"""
SOVITS = """
selected_module: {TTS: Mine}
TTS:
  Mine:
    type: custom
    url: https://tts.example.com/v1/audio/speech/
    params: '{"input": "{prompt_text}", "model": "tts-1", "voice": "nova", "speed": 1}'
    headers: '{"authorization": "sk-home-2", "Content-Type": "application/json"}'
    format: flac
"""


@pytest.fixture
def imported(server: Path, run: Run, tmp_path: Path) -> Callable[[str], tuple[Catalogue, str]]:
    """Import the server's folder with this file of the user's; return the result and what was told."""

    def take_over(own: str) -> tuple[Catalogue, str]:
        (server / "data" / ".config.yaml").write_text(own, "utf-8")
        result = run(server)
        assert result.exit_code == 0, result.output
        env_file = tmp_path / "o.env"
        lines = env_file.read_text("utf-8").splitlines() if env_file.exists() else []
        return load_catalogue(
            tmp_path / "o.yaml", dict.fromkeys([x.partition("=")[0] for x in lines], "k")
        ), result.output

    return take_over


Imported = Callable[[str], tuple[Catalogue, str]]


def test_a_custom_voice_keeps_its_key_format_and_parameters(imported: Imported, tmp_path: Path) -> None:
    catalogue, told = imported(KOKORO)
    voice, _ = catalogue.services["tts"].instances
    assert (voice.endpoint, voice.voice, voice.format) == ("http://nas.lan:8880/v1", "af_heart", "mp3")
    assert voice.extra_body == {"lang_code": "a", "speed": 1.2}
    assert (tmp_path / "o.env").read_text("utf-8").endswith("TTS_KOKOROTTS_API_KEY=sk-home-1\n")
    assert "not taken over: TTS KokoroTTS: headers.x-room" in told
    assert "sk-home-1" not in told


def test_a_custom_voice_whose_parameters_are_json_keeps_its_key_too(
    imported: Imported, tmp_path: Path
) -> None:
    catalogue, told = imported(SOVITS)
    voice, _ = catalogue.services["tts"].instances
    assert (voice.model, voice.voice, voice.format, voice.extra_body) == ("tts-1", "nova", None, {})
    assert "sk-home-2" in (tmp_path / "o.env").read_text("utf-8")
    assert "TTS Mine: format" in told


@pytest.mark.parametrize(
    ("own", "enabled"),
    [
        ("selected_module: {Memory: noMem}\nMemory: {noMem: {type: nomem}}", False),
        ("selected_module: {Memory: Keine}\nMemory: {Keine: {type: nomem}}", False),
        ("selected_module: {Memory: NOMEM}", False),
        ("selected_module: {Memory: Ours}\nMemory: {Ours: {type: mem_local_short, llm: X}}", True),
        ("selected_module: {Memory: nomem}\nMemory: {nomem: {type: mem0ai, api_key: k}}", True),
    ],
)
def test_memory_goes_by_the_type_of_its_module_never_by_its_name(
    imported: Imported, own: str, *, enabled: bool
) -> None:
    catalogue, _ = imported(own)
    assert catalogue.conversation.memory.enabled is enabled


@pytest.mark.parametrize(
    ("own", "told_of"),
    [
        (
            "selected_module: {Intent: noIntent}\nIntent: {noIntent: {type: nointent, functions: [x]}}",
            False,
        ),
        ("selected_module: {Intent: Aus}\nIntent: {Aus: {type: nointent}}", False),
        ("selected_module: {Intent: nointent}\nIntent: {nointent: {type: function_call}}", True),
    ],
)
def test_intent_goes_by_the_type_of_its_module(imported: Imported, own: str, *, told_of: bool) -> None:
    _, told = imported(own)
    assert ("Intent:" in told) is told_of
    assert "plugins (x)" not in told


OPENAI_VOICE = "{type: openai, api_url: 'https://a/v1/audio/speech', speed: 1.5, format: wav, gain: 3}"
SILICONFLOW_VOICE = """{type: siliconflow, access_token: k, voice: v, response_format: wav, speed: 1,
  sample_rate: 8000}"""
DOUBAO_VOICE = """{type: doubao, api_url: "https://openspeech.bytedance.com/api/v1/tts", voice: v, appid: 1,
  access_token: k, cluster: c, speed_ratio: 1.2, volume_ratio: 1.0}"""
ENGLISH = """
enable_greeting: true
selected_module: {TTS: EdgeTTS}
TTS: {EdgeTTS: {type: edge, voice: en-US-AriaNeural}}
"""
ENGLISH_PROMPT = """
enable_greeting: true
selected_module: {TTS: Custom}
prompt: You are the assistant of a family. Be short, and do not use lists.
"""
JAPANESE = """
enable_greeting: true
selected_module: {TTS: EdgeTTS}
TTS: {EdgeTTS: {type: edge, voice: ja-JP-NanamiNeural}}
prompt: あなたは家のアシスタントです。
"""
GERMAN = """
enable_greeting: true
prompt: Du bist der Assistent einer Familie. Antworte kurz und freundlich.
"""


@pytest.mark.parametrize(
    ("own", "greeting"),
    [
        (ENGLISH, "I'm here, go ahead."),
        (ENGLISH_PROMPT, "I'm here, go ahead."),
        (JAPANESE, ""),
        (GERMAN, ""),
        ("enable_greeting: true\nprompt: You are a friend. Answer in Chinese.", "我在呢，请说。"),
        ("enable_greeting: true", "我在呢，请说。"),
        ("enable_greeting: false", ""),
    ],
)
def test_a_house_is_greeted_in_its_own_language_or_told_to_write_its_greeting(
    imported: Imported, own: str, greeting: str
) -> None:
    catalogue, told = imported(own)
    assert catalogue.conversation.greeting == greeting
    assert ("write a greeting" in told) is (not greeting and "true" in own)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("你是小智", "zh"),
        ("You are the cook", "en"),
        ("난 친구", "ko"),
        ("はい", "ja"),
        ("Tu es un ami", "unknown"),
        ("", ""),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert language_of(text) == language


def test_sampling_of_an_llm_is_taken_over_and_what_has_no_place_is_told(imported: Imported) -> None:
    own = """
selected_module: {LLM: AliLLM}
LLM:
  AliLLM: {api_key: sk-1, temperature: 0.3, max_tokens: "200", top_p: 0.8, top_k: 50, frequency_penalty: 0.5,
    extra_body: {enable_search: true}, enable_thinking: false, timeout: 9}
"""
    catalogue, told = imported(own)
    llm, _ = catalogue.services["llm"].instances
    assert (llm.temperature, llm.max_tokens, llm.thinking) == (0.3, 200, "off")
    assert llm.extra_body == {"top_p": 0.8, "frequency_penalty": 0.5, "enable_search": True}
    assert "not taken over: LLM AliLLM: top_k, timeout:" in told


def test_sampling_of_an_ollama_model_stands_where_ollama_reads_it(imported: Imported) -> None:
    own = """
selected_module: {LLM: O}
LLM: {O: {type: ollama, base_url: "http://nas", model_name: q, top_p: 0.8, temperature: 3, num_gpu: 1}}
"""
    catalogue, told = imported(own)
    llm, _ = catalogue.services["llm"].instances
    assert (llm.model, llm.temperature) == ("q", None)
    assert llm.extra_body == {"options": {"top_p": 0.8}}
    assert "not taken over: LLM O: temperature, num_gpu:" in told


@pytest.mark.parametrize(
    ("module", "speech_format", "body", "lost"),
    [
        (OPENAI_VOICE, "wav", {"speed": 1.5}, "gain"),
        (SILICONFLOW_VOICE, "wav", {}, "sample_rate"),
        ("{type: edge, voice: en-US-AriaNeural, rate: +20%, volume: +0%}", None, {}, "rate"),
        (DOUBAO_VOICE, None, {}, "speed_ratio"),
    ],
)
def test_speed_and_format_of_a_voice_are_taken_over_or_told(
    imported: Imported, module: str, speech_format: str | None, body: dict[str, float], lost: str
) -> None:
    catalogue, told = imported(f"selected_module: {{TTS: V}}\nTTS: {{V: {module}}}")
    voice, _ = catalogue.services["tts"].instances
    assert (voice.format, voice.extra_body) == (speech_format, body)
    assert f"not taken over: TTS V: {lost}: its instance here" in told


@pytest.mark.parametrize(
    ("encoding", "bom"),
    [("gbk", b""), ("gb18030", b""), ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE),
     ("utf-16-le", b""), ("utf-16-be", b""), ("utf-8", codecs.BOM_UTF8)],
)  # fmt: skip
def test_a_file_of_another_encoding_is_read_with_its_words(
    server: Path, run: Run, tmp_path: Path, encoding: str, bom: bytes
) -> None:
    prompt = "你是“小智”：家里的助手，说话要简短。"
    text = f"prompt: {prompt}\nselected_module: {{Memory: nomem}}\n"
    (server / "data" / ".config.yaml").write_bytes(bom + text.encode(encoding))
    result = run(server)
    assert result.exit_code == 0, result.output
    assert (
        load_catalogue(
            tmp_path / "o.yaml", {"LLM_CHATGLMLLM_API_KEY": "k"}
        ).conversation.system_prompt.strip()
        == prompt
    )
    assert ("look whether its words are right" in result.output) is (encoding != "utf-8")


@pytest.mark.parametrize("raw", [b"prompt: \xff\xff\xff\xff", b"a: \x80\x80\xff"])
def test_a_file_that_is_no_text_ends_in_a_sentence(server: Path, run: Run, raw: bytes) -> None:
    (server / "data" / ".config.yaml").write_bytes(raw)
    result = run(server)
    assert result.exit_code == 2
    assert "save it as UTF-8" in result.output
    assert "codec" not in result.output


def test_tools_that_the_other_server_had_are_named_with_what_replaces_them(imported: Imported) -> None:
    own = """
selected_module: {Intent: function_call}
Intent: {function_call: {type: function_call,
  functions: [change_role, get_news_from_newsnow, hass_get_state, play_music, roll_dice]}}
"""
    _, told = imported(own)
    for tool in ("weather", "news", "Home Assistant", "music", "change_role", "roll_dice"):
        assert f"not taken over: plugins ({tool}): " in told
    assert "Model Context Protocol Server" in told


def test_what_a_section_says_beside_the_modules_is_told(imported: Imported) -> None:
    own = "server: {websocket: wss://home.example/xiaozhi/v1/}\ntts_timeout: 20\nenable_stop_tts_notify: true"
    _, told = imported(own)
    for words in ("FRONT_PUBLIC_URL", "tts_timeout", "enable_stop_tts_notify"):
        assert words in told
