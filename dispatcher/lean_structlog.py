"""structlog without rich: imported first by processes that print no tables.

structlog loads rich for tracebacks that show the variables of each frame, which our logs never do: 5 MB and
60 ms of CPU in each process. An import of rich after this one works as usual.
"""

from __future__ import annotations

import sys
from typing import Any

if "structlog" not in sys.modules and "rich" not in sys.modules:
    modules: dict[str, Any] = sys.modules
    modules["rich"] = None  # what makes an import fail
    import structlog as structlog  # noqa: PLC0414  loaded for its own sake

    del modules["rich"]
