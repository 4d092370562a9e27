"""What one connection is subscribed to, and how hello, subscribe and unsubscribe change it.

Source: CoinAPI protocol sheet, section 4.1. The venue doesn't say how the filters of successive messages combine; this
is the model that fits all its examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from strategykit.venues.coinapi.names import DataType

__all__ = ["Filters", "Scope", "Subject"]

_FIELDS: Final = ("symbols", "exchanges", "assets", "periods")

_MARKET: Final = frozenset({"symbols", "exchanges", "assets"})

_APPLICABLE: Final[Mapping[DataType, frozenset[str]]] = {
    **dict.fromkeys(DataType, _MARKET),
    DataType.OHLCV: _MARKET | {"periods"},
    DataType.EXRATE: frozenset({"assets"}),
    DataType.ASSET: frozenset({"assets"}),
    DataType.EXCHANGE: frozenset({"exchanges"}),
}
"""Filters that say something about a type; the others are as if absent: rates have no symbol."""


@attrs.frozen(cache_hash=True)
class Subject:
    """What a message is about; None: it isn't about such a thing."""

    symbol: str | None = None
    exchange: str | None = None
    base: str | None = None
    quote: str | None = None
    period: str | None = None


@attrs.frozen
class Filters:
    """The filters of one message. None: absent, which means all; an empty set admits nothing."""

    symbols: frozenset[str] | None = None
    """Prefixes of symbol ids; one with a trailing ``$`` is a whole symbol id."""
    exchanges: frozenset[str] | None = None
    assets: frozenset[str] | None = None
    """``X``: base or quote is X; ``X/Y``: that pair."""
    periods: frozenset[str] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing is filtered."""
        return self == _ALL

    @property
    def dead(self) -> bool:
        """Whether nothing can pass."""
        venues = [each for each in (self.symbols, self.exchanges) if each is not None]
        return (bool(venues) and not any(venues)) or self.assets == frozenset() or self.periods == frozenset()

    def restrict(self, data_type: DataType) -> Filters:
        """Give what of them applies to a type."""
        applicable = _APPLICABLE[data_type]
        return Filters(*(getattr(self, name) if name in applicable else None for name in _FIELDS))

    def take_out(self, other: Filters) -> Filters:
        """Give them without the values that `other` lists; what isn't constrained stays so."""

        def left(name: str) -> frozenset[str] | None:
            mine: frozenset[str] | None = getattr(self, name)
            return None if mine is None else mine - (getattr(other, name) or frozenset())

        return Filters(*map(left, _FIELDS))

    def match(self, subject: Subject) -> bool:
        """Say whether something passes."""
        if (self.symbols is not None or self.exchanges is not None) and not (
            _symbol_matches(self.symbols, subject.symbol) or subject.exchange in (self.exchanges or ())
        ):
            return False
        if self.assets is not None and self.assets.isdisjoint(
            {subject.base, subject.quote, f"{subject.base}/{subject.quote}"}
        ):
            return False
        return self.periods is None or subject.period in self.periods


_ALL: Final = Filters()


@attrs.frozen
class Scope:
    """All subscriptions of a connection; every change gives a new one."""

    entries: Mapping[DataType, tuple[Filters, ...]] = attrs.field(factory=dict)
    """Of what is subscribed to; a message is delivered, once, if any entry of its type matches."""

    def __len__(self) -> int:
        return sum(map(len, self.entries.values()))

    def hello(self, types: Iterable[DataType], filters: Filters) -> Scope:
        """Throw everything away; subscribe to this alone."""
        return Scope().subscribe(types, filters)

    def subscribe(self, types: Iterable[DataType], filters: Filters) -> Scope:
        """Add; what is there already changes nothing."""
        entries = dict(self.entries)
        for data_type in types:
            fitting, known = filters.restrict(data_type), entries.get(data_type, ())
            if fitting not in known and not fitting.dead:
                entries[data_type] = (*known, fitting)
        return Scope(entries)

    def unsubscribe(self, types: Iterable[DataType], filters: Filters) -> Scope:
        """Remove the listed values, or without any filter the whole type. Nothing ever grows by it."""
        entries = dict(self.entries)
        for data_type in types:
            known = () if filters.empty else entries.get(data_type, ())
            # Two entries may have become one.
            left = tuple(
                {each: None for entry in known if not (each := entry.take_out(filters.restrict(data_type))).dead}
            )
            if left:
                entries[data_type] = left
            else:
                entries.pop(data_type, None)
        return Scope(entries)

    def match(self, data_type: DataType, subject: Subject) -> bool:
        """Say whether a message is delivered."""
        return any(entry.match(subject) for entry in self.entries.get(data_type, ()))


def _symbol_matches(patterns: frozenset[str] | None, symbol: str | None) -> bool:
    if not patterns or symbol is None:
        return False
    if f"{symbol}$" in patterns:
        return True
    # As many prefixes as the symbol is long, however many patterns there are.
    return any(symbol[:length] in patterns for length in range(len(symbol) + 1))
