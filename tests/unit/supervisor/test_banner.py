"""The lines that `make run` ends its start with, and what is typed after them."""

from __future__ import annotations

import pytest

from dispatcher.settings import load_settings
from dispatcher.supervisor.banner import banner_lines
from dispatcher.supervisor.plan import Plan
from dispatcher.supervisor.process_spec import spec_of
from dispatcher.supervisor.procfile import Line


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
    front = spec_of(Line(name="front", command="exec dispatcher front"), environ)
    lines = banner_lines(Plan(specs=(front,), skipped=()), load_settings(environ))
    (tried,) = [line for line in lines if line.startswith("Try ")]
    assert tried.endswith(words)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"FLOWER_PASSWORD": "open sesame", "OPERATOR_PASSWORD": "abracadabra"}, "that of FLOWER_PASSWORD)"),
        ({"FLOWER_PASSWORD_FILE": "/a/file", "OPERATOR_PASSWORD": "abracadabra"}, "in /a/file)"),
        ({"OPERATOR_PASSWORD": "abracadabra"}, "that of OPERATOR_PASSWORD)"),
    ],
)
def test_the_password_of_flower_is_the_one_that_opens_it(environ: dict[str, str], words: str) -> None:
    flower = spec_of(Line(name="flower", command="exec dispatcher flower"), environ)
    lines = banner_lines(Plan(specs=(flower,), skipped=()), load_settings(environ))
    assert any(words in line for line in lines)
