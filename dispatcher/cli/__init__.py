"""The `dispatcher` command. Each subcommand is imported only when it is called, so that it starts at once."""

from __future__ import annotations

import atexit
import gc
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from dispatcher.errors import ConfigError, DispatcherError, StartError, in_words
from dispatcher.terminal.output import READER_GONE_EXIT_CODE, GuardedOutput

CONFIG_EXIT_CODE: Final = 2
ERROR_EXIT_CODE: Final = 1


# At the end of a process nothing is collected any more: that took 0.4 s of CPU for each of the processes.
atexit.register(gc.freeze)


class Subcommand(NamedTuple):
    """Where a subcommand is defined, and what it does in one line."""

    module: str
    attribute: str
    summary: str


SUBCOMMANDS: Final = {
    "up": Subcommand("dispatcher.cli.up", "up", "Run everything in the Procfile, and keep it running."),
    "restart": Subcommand(
        "dispatcher.cli.restart", "restart", "Restart parts one by one, without a lost turn."
    ),
    "reload": Subcommand(
        "dispatcher.cli.reload", "reload", "Check the YAML and put it in force in every running process."
    ),
    "talk": Subcommand("dispatcher.cli.talk", "talk", "Say a sound file or a sentence to a running front."),
    "try": Subcommand(
        "dispatcher.cli.try_instance", "try_instance", "Make one real call to an instance, with times."
    ),
    "bench": Subcommand("dispatcher.ops.bench", "bench", "Measure devices, balancing and faults here."),
    "check": Subcommand("dispatcher.cli.check", "check", "Run the check-lists of a rollout, row by row."),
    "verify": Subcommand(
        "dispatcher.cli.verify", "verify", "Inject faults while devices talk, and judge the answers."
    ),
    "status": Subcommand("dispatcher.cli.status", "status", "Show instances, queues and waiting calls."),
    "devices": Subcommand("dispatcher.cli.devices", "devices", "Show, name, block and steer devices."),
    "import-xiaozhi": Subcommand(
        "dispatcher.cli.import_xiaozhi", "import_xiaozhi", "Turn the config of the Python server into ours."
    ),
    "why": Subcommand("dispatcher.cli.why", "why", "Explain where each call of a turn went."),
    "replay": Subcommand(
        "dispatcher.cli.replay", "replay", "Try another algorithm on the calls that were recorded."
    ),
    "records": Subcommand(
        "dispatcher.cli.records", "records", "Show what of turns, samples and decisions is kept in SQL."
    ),
    "tuner": Subcommand("dispatcher.cli.tuner", "tuner", "Show what the tuner did and why; take it back."),
    "drain": Subcommand("dispatcher.cli.drain", "drain", "Give an instance no new calls."),
    "eject": Subcommand("dispatcher.cli.eject", "eject", "Give an instance no calls for a while."),
    "restore": Subcommand(
        "dispatcher.cli.restore", "restore", "Let an instance have calls again; or put a backup back."
    ),
    "backup": Subcommand("dispatcher.cli.backup", "backup", "Write all that would be missed to a file."),
    "front": Subcommand("dispatcher.cli.front", "front", "Run one front: devices, OTA and the talk page."),
    "instance": Subcommand(
        "dispatcher.cli.instance", "instance", "Run one built-in ASR, LLM or TTS instance."
    ),
    "nginx": Subcommand("dispatcher.cli.nginx", "nginx", "Make the configuration of nginx from the YAML."),
    "flower": Subcommand("dispatcher.cli.flower", "flower", "Run Flower, which shows workers and tasks."),
    "broker": Subcommand(
        "dispatcher.cli.broker", "broker", "Run the broker and state store of this machine."
    ),
}


class LazyCommands(click.Group):
    """A group that knows its subcommands by name and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the help."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the subcommand of that name, imported now."""
        found = SUBCOMMANDS.get(cmd_name)
        if found is None:
            return None
        command = getattr(import_module(found.module), found.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{found.module}:{found.attribute} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of subcommands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in SUBCOMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the subcommand that is asked for.

        Raises:
            NoSuchCommand: there is none; the text names those that are spelled much like it.
        """
        name = args[0]
        if name in SUBCOMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        likely = get_close_matches(name.lower(), SUBCOMMANDS, n=1)
        raise click.exceptions.NoSuchCommand(name, possibilities=likely, ctx=ctx)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command; where the reader of its output leaves, it ends without a word."""
        if sys.stdout is None:
            return super().main(*args, **extra)
        before, guarded = sys.stdout, GuardedOutput(sys.stdout)
        sys.stdout = guarded
        try:
            return super().main(*args, **extra)
        finally:
            sys.stdout = before
            guarded.flush()
            if guarded.is_unread and guarded.ends_command:
                sys.exit(READER_GONE_EXIT_CODE)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; a known error becomes red lines and an exit code, never a traceback."""
        try:
            return super().invoke(ctx)
        except DispatcherError as error:
            report(error)
            ctx.exit(CONFIG_EXIT_CODE if isinstance(error, ConfigError) else ERROR_EXIT_CODE)
        except (OSError, UnicodeError) as error:
            report(StartError(in_words(error)))
            ctx.exit(ERROR_EXIT_CODE)
        except KeyboardInterrupt:
            if isinstance(sys.stdout, GuardedOutput) and sys.stdout.is_unread:
                ctx.exit(READER_GONE_EXIT_CODE)
            raise


def report(error: DispatcherError) -> None:
    """Print each line of an error in red on stderr."""
    for line in str(error).splitlines():
        click.secho(line, fg="red", err=True, color=None if sys.stderr.isatty() else False)


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="xiaozhi-dispatcher")
def main() -> None:
    """Let one small box serve a houseful of xiaozhi voice devices."""
