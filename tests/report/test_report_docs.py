"""The page about results says what the program says."""

from __future__ import annotations

from pathlib import Path

from strategykit.report.summary import METRICS
from strategykit.report.tables import TABLES

PAGE = Path(__file__).parents[2] / "docs" / "report.md"


def metrics_table() -> str:
    return "\n".join(f"| {metric.label} | `{metric.name}` | {metric.means} |" for metric in METRICS)


def test_the_table_of_figures_is_the_programs() -> None:
    assert metrics_table() in PAGE.read_text(encoding="utf-8"), f"docs/report.md should hold:\n\n{metrics_table()}"


def test_every_table_is_listed() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert [name for name in TABLES if f"| `{name}.parquet` |" not in text] == []
