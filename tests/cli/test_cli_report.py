"""``replay --out --report`` and ``report``: a result from the run to the page, and what is wrong with a command."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from random import Random

import attrs
import pytest

from strategykit.archive.manifest import Source
from strategykit.archive.writer import open_archive_writer
from strategykit.cli import main
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.report.result import Result
from strategykit.testing import make_bars
from strategykit.venues.streams import Stream, StreamKind

STREAM = Stream(kind=StreamKind.BARS, instrument="SBER", interval=60_000_000_000)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng, prices = Random(3), [300.0]
    for _ in range(400):
        prices.append(round(prices[-1] + rng.gauss(0, 0.5), 2))
    folder = tmp_path_factory.mktemp("recorded") / "sber"
    with open_archive_writer(folder, source=Source(format="test", names=["made"]), venue="alor") as writer:
        writer.instruments = {"SBER": Instrument("SBER")}
        for bar in make_bars("SBER", prices):
            event: Event = bar
            writer.declare(STREAM, guid=event.guid)
            writer.add(STREAM, event)
    return folder


GRID = """\
from strategykit import Bar, Bars, Strategy, define


@define
class Grid(Strategy):
    away: float = 0.2
    bars = Bars("SBER", "1m")

    def on_bar(self, bar: Bar) -> None:
        if not self.open_orders():
            self.buy_nowait(1, limit=round(bar.close - self.away, 2))
            self.sell_nowait(1, limit=round(bar.close + self.away, 2))
"""


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give a command line of a run in which every second bar reaches a buy and a sell."""
    folder = tmp_path_factory.mktemp("doubtful")
    (folder / "grid.py").write_text(GRID)
    with open_archive_writer(folder / "sber", source=Source(format="test", names=["made"]), venue="alor") as writer:
        writer.instruments = {"SBER": Instrument("SBER")}
        for bar in make_bars("SBER", [100.0] * 30, width=1.0):
            event: Event = bar
            writer.declare(STREAM, guid=event.guid)
            writer.add(STREAM, event)
    return ["replay", str(folder / "grid.py"), "--tape", str(folder / "sber")]


def replay(archive: Path, *more: str, slow: str = "8") -> list[str]:
    strategy = ["sample:cross", "--instrument", "SBER", "--fast", "3", "--slow", slow]
    return ["replay", *strategy, "--tape", str(archive), "--fee-rate", "0.0001", *more]


