"""The guard: a process of its own that watches a live run, and withdraws its orders when it can't do so itself.

It is told over its standard input whom to watch, and then every half second that the run's loop turns. When nothing
comes for too long, or the pipe ends without a goodbye, or the kill switch is pulled and the run doesn't confirm it, the
run is ended for good, its journal taken over, and what is left at the venue withdrawn.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import attrs

from strategykit.disk import in_words, shown
from strategykit.errors import JournalError, StrategykitError
from strategykit.journal.folder import holder_of, pid_of
from strategykit.journal.latch import Latch, is_pulled, pull_latch
from strategykit.runtime.clearing import Clearing
from strategykit.runtime.guard_plan import GuardPlan, decode_plan
from strategykit.runtime.guard_watch import Verdict, Watch
from strategykit.tape.redact import Redactor
from strategykit.wall import wall_time

__all__ = ["GUARD_LOG", "Guard", "main"]

GUARD_LOG: Final = "GUARD"
"""What a guard has done, a line each; beside the journal."""

_LOOK_EVERY: Final = 0.25
"""Seconds between two looks for the kill switch and at the clock."""

_GONE_WITHIN: Final = 10.0
"""Seconds for a process that was killed to be gone, with its lock."""

_MAX_PLAN: Final = 1 << 20
"""Bytes."""


@attrs.define(eq=False, kw_only=True)
class Guard:
    """Acts after a watch has ended with a verdict."""

    plan: GuardPlan
    pid: int
    wall: Callable[[], int]
    redactor: Redactor = attrs.field(factory=Redactor)

    def act(self, verdict: Verdict) -> bool:
        """Do what has to be done; say whether nothing is left to do for a person."""
        reason = f"{verdict.value} (process {self.pid})"
        if verdict is Verdict.SILENT:
            reason = f"{verdict.value} for {self.plan.after:g} s (process {self.pid})"
        pulled = is_pulled(self.plan.folder)
        if verdict is Verdict.DIED and self.plan.keep and not pulled:
            self.say(f'{reason}; its orders are left as they are, because on_stop = "keep"', loud=True)
            return True
        self.say(reason, loud=True)
        if not self._end_process():
            return False
        try:
            pull_latch(self.plan.folder, Latch(reason=reason, by="guard", time=self.wall(), pid=os.getpid()))
        except JournalError as exc:
            self.say(str(exc), loud=True)
        return self._withdraw(reason)

    def say(self, text: str, *, loud: bool = False) -> None:
        """Write a line into the log, and on the error output if a person should see it now."""
        line = shown(self.redactor.words(text))
        if loud:
            sys.stderr.write(f"strategykit guard: {line}\n")
            sys.stderr.flush()
        try:
            fd = os.open(
                self.plan.folder / GUARD_LOG,
                os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
            with os.fdopen(fd, "a", encoding="utf-8") as file:
                file.write(f"{datetime.fromtimestamp(self.wall() / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f} {line}\n")
        except OSError as exc:
            sys.stderr.write(f"strategykit guard: no log: {in_words(exc)}\n")

    def _end_process(self) -> bool:
        """Kill the run if it still runs; False if another one has the account already."""
        # Ours is the parent that started us, or gone: no other process ever has its number for us.
        if os.getppid() == self.pid:
            self.say(f"process {self.pid} is killed")
            os.kill(self.pid, signal.SIGKILL)
        ends = time.monotonic() + _GONE_WITHIN
        while (holder := holder_of(self.plan.folder)) is not None and time.monotonic() < ends:
            if pid_of(holder) != self.pid:
                self.say(f"another run has the account ({holder}), and sees to what this one left", loud=True)
                return False
            time.sleep(0.02)
        return True

    def _withdraw(self, reason: str) -> bool:
        cleared = Clearing(
            folder=self.plan.folder,
            venue=self.plan.venue,
            by="guard",
            who="a guard",
            wall=self.wall,
            say=self.say,
            warn=partial(self.say, loud=True),
            redactor=self.redactor,
        ).run(reason)
        if cleared.trouble:
            self.say(f"ALARM: {cleared.trouble}; look at the venue's own list of orders", loud=True)
        else:
            self.say(f"confirmed: {cleared.proof}", loud=True)
        return not cleared.trouble


def watch(fd: int, watching: Watch, folder: Path) -> Verdict:
    """Listen to a run until there is a verdict."""
    while True:
        verdict = watching.verdict(time.monotonic(), pulled=is_pulled(folder))
        if verdict is not None:
            return verdict
        if select.select([fd], [], [], _LOOK_EVERY)[0]:
            watching.hear(os.read(fd, 4096), time.monotonic())


def main(fd: int = 0) -> int:
    """Guard the run that has the other end of the pipe `fd`, the standard input; give the exit code."""
    # They are the run's, whoever sends them to all of its kin; and its end ends the guard.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    line = b""
    while not line.endswith(b"\n") and len(line) < _MAX_PLAN:
        piece = os.read(fd, 1)
        if not piece:
            return 0  # It died before it had begun.
        line += piece
    try:
        plan, pid = decode_plan(line)
    except StrategykitError as exc:
        sys.stderr.write(f"strategykit guard: {exc}\n")
        return 2
    verdict = watch(fd, Watch(after=plan.after, heard_at=time.monotonic()), plan.folder)
    if verdict is Verdict.OVER:
        return 0
    return 0 if Guard(plan=plan, pid=pid, wall=wall_time()).act(verdict) else 1


if __name__ == "__main__":
    sys.exit(main())
