"""What stands in a log when something went wrong that nobody thought of."""

from __future__ import annotations

import logging
from typing import Literal

import pytest
import structlog

from dispatcher.logs import configure_logging
from dispatcher.settings import Settings

SECRET = "what-the-user-said"


def fail() -> None:
    """Raise with the user's words in a variable, as a handler of messages might."""
    words = SECRET.upper().lower()
    raise ZeroDivisionError(len(words))


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.parametrize("library", [True, False])
def test_a_traceback_shows_no_variables(
    capfd: pytest.CaptureFixture[str], log_format: Literal["console", "json"], *, library: bool
) -> None:
    configure_logging(Settings(log_format=log_format))
    try:
        fail()
    except ZeroDivisionError:
        if library:
            logging.getLogger("aiohttp.server").exception("Error handling request")
        else:
            structlog.get_logger("ours").exception("part failed")
    printed = capfd.readouterr().err
    assert "ZeroDivisionError: 18" in printed
    assert SECRET not in printed
    assert "locals" not in printed
