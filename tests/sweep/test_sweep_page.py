"""What a sweep shows: tables, JSON and a page, and what is wrong with a command line."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from strategykit.cli import main
from strategykit.sweep.axes import Axis
from strategykit.sweep.forward import Forward, Split
from strategykit.sweep.page import heat_map, sweep_page
from strategykit.sweep.results import Sweep
from strategykit.sweep.sweeping import Objective
from strategykit.sweep.work import Outcome, Task


def outcome(pnl: float | None, error: str = "", **values: object) -> Outcome:
    parameters = {name: str(value) for name, value in values.items()}
    return Outcome(parameters=parameters, metrics={"pnl": pnl}, digest="d", error=error)


def sweep_of(outcomes: list[Outcome], *names: str, smallest: bool = False) -> Sweep:
    axes = [Axis(name, tuple(dict.fromkeys(item.parameters[name] for item in outcomes))) for name in names]
    return Sweep("Cross", "tape", axes, Objective("pnl", smallest), outcomes)


SOME = [outcome(fast - slow, fast=fast, slow=slow, way=way) for fast in (10, 9) for slow in (1, 2) for way in "ab"]


def test_a_heat_map_has_numbers_in_order_and_the_best_of_each_cell() -> None:
    sweep = sweep_of(
        [*SOME, outcome(99.5, fast=9, slow=2, way="c"), outcome(None, fast=11, slow=1, way="a")], "fast", "slow"
    )

    figure = heat_map(sweep, "fast", "slow")

    assert figure is not None
    assert figure["data"][0]["x"] == ["9", "10", "11"]
    assert figure["data"][0]["y"] == ["1", "2"]
    assert figure["data"][0]["z"] == [[8.0, 9.0, None], [99.5, 8.0, None]]


def test_a_heat_map_shows_the_smallest_where_that_is_best() -> None:
    figure = heat_map(
        sweep_of([*SOME, outcome(-5.0, fast=9, slow=2, way="c")], "fast", "slow", smallest=True), "way", "fast"
    )

    assert figure is not None
    assert figure["data"][0]["x"] == ["a", "b", "c"]
    assert figure["data"][0]["z"] == [[7.0, 7.0, -5.0], [8.0, 8.0, None]]


def test_there_is_no_map_of_nothing_nor_of_too_much() -> None:
    assert heat_map(sweep_of([outcome(None, fast=1, slow=2)], "fast", "slow"), "fast", "slow") is None
    many = [outcome(1.0, fast=number, slow=number) for number in range(101)]
    assert heat_map(sweep_of(many, "fast", "slow"), "fast", "slow") is None


def test_a_page_shows_each_set_and_what_failed() -> None:
    page = sweep_page(
        sweep_of([*SOME, outcome(1.0, "ValueError: <b>no</b>", fast=1, slow=2, way="a")], "fast", "slow", "way")
    )

    assert page.count('data-name="heat"') == 3
    assert "a cell shows the highest of its sets" in page
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no</b>" not in page


def test_a_long_table_is_cut_and_says_so() -> None:
    page = sweep_page(sweep_of([outcome(1.0, fast=number) for number in range(2_010)], "fast"))

    assert "and 10 more sets" in page
    assert 'data-name="heat"' not in page


def test_the_best_comes_first_and_what_has_no_figure_last() -> None:
    values = [3.0, None, 7.0, float("nan"), 5.0]
    outcomes = [outcome(value, n=n) for n, value in enumerate(values)]

    assert [item.parameters["n"] for item in sweep_of(outcomes, "n").best()] == ["2", "4", "0", "1", "3"]
    assert [item.parameters["n"] for item in sweep_of(outcomes, "n", smallest=True).best(2)] == ["0", "4"]
    assert Objective("pnl").value(outcomes[1]) is None


def test_errors_are_told_once_and_not_all_of_them() -> None:
    lines = sweep_of([outcome(None, "gone", n=n) for n in range(12)], "n").lines()

    assert lines[0] == "n=0: gone"
    assert lines[-2] == "… and 2 more"
    assert lines[-1] == "12 runs, 12 of them failed"


def doubtful(pnl: float, *lines: str, n: int) -> Outcome:
    return attrs.evolve(outcome(pnl, n=n), warnings=lines)


def test_how_many_runs_depend_on_what_the_data_don_t_tell_is_told_and_how_the_best_does() -> None:
    sweep = sweep_of([outcome(1.0, n=0), doubtful(3.0, "<b>who</b> knows", n=1), doubtful(2.0, "odd", n=2)], "n")

    assert sweep.lines() == [
        "2 of 3 runs depend on what the data don't tell",
        "the best set: <b>who</b> knows",
        "3 runs",
    ]
    ((_, rows),) = sweep.tables(10, ["pnl"])
    assert [row[-1] for row in rows] == ["in doubt", "yes", "yes", ""]
    assert [list(item["warnings"]) for item in sweep.as_json()["outcomes"]] == [[], ["<b>who</b> knows"], ["odd"]]
    page = sweep_page(sweep)
    assert "What the data don&#x27;t tell" in page
    assert page.count("&lt;b&gt;who&lt;/b&gt; knows") == 2  # Above, and in its row.
    assert "What has to be looked at" not in page


def test_where_the_best_set_is_in_no_doubt_that_is_told() -> None:
    sweep = sweep_of([outcome(1.0, n=0), doubtful(0.0, "odd", n=1)], "n")

    assert sweep.warnings() == ["1 of 2 runs depends on what the data don't tell; not so the best set"]
    plain = sweep_of([outcome(1.0, n=0)], "n")
    assert plain.warnings() == []
    assert plain.tables(1, ["pnl"])[0][1] == [["n", "pnl"], ["0", "1.00"]]
    assert "What the data don" not in sweep_page(plain)


def test_of_a_walk_forward_the_sets_that_were_chosen_count() -> None:
    many = [f"line {n}" for n in range(12)]
    tried = [outcome(1.0, n=0), doubtful(0.0, "odd", n=1)]
    proven = doubtful(2.0, *many, n=0)
    sweep = attrs.evolve(sweep_of(tried, "n"), forward=[Forward(Split(0, 1, 2), tried, tried[0], proven)])

    told = sweep.warnings()

    assert told[:2] == ["2 of 3 runs depend on what the data don't tell", "the chosen sets: line 0"]
    assert told[-2:] == ["the chosen sets: line 9", "… and 2 more"]
    (_, forward), (_, best) = sweep.tables(10, ["pnl"])
    assert [row[-1] for row in forward] == ["in doubt", "yes"]
    assert [row[-1] for row in best] == ["in doubt", "", "yes"]
    assert "line 11" in sweep_page(sweep)


@pytest.mark.parametrize(
    ("metric", "error", "said"),
    [
        (
            "sharpe",
            "",
            ["no set has a sharpe: what is annualised needs runs of a day or more; --objective pnl"],
        ),
        ("profit_factor", "", ["no set has a profit_factor"]),
        ("sharpe", "gone", ["n=1: gone"]),
    ],
)
def test_why_no_set_has_what_decides_is_told_where_sets_were_run(metric: str, error: str, said: list[str]) -> None:
    sweep = sweep_of([outcome(None, error, n=1)], "n")

    *lines, _ = attrs.evolve(sweep, objective=Objective(metric)).lines()

    assert [line[: len(words)] for line, words in zip(lines, said, strict=True)] == said


STREAM_OF_SYMBOL = """\
from strategykit import Bar, Bars, Strategy, define


