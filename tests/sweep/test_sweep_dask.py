"""Workers of Dask that are killed: every set comes out once, or is told to be missing and can be run later."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from strategykit.sweep.local import run_here
from strategykit.sweep.on_dask import run_on_dask
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


@pytest.fixture
def taken() -> Iterator[None]:
    """Have another cluster run already, as far as its port says."""
    with socket.socket() as other:
        with suppress(OSError):  # One does run.
            other.bind(("127.0.0.1", 8787))
            other.listen()
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("taken")
def test_sets_are_neither_lost_nor_doubled_when_a_worker_is_killed(archive: Path, tmp_path: Path) -> None:
    """The other one of its batch, and one that waits at its worker, are suspected, too, and come out all the same."""
    task = Task(file=str(killing(tmp_path, 3)), data=str(archive))
    sets = [{"fast": str(fast)} for fast in (5, 3, 7)]
    workers, progress = partial(run_on_dask, processes=1, tries=2), list[Progress]()

    with open_sweep(task, out=tmp_path / "out", workers=workers, batch=2, on_progress=progress.append) as sweeping:
        found = sweeping.run(sets)

    assert [each.parameters for each in found] == sets
    assert [each.error for each in found] == ["not run: its worker died 2 times", "", ""]
    assert [each.done for each in progress] == [1, 2, 3]
    assert len(list((tmp_path / "out").glob("runs/*/*.json"))) == 2
    # By now nothing kills any more: what is missing is run, and nothing else.
    with open_sweep(task, out=tmp_path / "out", workers=run_here, on_progress=progress.append) as sweeping:
        again = sweeping.run(sets)
    assert progress[-1].kept == 2
    assert again == run_batch(task, sets)
