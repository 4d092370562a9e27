"""The ways to a run's kill switch from outside, where the disk or somebody else spoils them."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio

from strategykit.journal.latch import KILL_FILE, Latch, read_latch
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.pulls import Pulls, pull_word
from strategykit.runtime.stops import Stops


@attrs.define(eq=False)
class Told:
    """What a run was told, and what it noted."""

    words: list[str] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    def note(self, source: str, text: str) -> None:
        self.notes.append(f"{source}: {text}")

    def pulls(self, folder: Path | None) -> Pulls:
        return Pulls(folder=folder, wall=lambda: 7, alarms=Alarms(self.note), note=self.note, tell=self.words.append)


async def test_a_file_pulls_it_once(tmp_path: Path, autojump_clock: object) -> None:
    told = Told()
    pulls = told.pulls(tmp_path)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulls.when_file)
        await trio.sleep(1)
        (tmp_path / KILL_FILE).write_text('{"reason": "why: because", "by": "who: me"}')

    assert told.words == ["kill who me: why: because"]


async def test_once_it_is_pulled_nobody_looks_for_the_file(tmp_path: Path, autojump_clock: object) -> None:
    told = Told()
    pulls = told.pulls(tmp_path)

    pulls.keep("enough", "strategy own")
    await pulls.when_file()
    await pulls.outlive()

    assert told.words == []
    latch = read_latch(tmp_path)
    assert latch is not None
    assert (latch.reason, latch.by, latch.time) == ("enough", "strategy own", 7)


async def test_without_a_folder_there_is_nothing_to_look_for(autojump_clock: object) -> None:
    told = Told()
    pulls = told.pulls(None)

    pulls.keep("enough", "strategy own")
    await pulls.when_file()
    await pulls.outlive()

    assert told.notes == ["kill: there is no journal, so nothing keeps the next run from beginning"]


async def test_a_file_that_can_not_be_kept_is_an_alarm(tmp_path: Path) -> None:
    told = Told()
    gone = told.pulls(tmp_path / "gone")
    gone.keep("enough", "signal")
    pulls = told.pulls(tmp_path)
    (tmp_path / KILL_FILE).symlink_to("nowhere")
    pulls.keep("enough", "signal")
    await pulls.outlive()

    (first,) = gone.alarms.lines
    assert first.startswith(f"kill: nothing keeps the next run from beginning: {tmp_path}/gone/KILL can't be written: ")
    (second,) = pulls.alarms.lines
    assert second.startswith(f"kill: {tmp_path}/KILL can't be kept: ")


async def test_a_signal_pulls_it() -> None:
    told, stops = Told(), Stops()
    stops.kill.set()

    await told.pulls(None).when_signalled(stops)

    assert told.words == [pull_word("signal", "SIGUSR1")] == ["kill signal: SIGUSR1"]
    assert Latch(reason="r", by="b").words == "pulled by b: r"
