"""Making sure of what was written: one sync for all that has come together meanwhile.

A thread of its own, not one of Trio's: a loop that is busy doesn't keep it from syncing, and a disk that takes seconds
doesn't keep the loop from reading. An error of a sync is final: the system may have dropped what it couldn't write, and
a second one would report success.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable
from contextlib import suppress
from operator import attrgetter
from typing import Final

import attrs
import trio

from strategykit.errors import JournalError

__all__ = ["GroupSync"]

_WITHIN: Final = 1.0
"""Seconds after which records are synced that nobody waits for: what a loss of power can take of them."""


@attrs.frozen
class _Waiting:
    seq: int
    then: Callable[[], None]
    lost: Callable[[JournalError], None]


_SEQ: Final = attrgetter("seq")


class GroupSync:
    """Who waits until a record is safe, and what makes it so.

    Args:
        sync: Makes safe all that was written; raises `OSError`.
        written: Gives the number of the last record that was written.
        in_words: Makes our error of the system's.
        in_loop: True syncs in the loop itself, at its next turn, instead of in a thread.

    Attributes:
        durable: Number of the last record that is known to outlive a power loss.
        failed: Why nothing is made safe any more; set once.
    """

    def __init__(
        self,
        sync: Callable[[], None],
        written: Callable[[], int],
        in_words: Callable[[OSError], JournalError],
        *,
        in_loop: bool,
    ) -> None:
        self.durable = written()
        self.failed: JournalError | None = None
        self._sync = sync
        self._written = written
        self._in_words = in_words
        self._waiting: list[_Waiting] = []
        """By number. Belongs to the loop."""
        self._token: trio.lowlevel.TrioToken | None = None
        self._failing = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = None if in_loop else threading.Thread(target=self._keep, name="journal-sync", daemon=True)

    def start(self) -> None:
        if self._thread is not None:
            self._thread.start()

    def when_durable(self, seq: int, then: Callable[[], None], lost: Callable[[JournalError], None]) -> None:
        """Have `then` called by the loop once the record is safe, or `lost` once it can't become so."""
        insort(self._waiting, _Waiting(seq, then, lost), key=_SEQ)
        self._token = token = trio.lowlevel.current_trio_token()
        # The order of these looks matters: who syncs sets `durable` first and looks for the token then.
        if seq <= self.durable or self.failed is not None or self._stopping:
            token.run_sync_soon(self._tell, idempotent=True)
        elif self._thread is None:
            token.run_sync_soon(self._sync_here, idempotent=True)
        else:
            self._wake.set()

    def fail(self, error: JournalError) -> None:
        """Stop for good. Called by any thread; the first error stays."""
        with self._failing:
            self.failed = self.failed or error
        self._wake.set()
        self._tell_soon()

    def stop(self, within: float) -> bool:
        """Sync what isn't safe yet and end. Blocks, for `within` seconds at the most; False if that didn't do."""
        self._stopping = True
        if self._thread is None:
            self._sync_once()
            return True
        self._wake.set()
        self._thread.join(within)
        return not self._thread.is_alive()

    def _keep(self) -> None:
        ended = False
        try:
            while True:
                self._wake.wait(_WITHIN)
                self._wake.clear()
                stopping = self._stopping  # Before the last look: what was written before the stop is seen after it.
                self._sync_once()
                if stopping or self.failed is not None:
                    break
            ended = True
        finally:
            if not ended:  # A bug; the thread's own traceback says which. Nobody must wait for it for ever.
                self.fail(JournalError("the journal's sync broke; nothing is written any more"))

    def _sync_once(self) -> None:
        seq = self._written()
        if seq == self.durable or self.failed is not None:
            return
        try:
            self._sync()
        except OSError as exc:
            self.fail(self._in_words(exc))
        else:
            self.durable = seq
            self._tell_soon()

    def _sync_here(self) -> None:
        self._sync_once()
        self._tell()

    def _tell_soon(self) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._tell, idempotent=True)

    def _tell(self) -> None:
        waiting = self._waiting
        while waiting:
            if waiting[0].seq <= self.durable:
                waiting.pop(0).then()
            elif self.failed is not None:
                waiting.pop(0).lost(self.failed)
            else:
                break
