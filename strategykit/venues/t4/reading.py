"""Reading the parts that T4's messages are made of; whatever can't be, raises `ValueError`, for the dialect to tell.

Source: T4 protocol sheet, section 3.2.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Final

from strategykit.model.events import Side
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_prices import read_decimal
from strategykit.venues.t4.times import read_time

__all__ = ["exact", "lots", "money", "price", "side", "stamp"]

_FAR: Final = 2**63
"""Nanoseconds: the year 2262."""


def price(text: str) -> float | None:
    """Read a price of market data; an empty text says that there is none."""
    if not text:
        return None
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(f"price {text[:40]!r}")
    return value


def exact(text: str) -> Decimal | None:
    """Read a price that is counted as money."""
    if not text:
        return None
    value = read_decimal(text)
    if value is None:
        raise ValueError(f"price {text[:40]!r}")
    return value


def money(value: float) -> Decimal:
    """Read an amount of an account; T4 sends them as doubles."""
    if not math.isfinite(value):
        raise ValueError(f"an amount of {value}")
    return Decimal(repr(value))


def lots(value: int) -> Decimal:
    if value < 0:
        raise ValueError(f"a volume of {value}")
    return Decimal(value)


def stamp(message: Any, name: str) -> int | None:
    """Read a time, nanoseconds UTC; None where there is none."""
    if not message.HasField(name):
        return None
    time = read_time(getattr(message, name))
    if not 0 <= time < _FAR:
        raise ValueError(f"{name} {time}")
    return time or None


def side(value: int) -> Side | None:
    """Read an order's side; None for one that isn't known."""
    return Side.BUY if value == enums.BUY_SELL_BUY else Side.SELL if value == enums.BUY_SELL_SELL else None
