"""Load of an instance as the answer to its health check has it, checked: any server may answer anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any, Final

import aiohttp
import structlog

from dispatcher.bounded_json import read_json
from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceBusy
from dispatcher.providers.protocols import LoadReport

log = structlog.get_logger(__name__)

MAX_REPORT_BYTES: Final = 64_000
# A server that is well but never ends its answer has passed the check; it only reports nothing.
REPORT_TIMEOUT_S: Final = 1.0

# Some servers load their model for minutes and answer 200 all the while.
_LOADING: Final = frozenset(
    (
        "loading",
        "loading model",
        "loading_model",
        "starting",
        "initializing",
        "warming up",
        "not ready",
        "not_ready",
    )
)


async def read_load_report(instance: Instance, response: aiohttp.ClientResponse) -> LoadReport:
    """Return `cpu` and `memory` of a JSON answer; any other answer reports nothing.

    Both are ratios of what the instance may use, 0..1. What is no such number is refused with a line in
    the log: it would steer traffic.

    Raises:
        InstanceBusy: it loads, by its own word, whatever its HTTP status says.
    """
    said = _as_mapping(await _read(response))
    status = said.get("status")
    if isinstance(status, str) and status.strip().lower() in _LOADING:
        raise InstanceBusy(instance.name, f"its health page says {status.strip()!r}")
    return LoadReport(cpu_ratio=_ratio(instance, said, "cpu"), memory_ratio=_ratio(instance, said, "memory"))


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the whole answer, or nothing where it is too long or does not end."""
    parts, size = [], 0
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(REPORT_TIMEOUT_S):
            async for part in response.content.iter_any():
                size += len(part)
                if size > MAX_REPORT_BYTES:
                    return b""
                parts.append(part)
            return b"".join(parts)
    return b""


def _as_mapping(raw: bytes) -> Mapping[str, Any]:
    try:
        said = read_json(raw)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _ratio(instance: Instance, said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _is_ratio(value):
        return float(value)
    log.warning("report refused", instance=instance.name, field=name, was=f"{value!r:.60}", expected="0..1")
    return None


def _is_ratio(value: float) -> bool:
    # Python reads the NaN that JSON does not have, and whole numbers too long for a float.
    return 0 <= value <= 1 and isfinite(value)
