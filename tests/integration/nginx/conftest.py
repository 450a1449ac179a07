"""nginx's real binary in front of two real fronts, or of servers that fail as they are told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import aiohttp
import pytest

from dispatcher.messages import SERVICES
from tests.support.nginx import Changes, Nginx, catalogue_of
from tests.support.processes import stop_all
from tests.support.scripted_server import Script, ScriptedServer
from tests.support.stack import Front, Stack
from tests.support.waiting import WAIT_TIMEOUT_S

# Tests ask faster than a house does; the limits have tests of their own.
NO_LIMITS: Final = {
    "rate=20r/s": "rate=10000r/s",
    "limit_conn connections 100": "limit_conn connections 10000",
}
UNUSED: Final = "127.0.0.1:9"


MakeServer: TypeAlias = Callable[[Script], ScriptedServer]


class MakeNginx(Protocol):
    """Starts an nginx that ends with the test."""

    def __call__(
        self,
        *fronts: tuple[str, int],
        services: dict[str, list[dict[str, Any]]] | None = None,
        changes: Changes | None = None,
        pool: dict[str, int] | None = None,
        start: bool = True,
        **layout: Any,
    ) -> Nginx:
        """Start it before these fronts, each with its weight, and these services."""
        ...


@pytest.fixture
def make_nginx(tmp_path: Path) -> Iterator[MakeNginx]:
    made: list[Nginx] = []

    def make(
        *fronts: tuple[str, int],
        services: dict[str, list[dict[str, Any]]] | None = None,
        changes: Changes | None = None,
        pool: dict[str, int] | None = None,
        start: bool = True,
        **layout: Any,
    ) -> Nginx:
        all_services = {**unused_services(), **(services or {})}
        catalogue = catalogue_of(
            tmp_path, fronts=list(fronts) or [(UNUSED, 1)], services=all_services, **(pool or {})
        )
        nginx = Nginx(catalogue, changes={**NO_LIMITS, **(changes or {})}, **layout)
        made.append(nginx)
        if start:
            nginx.start()
        return nginx

    yield make
    for nginx in made:
        show_logs(nginx)
        nginx.remove()


def unused_services() -> dict[str, list[dict[str, Any]]]:
    """Return an instance for each service that refuses every connection."""
    return {name: [{"endpoint": f"http://127.0.0.1:{at}"}] for at, name in enumerate(SERVICES, 1)}


def show_logs(nginx: Nginx) -> None:
    """Print what nginx logged, which pytest shows when the test fails."""
    for log in ("error.log", "access.log"):
        path = nginx.folder / log
        sys.stdout.write(f"--- {log}\n{path.read_text() if path.exists() else ''}\n")


@pytest.fixture
def scripted() -> Iterator[MakeServer]:
    made: list[ScriptedServer] = []

    def make(script: Script) -> ScriptedServer:
        made.append(ScriptedServer(script))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture(scope="package")
def running_fronts(
    running_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Front, Front]]:
    """Two fronts that believe the nginx of this host; tests take `fronts`."""
    folder = tmp_path_factory.mktemp("fronts")
    first, second = (
        Front(
            f"front-{number}",
            folder=folder,
            environ={**running_stack.environ, "SERVER_ID": f"front-{number}", "TRUSTED_PROXIES": "127.0.0.1"},
        )
        for number in (1, 2)
    )
    yield first, second
    stop_all([first, second])


@pytest.fixture
def fronts(running_fronts: tuple[Front, Front], stack: Stack) -> tuple[Front, Front]:  # noqa: ARG001  heals it
    """Both of them run and are ready."""
    for front in running_fronts:
        if not front.runs:
            front.start()
    for front in running_fronts:
        front.wait_until_ready()
    return running_fronts


@pytest.fixture
def entry(make_nginx: MakeNginx, fronts: tuple[Front, Front]) -> Nginx:
    """The nginx of the user's site: two fronts, weights 3 and 2."""
    return make_nginx(*with_weights(fronts))


def with_weights(fronts: tuple[Front, Front]) -> list[tuple[str, int]]:
    """Return the fronts with the user's weights."""
    return [(f"127.0.0.1:{front.port}", weight) for front, weight in zip(fronts, (3, 2), strict=True)]


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_TIMEOUT_S)) as session:
        yield session


async def statuses(http: aiohttp.ClientSession, url: str, count: int) -> list[int]:
    """Ask one after the other and return the statuses."""
    found = []
    for _ in range(count):
        async with http.get(url) as response:
            await response.read()
            found.append(response.status)
    return found


async def at_once(http: aiohttp.ClientSession, url: str, count: int) -> list[int]:
    """Ask together and return the statuses."""

    async def ask() -> int:
        async with http.get(url) as response:
            await response.read()
            return response.status

    return list(await asyncio.gather(*(ask() for _ in range(count))))
