"""The streams that a strategy declares: class attributes that say what to subscribe to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final, Generic, Protocol, Self, TypeVar, cast, overload

import attrs

from strategykit.errors import ConfigError
from strategykit.model.bars import interval as parse_interval
from strategykit.runtime.batching import batch_handler
from strategykit.runtime.desk import Desk
from strategykit.runtime.feeds import BarFeed, BookFeed, Feed, QuoteFeed, TradeFeed
from strategykit.runtime.special_feeds import AssetFeed, ByOrderFeed, RateFeed, TickerFeed, VolumeFeed
from strategykit.venues.streams import Stream, StreamKind

__all__ = [
    "Assets",
    "Bars",
    "Books",
    "BooksByOrder",
    "Declaration",
    "Owner",
    "Quotes",
    "Rates",
    "Tickers",
    "Trades",
    "Volumes",
]

F = TypeVar("F", bound=Feed[Any])

_MILLISECOND: Final = 1_000_000


def _least(name: str, value: int, least: int) -> int:
    if value < least:
        raise ConfigError(f"{name}={value} must be at least {least}")
    return value


class Owner(Protocol):
    """A strategy, as its declarations see it: an attrs class whose fields are its parameters."""

    @property
    def desk(self) -> Desk: ...
    def own_handler(self, name: str) -> Callable[[Any], None] | None: ...


class Declaration(Generic[F]):
    """A stream that a strategy wants: a class attribute without annotation.

    On a running strategy the attribute is the stream's feed. Texts may name parameters, as ``"{instrument}"``.
    """

    kind: ClassVar[StreamKind]
    handler: ClassVar[str]

    def __init__(self, instrument: str, *, fresh: float | None = None, exchange: str | None = None) -> None:
        if fresh is not None and not 0 < fresh < math.inf:
            raise ConfigError(f"fresh={fresh}: give seconds above 0")
        self._instrument = instrument
        self._fresh = fresh
        self._exchange = exchange
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Owner, owner: type) -> F: ...
    def __get__(self, instance: Owner | None, owner: type) -> Self | F:
        if instance is None:
            return self
        return cast("F", instance.desk.feed(self.name))

    @property
    def fresh_within(self) -> int | None:
        """Nanoseconds of silence after which `Stale` is told; None: never."""
        return None if self._fresh is None else int(self._fresh * 1e9)

    def stream(self, strategy: Owner, *, now: int) -> Stream:
        """Give what to subscribe to, with the strategy's parameters filled in.

        Raises:
            ConfigError: A text names a parameter that the strategy doesn't have, or a value is wrong.
        """
        return Stream(
            kind=self.kind, instrument=self.fill(strategy, self._instrument), exchange=self._exchange, **self.more(now)
        )

    def fill(self, strategy: Owner, text: str) -> str:
        fields: Iterable[attrs.Attribute[Any]] = attrs.fields(cast("Any", type(strategy)))
        values = {field.alias or field.name: getattr(strategy, field.name) for field in fields if field.init}
        where = f"{type(strategy).__name__}.{self.name}: {text!r}"
        try:
            return text.format_map(values)
        except KeyError as exc:
            known = ", ".join(values) or "none"
            raise ConfigError(f"{where} names {exc}, which is no parameter of the strategy; it has {known}") from exc
        except (ValueError, IndexError, AttributeError, TypeError) as exc:
            raise ConfigError(f"{where} can't be filled in: {exc}; write a parameter's name in braces") from exc

    def more(self, now: int) -> dict[str, Any]:  # noqa: ARG002 - bars need it
        return {}

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> F:
        raise NotImplementedError


class Trades(Declaration[TradeFeed]):
    """Public trades of an instrument; `on_trade` gets each, or `on_trades` many at once.

    Args:
        instrument: Symbol, or ``"{parameter}"``.
        past: How many past trades to begin with.
        fresh: Seconds of silence after which `on_stale` is called.
    """

    kind = StreamKind.TRADES
    handler = "on_trade"

    def __init__(
        self, instrument: str, *, past: int = 0, fresh: float | None = None, exchange: str | None = None
    ) -> None:
        super().__init__(instrument, fresh=fresh, exchange=exchange)
        self._past = _least("past", past, 0)

    def more(self, now: int) -> dict[str, Any]:  # noqa: ARG002 - the signature is the base's
        return {"depth": self._past, "skip_history": self._past == 0}

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> TradeFeed:
        handler = batch_handler(strategy, self.handler, "on_trades", stream, desk)
        return TradeFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=handler)


class Quotes(Declaration[QuoteFeed]):
    """Best bid and ask of an instrument; `on_quote` gets each, an ``async for`` only the latest."""

    kind = StreamKind.QUOTES
    handler = "on_quote"

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> QuoteFeed:
        handler = batch_handler(strategy, self.handler, "on_quotes", stream, desk)
        return QuoteFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=handler)


class Tickers(Declaration[TickerFeed]):
    """The last 24 hours of an instrument in figures; `on_ticker` gets each, an ``async for`` only the latest.

    Not every venue has them; a strategy that wants them elsewhere fails before it starts.
    """

    kind = StreamKind.TICKER
    handler = "on_ticker"

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> TickerFeed:
        return TickerFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=strategy.own_handler(self.handler))


class Books(Declaration[BookFeed]):
    """Order book of an instrument; `on_book` gets each state, an ``async for`` only the latest.

    Args:
        instrument: Symbol, or ``"{parameter}"``.
        depth: Levels a side. Where a venue sends this many only once a second, as CoinAPI does beyond 5, each change of
            the whole book is asked for and cut to them here.
        every: Milliseconds: the venue sends at most one state in this time, where it can. None: as often as it changes,
            or as the venue sends it; CoinAPI's books of 20 and 50 levels, once a second, come with 1,000 or more.
        fresh: Seconds of silence after which `on_stale` is called.
    """

    kind = StreamKind.BOOK
    handler = "on_book"

    def __init__(
        self,
        instrument: str,
        *,
        depth: int = 20,
        every: int | None = None,
        fresh: float | None = None,
        exchange: str | None = None,
    ) -> None:
        super().__init__(instrument, fresh=fresh, exchange=exchange)
        self._depth = _least("depth", depth, 1)
        self._every = None if every is None else _least("every", every, 1)

    def more(self, now: int) -> dict[str, Any]:  # noqa: ARG002 - the signature is the base's
        return {"depth": self._depth, "frequency": None if self._every is None else self._every * _MILLISECOND}

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> BookFeed:
        return BookFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=strategy.own_handler(self.handler))


class BooksByOrder(Declaration[ByOrderFeed]):
    """Order book of an instrument, order by order; `on_book_by_order` gets each change of its orders.

    The orders are kept in `ByOrderFeed.orders`. An ``async for``, conditions and indicators get the levels that they
    make, as of `Books`: whole, and only the latest. Not every venue shows orders; a strategy that wants them elsewhere
    fails before it starts.
    """

    kind = StreamKind.BOOK_BY_ORDER
    handler = "on_book_by_order"

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> ByOrderFeed:
        return ByOrderFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=strategy.own_handler(self.handler))


class Rates(Declaration[RateFeed]):
    """What one asset is worth in another, as the venue counts it; `on_rate` gets each, an ``async for`` the latest.

    The instrument is a pair, such as ``"SOL/USD"``, that isn't traded itself. Not every venue has rates; a strategy
    that wants them elsewhere fails before it starts, as with `Volumes` and `Assets`.
    """

    kind = StreamKind.RATE
    handler = "on_rate"

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> RateFeed:
        return RateFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=strategy.own_handler(self.handler))


class Volumes(Declaration[VolumeFeed]):
    """What was traded of an instrument in the last hour, day and month; `on_volume` gets each when it has changed."""

    kind = StreamKind.VOLUME
    handler = "on_volume"

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> VolumeFeed:
        return VolumeFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=strategy.own_handler(self.handler))


class Assets(Declaration[AssetFeed]):
    """What a venue says of a currency or coin; `on_asset` gets it when it has changed, an ``async for`` the latest.

    The instrument is the asset's id, such as ``"BTC"``.
    """

    kind = StreamKind.ASSET
    handler = "on_asset"

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> AssetFeed:
        return AssetFeed(self.name, stream, wakes=desk.wakes, owner=desk, handler=strategy.own_handler(self.handler))


class Bars(Declaration[BarFeed]):
    """Closed bars of an instrument; `on_bar` gets each.

    Args:
        instrument: Symbol, or ``"{parameter}"``.
        interval: ``"1s"``, ``"1m"``, ``"1h"``, ``"1d"``, …, or ``"{parameter}"``.
        history: How many past bars indicators begin with; loaded before `Strategy.run` starts.
        forming: True: also every change of the bar that is forming; its `closed` is False.
    """

    kind = StreamKind.BARS
    handler = "on_bar"

    def __init__(
        self,
        instrument: str,
        interval: str,
        *,
        history: int = 0,
        forming: bool = False,
        fresh: float | None = None,
        exchange: str | None = None,
    ) -> None:
        super().__init__(instrument, fresh=fresh, exchange=exchange)
        self._interval = interval
        self.history = _least("history", history, 0)
        self._forming = forming

    def stream(self, strategy: Owner, *, now: int) -> Stream:
        length = parse_interval(self.fill(strategy, self._interval))
        # Two intervals back: history by HTTP and the live stream overlap, so that no bar falls between them.
        since = (now // length - 2) * length if self.history else now // length * length
        return Stream(
            kind=self.kind,
            instrument=self.fill(strategy, self._instrument),
            exchange=self._exchange,
            interval=length,
            since=since,
        )

    def make_feed(self, strategy: Owner, stream: Stream, desk: Desk) -> BarFeed:
        return BarFeed(
            self.name,
            stream,
            wakes=desk.wakes,
            owner=desk,
            handler=strategy.own_handler(self.handler),
            history=self.history,
            show_forming=self._forming,
        )
