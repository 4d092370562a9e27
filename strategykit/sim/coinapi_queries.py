"""What a REST call to the simulated CoinAPI asks for, read from its query.

Source: CoinAPI protocol sheet, section 8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from strategykit.venues.coinapi.names import PERIODS
from strategykit.venues.coinapi.times import DAY, read_time

__all__ = ["CallRefused", "Query"]

_MAX_LIMIT: Final = 100_000
_FOREVER: Final = (1 << 63) - 1


class CallRefused(Exception):
    """A call can't be answered; the text is for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Query:
    """A call's parameters; whatever can't be is `CallRefused` with 400."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    @property
    def whole_day(self) -> bool:
        """Whether a day is asked for by its date."""
        return bool(self._values.get("date"))

    def limit(self, default: int = 100) -> int:
        return self._whole("limit", default, _MAX_LIMIT)

    def levels(self) -> int | None:
        """Give how many levels of a book; None: all."""
        return self._whole("limit_levels", 0, _MAX_LIMIT) or None

    def flag(self, name: str) -> bool:
        return self._values.get(name, "").lower() in ("true", "1")

    def values(self, name: str) -> frozenset[str]:
        """Give a list; empty: all."""
        return frozenset(filter(None, re.split("[,;]", self._values.get(name, ""))))

    def period(self, *, most: int = _FOREVER) -> tuple[str, int]:
        """Give the period's id and its nanoseconds."""
        name = self._values.get("period_id", "")
        length = PERIODS.get(name)
        if length is None or length > most:
            raise CallRefused(400, f"period_id {name[:20]!r} isn't supported here")
        return name, length

    def day(self) -> tuple[int, int]:
        """Give start and end of a day or a part of one."""
        if self.whole_day:
            start = self._time("date", None)
            start -= start % DAY
            return start, start + DAY
        start, end = self.span()
        midnight = start - start % DAY + DAY
        if end == _FOREVER:
            return start, midnight
        if end > midnight:
            raise CallRefused(400, "time_start and time_end must lie within one day")
        return start, end

    def span(self) -> tuple[int, int]:
        """Give start and end."""
        start, end = self._time("time_start", None), self._time("time_end", _FOREVER)
        if end < start:
            raise CallRefused(400, "time_end lies before time_start")
        return start, end

    def _time(self, name: str, default: int | None) -> int:
        text = self._values.get(name, "")
        if not text and default is not None:
            return default
        time = read_time(text)
        if time is None:
            raise CallRefused(400, f"{name} must be a time such as 2024-05-06T07:08:09, not {text[:40]!r}")
        return time

    def _whole(self, name: str, default: int, most: int) -> int:
        text = self._values.get(name, "")
        if not text:
            return default
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
        if not 1 <= number <= most:
            raise CallRefused(400, f"{name} must be 1 to {most}, not {text[:20]!r}")
        return number
