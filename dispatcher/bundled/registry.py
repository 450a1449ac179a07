"""Registry of the engines. Each is imported only when it is wanted: an LLM instance loads no Whisper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from dispatcher.bundled.engine_options import read_options
from dispatcher.bundled.engines import Engine, Service
from dispatcher.bundled.fault_setting import FaultSetting, read_fault
from dispatcher.bundled.faulty_engine import FaultyEngine
from dispatcher.errors import ConfigError, StartError

_TIMED: Final = "dispatcher.bundled.timed_engines"
# Module, the class of its options, and the function that makes the engine of them; the first is the default.
ENGINES: Final[Mapping[Service, Mapping[str, tuple[str, str, str]]]] = {
    "asr": {
        "whisper": ("dispatcher.bundled.whisper.engine", "WhisperOptions", "load"),
        "timed": (_TIMED, "TimedAsrOptions", "TimedAsr"),
    },
    "llm": {
        "assistant": ("dispatcher.bundled.assistant.engine", "AssistantOptions", "load"),
        "timed": (_TIMED, "TimedLlmOptions", "TimedLlm"),
    },
    "tts": {
        "voices": ("dispatcher.bundled.voices.engine", "VoicesOptions", "load"),
        "edge": ("dispatcher.bundled.edge_engine", "EdgeOptions", "load"),
        "timed": (_TIMED, "TimedTtsOptions", "TimedTts"),
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An engine whose options are read.

    Attributes:
        load: makes the engine; may take seconds, so the server runs it in a thread.
        fault_setting: of an engine that can be told to fail.
    """

    load: Callable[[], Engine]
    fault_setting: FaultSetting | None = None


def default_engine(service: Service) -> str:
    """Return the name of the engine that runs when none is named."""
    return next(iter(ENGINES[service]))


def prepare(service: Service, engine: str, options: Mapping[str, str], *, may_fail: bool = False) -> Prepared:
    """Return the engine of that name, with its options read but nothing loaded.

    A timed engine can always be told to fail, and takes the option `fault`; another one where it `may_fail`.

    Raises:
        ConfigError: there is no such engine, or an option is wrong.
        StartError: a package that the engine stands on is not installed.
    """
    if engine not in ENGINES[service]:
        raise ConfigError([f"--engine {engine}: expected {' or '.join(ENGINES[service])} for {service}"])
    module_name, options_name, loader_name = ENGINES[service][engine]
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise StartError(f"{engine}: {error}; install the `builtin` extra") from error
    given = dict(options)
    switch = FaultSetting() if may_fail else None
    if engine == "timed":
        switch = _read_switch(given.pop("fault", "none"))
    chosen = read_options(getattr(module, options_name), given)
    loader: Callable[[object], Engine] = getattr(module, loader_name)
    if switch is None:
        return Prepared(load=lambda: loader(chosen))
    return Prepared(load=lambda: FaultyEngine(loader(chosen), switch), fault_setting=switch)


def _read_switch(written: str) -> FaultSetting:
    try:
        return FaultSetting(read_fault(written))
    except ValueError as error:
        raise ConfigError([f"--fault {written}: {error}"]) from error
