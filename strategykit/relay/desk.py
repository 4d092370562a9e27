"""What a relay answers over HTTP, in Backpack's words: from what it holds, or by asking its venue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from typing import Any, Final

import msgspec
import trio

from strategykit.model.codec import make_converter
from strategykit.model.events import Bar, Ticker
from strategykit.model.instruments import Instrument
from strategykit.relay.channels import is_symbol
from strategykit.relay.listing import Listing
from strategykit.relay.tellers import BookTeller, TickerTeller, TradeTeller
from strategykit.relay.upstream import CallRefused, Held, Upstream, ask_venue
from strategykit.relay.wording import digits
from strategykit.sim.http_calls import HttpAnswer, json_answer
from strategykit.venues.dialect import AskBars
from strategykit.venues.stream.server_rest_backpack import bar_row, day_row, listed_row
from strategykit.venues.stream.server_variants import SERVER_VARIANTS
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import SubscriptionState

__all__ = ["PREFIX", "Desk"]

PREFIX: Final = "/api/v1/"
"""What the paths of REST calls begin with."""

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND
_QUARTER: Final = 900 * _SECOND
"""The bars that the last 24 hours are made of, where the venue doesn't send these."""

_SUM_FOR: Final = 5 * _SECOND
"""Nanoseconds for which such a sum is good."""

_MOST: Final = 1_000
"""Bars, levels and trades in one answer."""

_TICKERS: Final = 100
_AT_ONCE: Final = 8
"""Days that the venue is asked for at a time."""

_SLICE: Final = 200
"""Instruments that are worded before others get their turn."""

_RULES: Final = SERVER_VARIANTS["backpack"]

Query = Mapping[str, str]


