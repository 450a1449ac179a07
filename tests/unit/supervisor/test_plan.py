"""Which lines run, and which are left out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dispatcher.catalogue import Catalogue, Instance, ServiceConfig
from dispatcher.errors import ConfigError
from dispatcher.supervisor import flower_environment
from dispatcher.supervisor import plan as plan_module
from dispatcher.supervisor.plan import STOP_ORDER, Plan, make_plan, without_taken_ports
from dispatcher.supervisor.procfile import parse_procfile

PROCFILE = """
broker: exec dispatcher broker
front: exec dispatcher front
llm: exec celery -A workers worker -Q llm
llm-1: exec dispatcher instance llm --port 8200
llm-2: exec dispatcher instance llm --port 8201
"""


def catalogue_with(*endpoints: str) -> Catalogue:
    instances = tuple(
        Instance(service="llm", name=f"llm-{number}", endpoint=endpoint)
        for number, endpoint in enumerate(endpoints, start=1)
    )
    llm = ServiceConfig(service="llm", algorithm="round_robin", instances=instances)
    return Catalogue(path="test.yaml", services={"llm": llm})


def plan_for(catalogue: Catalogue, *, text: str = PROCFILE, **environ: str) -> Plan:
    return make_plan(parse_procfile(text, source="Procfile"), catalogue=catalogue, environ=environ)


def names(plan: Plan) -> list[str]:
    return [part.name for part in plan.specs]


def test_everything_runs_when_the_catalogue_names_all_instances() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200/v1", "http://localhost:8201/v1"))
    assert names(plan) == ["broker", "front", "llm", "llm-1", "llm-2"]
    assert plan.skipped == ()


def test_an_instance_that_the_catalogue_does_not_name_is_left_out() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200/v1", "https://models.example/v1"))
    assert "llm-2" not in names(plan)
    assert plan.skipped == (("llm-2", "the catalogue has no instance at 127.0.0.1:8201"),)


OURS = "https://models.example/v1"


def test_without_models_no_built_in_instance_runs_though_the_catalogue_names_it() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200/v1", OURS), MODELS="none")

    assert names(plan) == ["broker", "front", "llm"]
    assert ("llm-1", "MODELS=none") in plan.skipped


def test_where_the_models_are_not_installed_the_start_says_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plan_module, "_MODEL_RUNTIME", "no_such_package")
    plan = plan_for(catalogue_with("http://127.0.0.1:8200/v1", OURS))

    assert "llm-1" not in names(plan)
    assert "are not installed" in dict(plan.skipped)["llm-1"]


def test_without_models_a_service_that_has_only_built_in_ones_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"llm_services: has only llm-1, built in .*MODELS=none"):
        plan_for(catalogue_with("http://localhost:8200/v1"), MODELS="none")


def test_another_wish_for_models_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"MODELS: was 'no'; expected none"):
        plan_for(catalogue_with(OURS), MODELS="no")


def test_an_instance_on_the_same_port_of_another_machine_is_not_ours() -> None:
    plan = plan_for(catalogue_with("http://10.0.0.5:8200/v1"))
    assert {name for name, _ in plan.skipped} == {"llm-1", "llm-2"}


def test_the_broker_is_left_out_when_redis_is_elsewhere() -> None:
    plan = plan_for(catalogue_with(), REDIS_URL="redis://10.0.0.9:6379/0")
    assert plan.brokers == ()
    assert plan.skipped[0] == ("broker", "REDIS_URL is set")


def test_everything_but_the_broker_waits_for_it() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200/v1"))
    assert [part.name for part in plan.brokers] == ["broker"]
    assert [part.name for part in plan.others] == ["front", "llm", "llm-1"]


def test_two_parts_on_one_port_are_a_config_error() -> None:
    with pytest.raises(ConfigError, match="port 8200 is wanted by front and by llm-1"):
        plan_for(catalogue_with("http://127.0.0.1:8200/v1"), FRONT_PORT="8200")


def test_the_front_stops_first_and_the_broker_last() -> None:
    order = [role for roles in STOP_ORDER for role in roles]
    assert order == ["front", "worker", "beat", "flower", "console", "other", "instance", "broker"]


FLOWER = f"{PROCFILE}flower: exec dispatcher flower\n"


@pytest.fixture
def flower_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment that looks complete; return the stamp that says so."""
    stamp = tmp_path / "flower.stamp"
    stamp.touch()
    monkeypatch.setattr(flower_environment, "STAMP", stamp)
    monkeypatch.setattr(flower_environment, "PYTHON", Path(sys.executable))
    return stamp


@pytest.mark.usefixtures("flower_is_installed")
def test_flower_starts_when_all_others_run() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200"), text=FLOWER)
    assert [part.name for part in plan.last] == ["flower"]
    assert "flower" not in [part.name for part in plan.others]


def test_flower_without_its_environment_is_left_out_with_a_word_what_to_do(flower_is_installed: Path) -> None:
    flower_is_installed.unlink()
    plan = plan_for(catalogue_with("http://127.0.0.1:8200"), text=FLOWER)
    assert "flower" not in names(plan)
    assert ("flower", "its environment is missing; scripts/environment.sh flower makes it") in plan.skipped


@pytest.mark.usefixtures("flower_is_installed")
def test_flower_alone_gives_way_where_its_port_is_taken() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200"), text=FLOWER)
    left = without_taken_ports(plan, lambda _host, _port: True)
    assert names(left) == [name for name in names(plan) if name != "flower"]
    assert left.skipped[-1] == (
        "flower",
        "something else listens at 127.0.0.1:5555; set FLOWER_PORT",
    )


def test_a_port_of_metrics_that_another_process_wants_is_named() -> None:
    with pytest.raises(ConfigError, match=r"port 8200 is wanted by llm-1 and by llm \(METRICS_PORT\)"):
        plan_for(catalogue_with("http://127.0.0.1:8200/v1"), METRICS_PORT="8199")


def test_a_process_whose_port_of_metrics_is_taken_runs_without() -> None:
    plan = plan_for(catalogue_with("http://127.0.0.1:8200/v1"), METRICS_PORT="9100")
    plan = without_taken_ports(plan, lambda _, port: port == 9101)
    assert {spec.name: spec.metrics for spec in plan.specs if spec.metrics} == {"front": ("127.0.0.1", 9100)}
    assert next(spec for spec in plan.specs if spec.name == "llm").assignments["METRICS_PORT"] == "0"
    assert plan.skipped[-1] == (
        "/metrics of llm",
        "something else listens at 127.0.0.1:9101; set METRICS_PORT",
    )
