"""Tables between the markers of README and docs, as kept figures say them: `<!-- figures: NAME TABLE -->`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.architecture.tree import ROOT

KEPT: Final = ROOT / "docs" / "figures"
_MARKED: Final = re.compile(
    r"(?P<begin><!-- figures: (?P<name>[\w-]+)(?: (?P<table>[^>]*?))? -->\n).*?"
    r"(?P<end><!-- end of figures -->)",
    re.DOTALL,
)
CHINESE: Final[Mapping[str, str]] = {
    "devices": "设备数",
    "first audio": "首段音频",
    "× baseline": "与下限之比",
    "turns with a gap": "有断续的轮次",
    "lost": "丢失",
    "CPU per turn": "每轮 CPU",
    "memory of ours (PSS)": "本项目内存（PSS）",
    "baseline, one bare script": "下限（不带框架的脚本）",
}


def documents() -> list[Path]:
    """Return the documents that may have markers."""
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]


def with_figures(document: Path) -> str:
    """Return a document's text with the kept figures between its markers.

    Raises:
        KeyError: a table is not in its file, or a heading has no Chinese name.
    """
    is_chinese = ".zh-" in document.name

    def written(marked: re.Match[str]) -> str:
        path = KEPT / f"{marked['name']}.json"
        # A trial that was never kept leaves nothing between its markers.
        table = _table(path, marked["table"] or "", is_chinese=is_chinese) if path.exists() else ""
        return f"{marked['begin']}{table}{marked['end']}"

    return _MARKED.sub(written, document.read_text("utf-8"))


def _table(path: Path, name: str, *, is_chinese: bool) -> str:
    kept = json.loads(path.read_text("utf-8"))
    if name not in kept["tables"]:
        raise KeyError(f"{path.name}: no table {name!r}; expected one of {list(kept['tables'])}")
    table = kept["tables"][name]
    columns = [CHINESE[each] if is_chinese else each for each in table["columns"]]
    rows = [[CHINESE.get(each, each) if is_chinese else each for each in row] for row in table["rows"]]
    lines = [_line(columns), _line(["---"] * len(columns)), *map(_line, rows)]
    return "\n".join(
        [*lines, "", _origin(table.get("measured", kept["measured"]), is_chinese=is_chinese), ""]
    )


def _line(cells: list[str]) -> str:
    return re.sub(r"\|  (?=\|)", "| ", f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")


def _origin(measured: Mapping[str, Any], *, is_chinese: bool) -> str:
    """Return when, of what, where and by which command the figures were measured."""
    command, load = measured["command"], measured.get("load")
    if is_chinese:
        beside = "" if load is None else f"，测量前负载 {load:g}"
        return f"（`{command}`；{measured['at']}，提交 {measured['commit']}，{measured['cores']} 核{beside}）"
    beside = "" if load is None else f", load of {load:g} before it"
    where = f"{measured['cores']} cores{beside}"
    return f"(`{command}`; {measured['at']}, commit {measured['commit']}, {where})"
