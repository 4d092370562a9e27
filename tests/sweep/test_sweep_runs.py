"""Sweeps as they are run: in one pass, in processes that may die, from where they were left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

import strategykit
from strategykit.archive.reader import Archive
from strategykit.cli import main
from strategykit.errors import ConfigError, ResultError, StrategyError
from strategykit.report.result import Result
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.run import backtest_tape
from strategykit.sweep.keeping import Kept
from strategykit.sweep.local import Batch, run_here, run_in_processes
from strategykit.sweep.run import Choice, run_sweep
from strategykit.sweep.sweeping import Objective, Progress, open_sweep
from strategykit.sweep.work import Outcome, Task, as_plain, resident, run_batch, run_plain
from tests.runtime.test_export import make, whole
from tests.sweep.conftest import write_archive

SETS = [{"fast": str(fast), "slow": str(slow)} for fast in (2, 3, 5) for slow in (8, 13)]
GRID = Choice(axes=("fast=2,3,5", "slow=8,13"))
PNL = Objective("pnl")

MANY = """\
from strategykit import Strategy, Trade, Trades, define


@define
class Some(Strategy):
    many: int = 1
    trades = Trades("BTCUSDT")

    def on_trade(self, trade: Trade) -> None:
        self.buy_nowait(self.many)
"""

ALONE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""An environment in which the program is that of the folder in which it is started."""


def nobody(batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None]) -> None:
    raise AssertionError(f"{len(batches)} batches are to be run")


def deadly(folder: Path, *, once: bool) -> Path:
    """Write a strategy whose process is killed in the midst of a run with fast = 5."""
    path = folder / "deadly.py"
    marker = folder / "marker"
    path.write_text(
        f'''\
import os, signal
from pathlib import Path
from strategykit import Bar, Bars, Strategy, define


@define
class Deadly(Strategy):
    """Kills its process."""

    fast: int = 3
    bars = Bars("SBER", "1m")

    def on_bar(self, bar: Bar) -> None:
        marker = Path({str(marker)!r})
        if self.fast == 5 and not ({once} and marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if int(bar.close * 100) % self.fast == 0:
            self.buy_nowait(1)
'''
    )
    return path


def test_each_set_comes_out_as_a_replay_of_it_alone(task: Task, archive: Path) -> None:
    cls = load_strategy(task.file)

    outcomes = run_batch(task, SETS[:4])

    alone = [backtest_tape(archive, [("Cross", make_strategy(cls, values))], collect=True) for values in SETS[:4]]
    assert [outcome.digest for outcome in outcomes] == [report.digest for report in alone]
    assert [outcome.metrics["fills"] for outcome in outcomes] == [len(report.orders) for report in alone]
    assert len({outcome.digest for outcome in outcomes}) == 4


def test_a_batch_that_needs_too_much_memory_is_run_in_parts(task: Task) -> None:
    outcomes = run_batch(attrs.evolve(task, memory=-(1 << 50)), SETS[:2])  # What is freed counts, too.

    assert outcomes == run_batch(task, SETS[:2])
    assert resident() > 1 << 20


def test_what_has_been_run_isn_t_run_again(task: Task, tmp_path: Path) -> None:
    progress: list[Progress] = []
    first = run_sweep(task, GRID, objective=PNL, out=tmp_path / "out", on_progress=progress.append)
    with open_sweep(task, out=tmp_path / "out", workers=nobody, objective=PNL) as sweeping:
        again = sweeping.run(SETS)

    assert again == first.outcomes
    assert (progress[-1].done, progress[-1].total, progress[-1].kept) == (6, 6, 0)
    assert progress[-1].best == first.best()[0]


def test_an_outcome_that_isn_t_whole_is_run_again(task: Task, tmp_path: Path) -> None:
    first = run_sweep(task, GRID, out=tmp_path)
    files = sorted(tmp_path.glob("runs/*/*.json"))
    assert len(files) == len(SETS)
    files[0].write_bytes(files[0].read_bytes()[:-20])
    files[1].write_text(files[2].read_text())
    files[3].write_text(json.dumps({"version": 1, "identity": files[3].stem, "outcome": {"parameters": 3}}))
    run: list[Batch] = []

    def noted(batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None]) -> None:
        run.extend(batches)
        run_here(batches, told)

    with open_sweep(task, out=tmp_path, workers=noted) as sweeping:
        assert sweeping.run(SETS) == first.outcomes
    assert sum(len(batch.sets) for batch in run) == 3


