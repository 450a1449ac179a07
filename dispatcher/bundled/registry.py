"""Which engines there are. Each is imported only when it is asked for: an LLM instance loads no Whisper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from dispatcher.bundled.engines import Engine, Service
from dispatcher.bundled.timed.faults import Faults
from dispatcher.errors import ConfigError, StartError

# The first of a service is its default. Each module has a function `prepare(options) -> Prepared`.
ENGINES: Final[Mapping[Service, Mapping[str, str]]] = {
    "asr": {"whisper": "dispatcher.bundled.whisper.engine", "timed": "dispatcher.bundled.timed.asr"},
    "llm": {"assistant": "dispatcher.bundled.assistant.engine", "timed": "dispatcher.bundled.timed.llm"},
    "tts": {"voices": "dispatcher.bundled.voices.engine", "timed": "dispatcher.bundled.timed.tts"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An engine whose options are read.

    Attributes:
        load: makes the engine; may take seconds, so the server runs it in a thread.
        faults: the switch of an engine that can be told to fail.
    """

    load: Callable[[], Engine]
    faults: Faults | None = None


def default_engine(service: Service) -> str:
    """Return the name of the engine that runs when none is named."""
    return next(iter(ENGINES[service]))


def prepare(service: Service, engine: str, options: Mapping[str, str]) -> Prepared:
    """Return the engine of that name, with its options read but nothing loaded.

    Raises:
        ConfigError: there is no such engine, or an option is wrong.
        StartError: a package that the engine stands on is not installed.
    """
    module = ENGINES[service].get(engine)
    if module is None:
        raise ConfigError([f"--engine {engine}: expected {' or '.join(ENGINES[service])} for {service}"])
    try:
        implementation = import_module(module)
    except ImportError as error:
        raise StartError(f"{engine}: {error}; install the `builtin` extra") from error
    prepared = implementation.prepare(options)
    if not isinstance(prepared, Prepared):
        raise TypeError(f"{module}.prepare returned {type(prepared).__name__}, expected Prepared")
    return prepared
