"""`dispatcher nginx render`: nginx's configuration from the YAML."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from dispatcher.cli.command_options import config_option


@click.group("nginx")
def nginx() -> None:
    """Make the configuration of the nginx in front of the fronts."""


@nginx.command("render")
@config_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("config/nginx"),
    show_default=True,
    help="Folder to write to; files of the operator in it (tls/, keys/) stay.",
)
@click.option("--docker", is_flag=True, help="For the container of docker-compose.yml.")
@click.option("--http-port", type=click.IntRange(1, 65535), help="Where devices come in.  [default: 80]")
@click.option("--resolver", help="Name server for remote services.  [default: that of this machine]")
def render_command(
    *, config: Path | None, output: Path, docker: bool, http_port: int | None, resolver: str | None
) -> None:
    """Write nginx.conf and what it includes, and say how to check it.

    Nothing is reloaded: `nginx -t` and `nginx -s reload` are the operator's.
    """
    from dispatcher.catalogue import load_catalogue  # noqa: PLC0415  the group's help must start at once
    from dispatcher.catalogue.secrets import EveryVariable  # noqa: PLC0415
    from dispatcher.ops.nginx import DOCKER, NATIVE, at_front, render  # noqa: PLC0415
    from dispatcher.ops.nginx.nginx_host import RESOLV_CONF, name_server, write_files  # noqa: PLC0415
    from dispatcher.supervisor.process_spec import ListenAddress  # noqa: PLC0415
    from dispatcher.supervisor.resolve_settings import resolve_settings  # noqa: PLC0415

    layout = DOCKER if docker else replace(NATIVE, resolver=name_server(RESOLV_CONF) or NATIVE.resolver)
    if http_port is not None:
        layout = replace(layout, http_port=http_port)
    if resolver is not None:
        layout = replace(layout, resolver=resolver)
    # nginx needs no key of a service, and the machine that renders may have none.
    settings = resolve_settings(config)
    catalogue = load_catalogue(settings.dispatcher_config, environ=EveryVariable())
    if not docker:
        catalogue = at_front(catalogue, settings.front_port)
        console = ListenAddress(settings.console_host, settings.console_port).reachable
        layout = replace(layout, console=str(console))
    written = write_files(output, render(catalogue, layout))
    click.echo("\n".join(str(path) for path in written))
    click.echo(f"check it with: nginx -t -c {(output / 'nginx.conf').absolute()}")
