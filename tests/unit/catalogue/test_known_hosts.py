"""Public services named by their host alone, as in a plan drawn before anybody has keys."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue.known_hosts import is_public
from dispatcher.catalogue.model import Instance
from dispatcher.catalogue.required_keys import what_is_missing
from tests.unit.catalogue.files import CatalogueFile, file_with

PLAN = """load_balancing:
  api_gateway:
    asr_services: {instances: [{endpoint: "http://localhost:8100"}]}
    llm_services:
      instances:
        - {endpoint: "http://localhost:11434", weight: 4, priority: high}
        - {endpoint: "https://dashscope.aliyuncs.com", weight: 1, priority: low}
    tts_services:
      instances:
        - {endpoint: "http://localhost:5000", weight: 4, priority: high}
        - {endpoint: "https://tts-api.xfyun.cn", weight: 1, priority: low}
"""


def test_a_plan_without_keys_loads_and_names_what_to_write(catalogue_file: CatalogueFile) -> None:
    with capture_logs() as logged:
        catalogue = catalogue_file.loads_as(PLAN)
    told = {each["instance"]: each["reason"] for each in logged if "not configured" in each.get("reason", "")}

    assert [*told] == ["llm-2", "tts-2"]
    assert "write `DASHSCOPE_API_KEY=…` in the environment" in told["llm-2"]
    assert 'write `app_id: "5f000000"` in its line' in told["tts-2"]
    assert "XFYUN_API_KEY" in told["tts-2"]
    assert "XFYUN_API_SECRET" in told["tts-2"]
    llm, tts = catalogue.instance("llm-2"), catalogue.instance("tts-2")
    assert (llm.endpoint, llm.provider) == (
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "openai_http",
    )
    assert (tts.endpoint, tts.provider, tts.priority) == ("wss://tts-api.xfyun.cn/v2/tts", "xfyun", "low")
    assert what_is_missing(catalogue.instance("llm-1"), {}) == ""


def test_a_plan_whose_variables_are_set_is_configured(catalogue_file: CatalogueFile) -> None:
    environ = {"DASHSCOPE_API_KEY": "a\r", "XFYUN_API_KEY": "b", "XFYUN_API_SECRET": "c"}
    text = PLAN.replace('"https://tts-api.xfyun.cn"', '"https://tts-api.xfyun.cn/", app_id: "5f000000"')
    catalogue = catalogue_file.loads_as(text, environ)

    assert what_is_missing(catalogue.instance("llm-2"), environ) == ""
    assert what_is_missing(catalogue.instance("tts-2"), environ) == ""
    assert what_is_missing(catalogue.instance("llm-2"), {}) != ""


def test_a_key_that_is_there_and_cannot_be_sent_stops_the_start(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(PLAN, {"DASHSCOPE_API_KEY": "a b"})
    assert "api_key_env: was 'DASHSCOPE_API_KEY', which holds a blank inside" in problem


@pytest.mark.parametrize(
    ("endpoint", "meant"),
    [
        ("https://api.deepseek.com", "https://api.deepseek.com/v1"),
        ("https://api.deepseek.com/beta", "https://api.deepseek.com/beta"),
        ("http://api.openai.com", "https://api.openai.com/v1"),
        ("https://open.bigmodel.cn/", "https://open.bigmodel.cn/api/paas/v4"),
        (
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("https://api.moonshot.cn", "https://api.moonshot.cn/v1"),
        ("https://API.SiliconFlow.cn:443", "https://api.siliconflow.cn/v1"),
        ("https://ark.cn-beijing.volces.com", "https://ark.cn-beijing.volces.com/api/v3"),
        ("https://api.groq.com", "https://api.groq.com/openai/v1"),
        ("https://openrouter.ai", "https://openrouter.ai/api/v1"),
        ("https://api.mistral.ai", "https://api.mistral.ai/v1"),
        ("https://dashscope-intl.aliyuncs.com", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("https://dashscope.aliyuncs.com:8443", "https://dashscope.aliyuncs.com:8443/v1"),
    ],
)
def test_a_known_host_gets_its_path_and_an_explicit_one_stays(
    catalogue_file: CatalogueFile, endpoint: str, meant: str
) -> None:
    catalogue = catalogue_file.loads_as(file_with().replace("http://localhost:11434", endpoint))
    assert catalogue.instance("llm-1").endpoint == meant


@pytest.mark.parametrize(
    ("service", "keys", "meant"),
    [
        ("asr", "", ("dashscope_asr", "wss://dashscope.aliyuncs.com/api-ws/v1/inference")),
        ("tts", "", ("cosyvoice", "wss://dashscope.aliyuncs.com/api-ws/v1/inference")),
        (
            "tts",
            ", provider: cosyvoice",
            ("cosyvoice", "wss://dashscope.aliyuncs.com/api-ws/v1/inference"),
        ),
        (
            "tts",
            ", provider: openai_http",
            ("openai_http", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        ),
    ],
)
def test_a_host_with_several_dialects_gets_the_one_of_the_service(
    catalogue_file: CatalogueFile, service: str, keys: str, meant: tuple[str, str]
) -> None:
    port = {"asr": "8100", "tts": "5000"}[service]
    line = f'"https://dashscope.aliyuncs.com"{keys}'
    catalogue = catalogue_file.loads_as(file_with().replace(f'"http://localhost:{port}"', line))
    instance = catalogue.instance(f"{service}-1")
    assert (instance.provider, instance.endpoint) == meant
    assert "DASHSCOPE_API_KEY" in what_is_missing(instance, {})


@pytest.mark.parametrize(
    ("endpoint", "public"),
    [
        ("https://llm.example.com/v1", True),
        ("http://8.8.8.8:8000/v1", True),
        ("http://[2606:4700::1111]/v1", True),
        ("http://localhost:8000/v1", False),
        ("http://192.168.1.5/v1", False),
        ("http://[fd00::1]:8000/v1", False),
        ("http://ollama:11434/v1", False),
        ("http://nas.local/v1", False),
        ("http://llm-0.llm.default.svc.cluster.local/v1", False),
    ],
    # An id with "::" in it would be taken for a scope of its own when tests are spread over processes.
    ids=lambda value: str(value).replace("::", ".."),
)
def test_a_public_address_without_a_key_is_warned_of(
    catalogue_file: CatalogueFile, endpoint: str, *, public: bool
) -> None:
    assert is_public(endpoint) is public
    with capture_logs() as logged:
        catalogue_file.loads_as(file_with().replace("http://localhost:11434", endpoint))
    assert any("public" in each.get("reason", "") for each in logged) is public


def test_an_llm_without_a_model_is_warned_of_unless_it_is_built_in(catalogue_file: CatalogueFile) -> None:
    def warned(line: str) -> bool:
        with capture_logs() as logged:
            catalogue_file.loads_as(file_with().replace('endpoint: "http://localhost:11434"', line))
        return any("no model" in each.get("reason", "") for each in logged)

    assert warned('endpoint: "http://localhost:11434"')
    assert not warned('endpoint: "http://localhost:11434", model: m')
    assert not warned('endpoint: "http://127.0.0.1:8200"')


def test_what_is_missing_of_a_line_that_another_host_published_is_told_here() -> None:
    there = Instance(service="llm", name="x", endpoint="http://a/v1", api_key_env="NOT_HERE")
    assert what_is_missing(there, {}).startswith("api_key_env is NOT_HERE, which is not set")
