"""What a guard makes of what it hears of its run. Pure: the time is passed in."""

from __future__ import annotations

import enum
from typing import Final

import attrs

__all__ = ["BEAT", "CONFIRMED", "GOODBYE", "KILLED_WITHIN", "Verdict", "Watch"]

BEAT: Final = b"."
"""The loop turns."""

CONFIRMED: Final = b"k"
"""The kill switch was pulled, and all that was asked for is confirmed."""

GOODBYE: Final = b"e"
"""The run has ended by itself, and leaves nothing that a guard should see to."""

KILLED_WITHIN: Final = 20.0
"""Seconds from the kill switch to its proof."""


class Verdict(enum.Enum):
    """How a watch ends."""

    OVER = "it has ended in order"
    DIED = "it ended without a goodbye"
    SILENT = "its loop was silent"
    UNCONFIRMED = "it didn't confirm that the kill switch was pulled"


@attrs.define(kw_only=True)
class Watch:
    """One watch. Times are seconds on any clock that doesn't go back."""

    after: float
    """Seconds of silence that are too many."""
    heard_at: float
    """When it was last heard; the watch begins with that."""
    confirmed: bool = attrs.field(default=False, init=False)
    _over: bool = attrs.field(default=False, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _pulled_at: float | None = attrs.field(default=None, init=False)

    def hear(self, data: bytes, now: float) -> None:
        """Take what came from the run; nothing: its end of the pipe is closed."""
        if not data:
            self._ended = True
            return
        self.heard_at = now
        self.confirmed = self.confirmed or CONFIRMED in data
        self._over = self._over or GOODBYE in data

    def verdict(self, now: float, *, pulled: bool) -> Verdict | None:
        """Say whether there is something to do by now; `pulled`: the kill switch is."""
        if not pulled:
            self._pulled_at = None
        elif self._pulled_at is None:
            self._pulled_at = now
        if self._over:
            return Verdict.OVER
        if self._ended:
            return Verdict.DIED
        if now - self.heard_at >= self.after:
            return Verdict.SILENT
        if self._pulled_at is not None and not self.confirmed and now - self._pulled_at >= KILLED_WITHIN:
            return Verdict.UNCONFIRMED
        return None
