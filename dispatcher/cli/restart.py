"""`dispatcher restart`: processes of a running `dispatcher up` restarted one by one, without a lost turn."""

from __future__ import annotations

import click

from dispatcher.errors import StartError, UnknownName
from dispatcher.settings import load_settings
from dispatcher.supervisor.rolling_restart import RestartRequest, RestartStep, request_restart
from dispatcher.supervisor.state_file import find_up


@click.command("restart")
@click.argument("parts", metavar="[PART]...", nargs=-1)
def restart(parts: tuple[str, ...]) -> None:
    """Restart parts of the `dispatcher up` of DATA_DIR, one by one, each when the one before is ready.

    Without PART: the workers, then beat, the fronts, the console.
    What a part works on may end first (DRAIN_S).
    """
    data_dir = load_settings().data_dir
    running = find_up(data_dir)
    if running is None:
        raise StartError(f"no `dispatcher up` runs on {data_dir}; start it, or set DATA_DIR to its folder")
    unknown = [part for part in parts if part not in running.names]
    if unknown:
        raise UnknownName(f"{', '.join(unknown)}: no such part; these run: {', '.join(running.names)}")
    is_complete = True
    for step in request_restart(data_dir, running.pid, RestartRequest(names=parts)):
        click.echo(_line(step))
        is_complete = is_complete and step.state == "ready"
    if not is_complete:
        raise StartError("the restart did not get through; `dispatcher up` and its logs say why")


def _line(step: RestartStep) -> str:
    match step.state:
        case "ready":
            return f"{step.name} is ready again after {step.took_s or 0:.1f} s"
        case "left":
            return f"{step.name} was left as it is"
        case _:
            return f"{step.name} did not come back in {step.took_s or 0:.0f} s"
