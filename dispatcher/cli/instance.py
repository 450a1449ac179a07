"""`dispatcher instance`: one built-in ASR, LLM or TTS instance in the foreground."""

from __future__ import annotations

from typing import Final

import click

from dispatcher.data_dir import make_private
from dispatcher.lean_imports import import_without_extras
from dispatcher.messages import SERVICES, Service

DEFAULT_PORTS: Final[dict[Service, int]] = {"asr": 8100, "llm": 8200, "tts": 8300}


@click.command("instance")
@click.argument("service", type=click.Choice(SERVICES))
@click.option(
    "--engine",
    help="whisper, sensevoice or timed; assistant or timed; voices, edge or timed.  "
    "[default: the first; for asr, that of ASR_MODEL]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 8100, 8200 or 8300]"
)
@click.option(
    *("--set", "options"),
    metavar="KEY=VALUE",
    multiple=True,
    callback=lambda _context, _parameter, written: dict(map(_key_and_value, written)),
    help="Set an option of the engine.",
)
@click.option("--fault", metavar="MODE[=VALUE]", help="Fail on purpose (timed engines), as in stall-after=3.")
def instance(
    service: Service,
    *,
    engine: str | None,
    host: str,
    port: int | None,
    options: dict[str, str],
    fault: str | None,
) -> None:
    """Run one built-in ASR, LLM or TTS instance.

    It speaks the OpenAI HTTP dialect. docs/builtin.md lists the engines and their options.
    """
    # The group's help must not load aiohttp.
    import_without_extras("structlog")
    from dispatcher.bundled.registry import default_engine  # noqa: PLC0415
    from dispatcher.bundled.server import run_instance  # noqa: PLC0415
    from dispatcher.logs import configure_logging  # noqa: PLC0415
    from dispatcher.settings import load_settings  # noqa: PLC0415

    make_private(needs_broker=False)
    settings = load_settings()
    configure_logging(settings)
    run_instance(
        service=service,
        engine=engine or default_engine(service),
        host=host,
        port=DEFAULT_PORTS[service] if port is None else port,
        options=options if fault is None else {**options, "fault": fault},
        may_fail=settings.allow_verify,
    )


def _key_and_value(setting: str) -> tuple[str, str]:
    key, equals, value = setting.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"was {setting!r}; expected KEY=VALUE")
    return key, value
