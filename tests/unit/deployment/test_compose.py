"""docker-compose.yml: what fits the host, who is let in, and what keeps running."""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any, Final

import pytest
import yaml

from dispatcher.catalogue import load_catalogue
from dispatcher.messages import QUEUES
from dispatcher.ops.chaos.docker_environment import ENTRY_PORT
from dispatcher.settings import Settings
from tests.support.processes import ROOT

COMPOSE: Final = ROOT / "docker-compose.yml"
CORES, MEMORY_BYTES = 4, 8 * 1024**3
# The kernel, the Docker daemon and a shell have to live too.
LEFT_TO_THE_BOX: Final = {"cores": 0.1, "bytes": 1024**3}
SHARES_OF_A_CORE: Final = 1024
UNITS: Final = {"m": 1024**2, "g": 1024**3}
# R14: cores and memory of each.
CEILINGS: Final = {
    "front-1": (1.5, "2g"),
    "front-2": (1.0, "1536m"),
    "asr-1": (1.0, "1g"),
    "asr-2": (0.8, "800m"),
    "llm-local": (2.0, "2g"),
    "tts-local": (1.0, "512m"),
    "mysql": (1.0, "1g"),
    "redis": (0.5, "512m"),
}


# They end when they are done.
ONE_SHOT: Final = {"llm-model"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run by default."""
    return {name: each for name, each in compose["services"].items() if not each.get("profiles")}


def in_bytes(size: str) -> int:
    return int(size[:-1]) * UNITS[size[-1]]


@pytest.mark.parametrize(("name", "ceiling"), CEILINGS.items())
def test_the_ceilings_are_those_of_the_site(
    services: dict[str, dict[str, Any]], name: str, ceiling: tuple[float, str]
) -> None:
    assert (services[name]["cpus"], services[name]["mem_limit"]) == ceiling


def test_what_each_is_sure_of_fits_the_box(services: dict[str, dict[str, Any]]) -> None:
    cores = sum(each["cpu_shares"] for each in services.values()) / SHARES_OF_A_CORE
    memory = sum(in_bytes(each["mem_reservation"]) for each in services.values())

    assert cores <= CORES - LEFT_TO_THE_BOX["cores"]
    assert memory <= MEMORY_BYTES - LEFT_TO_THE_BOX["bytes"]


def test_the_profile_for_monitoring_still_fits_the_memory(compose: dict[str, Any]) -> None:
    memory = sum(in_bytes(each["mem_reservation"]) for each in compose["services"].values())

    assert memory <= MEMORY_BYTES - LEFT_TO_THE_BOX["bytes"]


def test_nobody_is_sure_of_more_than_he_may_use(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        assert each["cpu_shares"] / SHARES_OF_A_CORE <= each["cpus"], name
        assert in_bytes(each["mem_reservation"]) <= in_bytes(each["mem_limit"]), name


def test_nginx_is_the_only_door(compose: dict[str, Any]) -> None:
    assert [name for name, each in compose["services"].items() if each.get("ports")] == ["nginx"]
    assert list(compose["networks"]) == ["edge", "state"]
    assert not [name for name, each in compose["services"].items() if each.get("network_mode")]


def test_every_container_comes_back_is_watched_and_writes_bounded_logs(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        if name in ONE_SHOT:
            assert each["restart"] == "on-failure", name
            continue
        assert each["restart"] == "unless-stopped", name
        assert {"test", "interval", "timeout", "retries", "start_period"} <= each["healthcheck"].keys(), name
    assert all(
        each["logging"]["options"].keys() == {"max-size", "max-file"} for each in compose["services"].values()
    )


def test_no_container_is_root_or_can_become_it(compose: dict[str, Any]) -> None:
    dockerfiles = "".join(
        (ROOT / "config/docker" / name).read_text() for name in ("Dockerfile", "Dockerfile.builtin")
    )
    assert dockerfiles.count("USER 10001:10001") == 3
    for name, each in compose["services"].items():
        own = "build" in each
        assert own or not str(each.get("user", "0")).startswith("0"), name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert each["read_only"] is True, name


def test_who_is_waited_for_is_healthy(compose: dict[str, Any]) -> None:
    for name, each in compose["services"].items():
        for other, wanted in each.get("depends_on", {}).items():
            assert wanted == {"condition": "service_healthy"}, f"{name} waits for {other}"
            assert other in compose["services"]


def test_every_queue_has_its_worker_and_there_is_one_beat(services: dict[str, dict[str, Any]]) -> None:
    commands = [each["command"] for each in services.values() if "command" in each]
    consumed = [command[-1] for command in commands if command[:4] == ["celery", "-A", "workers", "worker"]]

    assert sorted(consumed) == sorted(QUEUES)
    assert len([command for command in commands if "beat" in command]) == 1


def test_every_variable_of_ours_is_a_setting(services: dict[str, dict[str, Any]]) -> None:
    # TZ is the C library's own, the other one OpenTelemetry's.
    known = {"TZ", "OTEL_EXPORTER_OTLP_ENDPOINT", *(name.upper() for name in Settings.model_fields)}
    for name in ("front-1", "front-2", "worker-llm", "control", "beat"):
        assert services[name]["environment"].keys() <= known, name


def test_the_fronts_are_weighted_as_nginx_weighs_them(services: dict[str, dict[str, Any]]) -> None:
    catalogue = load_catalogue(ROOT / "config/docker/load_balancing.yaml", {})
    rendered = {server.server: server.weight for server in catalogue.nginx.upstream_servers}
    started = {
        f"{name}:8000": int((ROOT / services[name]["env_file"]).read_text().partition("=")[2])
        for name in ("front-1", "front-2")
    }

    assert started == rendered == {"front-1:8000": 3, "front-2:8000": 2}
    assert services["front-1"]["environment"]["SERVER_ID"] == "front-1"


def test_what_nginx_names_keeps_its_address(compose: dict[str, Any]) -> None:
    # It looks names up once, at its start: who came back elsewhere would never be found again, and
    # one that does not run has no name.
    text = (ROOT / "config/nginx/docker/upstreams.conf").read_text(encoding="utf-8")
    named = set(re.findall(r"server ([a-z][\w-]*):\d+", text))
    fixed = {
        name: each["networks"]["edge"]["ipv4_address"]
        for name, each in compose["services"].items()
        if isinstance(each["networks"], dict) and each["networks"].get("edge", {}).get("ipv4_address")
    }
    known = dict(each.split(":") for each in compose["services"]["nginx"]["extra_hosts"])

    assert known == {name: fixed[name] for name in named}


@pytest.mark.parametrize("network", ["edge", "state"])
def test_no_container_can_be_given_the_address_of_another(compose: dict[str, Any], network: str) -> None:
    (config,) = compose["networks"][network]["ipam"]["config"]
    fixed = [
        each["networks"][network]["ipv4_address"]
        for each in compose["services"].values()
        if isinstance(each["networks"], dict) and "ipv4_address" in each["networks"].get(network, {})
    ]

    assert fixed
    assert len(set(fixed)) == len(fixed)
    for address in map(ip_address, fixed):
        assert address in ip_network(config["subnet"])
        assert address not in ip_network(config["ip_range"])


def test_only_our_own_processes_reach_redis_and_sql(compose: dict[str, Any]) -> None:
    on_state = {name for name, each in compose["services"].items() if "state" in each["networks"]}
    on_edge = {name for name, each in compose["services"].items() if "edge" in each["networks"]}

    assert on_state == {
        *("front-1", "front-2", "worker-asr", "worker-llm", "worker-tts", "control", "beat", "flower"),
        *("redis", "redis-cache", "mysql", "redis-exporter", "console"),
    }
    assert compose["services"].keys() - on_edge == {"redis", "redis-cache", "mysql"}
    assert compose["networks"]["state"]["internal"] is True


def test_both_redis_have_a_password_that_only_who_needs_it_is_given(compose: dict[str, Any]) -> None:
    given = {
        secret: {name for name, each in compose["services"].items() if secret in each.get("secrets", [])}
        for secret in ("redis_password", "redis_url", "cache_url", "redis_exporter")
    }
    ours = {"front-1", "front-2", "worker-asr", "worker-llm", "worker-tts", "control", "beat", "console"}
    assert given == {
        "redis_password": {"redis", "redis-cache"},
        "redis_url": ours | {"flower"},
        "cache_url": ours,
        "redis_exporter": {"redis-exporter"},
    }
    for name in ("redis", "redis-cache"):
        assert compose["services"][name]["command"][:2] == ["sh", "/etc/redis/start.sh"], name
    for name, each in compose["services"].items():
        assert "redis://" not in str(each.get("environment")), name


def test_the_fronts_believe_nginx_alone(services: dict[str, dict[str, Any]]) -> None:
    nginx = services["nginx"]["networks"]["edge"]["ipv4_address"]

    for name in ("front-1", "front-2"):
        assert services[name]["environment"]["TRUSTED_PROXIES"] == nginx


def test_secrets_come_from_files_and_stand_in_no_variable(compose: dict[str, Any]) -> None:
    assert all(each["file"].startswith("./config/docker/secrets/") for each in compose["secrets"].values())
    for name, each in compose["services"].items():
        for variable, value in each.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|DATABASE_URL", variable):
                assert str(value).startswith("/run/secrets/"), f"{name}: {variable}"
        assert set(each.get("secrets", [])) <= compose["secrets"].keys(), name


def test_neither_secrets_nor_environments_reach_an_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert "config/docker/secrets" in ignored
    assert "*" in ignored, "what is not named stays out"


def test_the_airgapped_stack_replaces_services_that_exist(compose: dict[str, Any]) -> None:
    override = yaml.safe_load(
        (ROOT / "config/docker/docker-compose.airgapped.yml").read_text(encoding="utf-8")
    )

    assert override["services"].keys() <= compose["services"].keys()


def test_whoever_serves_turns_says_its_role_and_is_hurt_only_where_that_is_allowed(
    compose: dict[str, Any],
) -> None:
    labels = {name: each["labels"] for name, each in compose["services"].items() if "labels" in each}
    roles = {name: each["dispatcher.role"] for name, each in labels.items()}

    assert roles == {
        **dict.fromkeys(("front-1", "front-2"), "front"),
        **dict.fromkeys(("worker-asr", "worker-llm", "worker-tts", "control"), "worker"),
        **dict.fromkeys(
            ("asr-1", "asr-2", "llm-local", "llm-standby", "tts-local", "tts-standby"), "instance"
        ),
        "nginx": "nginx",
        "beat": "beat",
        "redis": "broker",
    }
    assert {each["dispatcher.verify"] for each in labels.values()} == {"${ALLOW_VERIFY:-false}"}
    # A port of its own would be of no use: verify comes in where devices do.
    assert str(ENTRY_PORT) in str(compose["services"]["nginx"]["ports"])


def test_ollama_keeps_its_models_where_its_user_may_write(services: dict[str, dict[str, Any]]) -> None:
    ollama = services["llm-local"]
    assert ollama["user"] == "10001:10001"
    # Anyone may write there in every image; a new volume takes that over. A folder that the image does not
    # have would be root's, and Ollama would not even start.
    (volume,) = [each for each in ollama["volumes"] if each.endswith(":/var/tmp")]
    assert volume == "${MODELS_DIR:-models}:/var/tmp"
    assert ollama["environment"]["OLLAMA_MODELS"].startswith("/var/tmp/")


def test_each_service_has_a_second_instance_that_answers_when_the_first_does_not() -> None:
    catalogue = load_catalogue(ROOT / "config/docker/load_balancing.yaml", {})

    assert all(len(config.instances) >= 2 for config in catalogue.services.values())


def test_the_model_of_the_yaml_is_the_one_that_is_fetched(services: dict[str, dict[str, Any]]) -> None:
    catalogue = load_catalogue(ROOT / "config/docker/load_balancing.yaml", {})
    model = catalogue.services["llm"].instances[0].model

    assert services["llm-model"]["command"] == ["pull", f"${{LLM_MODEL:-{model}}}"]
    assert services["llm-model"]["image"] == services["llm-local"]["image"]
