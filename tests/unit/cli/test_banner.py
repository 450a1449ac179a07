"""The lines that `make run` ends its start with, and what is typed after them."""

from __future__ import annotations

import pytest

from dispatcher.cli.supervisor.parts import part_of
from dispatcher.cli.supervisor.plan import Plan
from dispatcher.cli.supervisor.procfile import Line
from dispatcher.cli.supervisor.welcome import closing_lines
from dispatcher.settings import load_settings


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "talk hello.wav"),
        ({"FRONT_PORT": "8003"}, "talk --ota http://127.0.0.1:8003/xiaozhi/ota/ hello.wav"),
        ({"FRONT_HOST": "::1"}, "talk --ota http://[::1]:8000/xiaozhi/ota/ hello.wav"),
        ({"FRONT_HOST": "10.0.0.5"}, "talk --ota http://10.0.0.5:8000/xiaozhi/ota/ hello.wav"),
    ],
)
def test_the_line_to_try_names_the_address_that_the_front_has(environ: dict[str, str], words: str) -> None:
    front = part_of(Line(name="front", command="exec dispatcher front"), environ)
    lines = closing_lines(Plan(parts=(front,), skipped=()), load_settings(environ))
    (tried,) = [line for line in lines if line.startswith("Try ")]
    assert tried.endswith(words)
