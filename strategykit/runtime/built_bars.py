"""Bars made of trades, for strategies that want bars where a venue, or a recording, has only trades."""

from __future__ import annotations

from collections.abc import Callable

from strategykit.model.bars import BarBuilder
from strategykit.model.events import Event, Gap, Trade
from strategykit.runtime.outside import Finder
from strategykit.venues.dialect import Offers
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["BarsFromTrades", "build_missing", "trades_for"]


class BarsFromTrades:
    """Takes the events of a stream of trades in the place of a receiver of bars, and hands it bars.

    It gets each change of the bar that is forming and, with the first trade of a later interval, the bar once more,
    closed. A bar is whole or isn't told: an interval in which the trades began to come, or in which some may have been
    missed, has none. Where trades are told to be missing (`Gap`), that is the interval of the last one before and of
    the first one after; what a venue tells afterwards of the time between fills none, as it may have holes itself.
    Anything but trades is passed on. Whoever compares it takes it for its receiver, and so does who asks for its owner.

    Args:
        bars: What is wanted.
        receive: Gets it.
    """

    def __init__(self, bars: Stream, receive: Callable[[Event], None]) -> None:
        self._builder = BarBuilder(bars.instrument or "", bars.interval or 0, show_forming=True)
        self._builder.missed()
        self._receive = receive
        self.__self__ = getattr(receive, "__self__", None)

    def __eq__(self, other: object) -> bool:
        return self is other or self._receive == other

    def __hash__(self) -> int:
        return hash(self._receive)

    def __call__(self, event: Event) -> None:
        if type(event) is Trade:
            self.take(event)
            return
        if type(event) is Gap:
            self._builder.missed()
        self._receive(event)

    def take(self, trade: Trade) -> None:
        for bar in self._builder.apply(trade):
            self._receive(bar)


def trades_for(bars: Stream) -> Stream:
    """Give the stream that `bars` can be built from: the one that `Trades` of the same instrument asks for."""
    return Stream(
        kind=StreamKind.TRADES,
        instrument=bars.instrument,
        exchange=bars.exchange,
        board=bars.board,
        depth=0,
        skip_history=True,
    )


def build_missing(offers: Offers) -> Finder:
    """Make what has bars built from trades at a venue that has trades and no bars; all else is served as it is.

    Bars that nobody receives are left as they are: there is nothing to build for.
    """
    builds = StreamKind.TRADES in offers.streams and StreamKind.BARS not in offers.streams

    def find(wanted: Stream, receive: Callable[[Event], None] | None) -> tuple[Stream, Callable[[Event], None] | None]:
        if builds and wanted.kind is StreamKind.BARS and receive is not None:
            return trades_for(wanted), BarsFromTrades(wanted, receive)
        return wanted, receive

    return find
