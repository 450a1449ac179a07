"""`make chaos`: every kind of fault at random moments, on a stack of its own, against devices that talk."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dispatcher.logs import configure_logging
from dispatcher.ops.chaos.chaos_plan import VerifyPlan
from dispatcher.ops.chaos.chaos_test import VerifyReport, run
from dispatcher.ops.chaos.report_tables import as_json, report_view
from dispatcher.ops.chaos.supervised_environment import SupervisedEnvironment
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import load_settings
from dispatcher.supervisor.chaos_marker import MarkedProcess
from dispatcher.terminal.console import print_view
from tests.chaos.trial_faults import trial_faults
from tests.chaos.trial_stack import TrialStack

MINUTES: Final = 10.0
DEVICES: Final = 20
LONGEST_FAULT_S: Final = 6.0
# Of all turns of a run.
LEAST_ANSWERED: Final = 0.995
IN_NAMESPACE: Final = "CHAOS_NAMESPACE"


class ProxiedEnvironment(SupervisedEnvironment):
    """The processes of the supervisor, with a proxy as the way in."""

    def __init__(self, redis: RedisClient, port: int) -> None:
        """Let devices come in at a port."""
        super().__init__(redis)
        self._port = port

    def entry_urls(self, processes: Sequence[MarkedProcess]) -> tuple[str, ...]:  # noqa: ARG002  of a Protocol
        """Return the proxy."""
        return (f"http://127.0.0.1:{self._port}",)


def main() -> int:
    """Run the trial in a mount namespace of its own; return 0 where it met its goals."""
    options = _options()
    if os.environ.get(IN_NAMESPACE) is None:
        _enter_namespace()
    # A stop has to end what was started, and undo the fault.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    configure_logging(load_settings({"LOG_LEVEL": "error"}))
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        stack = TrialStack(Path(folder), random.Random(options.seed))
        try:
            report = asyncio.run(_tried(stack, options))
        finally:
            stack.finish()
            if options.log:
                Path(options.log).write_text(stack.output())
    print_view(report_view(report))
    if options.json:
        Path(options.json).write_text(json.dumps(as_json(report), indent=1))
    problems = _problems(report, is_strict=options.strict)
    sys.stdout.write("\n".join([f"seed {options.seed}", *problems]) + "\n")
    return 1 if problems else 0


def _enter_namespace() -> None:
    users = () if os.geteuid() == 0 else ("--map-root-user",)
    module = (sys.executable, "-m", "tests.chaos.chaos_trial", *sys.argv[1:])
    command = ("unshare", "--mount", *users, *module)
    os.execvpe(command[0], command, {**os.environ, IN_NAMESPACE: "1"})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="length of the trial")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10_000), help="draws faults and moments"
    )
    parser.add_argument("--devices", type=int, default=DEVICES, help="how many talk")
    parser.add_argument("--only", default="", metavar="NAMES", help="these faults, separated by commas")
    parser.add_argument("--faults", type=int, metavar="NUMBER", help="end after so many, if not by time")
    parser.add_argument("--strict", action="store_true", help="a fault that cannot be injected fails the run")
    parser.add_argument("--json", default="", metavar="FILE", help="write all of it")
    parser.add_argument("--log", default="", metavar="FILE", help="write what the stack printed")
    return parser.parse_args()


async def _tried(stack: TrialStack, options: argparse.Namespace) -> VerifyReport:
    for proxy in stack.proxies:
        await proxy.start()
    await asyncio.to_thread(stack.start)
    os.environ.update(stack.environ_of_commands)
    redis = RedisClient(connect(stack.broker_url))
    faults = trial_faults(stack)
    names = tuple(name for name in faults if not options.only or name in options.only.split(","))
    plan = VerifyPlan(
        names=names,
        devices=options.devices,
        baseline_s=3.0,
        fault_s=LONGEST_FAULT_S,
        total_s=60 * options.minutes,
        seed=options.seed,
        most_faults=options.faults,
    )
    _print(f"seed {options.seed}, {options.minutes:g} min, faults: {', '.join(names)}")
    try:
        environment = ProxiedEnvironment(redis, stack.device_proxy.port)
        return await run(redis, environment, plan, _print, faults=faults)
    finally:
        await redis.close()
        for proxy in stack.proxies:
            await proxy.close()


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _problems(report: VerifyReport, *, is_strict: bool) -> list[str]:
    """Return what makes the trial fail."""
    found = list(report.problems)
    skipped = {each.window.fault: each.window.skipped for each in report.evaluations if each.window.skipped}
    if is_strict:
        found += [f"{name} was not tried: {reason}" for name, reason in skipped.items()]
    answered = sum(not turn.is_failed for turn in report.turns) / max(1, len(report.turns))
    if answered < LEAST_ANSWERED:
        found.append(
            f"{answered:.2%} of {len(report.turns)} turns were answered, expected {LEAST_ANSWERED:.1%}"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
