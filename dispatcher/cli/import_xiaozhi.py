"""`dispatcher import-xiaozhi`: the configuration of the Python server as ours."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dispatcher.catalogue import load_catalogue
from dispatcher.errors import ConfigError, StartError
from dispatcher.ops.xiaozhi_import.import_writer import Import, convert, write_secrets
from dispatcher.ops.xiaozhi_import.legacy_config import read_legacy


@click.command("import-xiaozhi")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--output",
    default=Path("config/mine.yaml"),
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The YAML to write; keys go to the same name with .env.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
def import_xiaozhi(path: Path, output: Path, *, force: bool) -> None:
    """Turn the configuration of xiaozhi-esp32-server into ours.

    PATH is its folder (config.yaml with data/.config.yaml over it), or one of the files. What could not be
    taken over is told, with the reason. For each service that was, a built-in instance stands by. The result
    is checked as every start checks it.
    """
    made = convert(read_legacy(path))
    env_file = output.with_suffix(".env")
    for file in (output, env_file):
        if file.exists() and not force:
            raise StartError(f"{file} is there already; choose another --output, or --force to write over it")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(made.text, "utf-8")
        if made.secrets:
            write_secrets(env_file, made.secrets)
    except OSError as error:
        raise StartError(f"{output}: cannot be written: {error}") from error
    try:
        # A key that was never filled in is told below, and refused at start by its name.
        load_catalogue(output, {**os.environ, **dict.fromkeys(made.secrets, "set")})
    except ConfigError as error:
        hint = (
            f"{output} stays as it was written: mend it there, or mend {path} and import again with --force"
        )
        raise ConfigError([*error.problems, hint]) from error
    _tell(made, output, env_file)


def _tell(made: Import, output: Path, env_file: Path) -> None:
    click.echo(f"written: {output}")
    for line in made.taken:
        click.echo(f"  taken over: {line}")
    for line in made.left:
        click.secho(f"  not taken over: {line}", fg="yellow")
    if made.spares:
        click.echo(f"  standing by, built in, for when these are out: {', '.join(made.spares)}")
    if made.unselected:
        click.echo(f"  not imported, because not selected: {', '.join(made.unselected)}")
    if made.secrets:
        click.echo(f"keys: {env_file} (yours alone to read) holds {', '.join(made.secrets)}")
        click.echo(f"start: set -a; . {env_file}; set +a; make run CONFIG={output}")
    else:
        click.echo(f"start: make run CONFIG={output}")
