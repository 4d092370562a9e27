"""A strategy's view of streams that only some venues have: books by order, tickers, rates, volumes, assets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strategykit.indicators import Latest
from strategykit.model.by_order import BookByOrder
from strategykit.model.events import AssetUpdate, ByOrderDelta, ByOrderSnapshot, Gap, Rate, Ticker, Volume
from strategykit.runtime.feeds import BookFeed, Feed

__all__ = ["AssetFeed", "ByOrderFeed", "RateFeed", "TickerFeed", "VolumeFeed"]


class ByOrderFeed(BookFeed):
    """A book, kept whole in `orders`. Handlers get what happens to its orders; all else, the levels that they make."""

    def __init__(self, *args: Any, handler: Callable[[Any], None] | None, **kwargs: Any) -> None:
        super().__init__(*args, handler=None if handler is None else lambda _: handler(self._event), **kwargs)
        self.orders = BookByOrder(self.stream.instrument or "")
        self.book = self.orders.levels
        self._event: ByOrderSnapshot | ByOrderDelta | None = None

    def take(self, event: ByOrderSnapshot | ByOrderDelta) -> None:  # type: ignore[override]  # what comes by this kind
        levels = self.orders.apply(event)
        if levels is None:
            self.last = None  # Changes to what isn't known.
            return
        self._event = event
        self._show(levels)

    def gap(self, gap: Gap) -> None:
        self.orders.apply(gap)
        super().gap(gap)


class TickerFeed(Feed[Ticker]):
    """The last 24 hours in figures."""

    conflate = True

    @property
    def price(self) -> Latest:
        """Price of the last trade, for conditions."""
        return Latest(self, "last")

    @property
    def change(self) -> Latest:
        """How far the price has gone in 24 hours, as a part of where it was, for conditions."""
        return Latest(self, "change")


class RateFeed(Feed[Rate]):
    """What one asset is worth in another."""

    conflate = True

    @property
    def rate(self) -> Latest:
        """The rate, for conditions."""
        return Latest(self, "rate")


class VolumeFeed(Feed[Volume]):
    """What was traded in the last hour, day and month."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_period: dict[str, Volume] = {}
        """The latest of each period, such as ``"1DAY"``."""

    def take(self, event: Volume) -> None:
        self.by_period[event.period] = event
        super().take(event)


class AssetFeed(Feed[AssetUpdate]):
    """What a venue says of a currency or coin."""

    conflate = True

    @property
    def price(self) -> Latest:
        """Its price in US dollars, for conditions."""
        return Latest(self, "price_usd")
