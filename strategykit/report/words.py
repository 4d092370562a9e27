"""How figures and times of a result are written for people."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from strategykit.report.summary import Metric, Number

__all__ = ["duration_in_words", "in_words", "money", "time_in_words"]


_UNITS: Final[tuple[tuple[str, int, str, int], ...]] = (
    ("d", 86_400, "h", 3_600),
    ("h", 3_600, "min", 60),
    ("min", 60, "s", 1),
)


def in_words(metric: Metric, value: Number) -> str:
    """Write a figure with its unit; a dash where there is none."""
    if value is None:
        return "–"
    match metric.unit:
        case "money":
            return money(value)
        case "part":
            return f"{_short(float(value) * 100)}%" if value and abs(float(value)) < 0.001 else f"{value:z,.2%}"
        case "count":
            return f"{value:,}"
        case "ns":
            return duration_in_words(int(value))
        case "times":
            return f"{value:z,.2f} ×"
        case _:
            return f"{value:z,.2f}"


def money(value: Decimal | float) -> str:
    """Write an amount: with two digits, and with three that say something where it is small."""
    if value and abs(float(value)) < 0.1:
        return _short(float(value))
    return f"{value:z,.2f}"


def _short(value: float) -> str:
    """Write a small number with three digits that say something, and without an exponent."""
    return f"{Decimal(f'{value:.3g}'):f}"


def duration_in_words(nanoseconds: int) -> str:
    """Write a length of time: ``"250 µs"``, ``"1.5 s"``, ``"3 min 20 s"``, ``"2 d 4 h"``."""
    seconds = nanoseconds * 1e-9
    if seconds < 0.001:
        return f"{seconds * 1e6:.3g} µs" if nanoseconds else "0 s"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    unit, size, smaller, part = next(row for row in _UNITS if seconds >= row[1])
    whole, rest = divmod(round(seconds / part), size // part)
    return f"{whole} {unit} {rest} {smaller}" if rest else f"{whole} {unit}"


def time_in_words(time: int, *, digits: int = 0) -> str:
    """Write nanoseconds UTC, with so many digits of the second."""
    seconds, rest = divmod(time, 1_000_000_000)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{text}.{rest:09d}"[: len(text) + 1 + digits] if digits else text
