"""The folder of the other server, and the command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dispatcher.cli import main

BASE = """
server: {ip: 0.0.0.0, port: 8000, http_port: 8003, auth_key: 你的密钥, auth: {enabled: false}}
close_connection_no_voice_time: 120
enable_greeting: true
exit_commands: ["退出", "关闭"]
wakeup_words: ["你好小智", "小爱同学"]
prompt: |
  你是小智: "台湾腔"。
    - 讲话像连珠炮

  绝不长篇大论
end_prompt: {enable: true, prompt: x}
plugins: {get_weather: {api_key: abc}}
selected_module:
  {VAD: SileroVAD, ASR: FunASR, LLM: ChatGLMLLM, TTS: EdgeTTS, Memory: nomem, Intent: function_call}
VAD: {SileroVAD: {type: silero, min_silence_duration_ms: 200}}
ASR: {FunASR: {type: fun_local, model_dir: models/SenseVoiceSmall}}
LLM:
  ChatGLMLLM:
    {type: openai, model_name: glm-4, url: "https://open.bigmodel.cn/api/paas/v4/", api_key: 你的key}
  AliLLM:
    type: openai
    base_url: https://dashscope.aliyuncs.com/compatible-mode/v1
    model_name: qwen-turbo
    api_key: 你的 key
  DifyLLM: {type: dify, base_url: "https://api.dify.ai/v1", api_key: x, mode: chat-messages}
TTS:
  EdgeTTS: {type: edge, voice: zh-CN-XiaoxiaoNeural, output_dir: tmp/}
  Custom:
    type: custom
    url: "http://127.0.0.1:8880/v1/audio/speech"
    params: {input: "{prompt_text}", voice: zf_xiaoxiao}
"""
OWN = """
selected_module: {LLM: AliLLM, TTS: Custom, Memory: mem_local_short}
LLM: {AliLLM: {api_key: "sk-'quoted' $key"}}
VAD: {SileroVAD: {min_silence_duration_ms: 900}}
"""
Run = Callable[..., Result]


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The folder of the other server."""
    folder = tmp_path / "xiaozhi-server"
    (folder / "data").mkdir(parents=True)
    (folder / "config.yaml").write_text(BASE, "utf-8")
    (folder / "data" / ".config.yaml").write_text(OWN, "utf-8")
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """The command, which writes to the test's folder."""

    def start(path: Path, *words: str) -> Result:
        return CliRunner().invoke(
            main, ["import-xiaozhi", str(path), "--output", str(tmp_path / "o.yaml"), *words]
        )

    return start
