"""`dispatcher broker`: Valkey or Redis in the foreground; the process becomes it, so signals reach it."""

from __future__ import annotations

import os

import click

from dispatcher.data_dir import make_private
from dispatcher.settings import load_settings
from dispatcher.supervisor.broker_server import broker_command, broker_port, give_on_stdin, require_free


@click.command("broker")
def broker() -> None:
    """Run the broker and state store of this machine.

    It listens on 127.0.0.1 only, at BROKER_PORT (6399), and keeps its files in DATA_DIR/broker. Its password
    lies in DATA_DIR/redis-password; a broker at the address of REDIS_URL has the password of that URL.
    """
    make_private()
    settings = load_settings()
    port = broker_port(settings)
    require_free(port)
    words, secrets = broker_command(settings)
    give_on_stdin(secrets)
    os.execv(words[0], words)  # noqa: S606  no shell is wanted
