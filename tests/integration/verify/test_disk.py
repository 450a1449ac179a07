"""A disk that fills up, or becomes read-only, under a real `dispatcher up`: a tmpfs in a mount namespace."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.verify.chaos_stack import ChaosStack
from tests.support.broker import give_up
from tests.support.processes import BIN
from tests.support.waiting import eventually, eventually_says

pytestmark = pytest.mark.timeout(240)

DISK = "32m"
NAMESPACE = ("unshare", "--mount") if os.geteuid() == 0 else ("unshare", "--mount", "--map-root-user")


class StackOnSmallDisk(ChaosStack):
    """A stack whose data folder is a disk of its own, which only it sees."""

    def __init__(self, folder: Path) -> None:
        """Make the command that mounts the disk first; nothing is started yet."""
        disk = folder / "var"
        disk.mkdir()
        script = f'mount -t tmpfs -o size={DISK} tmpfs "{disk}" && exec "$@"'
        super().__init__(folder, inside=(*NAMESPACE, "sh", "-c", script, "sh"))
        self._disk = disk

    def on_disk(self, script: str) -> str:
        """Run a shell script where the disk is seen; $DISK is its folder. Return what it prints."""
        done = self.run(*self._entered(), "sh", "-c", f'DISK="{self._disk}"; {script}')
        return done.stdout + done.stderr

    def dispatcher(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours where the disk is seen."""
        return self.run(*self._entered(), str(BIN / "dispatcher"), *words)

    def _entered(self) -> tuple[str, ...]:
        users = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", "--target", str(self.pid), "--mount", *users, f"--wd={Path.cwd()}")

    def says(self, text: str, since_byte: int = 0) -> None:
        """Wait until its screen shows a text, from a place on."""
        eventually(lambda: text in self.output(since_byte), what=f"{text!r} on the screen")

    def answers(self) -> None:
        """Have a turn, which must be answered."""
        url = f"http://127.0.0.1:{self.environ_of_commands['FRONT_PORT']}/xiaozhi/ota/"
        said = self.dispatcher("talk", "--ota", url, "--text", "hello", "--out", "/dev/null")
        assert said.returncode == 0, said.stdout + said.stderr
        assert "sorry" not in said.stdout.lower(), said.stdout

    def disk_figure(self) -> dict[str, object]:
        """Return what the control worker says of the disk."""
        board = json.loads(self.dispatcher("status", "--json").stdout)["kpis"]
        standings = board["standings"] if board else []
        return next((each["kpi"] for each in standings if each["kpi"]["name"] == "disk"), {})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackOnSmallDisk]:
    can = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    if can.returncode:
        give_up(f"no mount namespace here: {can.stderr.decode()}")
    stack = StackOnSmallDisk(tmp_path_factory.mktemp("small-disk"))
    try:
        stack.start()
        yield stack
    finally:
        stack.finish()


def test_turns_go_on_while_the_disk_is_full_and_all_heals_when_there_is_space(
    stack: StackOnSmallDisk,
) -> None:
    since = stack.printed_bytes()
    stack.on_disk('cat /dev/zero > "$DISK/fill"')
    stack.says("the disk is full: turns go on, logs, records and dialogues are not kept", since)
    stack.says("the broker goes on without its file", since)
    for _ in range(2):
        stack.answers()
    assert "the disk is full" in stack.dispatcher("status").stdout
    eventually_says(lambda: "full" in str(stack.disk_figure().get("detail")), what="the figure of the disk")
    stack.on_disk('rm "$DISK/fill"')
    stack.says("can be written to again", since)
    stack.says("the broker keeps its file again", since)
    stack.answers()
    assert "the disk is full" not in stack.dispatcher("status").stdout
    eventually(
        lambda: (
            "turn finished" in stack.on_disk('cat "$DISK/log/front.log"').rsplit("lines were lost", 1)[-1]
        ),
        what="turns in the log again",
    )
    eventually_says(lambda: stack.disk_figure().get("value") != 1.0, what="the disk is healthy again")
    assert stack.runs


def test_a_disk_that_becomes_read_only_ends_nothing_and_a_killed_worker_comes_back(
    stack: StackOnSmallDisk,
) -> None:
    since = stack.printed_bytes()
    stack.on_disk('mount --bind "$DISK" "$DISK" && mount -o remount,ro,bind "$DISK"')
    try:
        stack.says("the disk is read-only: turns go on", since)
        pids = {
            each["name"]: each["pid"]
            for each in json.loads(stack.on_disk('cat "$DISK/up.json"'))["processes"]
        }
        stack.run("kill", "-KILL", str(pids["llm"]))
        stack.says("llm is back after", since)
        stack.answers()
        assert "the disk is read-only" in stack.dispatcher("status").stdout
    finally:
        # Not umount: that is refused for as long as anybody has a file open there.
        stack.on_disk('mount -o remount,rw,bind "$DISK"')
    stack.says("can be written to again", since)


def test_a_worker_that_is_sent_sigterm_comes_back_at_once_each_time(stack: StackOnSmallDisk) -> None:
    since = stack.printed_bytes()
    for count in range(1, 3):
        pids = {
            each["name"]: each["pid"]
            for each in json.loads(stack.on_disk('cat "$DISK/up.json"'))["processes"]
        }
        stack.run("kill", str(pids["control"]))
        eventually(
            lambda n=count: stack.output(since).count("control is back after") == n,  # type: ignore[misc]
            what="the worker is back",
        )
    assert "back in" not in stack.output(since)


def test_the_password_of_the_broker_is_in_no_log_and_no_command_line(stack: StackOnSmallDisk) -> None:
    password = stack.on_disk('cat "$DISK/redis-password"').strip()
    assert len(password) > 30
    seen = stack.run("ps", "-eo", "args").stdout
    assert "celery -A workers" in seen
    assert password not in seen
    assert password not in stack.output()
    assert stack.on_disk(f'grep -rl -e "{password}" "$DISK/log"').strip() == ""


def test_what_the_stack_writes_is_its_owners_alone(stack: StackOnSmallDisk) -> None:
    assert stack.on_disk('find "$DISK/" ! -type l -perm /077 ! -path "$DISK/"').strip() == ""
    assert stack.on_disk('stat -c %a "$DISK"').strip() == "700"


def test_verify_fills_the_disk_and_gives_it_back(stack: StackOnSmallDisk, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    said = stack.dispatcher(*("verify", "--quick", "--only", "disk", "--devices", "2", "--json", str(report)))
    assert report.exists(), said.stdout + said.stderr
    assert report.stat().st_mode & 0o077 == 0
    (disk,) = [each for each in json.loads(report.read_text())["faults"] if each["fault"] == "disk"]
    assert disk["skipped"] in ("", None, False), said.stdout
    assert disk["problems"] == [], said.stdout
    assert disk["outcomes"]["silent"] == 0
    eventually(
        lambda: "read-only" not in (text := stack.dispatcher("status").stdout) and "is full" not in text,
        what="space",
    )
