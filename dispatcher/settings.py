"""Settings of one process, from the environment (12-factor): addresses, folders, limits.

What belongs to the deployment as a whole (instances, algorithms, languages) is in the YAML instead.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork, ValidationError

from dispatcher.data_dir import DEFAULT_BROKER_PORT, DEFAULT_DATA_DIR, embedded_redis_url
from dispatcher.errors import ConfigError
from dispatcher.redis_url import parse_redis_url, with_ca_file

DEFAULT_REDIS_URL = f"redis://127.0.0.1:{DEFAULT_BROKER_PORT}/0"


def _listed(value: object) -> object:
    """Return what stands between the commas of a variable."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class Settings(BaseModel):
    """One field per environment variable (the field's name in capitals).

    Attributes:
        broker_port: where `dispatcher broker` listens; it also makes the default of `redis_url`.
        redis_url: broker and shared state. The default is where `dispatcher up` keeps its own, with the
            password that lies in `data_dir`; TLS and Sentinel as dispatcher/redis_url.py reads them.
        cache_url: phrase cache and claims; the broker's own server when it is empty.
        redis_url_file, cache_url_file: a file that holds the URL: it may hold a password.
        redis_ca_file: the authority of the certificates of a Redis over TLS, for both URLs.
        dispatcher_config: the YAML of balancing and conversation.
        database_url: where turns, samples and decisions are kept, as SQLAlchemy writes it; a file in
            `data_dir` when it is empty.
        database_url_file: a file that holds DATABASE_URL: a secret need not stand in the environment.
        data_dir: logs, the embedded broker, model weights, the generated key.
        front_public_url: the URL that OTA gives to devices that cannot reach the address they asked.
        front_on_network: this machine's own address is one that devices can use, which no container can say;
            `dispatcher up` sets it.
        trusted_proxies: addresses or networks, by comma, of the nginx whose X-Forwarded-For and
            X-Forwarded-Proto are used; from any other address they are not.
        nginx_services_url: where the nginx in front serves the models to those inside, such as
            http://127.0.0.1:8090: the tuner empties its cache of speech there.
        front_token_key_file: the key of the tokens, the same for all fronts; without it they agree on one.
        front_auth: "token" lets loopback in and asks others for the token that OTA gave them.
        activation: "on" lets a device in when its code was typed (`dispatcher devices activate`).
        server_id: this front's name in logs; a random part keeps two apart.
        instance_weight: its share of the devices, as nginx has it; `/healthz` shows it.
        max_devices: of this front; as many as memory and file descriptors carry where it is left out.
        queue_limit: a stage queue longer than this means overload; the turn gets an apology. As many as
            devices where it is left out.
        max_connections_per_address: of one address (IPv6: one /64) at a time; this host and trusted proxies
            are not counted, a client behind a trusted proxy by the address in its header.
        new_connections_per_s: of one address, after as many at once as it may have.
        max_silent_per_address: sockets of one address on which no hello was said yet.
        smart_turn_model: the model of `endpointing: smart_turn`, or its folder; else it is looked for
            (dispatcher/audio/smart_turn.py).
        idle_timeout_s: a connection without any frame for this long is closed.
        drain_s: how long a stop waits for turns under way.
        config_chosen_at_s: Unix time at which an operator chose the YAML, set by `dispatcher up`.
        task_events: Celery task events at all times; they cost CPU per turn, and Flower asks for them itself.
        operator_password: asked for by the console, and by Flower unless it has its own; made at the first
            start when it is empty.
        operator_password_file: a file that holds it; DATA_DIR/flower-password when it is empty.
        flower_host, flower_port: where Flower listens; it has a password but no encryption.
        flower_password, flower_password_file: of its user `operator`; the operator's when both are empty.
        flower_read_only: Flower shows and changes nothing.
        flower_idle_s: so long after the last request to Flower, workers send it task events.
        flower_link, console_link: the talk page links to Flower and to the console; `dispatcher up` sets each
            where it runs.
        console_host, console_port: where the console serves its page and `/metrics`.
        metrics_host, metrics_port: where a front or worker serves what it alone knows; 0 is nowhere.
            `dispatcher up` takes the port as the first of as many as it has of these.
        allow_verify: `dispatcher verify` may inject faults into the processes of this `dispatcher up`.
        box_scope: what the host metrics are about: the container or unit whose limits the control
            worker has, or the whole host, because each part has a container or unit of its own.
        tuner_hook: a program, or an address to post to, that the tuner asks for what nobody else does to
            instances: start one more, restart one, give them less CPU (docs/tuner.md).
        tick_scale: beat's periods are multiplied by this; tests see minutes pass in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    broker_port: int = Field(default=DEFAULT_BROKER_PORT, ge=1, le=65535)
    redis_url: str = Field(default=DEFAULT_REDIS_URL, repr=False)
    redis_url_file: str = ""
    cache_url: str = Field(default="", repr=False)
    cache_url_file: str = ""
    redis_ca_file: str = ""
    dispatcher_config: Path = Path("config/embedded.yaml")
    database_url: str = Field(default="", repr=False)
    database_url_file: str = ""
    data_dir: Path = Path(DEFAULT_DATA_DIR)
    front_host: str = "0.0.0.0"  # noqa: S104  devices are on the LAN; the token keeps strangers out
    front_port: int = Field(default=8000, ge=1, le=65535)
    front_public_url: str = ""
    front_on_network: bool = False
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_listed)] = ()
    nginx_services_url: str = Field(default="", pattern=r"^https?://[^/]+/?$")
    front_token_key_file: str = ""
    front_auth: Literal["token", "off"] = "token"
    activation: Literal["on", "off"] = "off"
    server_id: str = "front"
    instance_weight: int = Field(default=1, ge=1)
    max_devices: int | None = Field(default=None, ge=1)
    max_connections_per_address: int = Field(default=128, ge=1)
    new_connections_per_s: float = Field(default=20, gt=0)
    max_silent_per_address: int = Field(default=32, ge=1)
    queue_limit: int | None = Field(default=None, ge=1)
    smart_turn_model: Path | None = None
    idle_timeout_s: float = Field(default=300, gt=0)
    drain_s: float = Field(default=10, ge=0)
    config_chosen_at_s: float = Field(default=0, ge=0)
    task_events: bool = False
    operator_password: str = Field(default="", repr=False)
    operator_password_file: str = ""
    flower_host: str = "127.0.0.1"
    flower_port: int = Field(default=5555, ge=1, le=65535)
    flower_password: str = Field(default="", repr=False)
    flower_password_file: str = ""
    flower_read_only: bool = True
    flower_idle_s: float = Field(default=300, gt=0)
    flower_link: bool = False
    console_link: bool = False
    console_host: str = "127.0.0.1"
    console_port: int = Field(default=8010, ge=1, le=65535)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535)
    allow_verify: bool = False
    box_scope: Literal["container", "host"] = "container"
    tuner_hook: str = ""
    tick_scale: float = Field(default=1.0, gt=0, le=1)
    log_format: Literal["console", "json"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def cache(self) -> str:
        """Return the URL of the cache server."""
        return self.cache_url or self.redis_url

    @property
    def follows_redis(self) -> bool:
        """Whether another host chooses the catalogue: Redis is elsewhere, and no file was named."""
        own = embedded_redis_url(self.broker_port, self.data_dir)
        is_elsewhere = self.redis_url not in (own, f"redis://127.0.0.1:{self.broker_port}/0")
        return is_elsewhere and "dispatcher_config" not in self.model_fields_set

    @property
    def database(self) -> str:
        """Return the URL of the store of records; it may hold a password."""
        return self.database_url or f"sqlite:///{self.data_dir / 'records.sqlite3'}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process.

    Args:
        environ: variables to read; the process's own when left out.

    Raises:
        ConfigError: a variable is wrong; the text names it, what it was and what was expected.
    """
    source = os.environ if environ is None else environ
    given = _given(source)
    unusable = _read_redis_urls(given)
    try:
        settings = Settings(**given)
        if "redis_url" not in given:
            embedded = embedded_redis_url(settings.broker_port, settings.data_dir)
            settings = settings.model_copy(update={"redis_url": embedded})
    except ValidationError as error:
        wrong = [
            f"{str(part['loc'][0]).upper()}: was {part['input']!r}; {part['msg'].lower()}"
            for part in error.errors()
        ]
        raise ConfigError(unusable + wrong) from error
    if unusable:
        raise ConfigError(unusable)
    return settings


