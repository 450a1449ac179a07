"""The report of `dispatcher verify` in a real browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser

from dispatcher.ops.chaos.report_page import page
from tests.unit.ops.chaos.verify_reports import judged, report, turn, window

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TURNS = (turn(975), turn(1001, "silent", device=3), turn(1002, "apologised"), turn(1003))


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_report_shows_every_turn_on_a_wide_and_on_a_narrow_screen(
    browser: Browser, tmp_path: Path, scheme: str
) -> None:
    skipped = judged(replace(window("redis", 1030.0), skipped="the broker is another one's"))
    seen = report(judged(window("none", 970.0), *TURNS), judged(window(), *TURNS), skipped, turns=TURNS)
    file = tmp_path / "report.html"
    file.write_text(page(seen), "utf-8")
    context = await browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
    try:
        tab = await context.new_page()
        complaints: list[str] = []
        requests: list[str] = []
        tab.on("console", lambda said: complaints.append(said.text))
        tab.on("request", lambda request: requests.append(request.url))
        for width in (1280, 360):
            await tab.set_viewport_size({"width": width, "height": 800})
            await tab.goto(file.as_uri())
            dots = await tab.locator("svg circle.turn").evaluate_all(
                "dots => dots.map(dot => dot.getBoundingClientRect().width)"
            )
            assert len(dots) == len(TURNS)
            assert min(dots) > 0
            # What is wide scrolls inside; the page itself fits.
            assert await tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await tab.locator("text=kill: 1 silent turn").count() == 1
        assert complaints == []
        assert set(requests) == {file.as_uri()}
    finally:
        await context.close()
