#!/usr/bin/env python3
"""Hook of the tuner: `TUNER_HOOK=/path/hook-systemd` (a copy or link named hook-WAY), or as a server.

    hook.py systemd|compose|kubernetes instances asr 1
    hook.py systemd|compose|kubernetes restart asr asr-1
    hook.py systemd|compose|kubernetes throttle on
    hook.py --listen 172.28.0.1:8070/SECRET compose    # for a control worker in a container

Standard library alone. docs/tuner.md tells what each way needs. Change the tables to your deployment.
"""

from __future__ import annotations

import hmac
import http.server
import json
import re
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 20
# For each service: the instance that a further one is like, and the first port of further ones.
NAMES = {"asr": ("asr-1", 8110), "llm": ("llm-1", 8210), "tts": ("tts-1", 8310)}
MOST = 2
# Units and containers that have less CPU while the tuner throttles.
THROTTLED = {
    "systemd": ("asr-1", "asr-2", "llm-1", "llm-2", "tts-1", "tts-2"),
    "compose": ("asr-1", "asr-2", "llm-local", "tts-local"),
}
WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def run(*command: str) -> None:
    """Run a command to its end; what it says on stderr is ours."""
    subprocess.run(command, check=True, timeout=TIMEOUT_S, stdout=sys.stderr)  # noqa: S603  plain words


def systemd(words: list[str]) -> str:
    """Units of config/systemd; polkit lets the user of the services manage them (docs/tuner.md)."""
    match words:
        case ["instances", service, count]:
            like, port = NAMES[service]
            units = [f"xiaozhi-instance@{service}-extra-{number}" for number in range(1, MOST + 1)]
            for number, unit in enumerate(units):
                run("systemctl", "start" if number < int(count) else "stop", unit)
            return "".join(f"{like} http://127.0.0.1:{port + at}\n" for at in range(min(MOST, int(count))))
        case ["restart", _, name]:
            run("systemctl", "restart", f"xiaozhi-instance@{name}")
        case ["throttle", state]:
            weight = "25" if state == "on" else "100"
            for name in THROTTLED["systemd"]:
                unit = f"xiaozhi-instance@{name}.service"
                run("systemctl", "set-property", "--runtime", unit, f"CPUWeight={weight}")
    return ""


def compose(words: list[str]) -> str:
    """Containers of docker-compose.yml; run in its folder, as a user who may use Docker."""
    match words:
        case ["restart", _, name]:
            run("docker-compose", "restart", name)
        case ["throttle", state]:
            for name in THROTTLED["compose"]:
                listed = ["docker-compose", "ps", "-q", name]
                found = subprocess.run(  # noqa: S603  plain words
                    listed, check=True, timeout=TIMEOUT_S, capture_output=True, text=True
                )
                for container in found.stdout.split():
                    run("docker", "update", "--cpu-shares", "64" if state == "on" else "512", container)
        case _:
            raise SystemExit("a box of fixed size has no room for another container of this service")
    return ""


def kubernetes(words: list[str]) -> str:
    """Deployments of config/kubernetes, one a service; the Service in front shares its calls."""
    match words:
        case ["instances", service, count]:
            replicas = 1 + min(MOST, int(count))
            run("kubectl", "scale", f"deployment/{service}", f"--replicas={replicas}")
        case ["restart", _, name]:
            run("kubectl", "rollout", "restart", f"deployment/{name}")
        case _:
            raise SystemExit("a Deployment has its CPU by requests and limits: set them there")
    return ""


WAYS = {"systemd": systemd, "compose": compose, "kubernetes": kubernetes}


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes a POST of `{"words": [...]}` on the secret path."""

    secret = way = ""
    timeout = 10  # who sends nothing must not keep the others waiting

    def do_POST(self) -> None:
        """Run what is asked for and answer with its output."""
        body = self.rfile.read(max(0, min(4096, int(self.headers.get("Content-Length", 0)))))
        if not hmac.compare_digest(self.path.encode(), f"/{self.secret}".encode()):
            return self._answer(404, "not here")
        try:
            return self._answer(200, act(self.way, json.loads(body)["words"]))
        except (SystemExit, Exception) as error:  # noqa: BLE001  whatever went wrong, the tuner is to read it
            return self._answer(500, f"{type(error).__name__}: {error}")

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


def act(way: str, words: list[str]) -> str:
    """Do what the tuner wants; nothing but plain words reaches a command."""
    if not all(WORD.fullmatch(word) for word in words):
        raise SystemExit(f"words that are none: {words!r}")
    return WAYS[way](words)


def main(arguments: list[str]) -> None:
    """Serve, or do one thing."""
    if arguments[:1] == ["--listen"]:
        address, _, Handler.secret = arguments[1].partition("/")
        Handler.way = arguments[2]
        host, _, port = address.rpartition(":")
        http.server.HTTPServer((host, int(port)), Handler).serve_forever()
    way = Path(sys.argv[0]).stem.removeprefix("hook-")
    words = arguments if way in WAYS else arguments[1:]
    sys.stdout.write(act(way if way in WAYS else arguments[0], words))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (subprocess.SubprocessError, OSError, KeyError) as error:
        raise SystemExit(f"{error}") from error