GRID_OF_LIMITS = """\
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


@pytest.fixture
def grid(tmp_path: Path) -> Task:
    """Of one set, every second bar reaches a buy and a sell."""
    (tmp_path / "grid.py").write_text(GRID_OF_LIMITS)
    data = write_archive(tmp_path / "wide", [100.0] * 30, width=1.0)
    return Task(file=str(tmp_path / "grid.py"), data=str(data))


def test_what_a_set_takes_for_granted_within_bars_stays_with_it(grid: Task, tmp_path: Path) -> None:
    sets = [{"away": "0.2"}, {"away": "2"}]

    wide, narrow = run_batch(grid, sets)
    plain = [Outcome(**row) for row in run_plain(as_plain(grid), sets)]
    choice = Choice(axes=("away=0.2,2",))
    first = run_sweep(grid, choice, objective=PNL, out=tmp_path / "out")
    with open_sweep(grid, out=tmp_path / "out", workers=nobody, objective=PNL) as sweeping:
        again = sweeping.run(sets)

    (line,) = wide.warnings
    assert line.startswith(
        "SBER: what 15 bars made of the orders depends on whether their high or their low came first"
    )
    assert narrow.warnings == ()
    assert plain == list(first.outcomes) == again == [wide, narrow]


def test_outcomes_that_were_kept_without_warnings_are_run_again(grid: Task, tmp_path: Path) -> None:
    choice = Choice(axes=("away=0.2,2",))
    first = run_sweep(grid, choice, objective=PNL, out=tmp_path / "out")
    for path in (tmp_path / "out").glob("runs/*/*.json"):
        kept = json.loads(path.read_text())
        del kept["outcome"]["warnings"]
        path.write_text(json.dumps({**kept, "version": 1}))
    progress: list[Progress] = []

    again = run_sweep(grid, choice, objective=PNL, out=tmp_path / "out", on_progress=progress.append)

    assert again.outcomes == first.outcomes
    assert progress[-1].kept == 0


def test_another_fee_seed_or_file_is_another_run(task: Task, tmp_path: Path) -> None:
    with open_sweep(task, out=tmp_path, workers=run_here) as sweeping:
        before = sweeping.identity(SETS[0])
        assert sweeping.identity(SETS[0], (1, 2)) != before != sweeping.identity(SETS[1])
    with open_sweep(attrs.evolve(task, seed=3), out=tmp_path, workers=run_here) as sweeping:
        assert sweeping.identity(SETS[0]) != before


def test_a_replay_and_a_sweep_give_a_run_the_same_identity(task: Task, archive: Path, tmp_path: Path) -> None:
    argv = ["replay", task.file, "--tape", str(archive), "--fast", "2", "--slow", "8", "--out", str(tmp_path / "one")]
    assert main(argv) == 0

    with open_sweep(task, out=tmp_path / "all", workers=run_here) as sweeping:
        assert Result.load(tmp_path / "one").facts.identity == sweeping.identity(SETS[0])


def test_a_sweep_that_is_killed_goes_on_where_it_was(archive: Path, tmp_path: Path) -> None:
    strategy = deadly(tmp_path, once=True)
    out = tmp_path / "out"
    argv = ["sweep", str(strategy), "--tape", str(archive), "--param", "fast=2,3,5,7", "--objective", "pnl"]
    command = [sys.executable, "-m", "strategykit", *argv, "--out", str(out), "--batch", "1", "--processes", "1"]

    killed = subprocess.run(command, capture_output=True, check=False, timeout=120)

    assert killed.returncode == -signal.SIGKILL
    assert len(list(out.glob("runs/*/*.json"))) == 2  # Those before fast = 5.
    progress: list[Progress] = []
    choice = Choice(axes=("fast=2,3,5,7",))
    whole = run_sweep(Task(file=str(strategy), data=str(archive)), choice, out=out, on_progress=progress.append)
    assert not whole.failed
    assert progress[-1].kept == 2
    assert whole.outcomes == run_sweep(Task(file=str(strategy), data=str(archive)), choice).outcomes


def test_drawn_sets_are_those_of_the_seed_and_what_was_run_before_a_kill_isn_t_run_again(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["sweep", str(deadly(tmp_path, once=True)), "--tape", str(archive), "--random", "3"]
    argv = [*argv, "--param", "fast=5..40:5", "--objective", "pnl", "--batch", "1", "--processes", "1", "--json"]

    def drawn(seed: int, folder: Path) -> list[dict[str, Any]]:
        assert main([*argv, "--seed", str(seed), "--out", str(folder)]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["outcomes"]
        return found

    # By this seed 5, which kills, is drawn as the third one.
    command = [sys.executable, "-m", "strategykit", *argv, "--seed", "24", "--out", str(out)]
    killed = subprocess.run(command, capture_output=True, check=False, timeout=120)
    before = {path.name: path.stat().st_ino for path in out.glob("runs/*/*.json")}
    whole = drawn(24, out)
    after = {path.name: path.stat().st_ino for path in out.glob("runs/*/*.json")}

    assert killed.returncode == -signal.SIGKILL
    assert (len(before), len(after)) == (2, 3)
    assert before.items() <= after.items()
    assert len({item["parameters"]["fast"] for item in whole}) == 3
    assert all(item["digest"] and not item["error"] for item in whole)
    assert whole == drawn(24, tmp_path / "anew")
    assert [item["parameters"] for item in drawn(25, tmp_path / "other")] != [item["parameters"] for item in whole]


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_nothing_with_it(archive: Path, tmp_path: Path) -> None:
    task = Task(file=str(deadly(tmp_path, once=False)), data=str(archive))
    batches = [Batch(task, [{"fast": str(fast)}]) for fast in (5, 3)]
    told: dict[str, Outcome] = {}

    run_in_processes(batches, lambda batch, found: told.update({batch.sets[0]["fast"]: found[0]}), processes=2, tries=2)

    assert told["5"] == Outcome(parameters={"fast": "5"}, error="not run: its worker died 2 times")
    assert told["3"] == run_batch(task, [{"fast": "3"}])[0]


@pytest.mark.slow
def test_of_a_batch_whose_worker_is_killed_only_the_set_that_kills_it_is_lost(archive: Path, tmp_path: Path) -> None:
    task = Task(file=str(deadly(tmp_path, once=False)), data=str(archive))
    sets = [{"fast": str(fast)} for fast in (3, 5, 7)]
    told: list[Outcome] = []

    run_in_processes([Batch(task, sets)], lambda _, found: told.extend(found), processes=1, tries=2)

    assert sorted(told, key=lambda outcome: outcome.parameters["fast"]) == [
        run_batch(task, sets[:1])[0],
        Outcome(parameters={"fast": "5"}, error="not run: its worker died 2 times"),
        run_batch(task, sets[2:])[0],
    ]


def test_what_wasn_t_run_to_the_end_isn_t_kept(task: Task, tmp_path: Path) -> None:
    def lost(batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None]) -> None:
        for batch in batches:
            told(batch, [Outcome(parameters=values, error="not run") for values in batch.sets])

    with open_sweep(task, out=tmp_path, workers=lost) as sweeping:
        assert {outcome.error for outcome in sweeping.run(SETS)} == {"not run"}
    assert not list(tmp_path.glob("runs/*/*.json"))


def test_batches_are_of_one_size_and_enough_for_all_workers(task: Task) -> None:
    seen: list[int] = []

    def noted(batches: Sequence[Batch], told: Callable[[Batch, list[Outcome]], None]) -> None:
        seen.extend(len(batch.sets) for batch in batches)
        run_here(batches, told)

    with open_sweep(task, out=None, workers=noted, parts=4, batch=5) as sweeping:
        sweeping.run(SETS)
    assert sorted(seen) == [1, 1, 2, 2]
    seen.clear()
    with open_sweep(task, out=None, workers=noted, batch=2) as sweeping:
        sweeping.run([*SETS, SETS[0]])
    assert seen == [2, 2, 2]


def test_a_set_that_a_strategy_fails_with_is_told_and_takes_no_other_with_it(archive: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text(
        "from strategykit import Bar, Bars, Strategy, define\n\n\n@define\nclass Some(Strategy):\n"
        '    symbol: str = "SBER"\n    most: int = 5\n    bars = Bars("{symbol}", "1m")\n\n'
        "    def on_bar(self, bar: Bar) -> None:\n        if bar.close > self.most:\n"
        "            raise ValueError(self.most)\n"
    )
    sets = [{"most": "1000"}, {"most": "5"}, {"symbol": "GAZP"}]

    whole, raised, refused = run_batch(Task(file=str(path), data=str(archive)), sets)

    assert whole.digest
    assert not whole.error
    assert "ValueError: 5" in raised.error
    assert "the recording has no bars GAZP" in refused.error
    assert not refused.whole


def test_wrong_files_are_told_before_anything_is_run(task: Task, tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="can't be made"):
        run_sweep(task, GRID, out=Path(task.file) / "below")
    with pytest.raises(StrategyError, match="no such file"):
        run_sweep(attrs.evolve(task, file=str(tmp_path / "none.py")), GRID)
    with pytest.raises(ConfigError, match="there is no such figure; there are pnl, "):
        Objective("profit")
    with pytest.raises(ConfigError, match="--on ray: there is dask for this machine"):
        run_sweep(task, GRID, on="ray")


def test_outcomes_that_can_t_be_written_end_the_sweep(task: Task, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    (tmp_path / "runs" / "ab").write_text("in the way")

    with pytest.raises(ResultError, match="can't be written"):
        kept.put("ab" * 32, Outcome(parameters={}))
    assert kept.get("ab" * 32) is None


def test_an_archive_is_taken_as_it_is(task: Task, tmp_path: Path) -> None:
    with open_sweep(task, out=tmp_path, workers=run_here) as sweeping:
        assert isinstance(sweeping.archive, Archive)
        assert sweeping.task.data == str(Path(task.data).resolve())


def test_a_tape_is_unpacked_once_and_again_where_it_was_damaged(tmp_path: Path) -> None:
    tape, strategy, out = make(tmp_path / "tape", whole), tmp_path / "some.py", tmp_path / "out"
    strategy.write_text(MANY)
    task, choice, parts = Task(file=str(strategy), data=str(tape)), Choice(axes=("many=1,2",)), list[float]()

    first = run_sweep(task, choice, out=out, on_data=parts.append)
    cls = load_strategy(str(strategy))
    alone = [backtest_tape(tape, [("Some", make_strategy(cls, item.parameters))]) for item in first.outcomes]

    assert [outcome.digest for outcome in first.outcomes] == [report.digest for report in alone]
    assert parts[-1] == 1.0
    parts.clear()
    assert run_sweep(task, choice, out=out, on_data=parts.append).outcomes == first.outcomes
    assert not parts
    (made,) = out.glob("data/*/manifest.json")
    made.write_text("{}")
    for file in out.glob("runs/*/*.json"):
        file.unlink()
    assert run_sweep(task, choice, out=out).outcomes == first.outcomes


@pytest.mark.slow
def test_an_updated_program_takes_nothing_from_what_the_one_before_came_to(tmp_path: Path) -> None:
    """Of a checkout nothing but its sources tells that it was updated: its number is still the last release's."""
    tape, strategy, out = make(tmp_path / "tape", whole), tmp_path / "some.py", tmp_path / "out"
    strategy.write_text(MANY)
    task, choice = Task(file=str(strategy), data=str(tape)), Choice(axes=("many=1,2",))
    first = run_sweep(task, choice, objective=PNL, out=out)
    before = {path.name for path in out.glob("runs/*/*.json")}
    package = Path(strategykit.__file__).parent
    # What is compiled goes with it, or most of the time would go into that; but not what is only being written.
    shutil.copytree(package, tmp_path / "updated" / "strategykit", ignore=shutil.ignore_patterns("*.pyc.*"))
    with (tmp_path / "updated" / "strategykit" / "errors.py").open("a") as file:
        file.write("# Another one.\n")

    argv = ["sweep", str(strategy), "--tape", str(tape), "--param", "many=1,2", "--objective", "pnl", "--out", str(out)]
    command = [sys.executable, "-m", "strategykit", *argv, "--processes", "1", "--json"]
    again = subprocess.run(command, cwd=tmp_path / "updated", env=ALONE, capture_output=True, check=True, timeout=120)

    digests = [item["digest"] for item in json.loads(again.stdout)["outcomes"]]
    assert digests == [outcome.digest for outcome in first.outcomes]
    after = {path.name for path in out.glob("runs/*/*.json")}
    assert (len(before), len(after), len(list(out.glob("data/*/manifest.json")))) == (2, 4, 2)
    assert before < after


