"""structlog and redis without what they load of other packages, for processes that print no tables.

structlog loads rich for tracebacks that show the variables of each frame, which our logs never do: 5 MB and
60 ms of CPU in each process. redis loads the metrics of OpenTelemetry, which nobody collects: 60 modules and
70 ms. An import of either afterwards works as usual.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

_EXTRAS: Final = {"structlog": "rich", "redis": "opentelemetry"}


def import_without_extras(*names: str) -> None:
    """Import `structlog` or `redis` as if the package that they make use of were missing."""
    modules: dict[str, Any] = sys.modules
    for name in names:
        extra = _EXTRAS[name]
        if name not in modules and extra not in modules:
            modules[extra] = None  # what makes an import fail
            import_module(name)
            del modules[extra]
