"""What the venue's cursors share: numbers that tell of losses, and times that tell repeats by a second connection.

Source: CoinAPI protocol sheet, section 5, "General rules".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

__all__ = ["CoinCursor", "TimedCursor"]

R = TypeVar("R")

_REMEMBERED: Final = 1_000
"""Messages of one moment; a venue's burst has fewer."""


class CoinCursor(Generic[R]):
    """Where one subscription stands.

    Args:
        guid: Of the subscription.
        symbol: What its events are about.
        numbered: Whether numbers without holes come. With a pace chosen by us they have holes (section 5).
    """

    def __init__(self, guid: str, symbol: str, *, numbered: bool = True) -> None:
        self.guid = guid
        self.symbol = symbol
        self._numbered = numbered
        self._number: int | None = None
        """The last one that came; numbers count within a connection."""
        self._by = ""
        """The connection that it came by."""
        self._next_number: int | None = None
        """The last one by the connection that is taking over."""
        self._next_by = ""

    def missing(self, connection: str, number: int | None) -> int:
        """Note the number of what came by `connection`, which carries the row; give how many are missing before it."""
        if number is None:
            return 0
        last = self._number
        if connection != self._by:
            last = self._next_number if connection == self._next_by else None
        self._number, self._by = number, connection
        return number - last - 1 if self._numbered and last is not None and number > last else 0

    def beside(self, connection: str, number: int | None) -> None:
        """Note the number of what came by `connection`, which is taking over; comes before `follows`.

        What it brought before a loss, or in an earlier session, doesn't lead to what it brings now.
        """
        last, same = self._next_number, connection == self._next_by
        self._next_number, self._next_by = number, connection
        anew = number is not None and last is not None and number <= last
        holes = self._numbered and number is not None and last is not None and number > last + 1
        if not same or anew or holes:
            self.torn_beside()

    def torn(self) -> None:
        """Something is missing before the next message, by a connection that lives. Comes after `reconnected`."""

    def torn_beside(self) -> None:
        """Something is missing before the next message by the connection that is taking over."""

    def overlaps(self, row: R) -> bool:  # noqa: ARG002 - some know
        """Say whether an earlier connection has brought this, and so what is missing before it, too."""
        return False

    def wants(self, row: R) -> bool:  # noqa: ARG002 - some choose
        """Say whether anything can be made of what came by the connection that carries it."""
        return True

    def follows(self, row: R) -> bool:  # noqa: ARG002 - as by `KeyedCursor`
        """Each says all there is to say."""
        return True

    def reconnected(self) -> None:
        """Numbers begin anew."""
        self._number = None
        self._next_by = ""


class TimedCursor(CoinCursor[R]):
    """Messages that are whole by themselves, told apart by time and content, each once when two connections bring them.

    Args:
        guid: Of the subscription.
        symbol: What its events are about.
        time: Gives when the venue had a message.
        content: Gives what it says, without what differs by connection.
        numbered: As by `CoinCursor`.
    """

    def __init__(
        self,
        guid: str,
        symbol: str,
        *,
        time: Callable[[R], str],
        content: Callable[[R], Any],
        numbered: bool = True,
    ) -> None:
        super().__init__(guid, symbol, numbered=numbered)
        self._time_of = time
        self._content_of = content
        self._newest = ""
        """Time of the newest that was told."""
        self._told: deque[R] = deque(maxlen=_REMEMBERED)
        """What was told of that time."""
        self._ahead: R | None = None
        """The last that came by a connection which is taking over, before it was told."""
        self._overlaps = False
        """Whether another connection has just taken over: it may repeat."""

    def follows(self, row: R) -> bool:
        """From the first on that was told already, or after which all before was, another connection may go on."""
        ahead, self._ahead = self._ahead, row
        if not self._newest or self._is_told(row) or (ahead is not None and self._is_told(ahead)):
            self._ahead, self._overlaps = None, True
            return True
        return False

    def overlaps(self, row: R) -> bool:
        return self._overlaps and self._is_told(row)

    def repeats(self, row: R) -> bool:
        """Note what is about to be told; True: it was told before."""
        time = self._time_of(row)
        if self._overlaps:
            if self._is_told(row):
                return True
            self._overlaps = time <= self._newest
        if time == self._newest:
            self._told.append(row)
        elif time > self._newest:
            self._newest = time
            self._told.clear()
            self._told.append(row)
        return False

    def torn_beside(self) -> None:
        self._ahead = None

    def reconnected(self) -> None:
        super().reconnected()
        self._ahead, self._overlaps = None, False

    def _is_told(self, row: R) -> bool:
        time = self._time_of(row)
        if time != self._newest:
            return time < self._newest
        content = self._content_of(row)
        return any(self._content_of(told) == content for told in self._told)
