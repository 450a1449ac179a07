"""Log of every process of Celery in our form; all that beat loads beside the schedule."""

from __future__ import annotations

from typing import Any

from celery.signals import setup_logging

from dispatcher.logs import configure_logging
from dispatcher.settings import load_settings


@setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Log in our form instead of Celery's."""
    configure_logging(load_settings())
