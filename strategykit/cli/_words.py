"""How numbers and times are written for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

__all__ = ["amounts", "counted", "duration", "seconds_only", "short_id", "when", "when_within"]


def when(time: object) -> str:
    """Write nanoseconds UTC."""
    if not isinstance(time, int):
        return ""
    seconds, rest = divmod(time, 10**9)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 10**6:03d}"
    except (OverflowError, ValueError, OSError):  # A damaged or invented time: still better than nothing.
        return f"{time} ns"


def when_within(first: int, last: int) -> Callable[[object], str]:
    """Give what writes the times of something that lasted from `first` to `last`: without the day, if it is one."""
    day = when(first)[:11]
    if when(last)[:11] != day:
        return when
    return lambda time: when(time).removeprefix(day)


def seconds_only(time: str) -> str:
    """Leave the milliseconds out of what `when` wrote."""
    return time.partition(".")[0]


def short_id(text: str) -> str:
    """Give the beginning of an id, which is enough to tell it from others."""
    return text if len(text) <= 12 else f"{text[:8]}…"


def duration(nanoseconds: int) -> str:
    """Write a length of time: ``"20 s"``, ``"1.5 s"``, ``"90 min"``, ``"30 h"``."""
    seconds = nanoseconds * 1e-9
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    if seconds < 300:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 18_000 else f"{seconds / 3_600:.0f} h"


def counted(count: int, one: str, several: str | None = None) -> str:
    """Write how many: ``"1 segment"``, ``"1,419 segments"``."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def amounts(values: Mapping[str, Decimal], *, unit: str | None = None, plain: bool = False) -> str:
    """Write an amount a currency or instrument, a line each.

    Args:
        values: Amounts by the name of their unit.
        unit: The unit that need not be said.
        plain: Whether all digits are wanted, and no others; else money with two.
    """
    return "\n".join(
        (f"{amount:zf}" if plain else f"{amount:z,.2f}") + ("" if name == unit else f" {name}")
        for name, amount in sorted(values.items())
    )
