"""Batch handlers: ``on_trades`` and ``on_quotes`` get many events at once, as numpy arrays.

A batch holds events that nothing else of the strategy came between. In a replay of columns it ends where another
stream of the strategies comes in, a deadline is due or an order is told of; and with a chunk. Live, on tapes and in
simulations it holds what one message brought. It is handed over once all handlers have seen its last event, before any
news of orders are told, and before any task is woken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from strategykit.errors import ConfigError
from strategykit.model.events import Event, Quote, Trade
from strategykit.runtime.waking import Wakes
from strategykit.venues.streams import Stream

if TYPE_CHECKING:  # Batches need numpy; strategies without them don't.
    from strategykit.columns.columns import Columns

__all__ = ["Batcher", "batch_handler"]


class Seat(Protocol):
    """The strategy's place in its run."""

    wakes: Wakes
    failed: Callable[[BaseException], None]
    failures: tuple[type[BaseException], ...]

    @property
    def deaf(self) -> bool: ...


class Owner(Protocol):
    """A strategy."""

    def own_handler(self, name: str) -> Callable[[Any], None] | None: ...


class Batcher:
    """Gathers events of one stream for one batch handler.

    Args:
        stream: The stream.
        handler: Gets the batches.
        seat: Of the handler's strategy.

    Raises:
        ConfigError: numpy isn't installed.
    """

    def __init__(self, stream: Stream, handler: Callable[[Any], None], seat: Seat) -> None:
        try:
            from strategykit.columns.batch import Batch, QuoteBatch, TradeBatch
            from strategykit.columns.gathering import columns_of_all
        except ImportError as exc:
            raise ConfigError(f"batch handlers need {exc.name}: pip install 'strategykit[archive]'") from exc
        self._kinds: dict[type, type[Batch]] = {Trade: TradeBatch, Quote: QuoteBatch}
        self._columns_of = columns_of_all
        self._stream = stream
        self._handler = handler
        self._seat = seat
        self._events: list[Event] = []

    def collect(self, event: Event) -> None:
        """Take an event; `flush` hands it over."""
        if not self._events:
            self._seat.wakes.add_batch(self.flush)
        self._events.append(event)

    def flush(self) -> None:
        """Hand over what has gathered."""
        events, self._events = self._events, []
        for columns in self._columns_of(self._stream, events):
            self.hand(columns, events[0].guid)

    def hand(self, columns: Columns, guid: str) -> None:
        """Hand over a batch, unless the strategy is leaving."""
        if self._seat.deaf:
            return
        try:
            self._handler(self._kinds[columns.kind](columns, guid))
        except self._seat.failures as exc:  # A strategy's boundary: whatever it raises stops it alone.
            self._seat.failed(exc)


def batch_handler(owner: Owner, each: str, many: str, stream: Stream, seat: Seat) -> Callable[[Any], None] | None:
    """Give what is to be called with each event: the handler `each`, or what gathers them for `many`.

    Raises:
        ConfigError: The strategy has both; or batches need what isn't installed.
    """
    single, batch = owner.own_handler(each), owner.own_handler(many)
    if batch is None:
        return single
    if single is not None:
        raise ConfigError(f"{type(owner).__name__} has both {each} and {many}; events go to one of them")
    return Batcher(stream, batch, seat).collect
