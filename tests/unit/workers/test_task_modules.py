"""Modules of tasks that a process of Celery loads, by its command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workers.celery import BEAT_MODULES, COMMON_MODULES, CONTROL_MODULE, TURN_MODULES, task_modules

CELERY = "/somewhere/bin/celery"
ALL = [*TURN_MODULES, CONTROL_MODULE]


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("-A workers worker -Q llm", [*TURN_MODULES]),
        ("-A workers worker --queues=asr,tts -c 4", [*TURN_MODULES]),
        ("-A workers worker -Q llm,control", ALL),
        ("-A workers worker --queues control", [*COMMON_MODULES, CONTROL_MODULE]),
        ("-A workers worker", ALL),
        ("-A workers inspect registered", ALL),
        ("-A workers beat", [*BEAT_MODULES]),
    ],
)
def test_a_process_loads_the_tasks_of_its_queues_and_beat_none(line: str, modules: list[str]) -> None:
    assert task_modules([CELERY, *line.split()]) == modules


def test_another_program_has_all_tasks() -> None:
    assert task_modules(["/usr/bin/pytest", "beat"]) == ALL
    assert task_modules([CELERY]) == ALL


def test_a_process_without_tables_loads_no_rich_with_structlog() -> None:
    program = (
        "import sys, workers, structlog.dev; loaded = 'rich' in sys.modules; import rich;"
        "print(loaded, structlog.dev.rich is None)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["False", "True"]
