"""The ways to a run's kill switch from outside, a file and a signal, and what keeps it pulled beyond the run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from strategykit.errors import JournalError
from strategykit.journal.latch import Latch, is_pulled, pull_latch, read_latch, sync_latch
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.stops import Stops
from strategykit.runtime.supervise import KILL

__all__ = ["UNKEPT", "Pulls", "pull_word"]

UNKEPT: Final = "nothing keeps the next run from beginning"
"""Begins the alarm that says that the kill switch doesn't stay pulled."""

LOOK_EVERY: Final = 0.25
"""Seconds between two looks for the file."""


def pull_word(by: str, reason: str) -> str:
    """Give the word that pulls the kill switch of a run, for its queue and its tape."""
    return f"{KILL}{by.replace(': ', ' ')}: {reason}"


@attrs.define(eq=False, kw_only=True)
class Pulls:
    """Takes what is pulled outside into a run, and puts what is pulled inside where others see it."""

    folder: Path | None
    """The account's, in which the file lies; None: there is no journal, and so no file."""
    wall: Callable[[], int]
    alarms: Alarms
    note: Callable[[str, str], None]
    tell: Callable[[str], None]
    """Puts a word into the run's queue."""
    pulled: trio.Event = attrs.field(factory=trio.Event, init=False)

    def keep(self, reason: str, by: str) -> None:
        """Keep the kill switch pulled: the next run doesn't begin before somebody has released it.

        At once where everybody can see it; on the disk for good by `outlive`, because no cancel waits for a disk.
        """
        self.pulled.set()
        if self.folder is None:
            self.note("kill", f"there is no journal, so {UNKEPT}")
            return
        try:
            pull_latch(self.folder, Latch(reason=reason, by=by, time=self.wall(), pid=os.getpid()), sync=False)
        except JournalError as exc:
            self.alarms.sound("kill", f"{UNKEPT}: {exc}")

    async def outlive(self) -> None:
        """Once it is pulled, have the file outlive a power loss."""
        await self.pulled.wait()
        if self.folder is None or not is_pulled(self.folder):
            return
        try:
            await trio.to_thread.run_sync(sync_latch, self.folder, abandon_on_cancel=True)
        except JournalError as exc:
            self.alarms.sound("kill", str(exc))

    async def when_file(self) -> None:
        """Pull when the file appears."""
        while self.folder is not None and not self.pulled.is_set():
            if is_pulled(self.folder):
                latch = read_latch(self.folder)
                if latch is not None:
                    self.tell(pull_word(latch.by, latch.reason))
                    return
            await trio.sleep(LOOK_EVERY)
        await trio.lowlevel.checkpoint()

    async def when_signalled(self, stops: Stops) -> None:
        """Pull when SIGUSR1 comes."""
        await stops.kill.wait()
        self.tell(pull_word("signal", "SIGUSR1"))
