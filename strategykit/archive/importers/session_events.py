"""What decoders of recorded sessions share: levels and times as venues write them, as events with how fine they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from strategykit.archive.importers.rows import price, size
from strategykit.foreign.refusals import RowRefused
from strategykit.model.events import BookDelta, BookSnapshot, Event

__all__ = ["Decode", "Found", "Levels", "as_text", "book_change", "iso_time", "whole_book"]

Levels = Sequence[Sequence[Any]]
"""Price and size, and whatever else a venue has behind them."""

Found = tuple[Event, tuple[str, str]]
Decode = Callable[[Any, int], Iterator[Found]]
"""Gives what a frame says that came at a time, and a price and a size as they are written."""


def as_text(value: Any) -> str:
    """Give a number as it might be written, without an exponent; text stays as it is."""
    try:
        return value if isinstance(value, str) else f"{Decimal(str(value)):f}"
    except ArithmeticError as exc:  # What `Decimal("x")` raises is no ValueError.
        raise RowRefused("no number:", value) from exc


def _sides(bids: Levels, asks: Levels) -> tuple[tuple[float, ...], ...]:
    """Give prices and sizes of bids and asks, as they stand."""
    columns: list[tuple[float, ...]] = []
    for levels in (bids, asks):
        columns.append(tuple(price(as_text(level[0]), "price") for level in levels))
        columns.append(tuple(size(as_text(level[1]), "size") for level in levels))
    return tuple(columns)


def whole_book(name: str, bids: Levels, asks: Levels, told: int | None, time: int, *, first: bool) -> Found:
    """Give a whole book, best levels first, without empty ones."""
    sides = []
    for levels, falling in ((bids, True), (asks, False)):
        known = {price(as_text(level[0]), "price"): size(as_text(level[1]), "size") for level in levels}
        prices = sorted((value for value, amount in known.items() if amount), reverse=falling)
        sides += [tuple(prices), tuple(known[value] for value in prices)]
    book = BookSnapshot(name, sides[0], sides[1], sides[2], sides[3], told, time, "", first)
    return book, _fine(bids, asks)


def book_change(name: str, bids: Levels, asks: Levels, told: int | None, time: int) -> Found:
    bid_prices, bid_sizes, ask_prices, ask_sizes = _sides(bids, asks)
    return BookDelta(name, bid_prices, bid_sizes, ask_prices, ask_sizes, told, time, ""), _fine(bids, asks)


def _fine(bids: Levels, asks: Levels) -> tuple[str, str]:
    first = next(iter(bids), None) or next(iter(asks), None)
    return ("", "") if first is None else (as_text(first[0]), as_text(first[1]))


def iso_time(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise RowRefused("the time has no zone:", text)
    return round(moment.timestamp() * 1_000_000) * 1_000