def _given(source: Mapping[str, str]) -> dict[str, Any]:
    """Return what is set, with the content of the files that hold secrets."""
    given: dict[str, Any] = {
        name: held for name in Settings.model_fields if (held := _without_ends(source.get(name.upper(), "")))
    }
    for name in ("redis_url", "cache_url", "database_url"):
        if f"{name}_file" in given:
            given[name] = _secret(f"{name}_file", given[f"{name}_file"], instead_of=given.get(name))
    return given


def _without_ends(value: str) -> str:
    """Return a value without what an editor puts around it: blanks, line ends, a byte order mark."""
    return value.strip().strip("\ufeff\u200b").strip()


def _read_redis_urls(given: dict[str, Any]) -> list[str]:
    """Fill in the file of the CA; return what is wrong with the URLs, which are never quoted."""
    problems = []
    ca_file = given.get("redis_ca_file")
    if ca_file and not Path(ca_file).is_file():
        problems.append(f"REDIS_CA_FILE: was {ca_file!r}; there is no such file")
    for name in ("redis_url", "cache_url"):
        if name not in given:
            continue
        try:
            parse_redis_url(given[name])
            if ca_file:
                given[name] = with_ca_file(given[name], ca_file)
        except ValueError as error:
            problems.append(f"{name.upper()}: cannot be used: {error}")
    return problems


def _secret(variable: str, path: str, *, instead_of: str | None) -> str:
    """Return what the file of a variable holds."""
    named, instead = variable.upper(), variable.upper().removesuffix("_FILE")
    if instead_of:
        raise ConfigError([f"{named}: was set beside {instead}; expected one of the two"])
    try:
        held = _without_ends(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{named}: was {path!r}; it cannot be read: {error}"]) from error
    if not held:
        raise ConfigError([f"{named}: was {path!r}; the file is empty, expected a URL in it"])
    return held
