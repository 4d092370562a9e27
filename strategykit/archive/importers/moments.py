"""Times of bars as people and programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Final

from strategykit.foreign.refusals import RowRefused
from strategykit.foreign.times import EARLIEST, LATEST

__all__ = ["Moments"]

_UNITS: Final = ((10**9, "seconds"), (10**6, "milliseconds"), (10**3, "microseconds"), (1, "nanoseconds"))
_RIGHT: Final = "ISO, such as 2020-01-31 09:30, or seconds, milliseconds, micro- or nanoseconds since 1970"
_NUMBER: Final = re.compile(r"([0-9]{1,20})(?:\.(0*|[0-9]{1,9}))?")
_COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?")
_DATED: Final = re.compile(
    r"(?:([0-9]{4})[-./]([0-9]{1,2})[-./]([0-9]{1,2})(?=$|[T ])|([0-9]{4})([0-9]{2})([0-9]{2})(?=[T ]))(?:[T ]\s*(.*))?"
)
_DAY_FIRST: Final = re.compile(r"[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{2,4}\b.*")


class Moments:
    """Reads the times of one file: all of them are written alike.

    Args:
        zone: Of times that don't say theirs.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._way: str | None = None
        self._last = 0

    def read(self, text: str) -> int:
        """Give nanoseconds UTC.

        Raises:
            RowRefused: It is no time, one that could be two, or one that isn't written like those above it.
        """
        way, time = self._read(text.strip().strip('"'))
        if not EARLIEST <= time < LATEST and way != "text":
            raise RowRefused("the time lies in no year from 1980 to 2099:", text, right=_RIGHT)
        if self._way not in (None, way):
            raise RowRefused(f"the time is in {way}, and those above are in {self._way}:", text)
        self._way, self._last = way, time
        return time

    def _read(self, text: str) -> tuple[str, int]:
        if found := _COMPACT.fullmatch(text):
            parts = [int(part) for part in found.groups() if part]
            if 1800 <= parts[0] < 2100 and 1 <= parts[1] <= 12:
                return "text", self._at(text, datetime, *parts)
        if found := _NUMBER.fullmatch(text):
            return self._since_1970(text, int(found[1]), found[2] or "")
        if found := _DATED.fullmatch(text):
            year, month, day = (int(part) for part in found.groups()[:6] if part)
            written = f"{year:04d}-{month:02d}-{day:02d} {found[7] or '00:00'}"
            return "text", self._at(text, datetime.fromisoformat, written)
        if _DAY_FIRST.fullmatch(text):
            raise RowRefused("day and month can't be told apart in", text, right=_RIGHT)
        raise RowRefused("the time isn't one:", text, right=_RIGHT)

    def _since_1970(self, text: str, whole: int, fraction: str) -> tuple[str, int]:
        for factor, unit in _UNITS:
            if EARLIEST <= whole * factor < LATEST:
                return unit, whole * factor + (int(fraction.ljust(9, "0")) * factor // 10**9 if fraction else 0)
        raise RowRefused("the time lies in no year from 1980 to 2099, in whatever unit:", text, right=_RIGHT)

    def _at(self, text: str, make: object, *arguments: object) -> int:
        try:
            moment: datetime = make(*arguments)  # type: ignore[operator]  # one of two that are called here
        except ValueError as exc:
            raise RowRefused("the time isn't one:", text, right=_RIGHT) from exc
        if moment.tzinfo is not None:
            return _nanoseconds(moment)
        local = moment.replace(tzinfo=self._zone)
        if local.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != moment:
            raise RowRefused("the clocks of its zone never showed", text)
        time = _nanoseconds(local)
        # An hour that there was twice: the second time it is, where the first would stand behind the row above.
        return _nanoseconds(local.replace(fold=1)) if time <= self._last else time


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1_000
