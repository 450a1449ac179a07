"""Modules that a process imports before it works: each costs CPU and memory at every start."""

from __future__ import annotations

import subprocess
import sys

import pytest

CELERY = (
    "import sys; sys.argv = ['/bin/celery', '-A', 'workers', {words}];"
    "from workers.celery import app; app.loader.import_default_modules()"
)
# Never needed before the first turn, wherever it is.
ANYWHERE = {
    "rich",
    "opentelemetry",
    "sqlalchemy",
    "alembic",
    "mcp",
    "numpy",
    "av",
    "prompt_toolkit",
    "pygments",
}
SPEECH = {"dispatcher.speech_text.cleaner", "dispatcher.speech_text.normalization", "markdown_it"}
FRONT = (
    "from dispatcher.cli.front import import_without_extras; import_without_extras('structlog', 'redis');"
    "import dispatcher.front.http.app"
)
CONTROL = CELERY.format(words="'worker', '-Q', 'control'")
STAGES = {"workers.asr", "workers.llm", "workers.tts"}
# Start of each, what it does without, and how many modules beside Python's own it may import.
STARTS = {
    "stage worker": (CELERY.format(words="'worker', '-Q', 'asr'"), {"aiohttp.web", *SPEECH}, 625),
    "control worker": (
        CONTROL,
        {"aiohttp.web", *SPEECH, *STAGES},
        645,
    ),
    "beat": (CELERY.format(words="'beat'"), {"aiohttp", "dispatcher.pipeline", *SPEECH, *STAGES}, 405),
    "front": (
        FRONT,
        {"celery", "kombu", *SPEECH},
        510,
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_process_starts_without_what_it_does_not_need(name: str) -> None:
    program, unwanted, most = STARTS[name]
    program += (
        "; import sys; print(*(m for m in sys.modules if m.split('.')[0] not in sys.stdlib_module_names))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = found.stdout.split()
    loaded = {each for each in modules if each.split(".")[0] not in sys.stdlib_module_names}

    assert not loaded & (unwanted | ANYWHERE)
    assert len(loaded) <= most, sorted(loaded)
