"""Lint every Lua script as Redis gets it, its fragments joined, with luacheck (Debian: lua-check).

Without luacheck it says so and succeeds; where CI is set it fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

from dispatcher.redis_client.lua_script import Script

ROOT: Final = Path(__file__).parent.parent
_MESSAGE: Final = re.compile(r"^.*?(?P<script>\d+)\.lua:(?P<line>\d+):(?P<rest>.*)$")


def scripts() -> Iterator[Script]:
    """Yield every script that a module of the dispatcher loads."""
    for path in sorted(ROOT.glob("dispatcher/**/*.py")):
        if "= Script.load(" not in path.read_text("utf-8"):
            continue
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        yield from (value for value in vars(module).values() if isinstance(value, Script))


def unused_fragments(loaded: list[Script]) -> list[str]:
    """Return the Lua files that no script is made of."""
    used = {fragment for script in loaded for fragment, _ in script.lines}
    return [str(path.relative_to(ROOT)) for path in ROOT.glob("dispatcher/**/*.lua") if path.stem not in used]


def lint(loaded: list[Script]) -> list[str]:
    """Return what luacheck says, each with its fragment and line."""
    with tempfile.TemporaryDirectory() as folder:
        for number, script in enumerate(loaded):
            (Path(folder) / f"{number}.lua").write_text(script.source, "utf-8")
        command = ["luacheck", "--config", str(ROOT / ".luacheckrc"), "--formatter", "plain", folder]
        said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if said.returncode > 1 and not said.stdout:
        return [said.stderr.strip()]
    found = []
    for line in said.stdout.splitlines():
        match = _MESSAGE.match(line)
        if match:
            fragment, number = loaded[int(match["script"])].lines[int(match["line"]) - 1]
            found.append(f"{fragment}.lua:{number}:{match['rest']}")
    return sorted(set(found))


def main() -> int:
    """Lint, print what is wrong, and return the exit code."""
    if shutil.which("luacheck") is None:
        sys.stdout.write("luacheck is missing (apt install lua-check): Lua is not linted\n")
        return 1 if os.environ.get("CI") else 0
    loaded = list(scripts())
    wrong = lint(loaded) + [f"{path}: no script is made of it" for path in unused_fragments(loaded)]
    sys.stdout.write("\n".join([*wrong, f"luacheck: {len(loaded)} scripts, {len(wrong)} problems"]) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
