"""Clusters of Dask that are there, and workers that are killed: every set comes out once, or is told to be missing."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from strategykit.cli import main
from strategykit.sweep.local import run_here
from strategykit.sweep.on_dask import run_on_dask
from strategykit.sweep.run import Choice, run_sweep
from strategykit.sweep.sweeping import Progress, open_sweep
from strategykit.sweep.work import Task, run_batch


def killing(folder: Path, times: int) -> Path:
    """Write a strategy that kills its process with fast = 5, so many times in all."""
    kills = folder / "kills"
    kills.mkdir()
    path = folder / "killing.py"
    path.write_text(
        f'''\
import os, signal
from pathlib import Path
from strategykit import Bar, Bars, Strategy, define


@define
class Killing(Strategy):
    """Kills its process in the midst of a run."""

    fast: int = 3
    bars = Bars("SBER", "1m")

    def on_bar(self, bar: Bar) -> None:
        kills = Path({str(kills)!r})
        done = len(list(kills.iterdir()))
        if self.fast == 5 and done < {times}:
            (kills / str(done)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if int(bar.close * 100) % self.fast == 0:
            self.buy_nowait(1)
'''
    )
    return path


NAMING = """\
import os
from pathlib import Path
from strategykit import Bar, Bars, Strategy, define


@define
class Naming(Strategy):
    '''Leaves the number of the process that it ran in.'''

    folder: str
    fast: int = 3
    bars = Bars("SBER", "1m")

    def on_bar(self, bar: Bar) -> None:
        (Path(self.folder) / f"ran-in-{os.getpid()}").touch()
        if int(bar.close * 100) % self.fast == 0:
            self.buy_nowait(1)
"""


@pytest.fixture
def taken() -> Iterator[None]:
    """Have another cluster run already, as far as its port says."""
    with socket.socket() as other:
        with suppress(OSError):  # One does run.
            other.bind(("127.0.0.1", 8787))
            other.listen()
        yield


@pytest.fixture
def scheduler() -> Iterator[str]:
    """A cluster that is there already, with a process of one worker; gives its address as the command line has it."""
    distributed: Any = import_module("distributed")  # It has no types.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0", silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")


@pytest.mark.slow
def test_a_sweep_runs_on_the_workers_of_a_cluster_that_is_there(
    scheduler: str, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In their process, not in ours; and the cluster lives on, for the next sweep."""
    path = tmp_path / "naming.py"
    path.write_text(NAMING)
    task = Task(file=str(path), data=str(archive), fixed={"folder": str(tmp_path)})
    argv = ["sweep", str(path), "--tape", str(archive), "--folder", str(tmp_path), "--param", "fast=3,5"]

    assert main([*argv, "--objective", "pnl", "--on", scheduler, "--processes", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["outcomes"]
    (worker,) = {int(place.name.removeprefix("ran-in-")) for place in tmp_path.glob("ran-in-*")}
    again = run_sweep(task, Choice(axes=("fast=3,5",)), on=scheduler).outcomes
    (same,) = {int(place.name.removeprefix("ran-in-")) for place in tmp_path.glob("ran-in-*")}

    assert worker == same != os.getpid()
    assert [outcome.digest for outcome in again] == [item["digest"] for item in found]
    assert again == run_sweep(task, Choice(axes=("fast=3,5",))).outcomes


@pytest.mark.slow
@pytest.mark.usefixtures("taken")
def test_sets_are_neither_lost_nor_doubled_when_a_worker_is_killed(archive: Path, tmp_path: Path) -> None:
    """The other one of its batch, and one that waits at its worker, are suspected, too, and come out all the same.

    On a busy machine, where a worker may die by itself as it starts, too: these two have a try to spare.
    """
    task = Task(file=str(killing(tmp_path, 4)), data=str(archive))
    sets = [{"fast": str(fast)} for fast in (5, 3, 7)]
    workers, progress = partial(run_on_dask, processes=1, tries=3), list[Progress]()

    with open_sweep(task, out=tmp_path / "out", workers=workers, batch=2, on_progress=progress.append) as sweeping:
        found = sweeping.run(sets)

    assert [each.parameters for each in found] == sets
    assert [each.error for each in found] == ["not run: its worker died 3 times", "", ""]
    assert [each.done for each in progress] == [1, 2, 3]
    assert len(list((tmp_path / "out").glob("runs/*/*.json"))) == 2
    # By now nothing kills any more: what is missing is run, and nothing else.
    with open_sweep(task, out=tmp_path / "out", workers=run_here, on_progress=progress.append) as sweeping:
        again = sweeping.run(sets)
    assert progress[-1].kept == 2
    assert again == run_batch(task, sets)