def test_optuna_proposes_the_same_sets_for_a_seed_and_only_those_that_conditions_allow(
    task: Task, tmp_path: Path
) -> None:
    choice = Choice(axes=("fast", "slow=5,8,13,21", "weight", "label=a,b"), where=("fast < slow",), optuna=18, seed=4)
    progress: list[Progress] = []

    first = run_sweep(task, choice, objective=PNL, out=tmp_path)

    assert len(first.outcomes) == 18
    assert all(int(item.parameters["fast"]) < int(item.parameters["slow"]) for item in first.outcomes)
    again = run_sweep(task, choice, objective=PNL, out=tmp_path, on_progress=progress.append)
    assert again.outcomes == first.outcomes
    assert progress[-1].kept == 18  # It proposed nothing else.


def test_optuna_needs_something_to_propose(task: Task) -> None:
    with pytest.raises(ConfigError, match="optuna found no set that meets 'fast > slow'"):
        run_sweep(task, Choice(axes=("fast=2..3", "slow=20..30"), where=("fast > slow",), optuna=3))
    with pytest.raises(ConfigError, match="--optuna 0: at least 1 set"):
        run_sweep(task, Choice(axes=("fast=2..3",), optuna=0))


@pytest.mark.slow
def test_a_sweep_on_dask_comes_out_the_same(task: Task) -> None:
    choice = Choice(axes=("fast=2,3",))

    assert run_sweep(task, choice, on="dask", processes=1).outcomes == run_sweep(task, choice).outcomes


def test_no_scheduler_is_told(task: Task) -> None:
    with pytest.raises(ConfigError, match="--on dask://nowhere: no scheduler answers there"):
        run_sweep(task, Choice(axes=("fast=2,3",)), on="dask://nowhere")