@define
class Some(Strategy):
    symbol: str = "GAZP"
    most: int = 5
    bars = Bars("{symbol}", "1m")

    def on_bar(self, bar: Bar) -> None:
        pass
"""


@pytest.mark.parametrize("how", [[], ["--random", "2"], ["--optuna", "2"], ["--walk-forward", "2"]])
def test_a_stream_that_isn_t_recorded_is_told_before_any_set_is_run(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: list[str]
) -> None:
    path, out = tmp_path / "some.py", tmp_path / "out"
    path.write_text(STREAM_OF_SYMBOL)
    argv = ["sweep", str(path), "--tape", str(archive), "--param", "most=5,7", "--processes", "1", "--out", str(out)]

    assert main([*argv, *how]) == 2
    told = capsys.readouterr()

    assert "strategy Some: the recording has no bars GAZP" in told.err
    assert "it has bars SBER" in told.err
    assert "most=5" not in told.out + told.err
    assert "no set has" not in told.out + told.err


@pytest.mark.parametrize(("symbols", "whole"), [("GAZP,SBER", 1), ("GAZP,LKOH", 0)])
def test_where_parameters_choose_the_stream_each_set_is_told_by_itself(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], symbols: str, whole: int
) -> None:
    path = tmp_path / "some.py"
    path.write_text(STREAM_OF_SYMBOL)

    argv = ["sweep", str(path), "--tape", str(archive), "--param", f"symbol={symbols}", "--processes", "1"]
    assert main([*argv, "--objective", "pnl"]) == 1
    out = capsys.readouterr().out

    assert "symbol=GAZP: StrategyError: the recording has no bars GAZP" in out
    assert f"2 runs, {2 - whole} of them failed" in out
    assert "what is annualised" not in out


def test_a_set_that_was_tried_twice_is_shown_once() -> None:
    assert len(sweep_of([outcome(1.0, n=1), outcome(1.0, n=1)], "n").best()) == 1


def test_the_command_prints_the_best_sets_and_makes_a_page(
    task: Task, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    argv = ["sweep", task.file, "--tape", str(archive), "--param", "fast=2..4", "--param", "slow=8,13", "--best", "2"]
    argv = [*argv, "--where", "fast * 4 <= slow", "--objective", "pnl", "--processes", "1", "--label", "mine"]

    assert main([*argv, "--report", str(page)]) == 0
    out = capsys.readouterr().out

    assert "Best sets by pnl" in out
    assert "3 runs" in out
    assert f"page: {page}" in out
    assert "heatmap" in page.read_text()


def test_the_command_walks_forward_in_json_and_in_tables(
    task: Task, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    argv = ["sweep", task.file, "--tape", str(archive), "--param", "fast=2..4", "--objective", "max_drawdown_money"]
    argv = [*argv, "--minimise", "--walk-forward", "2", "--processes", "1", "--out", str(tmp_path / "out")]

    assert main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main([*argv, "--report", str(page)]) == 0
    out = capsys.readouterr().out

    assert len(found["walk_forward"]) == 2
    assert len(found["outcomes"]) == 3
    assert found["objective"] == {"metric": "max_drawdown_money", "smallest": True}
    assert "Walk forward: chosen on the window before" in out
    assert "8 runs" in out
    assert "Each set was the best of the window before" in page.read_text()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--param", "fast=1..5"], "fast = 1 should be a whole number from 2 to 10"),
        (["--param", "fats=2..5"], "has no parameter 'fats'"),
        (["--where", "fast <"], "--where 'fast <' can't be read"),
        (["--most", "10"], "9 fast x 38 slow x 10 weight are 3,420 combinations; the limit is 10"),
        (["--random", "3", "--optuna", "3"], "two ways to choose"),
        (["--batch", "0"], "--batch 0: should be a whole number, at least 1"),
        (["--objective", "luck"], "there is no such figure"),
        (["--seed", "-1"], "--seed -1"),
        (["--fast", "3", "--param", "fast=2..5"], "fast is given once as 3, and once as a range"),
        (["--report", "."], "is a folder; name an HTML file"),
        (["--param", "fast=2,3", "--slow", "300"], "slow"),
    ],
)
def test_a_wrong_command_line_is_told(
    task: Task, archive: Path, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    assert main(["sweep", task.file, "--tape", str(archive), "--processes", "1", *argv]) == 2
    assert said in capsys.readouterr().err


def test_a_sweep_is_of_a_strategy(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "session.toml", "--tape", str(archive)]) == 2
    assert "a sweep is of one strategy" in capsys.readouterr().err


def test_a_sweep_with_failures_is_no_success(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.py"
    path.write_text(
        "from strategykit import Bar, Bars, Strategy, define\n\n\n@define\nclass Some(Strategy):\n    most: int = 5\n"
        '    bars = Bars("SBER", "1m")\n\n    def on_bar(self, bar: Bar) -> None:\n'
        "        assert bar.close < self.most\n"
    )

    assert main(["sweep", str(path), "--tape", str(archive), "--param", "most=5,1000", "--processes", "1"]) == 1
    out = capsys.readouterr().out
    assert "most=5: AssertionError" in out
    assert "2 runs, 1 of them failed" in out
