"""Wrong files: each mistake is one line with its place, all of them at once."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.catalogue.dialects import DIALECTS
from tests.unit.catalogue.files import ENDPOINT, CatalogueFile, file_with

ASR = "load_balancing.api_gateway.asr_services"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("weight: -1", "weight: was -1; expected a number above 0"),
        ("weight: 0", "weight: was 0; expected a number above 0"),
        ("weight: .inf", "weight: was inf; expected a number above 0"),
        ("weight: .nan", "weight: was nan; expected a number above 0"),
        ("weight: 1e999", "weight: was inf; expected a number above 0"),
        ("weight: '4'", "weight: was '4'; expected a number above 0"),
        ("weight: true", "weight: was true; expected a number above 0"),
        ("weight: [1]", "weight: was a list; expected a number above 0"),
        ("weight: {a: 1}", "weight: was a mapping; expected a number above 0"),
        ("weight: 1.0e-9", "weight: was 1e-09; expected a number of 0.001 to 1000000"),
        ("weight: 1.0e+308", "weight: was 1e+308; expected a number of 0.001 to 1000000"),
        (
            "max_concurrent: 1000000000000000",
            "max_concurrent: was 1000000000000000; expected a whole number of at most 1000000",
        ),
        ("api_key_env: 8100", "api_key_env: was something else; expected a text (put it in quotes)"),
        ("max_concurrent: 0", "max_concurrent: was 0; expected a whole number of at least 1"),
        ("max_concurrent: 1.5", "max_concurrent: was 1.5; expected a whole number of at least 1"),
        ("max_concurrent: true", "max_concurrent: was true; expected a whole number of at least 1"),
        ("priority: urgent", "priority: was 'urgent'; expected one of high, normal, low, standby"),
        ("provider: grpc", f"provider: was 'grpc'; expected one of {', '.join(DIALECTS)}"),
        ("language: fr", "language: was 'fr'; expected one of auto, en, zh"),
        ("model: 7", "model: was 7; expected a text (put it in quotes)"),
        ("name: 'a b'", "name: was 'a b'; expected a name of letters, digits, dots and dashes, 63 at most"),
        ("wieght: 3", "wieght: unknown key; did you mean weight?"),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_place(
    catalogue_file: CatalogueFile, setting: str, words: str
) -> None:
    expected = f"7: {ASR}.instances[0].{words}"
    assert catalogue_file.problems(file_with(f"{ENDPOINT}, {setting}")) == [expected]


def test_an_algorithm_that_is_not_known_is_told_which_are(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(file_with(more="      algorithm: fastest"))
    assert problem.startswith(
        f"8: {ASR}.algorithm: was 'fastest'; expected one of round_robin, weighted_round"
    )


@pytest.mark.parametrize("written", ["0", "-1", "'30'", "30 days", "s", "true", ".inf", "[1]"])
def test_a_time_that_cannot_be_read_is_refused(catalogue_file: CatalogueFile, written: str) -> None:
    (problem,) = catalogue_file.problems(file_with(more=f"conversation: {{turn_timeout_s: {written}}}"))
    assert problem.startswith("8: conversation.turn_timeout_s: was ")
    assert problem.endswith("expected a time above 0: seconds as a number, or such as 30s, 500ms, 1m")


def test_a_time_that_no_clock_holds_is_refused(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(file_with(more="conversation: {turn_timeout_s: 1.0e+300}"))
    assert problem.endswith("was 1e+300; expected a time of at most 10000h")


@pytest.mark.parametrize("written", ["-1", "11", "2.5", "high"])
def test_a_complexity_that_opus_does_not_know_is_refused(catalogue_file: CatalogueFile, written: str) -> None:
    (problem,) = catalogue_file.problems(file_with(more=f"playback: {{opus_complexity: {written}}}"))
    assert problem.startswith("8: playback.opus_complexity: was ")
    assert problem.endswith("expected a whole number of 0 (cheapest) to 10")


@pytest.mark.parametrize("written", ["1ms", "0.05", "99 ms"])
def test_health_checks_leave_instances_some_time(catalogue_file: CatalogueFile, written: str) -> None:
    more = f"  global_settings: {{health_check_interval: {written}}}"
    (problem,) = catalogue_file.problems(file_with(more=more))
    assert problem.startswith("8: load_balancing.global_settings.health_check_interval: was ")
    assert problem.endswith("expected a time of at least 100ms")


@pytest.mark.parametrize("server", ["127.0.0.1", "host:0", "host:70000", "a b:1", "x:1;drop", "unix:/tmp/s"])
def test_an_upstream_that_nginx_could_not_take_is_refused(catalogue_file: CatalogueFile, server: str) -> None:
    text = file_with(more=f"  nginx_proxy: {{upstream_servers: [{{server: '{server}'}}]}}")
    (problem,) = catalogue_file.problems(text)
    assert problem.endswith(f"was '{server}'; expected host:port, such as 127.0.0.1:8000")


def test_all_problems_come_at_once_in_the_files_order(catalogue_file: CatalogueFile) -> None:
    all_three = "asr_services, llm_services and tts_services: a turn needs all three"
    problems = catalogue_file.problems(
        "load_balancing:\n  global_settings: {failure_threshold: 0}\n  api_gateway:\n"
        "    asr_services: {instances: []}\n    vad_services: {}\n"
        "    llm_services:\n      instances: [5]\n      instances: [5]\nplayback: 3\nextra: 1\n"
    )
    assert problems == [
        "2: load_balancing.global_settings.failure_threshold: was 0; expected a whole number of at least 1",
        f"3: load_balancing.api_gateway.tts_services: is missing; expected {all_three}",
        "4: load_balancing.api_gateway.asr_services.instances: was an empty list; expected at least one",
        "5: load_balancing.api_gateway.vad_services: unknown key; did you mean asr_services?",
        "8: load_balancing.api_gateway.llm_services.instances: the key is there twice, first on line 7",
        "8: load_balancing.api_gateway.llm_services.instances[0]: was 5; expected a mapping",
        "9: playback: was 3; expected a mapping",
        (
            "10: extra: unknown key; known here: load_balancing, conversation, playback, kpis, alerts, "
            "tuner, phrase_cache, overload, usage, console, mcp_servers"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "was"), [("", "empty"), ("5", "5"), ("- a", "a list"), ("a word", "'a word'")]
)
def test_a_root_that_is_no_mapping_is_refused(catalogue_file: CatalogueFile, text: str, was: str) -> None:
    assert catalogue_file.problems(text) == [f"1: was {was}; expected a mapping"]


def test_a_doubled_key_alone_stops_the_start(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(file_with(f"{ENDPOINT}, weight: 1, weight: 1"))
    assert problem == f"7: {ASR}.instances[0].weight: the key is there twice, first on line 7"


def test_one_endpoint_in_two_spellings_is_found(catalogue_file: CatalogueFile) -> None:
    text = file_with(more='        - {endpoint: "HTTP://LOCALHOST:8100/v1/"}')
    assert catalogue_file.problems(text) == [
        f"8: {ASR}.instances[1].endpoint: was 'http://localhost:8100/v1', which instances[0] has already"
    ]


def test_one_server_may_serve_two_services(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with('endpoint: "http://localhost:11434"'))
    assert catalogue.instance("asr-1").endpoint == catalogue.instance("llm-1").endpoint


def test_a_name_is_unique_over_all_services_even_one_by_place(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(file_with(f"{ENDPOINT}, name: llm-1"))
    assert problem.endswith(f"name: was 'llm-1', which {ASR}.instances[0] has already")


def test_a_doubled_upstream_is_found(catalogue_file: CatalogueFile) -> None:
    servers = "[{server: 'a:1'}, {server: 'a:1'}]"
    (problem,) = catalogue_file.problems(file_with(more=f"  nginx_proxy: {{upstream_servers: {servers}}}"))
    assert problem.endswith("upstream_servers[1].server: was 'a:1', which upstream_servers[0] has already")


def test_a_device_in_two_spellings_is_found(catalogue_file: CatalogueFile) -> None:
    devices = "\n    AA:bb: {language: en}\n    aa:BB: {language: zh}"
    assert catalogue_file.problems(file_with(more=f"conversation:\n  devices:{devices}")) == [
        "11: conversation.devices.aa:BB: the device is there twice, first as AA:bb"
    ]


@pytest.mark.parametrize("environ", [{}, {"EAR_KEY": ""}])
def test_a_key_that_is_not_set_is_named(catalogue_file: CatalogueFile, environ: dict[str, str]) -> None:
    (problem,) = catalogue_file.problems(file_with(f"{ENDPOINT}, api_key_env: EAR_KEY"), environ)
    assert problem.startswith(f"7: {ASR}.instances[0].api_key_env: was 'EAR_KEY', which is not set; ")


@pytest.mark.parametrize(
    "slip",
    [
        f"{ENDPOINT}, api_key_env: sk-s3cret",
        f"{ENDPOINT}, api_key_env: s3cret",
        f"{ENDPOINT}, api_key: s3cret",
        'endpoint: "http://user:s3cret@localhost"',
        'endpoint: "http://user:s3cret/s3cret@localhost"',
        'endpoint: "http://localhost/v1?key=s3cret"',
    ],
)
def test_a_secret_in_the_wrong_place_is_never_repeated(catalogue_file: CatalogueFile, slip: str) -> None:
    (problem,) = catalogue_file.problems(file_with(slip))
    assert "s3cret" not in problem


def test_a_long_value_is_shortened(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(file_with(f"{ENDPOINT}, priority: {'x' * 500}"))
    assert len(problem) < 200


def test_a_wrong_value_behind_a_merge_points_to_the_merging_entry(catalogue_file: CatalogueFile) -> None:
    text = file_with(more='        - {<<: {weight: 0}, endpoint: "http://b"}')
    (problem,) = catalogue_file.problems(text)
    assert problem == f"8: {ASR}.instances[1].weight: was 0; expected a number above 0"


_KEYS = [
    "load_balancing",
    "api_gateway",
    "asr_services",
    "llm_services",
    "tts_services",
    "instances",
    "endpoint",
    "name",
    "weight",
    "conversation",
    "devices",
    "nginx_proxy",
    "upstream_servers",
    "server",
    "api_key_env",
    "playback",
]
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text("aé:/@?#-", max_size=8)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(tree=_TREES)
def test_any_tree_of_known_keys_fails_with_problems_and_nothing_else(
    catalogue_file: CatalogueFile, tree: object
) -> None:
    # No tree of these few keys is complete: the strategy's texts hold no usable endpoint.
    assert catalogue_file.problems(yaml.safe_dump(tree, allow_unicode=True))


def test_one_cloud_address_may_serve_two_models(catalogue_file: CatalogueFile) -> None:
    text = file_with(f"{ENDPOINT}, model: one", more=f"        - {{{ENDPOINT}, model: two}}")
    assert len(catalogue_file.loads_as(text).services["asr"].instances) == 2


def test_the_same_model_at_one_address_is_there_once(catalogue_file: CatalogueFile) -> None:
    text = file_with(f"{ENDPOINT}, model: one", more=f"        - {{{ENDPOINT}, model: one}}")
    (problem,) = catalogue_file.problems(text)
    assert problem.endswith("which instances[0] has already with the same model and provider")


def _with_voice(instance: str) -> str:
    return file_with().replace('endpoint: "http://localhost:5000"', instance)


def test_a_key_that_a_dialect_needs_is_named_at_start(catalogue_file: CatalogueFile) -> None:
    text = _with_voice('endpoint: "wss://tts-api.xfyun.cn/v2/tts", provider: xfyun, api_key_env: K')
    needs = "is missing; xfyun needs app_id, api_key_env, api_secret_env"
    assert [line.split("instances[0].")[1] for line in catalogue_file.problems(text, {"K": "k"})] == [
        f"app_id: {needs}",
        f"api_secret_env: {needs}",
    ]


def test_an_address_of_the_wrong_kind_is_found_at_start(catalogue_file: CatalogueFile) -> None:
    keys = "provider: cosyvoice, model: m, voice: v, api_key_env: K"
    text = _with_voice(f'endpoint: "https://dashscope.aliyuncs.com/api-ws/v1/inference", {keys}')
    (problem,) = catalogue_file.problems(text, {"K": "k"})
    assert problem.endswith("endpoint: was a https:// address; cosyvoice needs ws:// or wss://")


def test_what_a_service_sends_and_keeps_can_be_chosen(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with(f"{ENDPOINT}, format: mp3, keep_alive: 2h"))
    assert (catalogue.instance("asr-1").format, catalogue.instance("asr-1").keep_alive_s) == ("mp3", 7200.0)
