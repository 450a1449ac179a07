"""The settings of a command that is typed beside what runs here: it is about the same YAML."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from dispatcher.cli.supervisor.upfile import find_up
from dispatcher.settings import Settings, load_settings


def settings_here(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings, with the YAML that the operator means.

    That is the one he names, else DISPATCHER_CONFIG, else that of the `dispatcher up` on this DATA_DIR:
    after `make run CONFIG=config/mine.yaml` nobody means embedded.yaml when he types `dispatcher reload`.

    Raises:
        ConfigError: a variable is wrong.
    """
    environ = os.environ if environ is None else environ
    named = {**environ, **({"DISPATCHER_CONFIG": str(config)} if config else {})}
    settings = load_settings(named)
    if "dispatcher_config" in settings.model_fields_set:
        return settings
    running = find_up(settings.data_dir)
    if running is None or running.config is None:
        return settings
    return load_settings({**named, "DISPATCHER_CONFIG": str(running.config)})
