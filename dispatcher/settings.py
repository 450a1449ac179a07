"""Settings of one process, from the environment (12-factor): addresses, folders, limits.

What belongs to the deployment as a whole (instances, algorithms, languages) is in the YAML instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dispatcher.errors import ConfigError

DEFAULT_REDIS_URL = "redis://127.0.0.1:6399/0"


class Settings(BaseModel):
    """One field per environment variable (the field's name in capitals).

    Attributes:
        broker_port: where `dispatcher broker` listens; it also makes the default of `redis_url`.
        redis_url: broker and shared state. The default is where `dispatcher up` keeps its own.
        cache_url: phrase cache and claims; the broker's own server when it is empty.
        dispatcher_config: the YAML of balancing and conversation.
        data_dir: logs, the embedded broker, model weights, the generated key.
        front_public_url: what devices are told by OTA, when they cannot reach the address they asked.
        front_auth: "token" lets loopback in and asks others for the token that OTA gave them.
        server_id: this front's name in logs; a random part keeps two apart.
        queue_limit: a stage queue longer than this means overload; the turn gets an apology.
        idle_timeout_s: a connection without any frame for this long is closed.
        drain_s: how long a stop waits for turns under way.
        config_chosen_at_s: Unix time at which an operator chose the YAML, set by `dispatcher up`.
        task_events: Celery task events for Flower; they cost CPU per turn.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    broker_port: int = Field(default=6399, ge=1, le=65535)
    redis_url: str = DEFAULT_REDIS_URL
    cache_url: str = ""
    dispatcher_config: Path = Path("config/embedded.yaml")
    data_dir: Path = Path("var")
    front_host: str = "0.0.0.0"  # noqa: S104  devices are on the LAN; the token keeps strangers out
    front_port: int = Field(default=8000, ge=1, le=65535)
    front_public_url: str = ""
    front_auth: Literal["token", "off"] = "token"
    server_id: str = "front"
    max_devices: int = Field(default=500, ge=1)
    queue_limit: int = Field(default=500, ge=1)
    idle_timeout_s: float = Field(default=300, gt=0)
    drain_s: float = Field(default=10, ge=0)
    config_chosen_at_s: float = Field(default=0, ge=0)
    task_events: bool = False
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def cache(self) -> str:
        """Return the URL of the cache server."""
        return self.cache_url or self.redis_url


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process.

    Args:
        environ: variables to read; the process's own when left out.

    Raises:
        ConfigError: a variable is wrong; the text names it, what it was and what was expected.
    """
    source = os.environ if environ is None else environ
    given: dict[str, Any] = {
        name: source[name.upper()] for name in Settings.model_fields if source.get(name.upper())
    }
    if "broker_port" in given:
        given.setdefault("redis_url", f"redis://127.0.0.1:{given['broker_port']}/0")
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigError(
            [
                f"{str(part['loc'][0]).upper()}: was {part['input']!r}; {part['msg'].lower()}"
                for part in error.errors()
            ]
        ) from error