@pytest.fixture(scope="module")
def kept(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    assert main(replay(archive, "--out", str(folder / "quick"), "--report", str(folder / "quick.html"))) == 0
    assert main(replay(archive, "--out", str(folder / "slow"), "--json", slow="21")) == 0
    return folder


def shown(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    capsys.readouterr()
    assert main(list(argv)) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> str:
    capsys.readouterr()
    assert main(list(argv)) == code
    return capsys.readouterr().err


def test_a_replay_keeps_its_result_and_a_page(
    archive: Path, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, page = tmp_path / "again", tmp_path / "pages" / "again.html"
    capsys.readouterr()
    assert main(replay(archive, "--out", str(out), "--report", str(page), "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    run = Result.load(out)

    (strategy,) = report["strategies"]
    assert run.metrics()["pnl"] == Decimal(strategy["pnl"]["RUB"])
    assert run.metrics()["orders"] == strategy["orders"] > 10
    assert (run.facts.kind, run.facts.source, run.facts.digest) == ("backtest", str(archive), report["digest"])
    assert run.facts.models == {"fees.maker_rate": "0.0001", "fees.taker_rate": "0.0001"}
    assert run.capital() == Decimal(1_000_000)
    assert page.read_text().startswith("<!doctype html>")
    assert run.collected == Result.load(kept / "quick").collected


def test_a_result_is_shown_in_tables_and_as_json(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "report", str(kept / "quick"))
    for words in (
        "Figures (money in RUB)",
        "Profit factor",
        "Trades (first in, first out",
        "more trades; the page has",
    ):
        assert words in text
    assert "parameters: instrument SBER, fast 3, slow 8" in text
    assert "model: fees.taker_rate 0.0001" in text

    facts = json.loads(shown(capsys, "report", str(kept / "quick"), "--json"))
    assert facts["metrics"]["RUB"][""]["trades"] == facts["metrics"]["RUB"]["cross"]["trades"] > 20


def test_several_results_are_compared(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "both.html"
    text = shown(capsys, "report", str(kept / "quick"), str(kept / "slow"), "--html", str(page))

    lines = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "slow 8 21" in lines
    assert f"page: {page}" in lines
    assert "fast 3 3" not in lines
    assert "quick" in page.read_text()
    both = json.loads(shown(capsys, "report", str(kept / "quick"), str(kept / "slow"), "--json"))
    assert [item["name"] for item in both] == ["quick", "slow"]


def test_what_a_run_takes_for_granted_within_bars_goes_wherever_its_result_does(
    doubtful: list[str], kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, both, out = tmp_path / "page.html", tmp_path / "both.html", tmp_path / "grid"
    words = "SBER: what 15 bars made of the orders depends on whether their high or their low came first"

    assert f"warning: {words}" in shown(capsys, *doubtful, "--out", str(out), "--report", str(page))
    (line,) = Result.load(out).facts.warnings

    assert line.startswith(words)
    assert words in page.read_text()
    assert f"warning: {words}" in shown(capsys, "report", str(out))
    assert json.loads(shown(capsys, "report", str(out), "--json"))["warnings"] == [line]
    assert json.loads(shown(capsys, *doubtful, "--json"))["warnings"] == [line]
    text = shown(capsys, "report", str(kept / "quick"), str(out), "--html", str(both))
    assert f"warning of grid: {line}" in text
    assert "warning of quick" not in text
    assert words in both.read_text()
    narrow = shown(capsys, *doubtful, "--away", "2")
    assert "warning" not in narrow


def test_problems_of_those_that_are_compared_are_told(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Result.load(kept / "quick")
    Result(attrs.evolve(quick.facts, problems=["something is odd"]), quick.collected).save(tmp_path / "odd")

    assert "problem of odd: something is odd" in shown(capsys, "report", str(kept / "quick"), str(tmp_path / "odd"))


def test_models_that_differ_are_among_what_is_compared(
    kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = Result.load(kept / "quick")
    dear = {**quick.facts.models, "fees.taker_rate": "0.01", "latency.order": "5ms"}
    Result(attrs.evolve(quick.facts, models=dear), quick.collected).save(tmp_path / "dear")

    text = shown(capsys, "report", str(kept / "quick"), str(tmp_path / "dear"))

    lines = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "model: fees.taker_rate 0.0001 0.01" in lines
    assert "model: latency.order – 5ms" in lines
    assert not [line for line in lines if line.startswith(("model: fees.maker_rate", "fast", "slow"))]


def test_one_result_becomes_a_page_later(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown(capsys, "report", str(kept / "quick"), "--html", str(tmp_path / "one.html"))

    assert (tmp_path / "one.html").read_text().count('class="figure"') == 2


def test_several_strategies_have_a_column_each(kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quick = Result.load(kept / "quick")
    collected = quick.collected
    fills = {**collected.fills, "strategy": ["one", *["cross"] * (len(collected.fills["strategy"]) - 1)]}
    facts = attrs.evolve(quick.facts, identity="abc", problems=["something is odd"], digest="", models={})
    Result(facts, attrs.evolve(collected, fills=fills, strategies=())).save(tmp_path / "two")

    text = shown(capsys, "report", str(tmp_path / "two"))

    assert "identity: abc" in text
    assert "problem: something is odd" in text
    assert "parameters: none" in text
    assert "unknown" in text
    assert " all " in text


def test_what_is_there_is_not_written_over_and_nothing_is_run_for_it(
    archive: Path, kept: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is there already" in refused(capsys, 1, *replay(archive, "--out", str(kept / "quick")))
    assert "is a folder; name an HTML file" in refused(capsys, 2, *replay(archive, "--report", str(tmp_path)))
    assert "is a folder; name an HTML file" in refused(
        capsys, 2, "report", str(kept / "quick"), "--html", str(tmp_path)
    )
    words = refused(capsys, 2, "replay", "--rerun", str(archive), "--out", str(tmp_path / "x"))
    assert "leaves no result" in words


def test_what_is_no_result_is_told(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in refused(capsys, 1, "report", str(tmp_path / "none"))
    assert "it is no result" in refused(capsys, 1, "report", str(archive))


def test_help_shows_how(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "report", "--help")

    assert "strategykit report results/cross results/slow --html both.html" in text
    assert "--out" in shown(capsys, "run", "--help")
