"""Configuration that is rendered from a YAML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.catalogue.nginx_proxy import NginxProxy, UpstreamServer
from dispatcher.cli.nginx import nginx
from dispatcher.messages import OTA_PATH, SERVICES, WEBSOCKET_PATH, Priority, Service
from dispatcher.ops.nginx import DOCKER, NATIVE, render
from dispatcher.ops.nginx.nginx_host import name_server
from dispatcher.ops.nginx.upstreams import whole_weights
from tests.support.processes import ROOT

YAML = (ROOT / "config" / "load_balancing.yaml").read_text(encoding="utf-8")


def catalogue(**endpoints: list[tuple[str, Priority]]) -> Catalogue:
    services: dict[Service, ServiceConfig] = {}
    for service in SERVICES:
        layout = endpoints.get(service, [("http://10.0.0.9:9000/v1", "normal")])
        instances = tuple(
            Instance(service=service, name=f"{service}-{at}", endpoint=endpoint, priority=priority)
            for at, (endpoint, priority) in enumerate(layout, 1)
        )
        services[service] = ServiceConfig(service=service, algorithm="round_robin", instances=instances)
    return Catalogue(path="", services=services)


def upstream(files: dict[str, str], name: str) -> str:
    return files["upstreams.conf"].partition(f"upstream {name} {{")[2].partition("}")[0]


def rendered(made: Catalogue) -> dict[str, str]:
    return dict(render(made, NATIVE))


def test_no_mark_of_a_template_is_left() -> None:
    for name, text in rendered(catalogue()).items():
        assert "@" not in text.replace("@llm_backup", "").replace("@models", ""), name


def test_a_yaml_without_nginx_has_one_front_of_this_machine() -> None:
    assert "server 127.0.0.1:8000 weight=1" in upstream(rendered(catalogue()), "fronts")


def test_a_front_of_the_yaml_is_written_as_it_stands() -> None:
    front = UpstreamServer(server="[::1]:8000", weight=7, max_fails=0, fail_timeout_s=90)
    made = Catalogue(path="", services=catalogue().services, nginx=NginxProxy(upstream_servers=(front,)))

    assert "server [::1]:8000 weight=7 max_fails=0 fail_timeout=90s;" in upstream(
        rendered(made), "fronts_by_device"
    )


def test_a_service_says_when_nginx_leaves_out_its_instances() -> None:
    made = catalogue()
    services = {
        name: replace(config, max_fails=0, fail_timeout_s=5) for name, config in made.services.items()
    }

    files = rendered(replace(made, services=services))

    for service in SERVICES:
        assert "weight=1 max_fails=0 fail_timeout=5s;" in upstream(files, service)


def test_localhost_is_one_address() -> None:
    files = rendered(catalogue(asr=[("http://localhost:8100/v1", "normal")]))

    assert "server 127.0.0.1:8100 " in upstream(files, "asr")


@pytest.mark.parametrize("last", ["low", "standby"])
def test_who_is_used_last_is_a_backup_and_alone_it_is_none(last: Priority) -> None:
    both = rendered(catalogue(tts=[("http://a:1/v1", "high"), ("http://b:2/v1", last)]))
    alone = rendered(catalogue(tts=[("http://b:2/v1", last)]))

    assert "server b:2 weight=1 max_fails=2 fail_timeout=30s backup;" in upstream(both, "tts")
    assert "backup" not in upstream(alone, "tts")


def test_dialogues_have_their_backups_in_an_upstream_of_their_own() -> None:
    files = rendered(catalogue(llm=[("http://a:1/v1", "high"), ("https://b/v1", "low")]))

    assert "backup" not in upstream(files, "llm")
    assert "llm-2.sock" in upstream(files, "llm_backup")
    assert "proxy_pass https://$remote;" in files["services.conf"]


@pytest.mark.parametrize("endpoint", ["https://a/v1", "http://a:1/compatible-mode/v1", "https://a:8443/x"])
def test_what_no_upstream_can_hold_gets_a_relay(endpoint: str) -> None:
    files = rendered(catalogue(asr=[(endpoint, "normal")]))

    assert f"server unix:{NATIVE.run_dir}/asr-1.sock " in upstream(files, "asr")
    assert files["services.conf"].count(f"listen unix:{NATIVE.run_dir}/asr-1.sock;") == 1


def test_the_pools_have_the_sizes_of_the_site() -> None:
    files = rendered(catalogue())

    assert [
        f"keepalive {size};" in upstream(files, name)
        for name, size in (("fronts", 32), ("asr", 16), ("llm", 8), ("tts", 16))
    ] == [True] * 4


@pytest.mark.parametrize(
    ("weights", "whole"),
    [
        ([2, 1], [2, 1]),
        ([4.0], [1]),
        ([1.5, 0.5], [3, 1]),
        ([0.01, 1], [1, 100]),
        ([0.001, 1], [1, 100]),
        ([], []),
    ],
)
def test_weights_become_whole_numbers_in_the_same_proportion(weights: list[float], whole: list[int]) -> None:
    assert whole_weights(weights) == whole


def test_the_paths_of_devices_are_those_of_the_front() -> None:
    entry = rendered(catalogue())["entry.conf"]

    assert f"location {WEBSOCKET_PATH.rstrip('/')} {{" in entry
    assert not OTA_PATH.startswith(WEBSOCKET_PATH.rstrip("/"))


def test_the_console_of_the_container_is_looked_up_when_somebody_asks() -> None:
    entry = render(catalogue(), DOCKER)["console.conf"]
    console = entry.partition("location /console/ {")[2].partition("}")[0]

    assert "resolver 127.0.0.11 " in console
    assert "set $console console:8010;" in console
    assert "proxy_pass http://$console;" in console
    assert "console:8010" not in entry.replace(console, ""), "an upstream needs the name at its start"


def test_the_console_stands_in_the_server_with_tls_alone() -> None:
    files = rendered(catalogue())

    assert "include console.conf;" in files["tls/https.conf.template"]
    plain = files["entry.conf"] + files["nginx.conf"]
    assert "/console" not in plain
    assert "console.conf" not in plain


def test_figures_and_probe_of_the_console_stay_inside() -> None:
    entry = rendered(catalogue())["console.conf"]

    for path in ("metrics", "healthz"):
        location = entry.partition(f"location = /console/{path} {{")[2].partition("}")[0]
        assert location.strip() == "return 404;"


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "[::1]")]
)
def test_the_command_takes_the_address_of_the_console(tmp_path: Path, host: str, address: str) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(YAML, encoding="utf-8")

    result = CliRunner().invoke(
        nginx,
        ["render", "--config", str(config), "--output", str(tmp_path)],
        env={"CONSOLE_HOST": host, "CONSOLE_PORT": "8099"},
    )

    assert result.exit_code == 0, result.output
    assert f"set $console {address}:8099;" in (tmp_path / "console.conf").read_text()


def test_the_command_writes_the_files_and_leaves_those_of_the_operator(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text(YAML, encoding="utf-8")
    own = tmp_path / "out" / "tls" / "https.conf"
    own.parent.mkdir(parents=True)
    own.write_text("mine")

    result = CliRunner().invoke(
        nginx,
        ["render", "--config", str(config), "--output", str(tmp_path / "out"), "--http-port", "8081"],
        env={"DASHSCOPE_API_KEY": "", "TTS_API_KEY": ""},
    )

    assert result.exit_code == 0, result.output
    assert "nginx -t" in result.output
    assert "listen 8081;" in (tmp_path / "out" / "nginx.conf").read_text()
    assert own.read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("search house\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n", "10.0.0.1"),
        ("nameserver fe80::1\n", "[fe80::1]"),
        ("# nothing\n", None),
    ],
)
def test_the_name_server_of_the_machine_is_found(tmp_path: Path, text: str, found: str | None) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(text)

    assert name_server(path) == found
    assert name_server(tmp_path / "missing") is None
