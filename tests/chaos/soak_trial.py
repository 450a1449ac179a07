"""`make soak`: `dispatcher verify --soak` on a stack of its own, with the page of its curves."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.integration.verify.chaos_stack import ChaosStack
from tests.support.processes import BIN, own_environment

MINUTES: Final = 10.0


def main() -> int:
    """Run the soak; return the exit code of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="how long it lasts")
    parser.add_argument("--html", default="soak.html", metavar="FILE", help="the page of its curves")
    parser.add_argument("--json", default="soak.json", metavar="FILE", help="all of it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        stack = ChaosStack(Path(folder))
        try:
            stack.start()
            files = ["--html", options.html, "--json", options.json]
            return subprocess.run(
                [str(BIN / "dispatcher"), "verify", "--soak", str(options.minutes), *files],
                env=own_environment(stack.environ_of_commands),
                check=False,
            ).returncode
        finally:
            stack.finish()


if __name__ == "__main__":
    sys.exit(main())
