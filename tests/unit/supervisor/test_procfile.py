"""Reading a Procfile, and what its problems say."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import ConfigError
from dispatcher.supervisor.procfile import Line, parse_procfile, read_procfile
from tests.support.processes import ROOT

PROCFILE = ROOT / "Procfile"


def test_comments_and_blank_lines_are_left_out() -> None:
    lines = parse_procfile("# all of it\n\nfront: exec dispatcher front\n  beat: celery beat  \n", source="P")
    assert lines == (
        Line(name="front", command="exec dispatcher front"),
        Line(name="beat", command="celery beat"),
    )


def test_a_command_may_hold_colons() -> None:
    (line,) = parse_procfile("web: serve --at http://localhost:80", source="P")
    assert line.command == "serve --at http://localhost:80"


def test_every_problem_is_named_with_its_line_number() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_procfile("front exec dispatcher front\nasr: a\nasr: b\nllm:\n", source="Procfile")
    assert caught.value.problems == [
        "Procfile:1: was 'front exec dispatcher front'; expected `name: command`",
        "Procfile:3: asr stands twice; each name may stand once",
        "Procfile:4: was 'llm:'; expected `name: command`",
    ]


def test_an_empty_procfile_is_a_problem() -> None:
    with pytest.raises(ConfigError, match="is empty"):
        parse_procfile("# nothing\n", source="Procfile")


def test_a_missing_procfile_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--procfile"):
        read_procfile(tmp_path / "Procfile")


def test_each_line_of_the_projects_procfile_replaces_its_shell() -> None:
    assert all(line.command.startswith("exec ") for line in read_procfile(PROCFILE))
