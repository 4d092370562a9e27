"""The family's calls over HTTP, and what their answers say. Source: stream protocol sheet, sections 3.3, 4 and 5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.events import Bar, BookSnapshot, Event, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.asks import Ask, AskBars, AskBook, AskInstrument, AskInstruments, AskPastTrades, HttpRequest
from strategykit.venues.listed import read_listed
from strategykit.venues.stream.names import check_symbol, interval_name
from strategykit.venues.stream.rows import (
    UNREADABLE,
    Id,
    Level,
    Price,
    Size,
    Time,
    check_bar,
    lax_decoder,
    nanoseconds,
    read_naive,
    unreadable,
)
from strategykit.venues.stream.variants import Variant

__all__ = ["SeedSteps", "ask_request", "read_answer"]

_MS: Final = 1_000_000
_SECOND: Final = 1_000 * _MS

SeedSteps = tuple[Decimal, Decimal]
"""Tick and lot of instruments of which the venue tells neither."""


def ask_request(ask: Ask, variant: Variant, *, trades: str) -> HttpRequest:
    """Give the call for `ask`.

    Raises:
        LocalProtocolError: The venue can't be asked this.
    """
    match ask:
        case AskBook():
            query = {"limit": str(ask.depth)} if variant.books else {}
            path = "depth"
        case AskPastTrades():
            binance = variant.language == "binance"
            query = {} if variant.language == "seed" else {"limit": str(variant.past_trades)}
            path = "aggTrades" if binance and trades == "aggTrade" else "trades"
        case AskBars():
            query, path = _bars_query(ask, variant), "klines"
        case AskInstrument():
            path = {"binance": "exchangeInfo", "backpack": "market", "seed": "tickers"}[variant.language]
            query = {}
        case AskInstruments():
            path = {"binance": "exchangeInfo", "backpack": "markets", "seed": "tickers"}[variant.language]
            return HttpRequest(method="GET", path=f"{variant.rules.rest}/{path}")
        case _:
            raise LocalProtocolError(f"{variant.name} is spoken for market data only; it has no accounts here")
    symbol = check_symbol(variant, ask.instrument)
    return HttpRequest(method="GET", path=f"{variant.rules.rest}/{path}", query={"symbol": symbol, **query})


def read_answer(
    ask: Ask, body: bytes, variant: Variant, *, trades: str, steps: SeedSteps, receive_time: int
) -> Sequence[Event | Instrument]:
    """Read the body of a successful answer.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    try:
        match ask:
            case AskBook():
                return [_read_book(ask, body, receive_time)]
            case AskPastTrades():
                return _read_trades(ask, body, variant, trades, receive_time)
            case AskBars():
                return _read_bars(ask, body, variant, receive_time)
            case AskInstrument():
                return _INSTRUMENTS[variant.language](ask.instrument, body, variant, steps)
            case AskInstruments():
                return _INSTRUMENTS[variant.language](None, body, variant, steps)
            case _:
                raise LocalProtocolError(f"{variant.name} isn't asked for {type(ask).__name__}")
    except (*UNREADABLE, ConfigError) as exc:
        raise unreadable(body, exc) from exc