class Desk:
    """Answers the calls about one venue.

    Args:
        upstream: The run that has it.
        held: What is told of it, by the name of the channel.
        exchange: Which of its exchanges.
        now: The time, nanoseconds UTC.
        named: Symbols that are told of where the venue gives no list, besides those that somebody listens to.
    """

    def __init__(
        self,
        upstream: Upstream,
        held: Mapping[str, Held],
        *,
        exchange: str | None,
        now: Callable[[], int],
        named: Sequence[str],
    ) -> None:
        self._upstream = upstream
        self._held = held
        self._exchange = exchange
        self._now = now
        self._listing = Listing(upstream, exchange=exchange, now=now, wanted=lambda: (*named, *self._heard()))
        self._converter = make_converter()
        self._worded: tuple[Sequence[Instrument], msgspec.Raw] = ((), msgspec.Raw(b"[]"))
        """The list of instruments that was worded last."""
        self._days: dict[str, tuple[int, Ticker]] = {}
        """When it was summed up, and what it came to, by symbol."""
        self._asking = trio.CapacityLimiter(_AT_ONCE)
        self._calls: dict[str, Callable[[Query], Awaitable[Any]]] = {
            "ping": self._ping,
            "time": self._time,
            "status": self._status,
            "markets": self._markets,
            "market": self._market,
            "assets": self._nothing,
            "securities": self._nothing,
            "depth": self._depth,
            "trades": self._trades,
            "klines": self._klines,
            "ticker": self._ticker,
            "tickers": self._tickers,
        }

    async def answer(self, path: str, query: Query) -> HttpAnswer:
        """Answer a call; whatever it is, there is an answer."""
        call = self._calls.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        if call is None:
            return json_answer(404, {"code": "RESOURCE_NOT_FOUND", "message": f"no {path[:100]} here"})
        try:
            return json_answer(200, await call(query))
        except CallRefused as exc:
            return json_answer(exc.status, {"code": "INVALID_CLIENT_REQUEST", "message": str(exc)})

    def _heard(self) -> dict[str, None]:
        """Give the symbols that somebody listens to."""
        return dict.fromkeys(held.channel.symbol for held in self._held.values())

    # About the venue

    async def _ping(self, _: Query) -> Any:
        await trio.lowlevel.checkpoint()
        return "pong"

    async def _time(self, _: Query) -> Any:
        await trio.lowlevel.checkpoint()
        return self._now() // 1_000_000

    async def _status(self, _: Query) -> Any:
        await trio.lowlevel.checkpoint()
        lost = bool(self._held) and all(held.row.state is SubscriptionState.LOST for held in self._held.values())
        return {"status": "Maintenance" if lost else "Ok", "message": "the venue is away" if lost else None}

    async def _nothing(self, _: Query) -> Any:
        """Of coins and shares by themselves a relay knows nothing."""
        await trio.lowlevel.checkpoint()
        return []

    async def _markets(self, _: Query) -> Any:
        listed = await self._listing.all()
        if listed is not self._worded[0]:
            rows = []
            for number, instrument in enumerate(listed, 1):
                rows.append(self._market_row(instrument))
                if number % _SLICE == 0:
                    await trio.lowlevel.checkpoint()
            self._worded = listed, msgspec.Raw(msgspec.json.encode(rows))
        return self._worded[1]

    async def _market(self, query: Query) -> Any:
        return self._market_row(await self._listing.find(_symbol(query)))

    def _market_row(self, instrument: Instrument) -> dict[str, Any]:
        """Word an instrument as Backpack does, and add all that is known of it."""
        base, quote, perpetual = _pair(instrument)
        # Sizes pass as the venue counts them: in units, or in lots.
        step = instrument.lot if instrument.counts_units else Decimal(1)
        row = listed_row(instrument.symbol, base, quote, tick=instrument.tick, step=step, perpetual=perpetual)
        return row | {"instrument": self._converter.unstructure(instrument)}

    # About what is traded

    async def _depth(self, query: Query) -> Any:
        await trio.lowlevel.checkpoint()
        limit, symbol = _number(query, "limit", _MOST, most=_MOST), _symbol(query)
        tellers = [held.teller for held in self._held.values() if held.channel.symbol == symbol]
        books = [teller for teller in tellers if isinstance(teller, BookTeller)]
        if not books:
            raise CallRefused(404, f"subscribe to depth.{symbol} first: books are kept while somebody listens")
        # Another pace is another book, with numbers of its own.
        wanted = next((book for book in books if book.channel.frequency is None), books[0])
        if not wanted.whole:
            raise CallRefused(503, f"the book of {symbol} isn't known yet, or has a hole")
        return wanted.snapshot(limit)

    async def _trades(self, query: Query) -> Any:
        await trio.lowlevel.checkpoint()
        limit, symbol = _number(query, "limit", 100, most=_MOST), _symbol(query)
        held = self._held.get(f"trade.{symbol}")
        kept = list(held.teller.kept) if held is not None and isinstance(held.teller, TradeTeller) else []
        return kept[: -limit - 1 : -1]

    async def _klines(self, query: Query) -> Any:
        await trio.lowlevel.checkpoint()
        symbol, interval = _symbol(query), _RULES.intervals.get(query.get("interval", ""))
        if interval is None:
            raise CallRefused(400, f"interval is one of {', '.join(_RULES.intervals)}")
        now = self._now()
        since = _number(query, "startTime", (now - 100 * interval) // _SECOND, most=now // _SECOND) * _SECOND
        until = _number(query, "endTime", now // _SECOND, most=1 << 40) * _SECOND + 1
        if not self._has_bars:
            return []
        count = min(max((until - since) // interval + 1, 1), _MOST)
        bars = await self._bars(symbol, interval, since, until, count)
        return [_bar_row(bar) for bar in bars[:_MOST]]

    async def _ticker(self, query: Query) -> Any:
        return _ticker_row(await self._day(_symbol(query)))

    async def _tickers(self, _: Query) -> Any:
        symbols, found = list(islice(self._heard(), _TICKERS)), dict[str, Ticker]()

        async def add(symbol: str) -> None:
            with suppress(CallRefused):
                found[symbol] = await self._day(symbol)

        async with trio.open_nursery() as nursery:
            for symbol in symbols:
                nursery.start_soon(add, symbol)
        return [_ticker_row(found[symbol]) for symbol in symbols if symbol in found]

    async def _day(self, symbol: str) -> Ticker:
        """Give the last figures that came by the channel, if somebody listens to it, else sum up the last 24 hours."""
        await trio.lowlevel.checkpoint()
        held = self._held.get(f"ticker.{symbol}")
        if held is not None and isinstance(held.teller, TickerTeller) and held.teller.latest is not None:
            return held.teller.latest
        if not self._has_bars:
            raise CallRefused(404, f"subscribe to ticker.{symbol} first: the venue has no bars to sum up")
        async with self._asking:
            now = self._now()
            summed_at, ticker = self._days.get(symbol, (0, None))
            if ticker is None or now - summed_at >= _SUM_FOR:
                bars = await self._bars(symbol, _QUARTER, now - _DAY, now + 1, _DAY // _QUARTER + 1)
                ticker = _summed(symbol, bars, now)
                self._days = {name: day for name, day in self._days.items() if now - day[0] < _SUM_FOR}
                self._days[symbol] = now, ticker
            return ticker

    @property
    def _has_bars(self) -> bool:
        """Whether the venue knows what was before: bars that are built of live trades begin now."""
        return StreamKind.BARS in self._upstream.dialect.offers.streams

    async def _bars(self, symbol: str, interval: int, since: int, until: int, count: int) -> list[Bar]:
        """Ask for bars that began in ``[since, until)``, oldest first."""
        ask = AskBars(instrument=symbol, interval=interval, count=count, until=until, exchange=self._exchange)
        rows = await ask_venue(self._upstream, ask)
        return [row for row in rows if isinstance(row, Bar) and since <= row.open_time < until]


def _symbol(query: Query) -> str:
    symbol = query.get("symbol", "")
    if not is_symbol(symbol):
        raise CallRefused(400, "symbol is missing or can't be one")
    return symbol


def _number(query: Query, name: str, default: int, *, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise CallRefused(400, f"{name} should be a whole number")
    return min(int(text), most)


def _pair(instrument: Instrument) -> tuple[str, str, bool]:
    """Give what is traded for what, and whether it is a perpetual future, as far as its symbol and currency tell."""
    symbol, quote = instrument.symbol, instrument.currency
    if symbol.endswith(f"_{quote}_PERP"):
        return symbol.removesuffix(f"_{quote}_PERP"), quote, True
    return symbol.removesuffix(quote).rstrip("_-/") or symbol, quote, False


def _bar_row(bar: Bar) -> dict[str, Any]:
    prices = (digits(bar.open), digits(bar.high), digits(bar.low), digits(bar.close))
    return bar_row(bar.open_time, bar.open_time + bar.interval, prices, digits(bar.volume))


def _summed(symbol: str, bars: Sequence[Bar], now: int) -> Ticker:
    """Make the figures of all that `bars` tell; where nothing was traded there are no prices."""
    volume = float(sum((Decimal(repr(bar.volume)) for bar in bars), Decimal(0)))
    if not bars:
        return Ticker(symbol, None, None, None, None, volume, None, None, now, now, "")
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    return Ticker(symbol, bars[-1].close, bars[0].open, high, low, volume, None, None, now, now, "")


def _ticker_row(day: Ticker) -> dict[str, Any]:
    def worded(number: float | None) -> str | None:
        return None if number is None else digits(number)

    known = day.last is not None and day.open is not None
    change = Decimal(repr(day.last)) - Decimal(repr(day.open)) if known else None
    return day_row(
        day.instrument,
        first=worded(day.open),
        last=worded(day.last),
        high=worded(day.high),
        low=worded(day.low),
        change=None if change is None else f"{change:f}",
        ratio=day.change,
        volume=worded(day.volume),
        quote_volume=worded(day.turnover),
        trades=day.trades,
    )
