"""Making sure of what was written: one sync for all that has come together meanwhile.

A disk that takes seconds doesn't keep the loop from reading: a process syncs beside it (`beside`), or a thread. An
error of a sync is final: the system may have dropped what it couldn't write, and a second sync would report success.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Final, Protocol

import attrs
import trio

from strategykit.errors import JournalError

__all__ = ["WITHIN", "LoopSync", "Syncer", "ThreadSync", "Waiting"]

WITHIN: Final = 1.0
"""Seconds between two syncs for records that nobody waits for. A loss of power can take those since the last one."""


class Syncer(Protocol):
    """One way of making safe what was written; `Waiting` is told of each success, and of the first failure."""

    def start(self) -> None: ...

    def want(self, seq: int, token: trio.lowlevel.TrioToken) -> None:
        """Begin a sync for record `seq`, or see to it that one follows the one that has begun. Called by the loop."""

    def note(self) -> None:
        """Something was written that nobody waits for yet."""

    def stop(self, within: float) -> bool:
        """Sync what isn't safe yet and end. Blocks, for `within` seconds at the most; False if that didn't do."""


@attrs.frozen
class _Wish:
    seq: int
    then: Callable[[], None]
    lost: Callable[[JournalError], None]


_SEQ: Final = attrgetter("seq")


class Waiting:
    """Who waits until a record is safe.

    Args:
        written: Gives the number of the last record that was written.
        in_words: Makes our error of the system's.

    Attributes:
        durable: Number of the last record that is known to outlive a power loss.
        failed: Why nothing is made safe any more; set once.
    """

    def __init__(self, written: Callable[[], int], in_words: Callable[[OSError], JournalError]) -> None:
        self.written = written
        self.durable = written()
        self.failed: JournalError | None = None
        self._in_words = in_words
        self._wishes: list[_Wish] = []
        """By number. Belongs to the loop."""
        self._token: trio.lowlevel.TrioToken | None = None
        self._failing = threading.Lock()

    def add(self, seq: int, then: Callable[[], None], lost: Callable[[JournalError], None], syncer: Syncer) -> None:
        """Have `then` called by the loop once the record is safe, or `lost` once it can't become so."""
        insort(self._wishes, _Wish(seq, then, lost), key=_SEQ)
        self._token = token = trio.lowlevel.current_trio_token()
        # After the token: a thread that syncs sets `durable` and looks for the token then.
        if seq <= self.durable or self.failed is not None:
            self.tell_soon()
        else:
            syncer.want(seq, token)

    @property
    def unsafe(self) -> bool:
        """Whether there is something to sync, and may be synced."""
        return self.failed is None and self.written() > self.durable

    def broke(self, exc: OSError) -> None:
        """A sync failed. Called by any thread."""
        self.fail(self._in_words(exc))

    def fail(self, error: JournalError) -> None:
        """Nothing will be made safe any more. Called by any thread; the first error stays."""
        with self._failing:
            self.failed = self.failed or error
        self.tell_soon()

    def tell_soon(self) -> None:
        """Have the loop `tell`. Called by any thread."""
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self.tell, idempotent=True)

    def tell(self) -> None:
        """Tell who waits how it came out. Called by the loop, and never by who asks or writes."""
        wishes = self._wishes
        while wishes:
            if wishes[0].seq <= self.durable:
                wishes.pop(0).then()
            elif self.failed is not None:
                wishes.pop(0).lost(self.failed)
            else:
                break


def sync_now(waiting: Waiting, sync: Callable[[], None]) -> None:
    """Make safe what was written by now, if there is something."""
    if not waiting.unsafe:
        return
    seq = waiting.written()
    try:
        sync()
    except OSError as exc:
        waiting.broke(exc)
    else:
        waiting.durable = seq


class LoopSync:
    """Syncs in the loop itself, at its next turn: for virtual clocks, which would wait for nothing else.

    Where `takes` says so, a sync ends that many seconds of Trio's clock later.
    """

    def __init__(self, waiting: Waiting, sync: Callable[[], None], takes: Callable[[], float] = lambda: 0.0) -> None:
        self._waiting = waiting
        self._sync = sync
        self._takes = takes
        self._slow = False

    def start(self) -> None:
        """There is nothing to start."""

    def want(self, seq: int, token: trio.lowlevel.TrioToken) -> None:  # noqa: ARG002 - the signature of all
        token.run_sync_soon(self._begin, idempotent=True)

    def note(self) -> None:
        """Nothing is synced without being waited for, but at the end."""

    def stop(self, within: float) -> bool:  # noqa: ARG002 - the signature of all
        sync_now(self._waiting, self._sync)
        self._waiting.tell_soon()
        return True

    def _begin(self) -> None:
        if self._slow:
            return  # It will be for this one, too.
        seconds = self._takes()
        if seconds:
            self._slow = True
            trio.lowlevel.spawn_system_task(self._later, seconds)
        else:
            self._now()

    async def _later(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self._slow = False
        self._now()

    def _now(self) -> None:
        sync_now(self._waiting, self._sync)
        self._waiting.tell()


class ThreadSync:
    """Syncs in a thread of its own. A loop that is always busy can keep it waiting for long."""

    def __init__(self, waiting: Waiting, sync: Callable[[], None]) -> None:
        self._waiting = waiting
        self._sync = sync
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._keep, name="journal-sync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def want(self, seq: int, token: trio.lowlevel.TrioToken) -> None:  # noqa: ARG002 - the signature of all
        self._wake.set()

    def note(self) -> None:
        """The thread looks by itself."""

    def stop(self, within: float) -> bool:
        self._stopping = True
        self._wake.set()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _keep(self) -> None:
        ended = False
        try:
            while not ended:
                self._wake.wait(WITHIN)
                self._wake.clear()
                stopping = self._stopping  # Before the last look: what was written before the stop is seen after it.
                sync_now(self._waiting, self._sync)
                self._waiting.tell_soon()
                ended = stopping or self._waiting.failed is not None
        finally:
            if not ended:  # A bug; the thread's own traceback says which. Nobody must wait for it for ever.
                self._waiting.fail(JournalError("the journal's sync broke; nothing is written any more"))
