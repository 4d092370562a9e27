"""Times in files of others: which unit they are in, and none that can't be meant."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from strategykit.foreign.refusals import RowRefused

__all__ = ["EARLIEST", "LATEST", "check_nanoseconds", "read_seconds", "split_time"]

EARLIEST: Final = 315_532_800 * 10**9
"""1980: no market told its data by wire before."""

LATEST: Final = 4_102_444_800 * 10**9
"""2100."""

_UNITS: Final = ((1, "nanoseconds"), (10**3, "microseconds"), (10**6, "milliseconds"), (10**9, "seconds"))


def check_nanoseconds(text: str) -> int:
    """Read a time in nanoseconds since 1970.

    Raises:
        RowRefused: It isn't one; where it would be one in another unit, that is said.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        raise RowRefused("the time isn't a whole number:", text, right="nanoseconds since 1970 UTC")
    time = int(text)
    if EARLIEST <= time < LATEST:
        return time
    unit = next((name for factor, name in _UNITS if EARLIEST <= time * factor < LATEST), None)
    looks = f"looks like {unit}" if unit else "lies in no year from 1980 to 2099"
    raise RowRefused(f"the time {looks}:", text, right="nanoseconds since 1970 UTC")


def read_seconds(text: str) -> int:
    """Read a time in seconds since 1970, such as ``"1633998512.0633569"``; give nanoseconds.

    Raises:
        RowRefused: It isn't one.
    """
    try:
        time = int(Decimal(text) * 10**9)
    except (InvalidOperation, ValueError, OverflowError) as exc:
        raise RowRefused("the time is no number:", text, right="seconds since 1970 UTC") from exc
    if not EARLIEST <= time < LATEST:
        raise RowRefused("the time lies in no year from 1980 to 2099:", text, right="seconds since 1970 UTC")
    return time


def split_time(line: str) -> tuple[int, str]:
    """Give the time and the frame of a line of the hftbacktest collector: nanoseconds, a space, the frame.

    Raises:
        RowRefused: It is no such line.
    """
    time, space, text = line.partition(" ")
    if not space:
        raise RowRefused("no space stands in the line", right="a time in nanoseconds, a space and a frame")
    return check_nanoseconds(time), text
