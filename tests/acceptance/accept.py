"""`make accept`: all benches and trials in one go, and their figures in README and docs.

Each has its own goals, and ends with another exit code than 0 where it misses them: then the figures that are
kept stay, and so does the document.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.acceptance.figure_tables import KEPT, documents, with_figures
from tests.architecture.tree import ROOT
from tests.support.processes import BIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A bench or trial.

    Attributes:
        command: as one types it.
        quick: options of a run that shows that it works; its figures mean nothing.
    """

    name: str
    command: str
    quick: str


SUBJECTS: Final = tuple(
    Subject(name=name, command=command, quick=quick)
    for name, command, quick in (
        (
            "devices",
            "dispatcher bench devices --devices 1,100,200,300,400,500 --turns 2",
            "--devices 1 --turns 1",
        ),
        ("overload", "dispatcher bench overload", "--levels 60 --seconds 5 --only on"),
        (
            "routing",
            "dispatcher bench routing",
            "--calls 40 --cycles 10 --processes 2 --seconds 0.3",
        ),
        ("faults-llm", "dispatcher bench faults", "--modes refuse --turns 2 --rest 0"),
        ("faults-asr", "dispatcher bench faults --service asr", "--modes refuse --turns 2 --rest 0"),
        ("faults-tts", "dispatcher bench faults --service tts", "--modes refuse --turns 2 --rest 0"),
        ("cost", "dispatcher bench cost", ""),
        ("growth", "dispatcher bench growth", "--idle 50 --cycles 20"),
        ("prefix", "dispatcher bench prefix", "--dialogues 2 --turns 2"),
        ("prefill", "dispatcher bench prefix --prefill", "--dialogues 2 --turns 2"),
        ("phrases", "dispatcher bench phrases", "--turns 2"),
        ("endpointing", "dispatcher bench endpointing", ""),
        ("speculation", "dispatcher bench speculation", "--levels 30 --seconds 5"),
        ("voices", "dispatcher bench voices --voice hibari --voice baker", "--sentences 2"),
        ("simulate", "python -m tests.simulation.simulate", "1"),
        ("fuzz", "python -m tests.fuzz.fuzz_trial --cases 100000", "--cases 500"),
        ("hostile", "python -m tests.hostile.hostile_trial", "--only garbage --seconds 5"),
        ("chaos", "python -m tests.chaos.chaos_trial", "--faults 2 --devices 4"),
        ("soak", "python -m tests.chaos.soak_trial", "--minutes 1"),
    )
)


def run(subject: Subject, folder: Path, *, is_quick: bool) -> bool:
    """Run one, and write its figures to a folder; return whether it met its goals.

    Of what it found, the tables alone are kept, with when and how they were measured.
    """
    command = f"{subject.command} {subject.quick}".strip() if is_quick else subject.command
    measured = {
        "at": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "command": command,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    with tempfile.TemporaryDirectory(prefix="accept-") as own:
        found = Path(own) / "found.json"
        program, *words = command.split()
        ended = subprocess.run([str(BIN / program), *words, "--json", str(found)], cwd=ROOT, check=False)
        if ended.returncode or not found.exists():
            return False
        keep(folder / f"{subject.name}.json", measured, json.loads(found.read_text("utf-8"))["tables"])
    return True


def keep(path: Path, measured: dict[str, Any], tables: dict[str, Any]) -> None:
    """Write a file of figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"measured": measured, "tables": tables}, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", "utf-8")


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def write_documents() -> None:
    """Write the kept figures between the markers of all documents."""
    for document in documents():
        text = with_figures(document)
        if text != document.read_text("utf-8"):
            document.write_text(text, "utf-8")
            sys.stdout.write(f"{document.relative_to(ROOT)} has new figures\n")


def main() -> int:
    """Run what was chosen; return 0 where all of it met its goals."""
    options = _options()
    if options.folder:
        for path in sorted(Path(options.folder).glob("*.json")):
            if path.parent.resolve() != KEPT.resolve():
                shutil.copy(path, KEPT / path.name)
        write_documents()
        return 0
    chosen = [each for each in SUBJECTS if not options.only or each.name in options.only.split(",")]
    with tempfile.TemporaryDirectory(prefix="accept-") as own:
        folder = Path(own) if options.quick else KEPT
        missed = [each.name for each in chosen if not run(each, folder, is_quick=options.quick)]
        if not options.quick:
            write_documents()
    said = f"{len(chosen) - len(missed)} of {len(chosen)} met their goals"
    sys.stdout.write(f"{said}; not: {', '.join(missed)}\n" if missed else f"{said}\n")
    return 1 if missed else 0


def _options(words: Sequence[str] | None = None) -> argparse.Namespace:
    names = [each.name for each in SUBJECTS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of {', '.join(names)}")
    parser.add_argument("--quick", action="store_true", help="try all in short; no document changes")
    parser.add_argument(
        "--from", dest="folder", default="", help="run nothing; take the files of this folder"
    )
    options = parser.parse_args(words)
    unknown = [name for name in options.only.split(",") if name and name not in names]
    if unknown:
        parser.error(f"--only: was {', '.join(unknown)}; expected some of {', '.join(names)}")
    if options.folder and not Path(options.folder).is_dir():
        parser.error(f"--from: was {options.folder}; expected a folder of JSON files")
    return options


if __name__ == "__main__":
    sys.exit(main())
