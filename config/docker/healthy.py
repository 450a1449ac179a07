"""The health check of containers: `healthy.py url URL`, `healthy.py queue NAME`, or `healthy.py beat`.

A worker is well when its queue is consumed, beat when what its ticks compute is fresh: both are signs in Redis
that end by themselves, so that a process that only hangs is found too.
"""

from __future__ import annotations

import sys
from urllib.request import urlopen

TIMEOUT_S = 3


def is_healthy(kind: str, name: str = "") -> bool:
    """Return whether it is well; a refused connection or a status of 400 and more raises."""
    if kind == "url":
        with urlopen(name, timeout=TIMEOUT_S) as answer:  # noqa: S310  an address of this container
            return bool(answer.status == 200)
    from redis import Redis  # noqa: PLC0415  instances are checked by URL and have no Redis

    from dispatcher.settings import load_settings  # noqa: PLC0415
    from dispatcher.state import keys  # noqa: PLC0415

    key = keys.served(name) if kind == "queue" else keys.KPIS
    with Redis.from_url(load_settings().redis_url, socket_timeout=TIMEOUT_S) as client:
        return bool(client.exists(key))


if __name__ == "__main__":
    sys.exit(0 if is_healthy(*sys.argv[1:]) else 1)
