from __future__ import annotations

import asyncio

import pytest
import uvloop

from dispatcher import event_loop


async def kind() -> type:
    return type(asyncio.get_running_loop())


def test_the_loop_is_the_quick_one_where_it_is_installed() -> None:
    assert event_loop.run(kind()) is uvloop.Loop


def test_without_it_the_loop_is_the_one_of_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "uvloop", None)

    assert event_loop.run(kind()) is not uvloop.Loop
