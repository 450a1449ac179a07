"""Command `dispatcher`; each subcommand is imported only when it is called, so that it starts at once."""

from __future__ import annotations

import atexit
import gc
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

from dispatcher.errors import ConfigError, DispatcherError, StartError, in_words
from dispatcher.terminal.output import READER_GONE_EXIT_CODE, GuardedOutput

CONFIG_EXIT_CODE: Final = 2
ERROR_EXIT_CODE: Final = 1

# At the end of a process nothing is collected any more: that took 0.4 s of CPU for each of the processes.
atexit.register(gc.freeze)


# What each does in one line; the module of the same name in this package holds the command.
SUBCOMMANDS: Final = {
    "up": "Run everything in the Procfile, and keep it running.",
    "restart": "Restart parts one by one, without a lost turn.",
    "reload": "Check the YAML and put it in force in every running process.",
    "talk": "Say a sound file or a sentence to a running front.",
    "try": "Make one real call to an instance, with times.",
    "bench": "Measure devices, balancing and faults here.",
    "check": "Run the check-lists of a rollout, row by row.",
    "verify": "Inject faults while devices talk, and judge the answers.",
    "status": "Show instances, queues and waiting calls.",
    "devices": "Show, name, block and steer devices.",
    "import-xiaozhi": "Turn the config of the Python server into ours.",
    "why": "Explain where each call of a turn went.",
    "replay": "Try another algorithm on the calls that were recorded.",
    "usage": "Show what calls used and cost, by device or instance.",
    "records": "Show what of turns, samples and decisions is kept in SQL.",
    "tuner": "Show what the tuner did and why; take it back.",
    "overload": "Show what turns are given less of; pin a step.",
    "drain": "Give an instance no new calls.",
    "eject": "Give an instance no calls for a while.",
    "weight": "Hold the weight of an instance at a value.",
    "cap": "Hold the most calls at once of an instance.",
    "restore": "Let an instance have calls again; or put a backup back.",
    "backup": "Write all that would be missed to a file.",
    "front": "Run one front: devices, OTA and the talk page.",
    "instance": "Run one built-in ASR, LLM or TTS instance.",
    "nginx": "Make the configuration of nginx from the YAML.",
    "console": "Run the console: a live page, and metrics.",
    "flower": "Run Flower, which shows workers and tasks.",
    "broker": "Run the broker and state store of this machine.",
}
# Python's own words cannot name a function.
_MODULES: Final = {"try": "try_instance"}


def module_of(name: str) -> str:
    """Return the module of a subcommand within this package, which its function is named after."""
    return _MODULES.get(name, name.replace("-", "_"))


class LazyCommands(click.Group):
    """A group that knows its subcommands by name and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the names in the order of the help."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the subcommand of that name, imported now."""
        if cmd_name not in SUBCOMMANDS:
            return None
        name = module_of(cmd_name)
        command = getattr(import_module(f"{__name__}.{name}"), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{__name__}.{name}: {name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of subcommands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))

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
