"""Makes events of a chunk's values.

To call their class for each takes longer than all that the call does. So of those that come by the million, trades and
quotes, blank ones are made, and their slots are filled here; of all others the class is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, Final

from strategykit.model.event_class import FROZEN
from strategykit.model.events import Event, Quote, Trade

__all__ = ["made"]

_Rows = Iterable[tuple[Any, ...]]
"""A blank event, and the values of its fields in the class's own order: a loop names it first, then fills it."""


def made(kind: type[Any], columns: Sequence[Iterable[Any]]) -> Iterator[Event]:
    """Give events of an event class.

    Args:
        kind: Their class.
        columns: The values of each field, in the class's own order; one of them at least comes to an end.
    """
    fill = None if FROZEN else _FILLERS.get(kind)
    return map(kind, *columns) if fill is None else fill(zip(map(object.__new__, repeat(kind)), *columns, strict=False))


def _fill_trades(rows: _Rows) -> Iterator[Event]:
    for (
        blank,
        blank.instrument,
        blank.price,
        blank.quantity,
        blank.side,
        blank.trade_id,
        blank.event_time,
        blank.receive_time,
        blank.guid,
        blank.snapshot,
        blank.open_interest,
    ) in rows:
        yield blank


def _fill_quotes(rows: _Rows) -> Iterator[Event]:
    for (
        blank,
        blank.instrument,
        blank.bid,
        blank.bid_size,
        blank.ask,
        blank.ask_size,
        blank.last,
        blank.event_time,
        blank.receive_time,
        blank.guid,
        blank.snapshot,
        blank.open,
        blank.high,
        blank.low,
        blank.previous_close,
        blank.volume,
        blank.open_interest,
    ) in rows:
        yield blank


_FILLERS: Final[dict[type[Any], Callable[[_Rows], Iterator[Event]]]] = {Trade: _fill_trades, Quote: _fill_quotes}
