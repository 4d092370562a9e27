"""The page in a real browser: it draws, it can be sorted, it complains of nothing and asks the network for nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest

from strategykit.report.result import Result

CHROMIUM = shutil.which("chromium")

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


@pytest.mark.slow
@pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here; `apt-get install chromium` to look at pages in a browser"
)
def test_the_page_works_in_a_browser(crossed: Result, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    text = crossed.html().replace("<style>", _WATCH + "<style>", 1).replace("</main></body>", _LOOK + "</main></body>")
    path.write_text(text, encoding="utf-8")

    done = subprocess.run(
        [str(CHROMIUM), *_FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
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
