"""Good files, and what comes out of them."""

from __future__ import annotations

import re

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue import (
    ConnectionPool,
    Conversation,
    DeviceRule,
    HealthRules,
    NginxProxy,
    Playback,
    UpstreamServer,
    load_catalogue,
)
from dispatcher.messages import SERVICES
from tests.support.processes import ROOT
from tests.unit.catalogue.files import ENDPOINT, CatalogueFile, file_with

CONFIG = ROOT / "config"
KEYS = {"DASHSCOPE_API_KEY": "a", "XFYUN_API_KEY": "b", "XFYUN_API_SECRET": "c"}


def test_a_file_with_endpoints_alone_gets_every_default(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with())
    assert catalogue.path == str(catalogue_file.path)
    assert catalogue.health == HealthRules(interval_s=30, failure_threshold=3, recovery_threshold=2)
    assert (catalogue.nginx, catalogue.conversation, catalogue.playback) == (
        NginxProxy(),
        Conversation(),
        Playback(),
    )
    assert [catalogue.services[service].algorithm for service in SERVICES] == ["weighted_round_robin"] * 3
    assert catalogue.services["asr"].instances[0].name == "asr-1"
    assert catalogue.instance("llm-1").endpoint == "http://localhost:11434/v1"


def test_a_service_without_an_algorithm_takes_the_global_one(catalogue_file: CatalogueFile) -> None:
    text = file_with(more="      algorithm: least_connections\n  global_settings: {algorithm: round_robin}")
    services = catalogue_file.loads_as(text).services
    assert (services["asr"].algorithm, services["llm"].algorithm) == ("least_connections", "round_robin")


def test_the_keys_of_an_instance_reach_the_instance(catalogue_file: CatalogueFile) -> None:
    text = file_with(
        f"{ENDPOINT}, name: ear, weight: 2, priority: low, max_concurrent: 3, provider: openai_http, "
        "model: base, voice: v, language: zh, api_key_env: EAR_KEY"
    )
    instance = catalogue_file.loads_as(text, {"EAR_KEY": "k"}).instance("ear")
    assert (instance.weight, instance.priority, instance.max_concurrent) == (2.0, "low", 3)
    assert (instance.provider, instance.model, instance.voice) == ("openai_http", "base", "v")
    assert (instance.language, instance.api_key_env) == ("zh", "EAR_KEY")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        ("30s", 30.0),
        ("500ms", 0.5),
        ("1m", 60.0),
        ("1.5 m", 90.0),
        ("1h", 3600.0),
    ],
)
def test_a_time_is_seconds_or_says_its_unit(
    catalogue_file: CatalogueFile, written: str, seconds: float
) -> None:
    text = file_with(more=f"  global_settings: {{health_check_interval: {written}}}")
    assert catalogue_file.loads_as(text).health.interval_s == seconds


def test_an_empty_section_counts_as_left_out(catalogue_file: CatalogueFile) -> None:
    text = file_with(
        f"{ENDPOINT}, model:, weight: ~",
        more="  global_settings:\n  nginx_proxy:\nplayback:\nconversation:\n  devices:\n  wake_words:",
    )
    catalogue = catalogue_file.loads_as(text)
    assert catalogue == catalogue_file.loads_as(file_with())


def test_device_ids_are_lower_case_whatever_yaml_takes_them_for(catalogue_file: CatalogueFile) -> None:
    devices = "AA:BB:CC:DD:EE:FF: {language: en}, 10:20:30:40:50:01: {language: zh}, 123456: {}"
    conversation = catalogue_file.loads_as(
        file_with(more=f"conversation: {{devices: {{{devices}}}}}")
    ).conversation
    assert conversation.devices == {
        "aa:bb:cc:dd:ee:ff": DeviceRule(language="en"),
        "10:20:30:40:50:01": DeviceRule(language="zh"),
        "123456": DeviceRule(),
    }


def test_text_that_older_yaml_takes_for_a_date_or_a_boolean_stays_text(
    catalogue_file: CatalogueFile,
) -> None:
    instance = catalogue_file.loads_as(file_with(f"{ENDPOINT}, model: 2024-11-20, voice: no")).instance(
        "asr-1"
    )
    assert (instance.model, instance.voice) == ("2024-11-20", "no")


def test_merged_instances_share_what_they_do_not_say(catalogue_file: CatalogueFile) -> None:
    more = '        - {<<: *first, endpoint: "http://localhost:8101", weight: 5}'
    instances = (
        catalogue_file.loads_as(
            file_with(f"{ENDPOINT}, max_concurrent: 9, weight: 2", more).replace("- {end", "- &first {end", 1)
        )
        .services["asr"]
        .instances
    )
    assert [(each.max_concurrent, each.weight) for each in instances] == [(9, 2.0), (9, 5.0)]


def test_a_file_with_a_byte_order_mark_loads(catalogue_file: CatalogueFile) -> None:
    assert catalogue_file.loads_as("\ufeff" + file_with()).services


