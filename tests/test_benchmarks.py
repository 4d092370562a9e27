"""Benchmarks, tiny: that they run, and that the sides they compare saw the same. Nothing about time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import pytest

import benchmarks.__main__ as runner
from benchmarks import bench_sweep, busy_days
from benchmarks.bench_frames import CASES, measure
from benchmarks.bench_memory import replay
from benchmarks.bench_orders import measure_live, measure_simulated
from benchmarks.bench_peers import Case, Medians, check, make_figures, race
from benchmarks.bench_pressure import measure as measure_pressure
from benchmarks.blast import FIRST_ID, prepare
from benchmarks.figures import Figure, Incomplete, figure, misses
from benchmarks.peers.course import make_trades
from benchmarks.peers.environments import Absent, Peer, find_python, install
from benchmarks.soak_live import soak
from strategykit.archive.reader import Archive
from strategykit.model.events import Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.sweep.local import Batch, run_here
from strategykit.sweep.work import Outcome
from strategykit.venues.alor.server_data import encode_data

GUID = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "name", [name for name in runner.find_benchmarks() if name not in ("frames", "orders", "peers", "pressure")]
)
def test_a_tiny_benchmark_gives_figures(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    figures: dict[str, Figure] = import_module(f"benchmarks.bench_{name}").main(0.001)

    assert figures
    assert all(item["ratio"] > 0 and item["better"] in ("higher", "lower") for item in figures.values())
    assert capsys.readouterr().out


def test_a_live_run_and_a_plain_loop_see_the_same_trades() -> None:
    tallies = measure(frames=200, rounds=1, cases={name: CASES[name] for name in list(CASES)[1:]})

    seen = {(tally.count, tally.total) for rows in tallies.values() for tally in rows}
    assert {count for count, _ in seen} == {200}
    assert len(seen) == 1


def test_an_archive_that_was_made_quickly_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy_days, "GROUP", 500)
    monkeypatch.setattr(busy_days, "GROUPS", 2)

    assert busy_days.write_archive(tmp_path, 2_100) == 2_500

    archive = Archive.open(tmp_path)
    archive.verify()
    (stream,) = archive.streams
    chunks = list(archive.chunks(stream))
    assert [len(columns) for columns in chunks] == [500] * 5
    assert len(list(tmp_path.rglob("*.parquet"))) == 3
    trades = [trade for columns in chunks for trade in columns.events("g") if isinstance(trade, Trade)]
    assert [trade.price for trade in trades[:500]] == make_trades(500).prices.tolist()
    assert [trade.trade_id for trade in trades] == list(range(2_500))


def test_memory_is_compared_with_as_many_orders_on_either_side(tmp_path: Path) -> None:
    trades = busy_days.write_archive(tmp_path, 1_000)

    assert replay(tmp_path, trades, 10, None) > 0
    with pytest.raises(RuntimeError, match=r"should be \(999, 10, 10\), and are \(1000, "):
        replay(tmp_path, trades - 1, 10, None)


def test_the_paper_exchange_and_the_bare_one_fill_the_same_orders() -> None:
    _, told = measure_simulated(trades=2_000, rounds=1)

    assert told["floor"].fills == 20
    assert told["ours"] == told["floor"]


def test_every_order_of_either_side_reaches_the_venue() -> None:
    delays = measure_live(orders=5, rounds=1)

    assert {name: len(values) for name, values in delays.items()} == {"plain": 5, "ours": 5}
    assert all(delay > 0 for values in delays.values() for delay in values)


@pytest.mark.parametrize("course", ["trades", "batches", "cross", "orders", "waits", "ten"])
def test_the_engine_and_a_bare_loop_do_the_same_on_a_course(course: str) -> None:
    cases = [Case(engine, course, 4_000) for engine in ("floor", "ours")]

    seen = race(cases, dict.fromkeys(("floor", "ours"), Path(sys.executable)), 1)

    floor, ours = (seen[case][0] for case in cases)
    assert floor.facts == ours.facts
    assert floor.facts[0] == (40_000 if course == "ten" else 4_000)
    assert (floor.facts[2] > 0) is (course in ("cross", "orders"))
    check(seen, {(course, 4_000): floor.facts})


def test_an_engine_that_saw_something_else_isnt_compared() -> None:
    case = Case("floor", "trades", 1_000)
    seen = race([case], {"floor": Path(sys.executable)}, 1)
    count, total, *rest = seen[case][0].facts

    with pytest.raises(RuntimeError, match="trades floor: trades, their sum, orders, position"):
        check(seen, {("trades", 1_000): (count, total + 0.01, *rest)})


def test_a_longer_course_begins_with_the_shorter_one() -> None:
    short, long = make_trades(100), make_trades(200)

    for few, many in zip(short, long, strict=True):
        assert (few == many[:100]).all()


def test_figures_are_made_of_the_engines_that_were_there() -> None:
    def row(run: float) -> Medians:
        return Medians(run=run, whole=2 * run, wall=run, memory=run, version="1")

    found = {
        "trades ours": row(500),
        "orders ours": row(850),
        "waits ours": row(550),
        "trades nautilus": row(4_000),
        "trades basana": row(2_000),
    }

    figures = make_figures(found)

    assert figures["trades_vs_nautilus"]["ratio"] == 8
    assert figures["trades_vs_basana"]["ratio"] == 4
    assert not {"order_vs_nautilus", "cross_vs_nautilus", "ten_vs_nautilus", "trades_vs_backtrader"} & set(figures)
    more = make_figures(found | {"orders nautilus": row(7_100), "waits nautilus": row(4_100)})
    assert more["order_vs_nautilus"]["ratio"] == pytest.approx(0.1)  # 30 µs an order, and 300 there.


def test_an_engine_that_cant_be_installed_is_absent_for_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")

    with pytest.raises(Absent, match="No matching distribution found for no-such-engine"):
        install(Peer("none", "none", ("no-such-engine==1",)), tmp_path)


def test_engines_run_on_the_newest_python_that_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 7))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("STRATEGYKIT_PYTHONS", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert find_python() == Path(sys.executable), "there is no other"

    def put(name: str, script: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    older = put("path/python3.12", "echo 3.12.9")
    assert find_python() == older

    put("one/python3.13", "exit 127")
    assert find_python() == older, "one that only says that it isn't there"

    newer = put("path/python3.13", "echo 3.13.0")
    (tmp_path / "one" / "python3.13").unlink()
    assert find_python() == newer

    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert find_python() == Path(sys.executable), "none is newer than this one"


def test_what_is_missing_is_told_and_the_rest_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"some": figure("", "", 2.0, must=1, goal=2)}

    def main(_: float) -> dict[str, Figure]:
        raise Incomplete(there, ["backtrader isn't there: no network"])

    monkeypatch.setattr("benchmarks.bench_tape.main", main)
    path = tmp_path / "figures.json"
    monkeypatch.setattr(sys, "argv", ["benchmarks", "tape", "--here", str(path)])

    assert runner.main() == 0
    assert json.loads(path.read_text(encoding="utf-8")) == [there, ["backtrader isn't there: no network"]]


@pytest.mark.parametrize("before", ['{"other": {"ratio": 3.0}, "some": {"ratio": 0.5}}', '["no figures"]', '{"cut', ""])
def test_a_run_of_some_benchmarks_keeps_the_figures_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    path = tmp_path / "build" / "bench.json"
    path.parent.mkdir()
    path.write_text(before)
    figures = {"some": figure("", "", 2.0, must=1, goal=2)}
    monkeypatch.setattr(runner, "_run_apart", lambda *_: (figures, []))
    monkeypatch.setattr(runner, "find_benchmarks", lambda: ["replay", "tape"])

    monkeypatch.setattr(sys, "argv", ["benchmarks", "tape", "--json", str(path)])
    assert runner.main() == 0
    found = json.loads(path.read_text())
    assert found.pop("other", None) == ({"ratio": 3.0} if "other" in before else None)
    assert found == {"some": {"ratio": 2.0, "must": 1, "goal": 2, "better": "higher"}}

    # One of all knows of no others.
    path.write_text(before)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--json", str(path)])
    assert runner.main() == 0
    assert json.loads(path.read_text()) == found


def test_two_processes_are_measured_in_several_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def noted(batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None], *, processes: int) -> None:
        seen.append(processes)
        run_here(batches, told)

    monkeypatch.setattr(bench_sweep, "run_in_processes", noted)
    monkeypatch.setattr(bench_sweep, "TRADES", 2_000)
    monkeypatch.setattr(bench_sweep, "SETS", 1)
    monkeypatch.setattr(bench_sweep, "SHIFTS", 1)
    monkeypatch.setattr(bench_sweep, "COUNTED", 1_000)

    assert set(bench_sweep.main(1.0)) == {"sweep_one_pass", "sweep_two_processes"}
    assert seen == [1, 2] * 3


def test_prepared_frames_are_worded_as_the_venue_words_them() -> None:
    trade = Trade("SBER", 300.01, 2.0, Side.BUY, FIRST_ID + 1, 1_763_715_851_001_000_000, 0, "")

    assert prepare(2).decode("latin-1").endswith(encode_data(trade, "Slim", GUID, Instrument("SBER", board="TQBR")))


def test_a_soak_loses_nothing() -> None:
    lines: list[str] = []

    soaked = soak(seconds=1, rate=200, tell=lines.append)

    # The rate depends on the machine, so it may miss that.
    assert soaked.sent == soaked.received == soaked.dispatched == soaked.taped > 0
    assert soaked.handled < soaked.dispatched
    assert soaked.reconnects == 0
    assert soaked.ages
    assert any("frames: sent" in line for line in lines)


@pytest.mark.parametrize(
    ("ratio", "must", "better", "expected"),
    [
        (1.0, 2.0, "higher", False),
        (0.99, 2.0, "higher", True),
        (3.0, 2.0, "lower", False),
        (3.01, 2.0, "lower", True),
    ],
)
def test_only_a_ratio_that_misses_by_more_than_half_counts(
    ratio: float, must: float, better: str, expected: bool
) -> None:
    item = figure("", "", ratio, must=must, goal=must, better="higher" if better == "higher" else "lower")

    assert misses(item) is expected


def test_the_runner_writes_the_figures_of_what_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "made" / "figures.json"
    monkeypatch.setattr(sys, "argv", ["benchmarks", "tape", "--scale", "0.001", "--json", str(path)])

    code = runner.main()

    kept = json.loads(path.read_text(encoding="utf-8"))
    assert set(kept) == {"tape_write_vs_append", "tape_read_vs_lines"}
    assert all(set(item) == {"ratio", "must", "goal", "better"} for item in kept.values())
    assert code in (0, 1)  # So small a run says nothing of speed.
    assert "recording a frame" in capfd.readouterr().out


def test_the_runner_knows_its_benchmarks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "nonsense"])

    with pytest.raises(SystemExit) as ending:
        runner.main()

    assert ending.value.code == 2
    assert "there is no benchmark 'nonsense'; there are decode, frames" in capsys.readouterr().err


def test_orders_under_load_leave_while_trades_come() -> None:
    assert len(measure_pressure(2, 200).delays) == 2
