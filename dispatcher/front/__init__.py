"""The front: devices on WebSockets, OTA, probes and pages. It sends tasks by name and knows no worker."""

from __future__ import annotations

from dispatcher.front.http.app import run_front

__all__ = ["run_front"]
