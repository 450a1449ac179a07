"""A real nginx with a rendered configuration, on ports and in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.model import Catalogue
from dispatcher.ops.nginx import NATIVE, NginxLayout, render
from tests.support.broker import give_up
from tests.support.processes import Process, free_port
from tests.support.waiting import eventually

USER: Final = "www-data"
# A fault is quicker to prove when a time-out is short; which lines are changed is said by each test.
Changes = Mapping[str, str]


def nginx_path() -> str:
    """Return Debian's nginx; without it the test is skipped, in CI it fails."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return found or give_up("no nginx is installed (apt-get install nginx)")


def catalogue_of(
    folder: Path, *, fronts: list[tuple[str, int]], services: Mapping[str, Any], **pool: int
) -> Catalogue:
    """Return the catalogue of these fronts (address and weight) and services, by way of its YAML."""
    servers = [
        {"server": server, "weight": weight, "max_fails": 2, "fail_timeout": "30s"}
        for server, weight in fronts
    ]
    content = {
        "load_balancing": {
            "nginx_proxy": {"upstream_servers": servers, "connection_pool": pool or None},
            "api_gateway": {f"{name}_services": {"instances": each} for name, each in services.items()},
        }
    }
    path = folder / "nginx.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return load_catalogue(path)


class Nginx(Process):
    """One nginx; its folder is open to the user that its workers become."""

    def __init__(self, catalogue: Catalogue, *, changes: Changes | None = None, **layout: Any) -> None:
        """Render the configuration with some lines changed; nothing is started yet."""
        binary = nginx_path()
        self.folder = Path(tempfile.mkdtemp(prefix="nginx-"))
        self.folder.chmod(0o755)
        self.http_port, self.https_port, self.services_port = free_port(), free_port(), free_port()
        self.layout = replace(self._layout(), **layout)
        self.files = dict(render(catalogue, self.layout))
        for line, instead in (changes or {}).items():
            self._change(line, instead)
        for name, text in self.files.items():
            self._write(name, text)
        conf = self.folder / "nginx.conf"
        super().__init__("nginx", [binary, "-c", str(conf), "-g", "daemon off;"], folder=self.folder)

    @property
    def url(self) -> str:
        """Where devices and browsers come in."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def socket_url(self) -> str:
        """Where devices open their socket."""
        return f"ws://127.0.0.1:{self.http_port}/xiaozhi/v1/"

    @property
    def services(self) -> str:
        """Where the model services are."""
        return f"http://127.0.0.1:{self.services_port}"

    def start(self) -> None:
        """Check the configuration, start, and wait until it answers."""
        self.check()
        super().start()
        eventually(self._answers, what="nginx answers")

    def check(self) -> None:
        """Have nginx itself read the configuration."""
        words = [*self.command[:3], "-t", "-q"]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    def enable_tls(self, certificate: bytes, key: bytes) -> None:
        """Do what the template of TLS says; before the start."""
        for name, content in (("server.crt", certificate), ("server.key", key)):
            (self.folder / "tls" / name).write_bytes(content)
        (self.folder / "tls" / "https.conf.template").rename(self.folder / "tls" / "https.conf")

    def remove(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def logged(self, count: int = 1, *, uri: str = "") -> list[dict[str, Any]]:
        """Return the access log, once it has so many lines of an address."""
        return eventually(lambda: self._lines(count, uri), what=f"{count} lines of the access log")

    def _lines(self, count: int, uri: str) -> list[dict[str, Any]]:
        path = Path(self.layout.access_log)
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        wanted = [line for line in lines if line["uri"].startswith(uri)]
        return wanted if len(wanted) >= count else []

    def _change(self, line: str, instead: str) -> None:
        holding = [name for name, text in self.files.items() if line in text]
        assert holding, f"no file of the configuration holds {line!r}"
        for name in holding:
            self.files[name] = self.files[name].replace(line, instead)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, mode=0o755)
        path.write_text(text, encoding="utf-8")

    def _layout(self) -> NginxLayout:
        run_dir = self.folder / "run"
        run_dir.mkdir(mode=0o755)
        return replace(
            NATIVE,
            user=USER if os.geteuid() == 0 else "",
            http_port=self.http_port,
            https_port=self.https_port,
            services_listen=f"127.0.0.1:{self.services_port}",
            pid=str(run_dir / "nginx.pid"),
            run_dir=str(run_dir),
            cache_dir=str(self.folder / "cache"),
            access_log=str(self.folder / "access.log"),
            error_log=str(self.folder / "error.log"),
        )

    def _answers(self) -> bool:
        assert self.runs, f"{self.output()} {(self.folder / 'error.log').read_text()}"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.services_port), timeout=1):
            return True
        return False


def port_of(upstream: str) -> int:
    """Return the port of an upstream's address, as the log has it."""
    return urlsplit(f"//{upstream}").port or 0


def first_upstreams(lines: list[dict[str, Any]]) -> list[int]:
    """Return the port of the upstream that each request was sent to first."""
    return [port_of(re.split(r"[ ,]", line["upstream"])[0]) for line in lines]
