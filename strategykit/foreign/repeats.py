"""Rows that are in a file twice."""

from __future__ import annotations

from typing import Final

from strategykit.foreign.refusals import RowRefused

__all__ = ["Repeats"]

_MOST: Final = 10_000
"""Rows of one time that are remembered."""


class Repeats:
    """Refuses rows that are there twice. In rows in the order of time, these are among those of one time."""

    def __init__(self) -> None:
        self._time = -1
        self._texts = set[str]()

    def check(self, time: int, text: str) -> None:
        """See that no row of this time had this text.

        What a venue itself sends again has another time: that's the decoder's business, as it is live.

        Raises:
            RowRefused: One had.
        """
        if time != self._time or len(self._texts) >= _MOST:
            self._time, self._texts = time, {text}
        elif text in self._texts:
            raise RowRefused("a row above it has its time, and is the same", right="each once")
        else:
            self._texts.add(text)
