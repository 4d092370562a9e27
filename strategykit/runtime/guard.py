"""The guard: a process of its own that watches a live run, and withdraws its orders when it can't do so itself.

It is told over its standard input whom to watch, and then every half second that the run's loop turns. When nothing
comes for too long, or the pipe ends without a goodbye, or the kill switch is pulled and the run doesn't confirm it, the
run is ended for good, its journal taken over, and what is left at the venue withdrawn.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from strategykit.disk import in_words, shown
from strategykit.errors import JournalError, StrategykitError
from strategykit.journal.folder import holder_of, pid_of
from strategykit.journal.format import RecordKind
from strategykit.journal.latch import Latch, is_pulled, pull_latch
from strategykit.journal.writer import JournalWriter
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenFacts, TokenSource
from strategykit.runtime.aftermath import Aftermath, kept_facts, newest_records, sum_up
from strategykit.runtime.guard_plan import GuardPlan, decode_plan
from strategykit.runtime.guard_watch import Verdict, Watch
from strategykit.runtime.kill import BESIDES
from strategykit.runtime.live import wall_time
from strategykit.runtime.order_journal import open_run_journal
from strategykit.runtime.withdraw import Account, Known, Left, known_orders, withdraw_by_http
from strategykit.runtime.withdraw_run import withdraw_by_run
from strategykit.tape.redact import Redactor
from strategykit.venues.http_cancels import CancelsByHttp

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
        folder, venue = self.plan.folder, self.plan.venue
        with ExitStack() as stack:
            try:
                secrets = venue.secrets()
                for secret in secrets.values():
                    self.redactor.protect(secret.reveal())
                records = newest_records(folder, damaged=True)
                before = sum_up(records)
                dialect = venue.dialect()
                if isinstance(dialect, CancelsByHttp):
                    known = known_orders(records)
                    writer = self._take_over(stack, before, reason)
                    fetch = venue.known.fetcher(secrets, venue.options, venue.endpoints)
                    left = trio.run(self._call, dialect, known, fetch)
                else:
                    left = withdraw_by_run(venue, folder)
                    before = attrs.evolve(sum_up(newest_records(folder, damaged=True)), alarms=before.alarms)
                    writer = self._take_over(stack, before, reason)
            except StrategykitError as exc:
                self.say(f"ALARM: {exc}; look at the venue's own list of orders", loud=True)
                return False
            return self._tell(writer, before, left)

    def _take_over(self, stack: ExitStack, before: Aftermath, reason: str) -> JournalWriter | None:
        """Go on with the journal of the run that is gone; without it, if need be: cancels never wait for a disk."""
        facts = {**kept_facts(before.run), "tag": "guard"}
        try:
            writer = stack.enter_context(
                open_run_journal(
                    self.plan.folder,
                    now=self.wall,
                    run=facts,
                    redact=self.redactor.words,
                    in_loop=False,
                    lasting=True,
                )
            ).writer
            writer.write(RecordKind.KILLED, {"reason": reason, "by": "guard"})
        except JournalError as exc:
            self.say(f"nothing can be written into the journal: {exc}", loud=True)
            return None
        return writer

    async def _call(self, dialect: CancelsByHttp, known: Known, fetch: Callable[[], Awaitable[TokenFacts]]) -> Left:
        venue = self.plan.venue
        where = Account(
            dialect=venue.dialect(),
            cancels=dialect,
            base=venue.endpoints.http,
            tokens=TokenSource(
                fetch,
                protect=self.redactor.protect,
                rng=random.Random(),
                timing=Timing(),
            ),
            account=venue.account,
            exchange=venue.exchange,
        )
        return await withdraw_by_http(where, known, say=self.say, now=self.wall)

    def _tell(self, writer: JournalWriter | None, before: Aftermath, left: Left) -> bool:
        """Say what came of it, in the journal, too."""
        held = ", ".join(before.positions) or "flat"
        if left.unseen:
            held += f", and fills that it doesn't have: {', '.join(left.unseen)}"
        trouble = left.trouble
        if not trouble and self.plan.flatten and held != "flat":
            trouble = (
                "the venue has no order of ours, but positions are open, which a guard can't close; by the journal "
                f"{held}"
            )
        if not trouble and any(BESIDES in alarm for alarm in before.alarms):
            trouble = f"the venue has no order of ours, but when the run was killed it counted other lots {BESIDES}"
        if trouble:
            rest = f"; left are {', '.join(left.orders)}" if left.orders else ""
            self.say(f"ALARM: {trouble}{rest}; look at the venue's own list", loud=True)
            self._write(writer, RecordKind.ALARM, {"text": f"guard: {trouble}{rest}"})
        else:
            proof = f"the venue has no order of ours ({left.withdrawn} withdrawn); positions by the journal: {held}"
            self.say(f"confirmed: {proof}", loud=True)
            self._write(
                writer, RecordKind.NOTE, {"text": f"guard: confirmed: {proof}", "source": "guard", "proof": proof}
            )
        facts = {"reason": "by the guard", "open": list(left.orders), "unaccounted": [trouble] if trouble else []}
        self._write(writer, RecordKind.CLOSED, facts)
        return not trouble

    def _write(self, writer: JournalWriter | None, kind: RecordKind, facts: dict[str, Any]) -> None:
        if writer is None:
            return
        try:
            writer.write(kind, facts)
        except JournalError as exc:
            self.say(str(exc), loud=True)


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