def _bars_query(ask: AskBars, variant: Variant) -> dict[str, str]:
    name = interval_name(variant, ask.interval)
    count = min(max(ask.count, 1), variant.bars)
    if variant.language == "backpack":
        since = max(ask.until - count * ask.interval, 0)
        # Seconds; the one that `until` is in is past the last bar's beginning already.
        return {"interval": name, "startTime": str(since // _SECOND), "endTime": str((ask.until - 1) // _SECOND)}
    return {"interval": name, "endTime": str((ask.until - 1) // _MS), "limit": str(count)}


class _Depth(msgspec.Struct, gc=False):
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    number: Id | None = msgspec.field(name="lastUpdateId", default=None)
    T: Time | None = None
    timestamp: Time | None = None


_DEPTH: Final = lax_decoder(_Depth)


def _read_book(ask: AskBook, body: bytes, now: int) -> BookSnapshot:
    # Backpack and the seed's server send bids best last; the seed's sends empty levels, too.
    depth: _Depth = _DEPTH.decode(body)
    bids = sorted((level for level in depth.bids if level[1]), reverse=True)
    asks = sorted(level for level in depth.asks if level[1])
    time = depth.timestamp if depth.T is None else depth.T
    return BookSnapshot(
        ask.instrument,
        tuple(price for price, _ in bids),
        tuple(size for _, size in bids),
        tuple(price for price, _ in asks),
        tuple(size for _, size in asks),
        None if time is None else nanoseconds(time),
        now,
        "",
        snapshot=True,
        sequence=depth.number,
    )


class _Past(msgspec.Struct, gc=False):
    """A trade, under the names of Binance."""

    number: Id = msgspec.field(name="id")
    price: Price
    quantity: Size = msgspec.field(name="qty")
    time: Time
    maker: bool | None = msgspec.field(name="isBuyerMaker", default=None)


class _Aggregate(_Past, gc=False):
    number: Id = msgspec.field(name="a")
    price: Price = msgspec.field(name="p")
    quantity: Size = msgspec.field(name="q")
    time: Time = msgspec.field(name="T")
    maker: bool | None = msgspec.field(name="m", default=None)


class _Backpack(_Past, gc=False):
    quantity: Size = msgspec.field(name="quantity")
    time: Time = msgspec.field(name="timestamp")


class _Seed(_Past, gc=False):
    number: Id = msgspec.field(name="trade_id")
    quantity: Size = msgspec.field(name="quantity")
    time: Time = msgspec.field(name="timestamp")


_PAST: Final[Mapping[str, msgspec.json.Decoder[Any]]] = {
    "trade": lax_decoder(list[_Past]),
    "aggTrade": lax_decoder(list[_Aggregate]),
    "backpack": lax_decoder(list[_Backpack]),
    "seed": lax_decoder(list[_Seed]),
}


def _read_trades(ask: AskPastTrades, body: bytes, variant: Variant, trades: str, now: int) -> list[Trade]:
    rows: list[_Past] = _PAST[trades if variant.language == "binance" else variant.language].decode(body)
    found = []
    for row in sorted(rows, key=lambda row: row.number):
        time = nanoseconds(row.time)
        if row.quantity and ask.since <= time < ask.until:
            side = None if row.maker is None else Side.SELL if row.maker else Side.BUY
            found.append(Trade(ask.instrument, row.price, row.quantity, side, row.number, time, now, "", snapshot=True))
    return found[max(len(found) - ask.count, 0) :]


_KLINES: Final = lax_decoder(list[tuple[Time, Price, Price, Price, Price, Size, Any, Any, Any, Any, Any, Any]])


class _BackpackBar(msgspec.Struct, gc=False):
    start: str
    open: Price | None
    high: Price | None
    low: Price | None
    close: Price | None
    volume: Size | None


_BACKPACK_BARS: Final = lax_decoder(list[_BackpackBar])

Raw = tuple[int, float, float, float, float, float]
"""When a bar began, in nanoseconds, then open, high, low, close and volume."""


def _binance_bars(body: bytes) -> list[Raw]:
    return [(nanoseconds(row[0]), *row[1:6]) for row in _KLINES.decode(body)]


def _backpack_bars(body: bytes) -> list[Raw]:
    rows: list[_BackpackBar] = _BACKPACK_BARS.decode(body)
    found = []
    for row in rows:
        opened = read_naive(row.start)
        # Where nothing was traded there may be no prices.
        if row.open is not None and row.high is not None and row.low is not None and row.close is not None:
            found.append((opened, row.open, row.high, row.low, row.close, row.volume or 0.0))
    return found


_BARS: Final[Mapping[str, Callable[[bytes], list[Raw]]]] = {"binance": _binance_bars, "backpack": _backpack_bars}


def _read_bars(ask: AskBars, body: bytes, variant: Variant, now: int) -> list[Bar]:
    bars = []
    for opened, first, high, low, last, volume in _BARS[variant.language](body):
        check_bar(first, high, low, last)
        if opened < ask.until:
            closed = opened + ask.interval <= now
            bars.append(
                Bar(
                    ask.instrument,
                    opened,
                    ask.interval,
                    first,
                    high,
                    low,
                    last,
                    volume,
                    closed,
                    None,
                    now,
                    "",
                    snapshot=True,
                )
            )
    return sorted(bars, key=lambda bar: bar.open_time)


class _Filter(msgspec.Struct, gc=False):
    kind: str = msgspec.field(name="filterType")
    tick: Decimal | None = msgspec.field(name="tickSize", default=None)
    step: Decimal | None = msgspec.field(name="stepSize", default=None)


class _Listed(msgspec.Struct, gc=False):
    symbol: str
    quote: str = msgspec.field(name="quoteAsset")
    filters: list[_Filter]


class _Info(msgspec.Struct, gc=False):
    symbols: list[_Listed]


class _BackpackPrice(msgspec.Struct, gc=False):
    tick: Decimal = msgspec.field(name="tickSize")


class _BackpackQuantity(msgspec.Struct, gc=False):
    step: Decimal = msgspec.field(name="stepSize")


class _BackpackFilters(msgspec.Struct, gc=False):
    price: _BackpackPrice
    quantity: _BackpackQuantity


class _Market(msgspec.Struct, gc=False):
    symbol: str
    quote: str = msgspec.field(name="quoteSymbol")
    filters: _BackpackFilters


class _Ticker(msgspec.Struct, gc=False):
    symbol: str


_INFO: Final = lax_decoder(_Info)
_MARKET: Final = lax_decoder(_Market)
_MARKETS: Final = lax_decoder(list[msgspec.Raw])
_TICKERS: Final = lax_decoder(list[_Ticker])


def _instrument(variant: Variant, symbol: str, tick: Decimal | None, lot: Decimal | None, quote: str) -> Instrument:
    if tick is None or lot is None or not (tick.is_finite() and lot.is_finite()):
        raise ValueError(f"{symbol} has no tick or no lot")
    return Instrument(
        symbol,
        tick.normalize(),
        lot.normalize(),
        currency=quote,
        exchange=variant.name.upper(),
        time_zone="UTC",
        counts_units=True,
    )


def _read_info(symbol: str | None, body: bytes, variant: Variant, _: SeedSteps) -> list[Instrument]:
    info: _Info = _INFO.decode(body)

    def read(listed: _Listed) -> Instrument:
        steps = {item.kind: item for item in listed.filters}
        price, quantity = steps.get("PRICE_FILTER"), steps.get("LOT_SIZE")
        tick = None if price is None else price.tick
        lot = None if quantity is None else quantity.step
        return _instrument(variant, listed.symbol, tick, lot, listed.quote)

    return read_listed((listed for listed in info.symbols if symbol in (None, listed.symbol)), read)


def _read_market(symbol: str | None, body: bytes, variant: Variant, _: SeedSteps) -> list[Instrument]:
    def read(row: bytes | msgspec.Raw) -> Instrument:
        market: _Market = _MARKET.decode(row)
        return _instrument(
            variant, market.symbol, market.filters.price.tick, market.filters.quantity.step, market.quote
        )

    found = read_listed(_MARKETS.decode(body) if symbol is None else [body], read)
    return [instrument for instrument in found if symbol in (None, instrument.symbol)]


def _read_tickers(symbol: str | None, body: bytes, variant: Variant, steps: SeedSteps) -> list[Instrument]:
    """The seed's server tells neither ticks nor lots; of one that it lists they are what was chosen."""
    listed: list[_Ticker] = _TICKERS.decode(body)
    return [
        _instrument(variant, ticker.symbol, *steps, ticker.symbol.rpartition("_")[2])
        for ticker in listed
        if symbol in (None, ticker.symbol)
    ]


_INSTRUMENTS: Final[Mapping[str, Callable[[str | None, bytes, Variant, SeedSteps], list[Instrument]]]] = {
    "binance": _read_info,
    "backpack": _read_market,
    "seed": _read_tickers,
}
"""Read the instrument of a symbol, or, without one, all that are listed."""
