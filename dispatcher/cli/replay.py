"""`dispatcher replay`: recorded calls under another algorithm, or another YAML."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

import click

from dispatcher.messages import SERVICES, Algorithm, Service
from dispatcher.ops.redis_session import with_redis
from dispatcher.ops.replay.replay_run import ReplayPlan, run_replay


@click.command("replay")
@click.option(
    "--algorithm", type=click.Choice(get_args(Algorithm)), help="The algorithm to try.  [default: in force]"
)
@click.option("--service", type=click.Choice(SERVICES), default="llm", show_default=True)
@click.option("--last", type=click.IntRange(1), help="Only the newest N decisions.  [default: all kept]")
@click.option("--turn", default="", metavar="TURN", help="Show the calls of one turn, then and now.")
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A YAML with other weights, caps or instances.  [default: what is active]",
)
@click.option("--seed", default=1, show_default=True, help="Of the dice that draw which moved calls fail.")
def replay(
    *,
    algorithm: Algorithm | None,
    service: Service,
    last: int | None,
    turn: str,
    config: Path | None,
    seed: int,
) -> None:
    """Try another algorithm or YAML on the calls that were recorded.

    The newest decisions of a service go once more, in their own time, through the same scripts on keys of
    their own that are deleted afterwards. Nothing that runs is touched.
    """
    plan = ReplayPlan(algorithm=algorithm, service=service, last=last, turn=turn, config=config, seed=seed)

    with_redis(partial(run_replay, plan=plan))
