"""Times and time frames as the protocol writes them.

Source: ALOR protocol sheet, section 3: ISO text in UTC with seven fractional digits, some without the ``Z``;
Unix seconds; Unix milliseconds.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from typing import Final

from strategykit.errors import LocalProtocolError

__all__ = ["MAX_MILLISECONDS", "MAX_SECONDS", "read_iso", "read_timeframe", "write_iso", "write_timeframe"]

MAX_SECONDS: Final = 9_223_372_036
"""Unix seconds whose nanoseconds fit in 64 bits: until the year 2262."""

MAX_MILLISECONDS: Final = MAX_SECONDS * 1_000

_ISO: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|\+00:00)?"
)

_NANOS: Final = 1_000_000_000
_LETTERS: Final = {"D": 86_400, "W": 604_800, "M": 2_592_000, "Y": 31_536_000}
"""Seconds. Months and years are 30 and 365 days here. Source: section 2.3."""

_SECONDS: Final = {seconds: letter for letter, seconds in _LETTERS.items()}
_SHORT: Final = re.compile(r"[0-9]{1,9}")
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def read_iso(text: str) -> int | None:
    """Give nanoseconds UTC; None if `text` isn't such a time, or one that 64 bits don't hold."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        return None
    seconds = calendar.timegm(moment.timetuple())
    if not 0 <= seconds < MAX_SECONDS:
        return None
    return seconds * _NANOS + int((match[7] or "0").ljust(9, "0"))


def write_iso(time: int) -> str:
    """Write nanoseconds UTC with seven fractional digits; what is finer is cut off."""
    seconds, rest = divmod(time, _NANOS)
    moment = _EPOCH + dt.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 100:07d}Z"


def read_timeframe(text: str) -> int | None:
    """Give the nanoseconds of a bar; None if `text` isn't a time frame."""
    seconds = _LETTERS.get(text.upper())
    if seconds is None:
        seconds = int(text) if _SHORT.fullmatch(text) else 0
    return seconds * _NANOS or None


def write_timeframe(interval: int) -> str:
    """Write the length of a bar, given in nanoseconds.

    Raises:
        LocalProtocolError: It isn't a whole number of seconds.
    """
    seconds, rest = divmod(interval, _NANOS)
    if rest or seconds < 1:
        raise LocalProtocolError(f"a bar's interval must be whole seconds, at least 1, not {interval / _NANOS:g} s")
    return _SECONDS.get(seconds) or str(seconds)
