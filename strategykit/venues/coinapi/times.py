"""Times as CoinAPI writes them: ISO 8601, UTC, steps of 100 ns.

Source: CoinAPI protocol sheet, sections 5 and 8.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

__all__ = ["DAY", "SECOND", "read_time", "write_date", "write_time"]

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?)?)?(?:Z|\+00:?00)?", re.ASCII
)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LAST_YEAR: Final = 2261
"""64 bits of nanoseconds end in 2262."""


def read_time(text: str) -> int | None:
    """Give nanoseconds UTC of a date or a time with up to 9 fractional digits; None if `text` isn't one.

    What is left out of the time of day is 0. Times before 1970 aren't read.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    parts = [int(part or 0) for part in match.groups()[:6]]
    if not 1970 <= parts[0] <= _LAST_YEAR:
        return None
    try:
        moment = dt.datetime(*parts, tzinfo=dt.UTC)  # type: ignore[misc,arg-type] # mypy counts no list's items
    except ValueError:
        return None
    whole = moment - _EPOCH
    return (whole.days * 86_400 + whole.seconds) * SECOND + int((match[7] or "").ljust(9, "0"))


def write_time(time: int) -> str:
    """Write nanoseconds UTC with exactly seven fractional digits; what is finer is cut off."""
    seconds, rest = divmod(time, SECOND)
    moment = _EPOCH + dt.timedelta(seconds=seconds)
    return f"{moment.isoformat()[:19]}.{rest // 100:07d}Z"


def write_date(time: int) -> str:
    """Write the day that nanoseconds UTC lie in."""
    return write_time(time)[:10]
