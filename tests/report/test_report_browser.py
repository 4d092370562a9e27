"""The page in a real browser: it draws, it can be sorted, it complains of nothing and asks the network for nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from strategykit.report.comparison import comparison_page
from strategykit.report.result import Result
from strategykit.sweep.page import sweep_page
from tests.sweep.test_sweep_page import SOME, sweep_of


def find_browser() -> str | None:
    """Give what ``STRATEGYKIT_BROWSER`` names, or else a Chromium under one of the names that systems give it."""
    named = os.environ.get("STRATEGYKIT_BROWSER")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome", "chrome"]
    return next(filter(None, map(shutil.which, names)), None)


BROWSER = find_browser()

needs_browser = pytest.mark.skipif(
    BROWSER is None,
    reason="no Chromium here to look at pages with: `apt-get install chromium`, or name one in STRATEGYKIT_BROWSER",
)

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--window-size=1400,2000"),
    *("--virtual-time-budget=5000", "--enable-logging=stderr"),
)

_WATCH = "<script>window.problems = []; window.onerror = (words) => { window.problems.push(String(words)); };</script>"

_LOOK = """<script>
const rows = () => Array.from(document.querySelectorAll("table.sortable tbody tr"));
const nets = () => rows().map((row) => Number(row.cells[11].dataset.sort));
const traces = (place) => place.querySelectorAll(".scatterlayer .trace").length;
const head = document.querySelectorAll("table.sortable th")[11];
head.click(); const rising = nets(); head.click(); const falling = nets();
window.setTimeout(() => {
  document.body.dataset.seen = JSON.stringify({
    problems: window.problems, rising, falling,
    drawn: Array.from(document.querySelectorAll(".figure"), traces),
    wide: document.documentElement.scrollWidth <= window.innerWidth,
    asked: performance.getEntriesByType("resource").length,
  });
}, 1000);
</script>"""


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome", "chrome"])
def test_a_browser_is_found_by_each_of_its_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("STRATEGYKIT_BROWSER", raising=False)
    assert find_browser() == str(tmp_path / name)

    monkeypatch.setenv("STRATEGYKIT_BROWSER", str(tmp_path / "other"))
    assert find_browser() is None, "who names one means no other"


@pytest.mark.slow
@needs_browser
def test_the_page_works_in_a_browser(crossed: Result, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    text = crossed.html().replace("<style>", _WATCH + "<style>", 1).replace("</main></body>", _LOOK + "</main></body>")
    path.write_text(text, encoding="utf-8")

    done = subprocess.run(
        [str(BROWSER), *_FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    found = re.search(r'data-seen="([^"]*)"', done.stdout)
    assert found is not None, done.stderr[-2_000:]
    seen = json.loads(unescape(found[1]))
    assert seen["problems"] == []
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert seen["drawn"] == [3, 3]
    assert len(seen["rising"]) == len(crossed.trips)
    assert seen["rising"] == sorted(seen["rising"])
    assert seen["falling"] == sorted(seen["falling"], reverse=True)
    assert seen["asked"] == 0
    assert seen["wide"]


def colours(png: bytes) -> tuple[int, int, Counter[bytes]]:
    """Give width and height of a picture as Chromium writes it, and how many of its pixels have which colour."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at, packed, head = 8, b"", b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        body = png[at + 8 : at + 8 + size]
        head = body if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height, depth, form = struct.unpack(">IIBB", head[:10])
    step = {2: 3, 6: 4}[form]
    assert depth == 8
    data, above, found = zlib.decompress(packed), bytearray(width * step), Counter[bytes]()
    for row in range(height):
        start = row * (width * step + 1)
        line = bytearray(data[start + 1 : start + 1 + width * step])
        _unfilter(data[start], line, above, step)
        found.update(bytes(line[x : x + 3]) for x in range(0, len(line), step))
        above = line
    return width, height, found


def _unfilter(kind: int, line: bytearray, above: bytearray, step: int) -> None:
    """Source: PNG specification, section 9.2."""
    if not kind:
        return
    for x in range(len(line)):
        left, corner = (line[x - step], above[x - step]) if x >= step else (0, 0)
        up = above[x]
        guess = left + up - corner
        nearest = min((left, up, corner), key=lambda value: abs(guess - value))
        line[x] = (line[x] + (0, left, up, (left + up) // 2, nearest)[kind]) & 255


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("kind", ["run", "comparison", "sweep"])
def test_pages_look_like_something_in_a_browser(kind: str, crossed: Result, tmp_path: Path) -> None:
    pages: dict[str, Callable[[], str]] = {
        "run": crossed.html,
        "comparison": lambda: comparison_page([crossed, crossed]),
        "sweep": lambda: sweep_page(sweep_of(SOME, "fast", "slow")),
    }
    path, picture = tmp_path / "page.html", tmp_path / "page.png"
    path.write_text(pages[kind](), encoding="utf-8")
    flags = [flag for flag in _FLAGS if not flag.startswith("--window-size")]

    done = subprocess.run(
        [
            *(str(BROWSER), *flags, "--window-size=800,800", f"--user-data-dir={tmp_path / 'profile'}"),
            *(f"--screenshot={picture}", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    width, height, seen = colours(picture.read_bytes())
    assert (width, height) == (800, 800)
    pixels = width * height
    assert seen.most_common(1)[0][1] < 0.97 * pixels, "the page is blank"
    assert len(seen) > 50
    # Letters are grey on a light ground; lines and heat maps aren't.
    assert sum(count for colour, count in seen.items() if max(colour) - min(colour) > 60) > 500
