"""An HTML file that needs nothing else: text, tables that can be sorted, and drawings. It asks the network for nothing.

Everything that comes from outside is escaped here: titles, names and numbers as HTML, drawings as JSON inside a script.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError

__all__ = ["Cell", "Drawing", "Part", "Row", "Table", "Text", "document", "plotly_script"]


def plotly_script() -> str:
    """Give plotly.js.

    Raises:
        ConfigError: Plotly isn't installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as exc:
        raise ConfigError(f"a page needs {exc.name}: pip install 'strategykit[report]'") from exc
    return str(get_plotlyjs())


@attrs.frozen
class Cell:
    """One cell of a table."""

    text: str
    sort: float | None = None
    """By what it is sorted; None: by its text."""
    right: bool = False
    tone: str = ""
    """``"good"``, ``"bad"``, ``"strong"``, or ``"time"``, which isn't wrapped."""
    hint: str = ""


@attrs.frozen(kw_only=True)
class Table:
    """Rows under a head."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    sortable: bool = False
    name: str = ""
    """By which a test finds it."""


@attrs.frozen
class Text:
    """A paragraph."""

    text: str
    tone: str = ""


@attrs.frozen(kw_only=True)
class Drawing:
    """What plotly draws."""

    figure: dict[str, Any]
    name: str = ""


@attrs.frozen
class Row:
    """Tables side by side, as many as there is room for."""

    tables: Sequence[Table]


@attrs.frozen
class Part:
    """A headline and what stands under it."""

    title: str
    things: Sequence[Table | Text | Drawing | Row]


def document(title: str, subtitle: str, parts: Iterable[Part]) -> str:
    """Give the page.

    Raises:
        ConfigError: Plotly isn't installed.
    """
    figures: list[dict[str, Any]] = []
    body = "\n".join(_part(part, figures) for part in parts)
    return (
        _TOP.replace("@TITLE@", html.escape(title))
        + f'<h1>{html.escape(title)}</h1>\n<p class="sub">{html.escape(subtitle)}</p>\n{body}\n'
        + f'<script type="application/json" id="figures">{_json(figures)}</script>\n'
        + f"<script>{plotly_script()}</script>\n<script>{_SCRIPT}</script>\n</main></body></html>\n"
    )


def _json(value: object) -> str:
    """Give JSON that can't end the script that it stands in."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _part(part: Part, figures: list[dict[str, Any]]) -> str:
    things = "".join(_thing(item, figures) for item in part.things)
    return f"<section>\n<h2>{html.escape(part.title)}</h2>\n{things}</section>"


def _thing(thing: Table | Text | Drawing | Row, figures: list[dict[str, Any]]) -> str:
    match thing:
        case Text(text, tone):
            return f'<p class="{tone or "note"}">{html.escape(text)}</p>\n'
        case Drawing(figure=figure, name=name):
            figures.append(figure)
            height = figure["layout"].get("height", 400)
            return f'<div class="figure" data-name="{html.escape(name)}" style="height:{height}px"></div>\n'
        case Row(tables):
            return f'<div class="row">{"".join(map(table_html, tables))}</div>\n'
        case Table():
            return table_html(thing)


def table_html(table: Table) -> str:
    first = table.rows[0] if table.rows else [""] * len(table.head)
    heads = "".join(map(_head, table.head, first))
    head = f"<thead><tr>{heads}</tr></thead>" if any(table.head) else ""
    rows = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in table.rows)
    kind, tall = (' class="sortable"', " tall") if table.sortable else ("", "")
    return (
        f'<div class="scroll{tall}"><table{kind} data-name="{html.escape(table.name)}">{head}<tbody>\n{rows}\n'
        "</tbody></table></div>\n"
    )


def _head(text: str, below: Cell | str) -> str:
    right = isinstance(below, Cell) and below.right
    return f'<th class="right">{html.escape(text)}</th>' if right else f"<th>{html.escape(text)}</th>"


def _cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return f"<td>{html.escape(cell)}</td>"
    names = " ".join(name for name in ("right" if cell.right else "", cell.tone) if name)
    kind = f' class="{names}"' if names else ""
    sort = "" if cell.sort is None else f' data-sort="{cell.sort!r}"'
    hint = f' title="{html.escape(cell.hint)}"' if cell.hint else ""
    return f"<td{kind}{sort}{hint}>{html.escape(cell.text)}</td>"


_TOP: Final = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>@TITLE@</title>
<style>
:root { color-scheme: light; }
body { margin: 0; background: #f8fafc; color: #0f172a; font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 26px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 10px; }
.sub { color: #475569; margin: 4px 0 18px; overflow-wrap: anywhere; }
section { background: #fff; border: 1px solid #e2e8f0; border-radius: 8px; padding: 16px 18px; margin: 0 0 18px; }
.note { color: #475569; font-size: 13px; margin: 6px 0; }
p.bad { color: #b91c1c; font-weight: 600; margin: 4px 0; }
.figure { width: 100%; }
.scroll { overflow: auto; margin: 6px 0; }
.tall { max-height: 640px; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: #f1f5f9; text-align: left; font-weight: 600; white-space: nowrap; }
th, td { padding: 4px 12px; border-bottom: 1px solid #e2e8f0; vertical-align: top; }
td { overflow-wrap: anywhere; max-width: 480px; }
td.right, th.right { text-align: right; white-space: nowrap; }
td.time { white-space: nowrap; }
.row { display: flex; flex-wrap: wrap; gap: 8px 36px; align-items: flex-start; }
td.good { color: #15803d; }
td.bad { color: #b91c1c; }
td.strong { font-weight: 600; }
td[title] { text-decoration: underline dotted #94a3b8; text-underline-offset: 3px; cursor: help; }
table.sortable th { cursor: pointer; }
table.sortable th[data-way]::after { content: " ▲"; }
table.sortable th[data-way="-1"]::after { content: " ▼"; }
</style></head><body><main>
"""

_SCRIPT: Final = """
"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
document.querySelectorAll(".figure").forEach((place, n) => {
  Plotly.newPlot(place, figures[n].data, figures[n].layout,
    {responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"]});
});
document.querySelectorAll("table.sortable").forEach((table) => {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, n) => head.addEventListener("click", () => {
    const way = head.dataset.way === "1" ? -1 : 1;
    heads.forEach((other) => delete other.dataset.way);
    head.dataset.way = String(way);
    const key = (row) => {
      const cell = row.cells[n];
      return cell.dataset.sort === undefined ? cell.textContent : Number(cell.dataset.sort);
    };
    const rows = Array.from(table.tBodies[0].rows);
    rows.sort((a, b) => { const x = key(a), y = key(b); return way * (x < y ? -1 : x > y ? 1 : 0); });
    table.tBodies[0].append(...rows);
  }));
});
document.body.dataset.drawn = String(document.querySelectorAll(".figure .main-svg").length > 0);
"""