def test_the_key_is_looked_up_when_it_is_needed(
    catalogue_file: CatalogueFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EAR_KEY", "from-the-process")
    catalogue_file.path.write_text(file_with(f"{ENDPOINT}, api_key_env: EAR_KEY"), encoding="utf-8")
    assert load_catalogue(catalogue_file.path).instance("asr-1").api_key() == "from-the-process"


def test_an_unknown_instance_is_a_key_error(catalogue_file: CatalogueFile) -> None:
    with pytest.raises(KeyError, match="asr-9"):
        catalogue_file.loads_as(file_with()).instance("asr-9")


def test_the_users_file_keeps_the_users_numbers() -> None:
    catalogue = load_catalogue(CONFIG / "load_balancing.yaml", KEYS)
    table = [
        (each.endpoint, each.weight, each.priority, each.max_concurrent)
        for service in SERVICES
        for each in catalogue.services[service].instances
    ]
    assert table[:4] == [
        ("http://localhost:8100/v1", 2.0, "normal", 10),
        ("http://localhost:8101/v1", 1.0, "normal", 5),
        ("http://localhost:11434/v1", 4.0, "high", 8),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", 1.0, "low", 3),
    ]
    assert table[4] == ("http://localhost:5000/v1", 4.0, "high", 15)
    assert table[5][1:] == (1.0, "low", 5)
    assert catalogue.instance("llm-dashscope").api_key_env == "DASHSCOPE_API_KEY"
    algorithms = [catalogue.services[service].algorithm for service in SERVICES]
    assert algorithms == ["least_connections", "response_time", "weighted_round_robin"]
    assert catalogue.health == HealthRules(interval_s=30, failure_threshold=3, recovery_threshold=2)


def test_the_users_nginx_keeps_the_users_numbers() -> None:
    assert load_catalogue(CONFIG / "load_balancing.yaml", KEYS).nginx == NginxProxy(
        upstream_servers=(
            UpstreamServer(server="127.0.0.1:8000", weight=3, max_fails=2, fail_timeout_s=30),
            UpstreamServer(server="127.0.0.1:8001", weight=2, max_fails=2, fail_timeout_s=30),
        ),
        connection_pool=ConnectionPool(keepalive=32, keepalive_requests=100, keepalive_timeout_s=60),
    )


def test_the_example_shows_the_defaults_it_says_it_shows() -> None:
    shown = load_catalogue(CONFIG / "load_balancing.yaml", KEYS)
    default = Conversation(
        system_prompt=shown.conversation.system_prompt, wake_words=shown.conversation.wake_words
    )
    assert (shown.conversation, shown.playback) == (default, Playback())


def test_the_embedded_file_needs_no_key_and_names_six_instances() -> None:
    catalogue = load_catalogue(CONFIG / "embedded.yaml", {})
    ports = {
        each.name: int(each.endpoint.split(":")[2].removesuffix("/v1"))
        for service in SERVICES
        for each in catalogue.services[service].instances
    }
    assert ports == {"asr-1": 8100, "asr-2": 8101, "llm-1": 8200, "llm-2": 8201, "tts-1": 8300, "tts-2": 8301}
    assert [catalogue.services[service].slots for service in SERVICES] == [4, 16, 16]


def test_the_commented_lines_of_the_embedded_file_load_as_they_stand(catalogue_file: CatalogueFile) -> None:
    text = (CONFIG / "embedded.yaml").read_text(encoding="utf-8")
    in_use = re.sub(r"^( *)# (- \{|devices:|  \"aa:)", r"\1\2", text, flags=re.MULTILINE)
    catalogue = catalogue_file.loads_as(in_use, KEYS)
    assert [each.name for each in catalogue.services["llm"].instances][2:] == ["ollama", "dashscope"]
    assert catalogue.conversation.devices == {"aa:bb:cc:dd:ee:ff": DeviceRule(language="en")}


@pytest.mark.parametrize(("configured", "used", "warned"), [(20, 20, False), (21, 20, True), (40, 20, True)])
def test_a_lead_that_firmware_2_5_would_drop_is_cut_and_warned_of(
    catalogue_file: CatalogueFile, configured: int, used: int, *, warned: bool
) -> None:
    with capture_logs() as logged:
        catalogue = catalogue_file.loads_as(file_with() + f"\nplayback: {{lead_frames: {configured}}}\n")

    assert catalogue.playback.lead_frames == used
    assert any(each["event"].startswith("playback.lead_frames") for each in logged) is warned


@pytest.mark.parametrize("written", ["AA-BB-CC-DD-EE-FF", "AABBCCDDEEFF", "aa:bb:cc:dd:ee:ff"])
def test_a_mac_in_the_yaml_may_be_written_as_on_the_box(catalogue_file: CatalogueFile, written: str) -> None:
    rule = f'\nconversation:\n  devices:\n    "{written}": {{language: zh}}\n'
    assert list(catalogue_file.loads_as(file_with() + rule).conversation.devices) == ["aa:bb:cc:dd:ee:ff"]


def test_a_zone_that_nobody_knows_is_refused_by_its_name(catalogue_file: CatalogueFile) -> None:
    (line,) = catalogue_file.problems(file_with(more="conversation:\n  timezone: Asia/Shanghia\n"))
    assert "conversation.timezone" in line
    assert "Asia/Shanghia" in line
    assert "IANA time zone" in line
