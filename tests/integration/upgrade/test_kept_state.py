"""A data folder that an earlier version left behind, its append-only file too, under today's processes.

`state-of-0.1.tar.gz` was written by commit 3bd153f: one device called kitchen whose user said "my name is
Ada", the tuner set to act, llm-2 drained, two turns in the records.
"""

from __future__ import annotations

import asyncio
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.instances import Instances
from tests.support.processes import BIN, Process, free_port, own_environment, stop_all
from tests.support.stack import Front, worker_command, write_config

KEPT: Final = Path(__file__).with_name("state-of-0.1.tar.gz")
DEVICE: Final = "aa:bb:cc:dd:ee:01"


class KeptDeployment:
    """Broker, front and workers of today on the folder of an earlier version."""

    def __init__(self, folder: Path, instances: Instances) -> None:
        data_dir = folder / "var"
        data_dir.mkdir()
        with tarfile.open(KEPT) as archive:
            archive.extractall(data_dir, filter="data")
        memory = {"enabled": True, "max_characters": 1000, "idle": "60s"}
        self.environ = {
            "DATA_DIR": str(data_dir),
            "BROKER_PORT": str(free_port()),
            "DISPATCHER_CONFIG": str(write_config(folder / "kept.yaml", instances, memory=memory)),
        }
        dispatcher = str(BIN / "dispatcher")
        self.broker = Process("broker", [dispatcher, "broker"], folder=folder, environ=self.environ)
        self.worker = Process(
            "worker", worker_command("-Q", "asr,llm,tts,control"), folder=folder, environ=self.environ
        )
        self.front = Front("front", folder=folder, environ=self.environ)

    def start(self) -> None:
        """Start everything and wait until a turn can be taken."""
        for process in (self.broker, self.worker, self.front):
            process.start()
        self.front.wait_until_ready()

    def stop(self) -> None:
        """End everything, the broker last."""
        stop_all([self.front, self.worker])
        self.broker.kill()

    def command(self, *words: str) -> str:
        """Return the output of a command of the operator."""
        done = subprocess.run(
            [str(BIN / "dispatcher"), *words],
            env=own_environment(self.environ),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, running_instances: Instances) -> Iterator[KeptDeployment]:
    """Today's processes on the kept folder, ready for turns."""
    running_instances.revive()
    deployment = KeptDeployment(tmp_path_factory.mktemp("kept"), running_instances)
    deployment.start()
    yield deployment
    deployment.stop()


def test_a_device_keeps_its_name_its_language_and_what_is_remembered(
    kept: KeptDeployment,
) -> None:
    shown = kept.command("devices", "show", "kitchen").split()

    assert DEVICE in shown
    assert shown[shown.index("language") + 1] == "en"
    assert shown[shown.index("remembered") + 1] == "14"


def test_the_mode_that_was_set_for_the_tuner_holds(kept: KeptDeployment) -> None:
    shown = kept.command("tuner", "status").split()

    assert shown[shown.index("mode") + 1] == "act,"


def test_turns_of_the_earlier_version_stand_in_the_records(kept: KeptDeployment) -> None:
    assert kept.command("records", "turns", "--device", DEVICE).count("answered") >= 2


async def test_the_device_goes_on_talking_as_itself(kept: KeptDeployment) -> None:
    async with kept.front.device(DEVICE) as device:
        answer = await device.types("What time is it?")
    assert answer.sentences
    assert "kitchen" in await asyncio.to_thread(kept.command, "devices", "list")
