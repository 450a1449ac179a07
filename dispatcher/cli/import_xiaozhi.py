"""`dispatcher import-xiaozhi`: the configuration of the Python server as ours."""

from __future__ import annotations

from pathlib import Path

import click

from dispatcher.ops.xiaozhi_import.import_writer import convert, write_import
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
    env_file = write_import(made, source=path, output=output, force=force)
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
