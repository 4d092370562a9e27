"""What two fills are compared by, and how much they may differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Fill
from strategykit.model.instruments import Instrument
from strategykit.parity.playing import PlayedFill

__all__ = ["FIELDS", "Piece", "Tolerance", "differing", "modelled", "pieces", "recorded"]

FIELDS: Final = ("time", "price", "size", "fee")


def _not_negative(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if Decimal(value).is_nan() or value < 0:
        raise ConfigError(f"the tolerated difference in {attribute.name} must be 0 or more, not {value}")


@attrs.frozen(kw_only=True)
class Tolerance:
    """By how much two fills may differ and still count as equal."""

    time: int = attrs.field(default=100_000_000, validator=_not_negative)
    """Nanoseconds."""
    ticks: Decimal = attrs.field(default=Decimal(0), validator=_not_negative)
    """Of price."""
    fee: Decimal = attrs.field(default=Decimal("0.01"), validator=_not_negative)
    """Money."""


@attrs.frozen(kw_only=True)
class Piece:
    """What an order got at one price at one time."""

    time: int
    """When its owner heard of it, nanoseconds UTC."""
    price: Decimal
    quantity: Decimal
    """Lots."""
    fee: Decimal | None
    """None where the venue doesn't say."""
    resting: bool | None = None
    """Whether the market came to the order; None where nobody says."""


def recorded(fills: Iterable[Fill]) -> list[Piece]:
    return [Piece(time=fill.receive_time, price=fill.price, quantity=fill.quantity, fee=fill.fee) for fill in fills]


def modelled(fills: Iterable[PlayedFill]) -> list[Piece]:
    return [
        Piece(time=fill.told, price=fill.price, quantity=fill.quantity, fee=fill.fee, resting=fill.resting)
        for fill in fills
    ]


def pieces(fills: Sequence[Piece], tolerance: Tolerance) -> list[Piece]:
    """Put together what came at one price within the tolerated time: venues split fills by who was met."""
    found: list[Piece] = []
    for fill in fills:
        last = found[-1] if found else None
        if last is None or last.price != fill.price or fill.time - last.time > tolerance.time:
            found.append(fill)
            continue
        fee = None if last.fee is None or fill.fee is None else last.fee + fill.fee
        found[-1] = attrs.evolve(last, quantity=last.quantity + fill.quantity, fee=fee)
    return found


def differing(one: Piece | None, other: Piece | None, instrument: Instrument, tolerance: Tolerance) -> list[str]:
    """Name the fields in which two fills differ; all of them where one is missing."""
    if one is None or other is None:
        return list(FIELDS)
    differ = (
        abs(one.time - other.time) > tolerance.time,
        abs(one.price - other.price) > tolerance.ticks * instrument.tick_at(one.price),
        one.quantity != other.quantity,
        one.fee is not None and other.fee is not None and abs(one.fee - other.fee) > tolerance.fee,
    )
    return [name for name, is_so in zip(FIELDS, differ, strict=True) if is_so]
