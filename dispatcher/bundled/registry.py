"""Registry of the engines. Each is imported only when it is wanted: an LLM instance loads no Whisper."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Final

import structlog

from dispatcher.bundled.asr_model import chosen_engines
from dispatcher.bundled.engine_options import read_options
from dispatcher.bundled.engines import Engine, Service
from dispatcher.bundled.fault_setting import FaultSetting, read_fault
from dispatcher.bundled.faulty_engine import FaultyEngine
from dispatcher.errors import ConfigError, StartError

log = structlog.get_logger(__name__)

_TIMED: Final = "dispatcher.bundled.timed_engines"
# Module, the class of its options, and the function that makes the engine of them; the first is the default.
ENGINES: Final[Mapping[Service, Mapping[str, tuple[str, str, str]]]] = {
    "asr": {
        "whisper": ("dispatcher.bundled.whisper.engine", "WhisperOptions", "load"),
        "sensevoice": ("dispatcher.bundled.sensevoice.recognizer", "SenseVoiceOptions", "load"),
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


class PreparedEngine:
    """Engines in the order of preference, with their options read and nothing loaded.

    Attributes:
        name: the engine that is loaded, or the first that will be tried.
        fault_setting: of an engine that can be told to fail.
    """

    def __init__(
        self, loaders: Mapping[str, Callable[[], Engine]], fault_setting: FaultSetting | None
    ) -> None:
        """Load by these functions, the first one first."""
        self.name = next(iter(loaders))
        self.fault_setting = fault_setting
        self._loaders = loaders

    def load(self) -> Engine:
        """Return the first engine that can be loaded; may take seconds, so the server runs it in a thread.

        Raises:
            StartError: the last one cannot be loaded either.
        """
        for name, instead in pairwise(self._loaders):
            try:
                return self._load(name)
            except StartError as error:
                log.error("engine not loaded", engine=name, instead=instead, reason=str(error))  # noqa: TRY400  it says it all
        return self._load(list(self._loaders)[-1])

    def _load(self, name: str) -> Engine:
        engine = self._loaders[name]()
        self.name = name
        return engine if self.fault_setting is None else FaultyEngine(engine, self.fault_setting)


def default_engine(service: Service, environ: Mapping[str, str] = os.environ) -> str:
    """Return the name of the engine that runs when none is named, or several by comma.

    Raises:
        ConfigError: ASR_MODEL is wrong.
    """
    return chosen_engines(environ) if service == "asr" else next(iter(ENGINES[service]))


def prepare(
    service: Service, engine: str, options: Mapping[str, str], *, may_fail: bool = False
) -> PreparedEngine:
    """Return the engine of that name, with its options read but nothing loaded.

    Args:
        service: of the instance.
        engine: its name, or several by comma: the first that can be loaded serves.
        options: of each of them.
        may_fail: a timed engine can always be told to fail, and takes the option `fault`; another one then.

    Raises:
        ConfigError: there is no such engine, or an option is wrong.
        StartError: a package that the engine stands on is not installed.
    """
    given = dict(options)
    switch = FaultSetting() if may_fail else None
    if engine == "timed":
        switch = _read_switch(given.pop("fault", "none"))
    return PreparedEngine({name: _loader(service, name, given) for name in engine.split(",")}, switch)


def _loader(service: Service, name: str, options: Mapping[str, str]) -> Callable[[], Engine]:
    if name not in ENGINES[service]:
        *others, last = ENGINES[service]
        raise ConfigError([f"--engine {name}: expected {', '.join(others)} or {last} for {service}"])
    module_name, options_name, loader_name = ENGINES[service][name]
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise StartError(f"{name}: {error}; install the `builtin` extra") from error
    chosen = read_options(getattr(module, options_name), options)
    loader: Callable[[object], Engine] = getattr(module, loader_name)
    return lambda: loader(chosen)


def _read_switch(written: str) -> FaultSetting:
    try:
        return FaultSetting(read_fault(written))
    except ValueError as error:
        raise ConfigError([f"--fault {written}: {error}"]) from error
