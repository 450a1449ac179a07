"""The talk page as it is served: headers, caching, and files that belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dispatcher.dialogue.emotion import EMOTIONS
from dispatcher.front.http.pages import STATIC, add_pages, console_address, flower_address
from dispatcher.settings import Settings
from dispatcher.web_assets import PAGE, read_assets

ASSETS = sorted(path.name for path in STATIC.iterdir())
SCRIPTS = [name for name in ASSETS if name.endswith(".js")]


async def get(
    path: str, headers: Mapping[str, str] | None = None, *, settings: Settings | None = None
) -> web.Response:
    """Return what the front answers to a GET, without a socket."""
    app = web.Application()
    add_pages(app, settings or Settings())
    match = await app.router.resolve(make_mocked_request("GET", path))
    response = await match.handler(make_mocked_request("GET", path, headers, match_info=dict(match)))
    assert isinstance(response, web.Response)
    return response


def text_of(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("host", "told"),
    [("127.0.0.1", "loopback:5555"), ("0.0.0.0", "any:5555"), ("10.0.0.5", "10.0.0.5:5555")],
)
async def test_the_page_is_told_where_flower_is(host: str, told: str) -> None:
    settings = Settings(flower_link=True, flower_host=host)

    assert flower_address(settings) == told
    assert f'data-flower="{told}"' in str((await get("/", settings=settings)).text)


def test_without_flower_the_page_is_told_of_none() -> None:
    assert flower_address(Settings()) == ""


async def test_the_page_is_told_where_the_console_is_only_where_it_runs() -> None:
    assert console_address(Settings()) == ""
    page = str((await get("/", settings=Settings(console_link=True, console_port=8123))).text)
    assert 'data-console="loopback:8123"' in page
    assert 'data-flower=""' in page


async def test_root_is_the_page_in_html() -> None:
    response = await get("/")

    assert response.content_type == "text/html"
    assert response.charset == "utf-8"
    assert response.body == (STATIC / PAGE).read_bytes()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("app.js", "text/javascript"), ("base.css", "text/css"), ("mark.svg", "image/svg+xml")],
)
async def test_an_asset_has_the_type_that_nosniff_demands(name: str, content_type: str) -> None:
    response = await get(f"/assets/{name}")

    assert response.content_type == content_type
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/assets/app.js"])
async def test_every_answer_allows_only_the_page_s_own_origin(path: str) -> None:
    response = await get(path)
    policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))

    assert policy["default-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws: wss:"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in str(policy)
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_a_browser_that_has_the_file_is_told_so() -> None:
    first = await get("/assets/app.js")
    again = await get("/assets/app.js", {"If-None-Match": f'W/"other", {first.headers["ETag"]}'})
    changed = await get("/assets/app.js", {"If-None-Match": '"other"'})

    assert again.status == 304
    assert again.body is None
    assert again.headers["ETag"] == first.headers["ETag"]
    assert changed.status == 200


async def test_the_page_is_asked_for_each_time_and_its_assets_after_a_minute() -> None:
    page, asset = await get("/"), await get("/assets/app.js")

    assert page.headers["Cache-Control"] == "no-cache"
    assert asset.headers["Cache-Control"] == "max-age=60, must-revalidate"


@pytest.mark.parametrize("name", ["missing.js", "__init__.py", "..%2F__init__.py", "%2e%2e%2f__init__.py"])
async def test_nothing_but_the_assets_can_be_read(name: str) -> None:
    with pytest.raises(web.HTTPNotFound):
        await get(f"/assets/{name}")


def test_files_of_other_kinds_are_not_served(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("export {};")
    (tmp_path / "notes.txt").write_text("not for the browser")

    assert list(read_assets(tmp_path)) == ["app.js"]


def test_the_page_names_only_assets_that_exist_and_all_styles() -> None:
    named = set(re.findall(r'(?:href|src)="/assets/([^"]+)"', text_of(PAGE)))

    assert named <= set(ASSETS)
    assert {name for name in ASSETS if name.endswith(".css")} <= named


def test_every_module_is_reached_and_every_import_exists() -> None:
    imports = {
        script: set(re.findall(r'(?:from|import|URL\()\s*"\./([\w.-]+)"', text_of(script)))
        for script in SCRIPTS
    }
    reached, waiting = set(), {"app.js"}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= imports[name] - reached

    assert reached == set(SCRIPTS)


@pytest.mark.parametrize("name", ASSETS)
def test_no_asset_asks_another_host(name: str) -> None:
    addresses = re.findall(r"https?://[\w.-]+", text_of(name))

    # A namespace is a name, and localhost stands in a text for people.
    assert set(addresses) <= {"http://www.w3.org", "http://localhost"}


def test_every_emotion_of_the_protocol_has_a_drawing_that_the_page_knows() -> None:
    drawn = re.findall(r'<symbol id="(\w+)"', text_of("faces.svg"))
    known = re.findall(r'"(\w+)",', text_of("faces.js").split("new Set([")[1].split("]")[0])

    assert drawn == known == list(EMOTIONS)


@pytest.mark.parametrize("name", ASSETS)
def test_no_asset_needs_a_font_with_emoji(name: str) -> None:
    assert re.findall("[\u2600-\u27bf\ufe0f\U0001f000-\U0001faff]", text_of(name)) == []


def test_the_page_has_nothing_inline_that_its_policy_forbids() -> None:
    page = text_of(PAGE)

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []


def test_both_languages_have_the_same_texts_and_the_page_uses_known_ones() -> None:
    english, chinese = (
        set(re.findall(r'^  "([\w.]+)":', part, re.MULTILINE))
        for part in text_of("strings.js").split("const zh")
    )
    used = set(re.findall(r'data-(?:text|label|title|placeholder|alt)="([^"]+)"', text_of(PAGE)))

    assert english == chinese
    assert used <= english


@pytest.mark.parametrize("name", ASSETS)
def test_no_asset_outgrows_a_screen_or_two(name: str) -> None:
    assert len(text_of(name).splitlines()) <= 300
