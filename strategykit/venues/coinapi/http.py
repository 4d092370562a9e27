"""REST, client side: what can be asked, and how answers are read. Source: CoinAPI protocol sheet, section 8."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.by_order import parallel_orders
from strategykit.model.events import Bar, BookSnapshot, ByOrderSnapshot, Event, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.asks import Ask, AskBars, AskBook, AskInstrument, AskInstruments, AskPastTrades, HttpRequest
from strategykit.venues.coinapi.bars import MOST_BARS
from strategykit.venues.coinapi.market import parallel
from strategykit.venues.coinapi.rows import (
    UNREADABLE,
    LevelRow,
    Number,
    OrderRow,
    PlainBarRow,
    Size,
    check_prices,
    nanoseconds,
    unreadable,
)
from strategykit.venues.coinapi.targets import ALL_LEVELS, MAX_PAST, period_of
from strategykit.venues.coinapi.times import DAY, write_time
from strategykit.venues.coinapi.trades import SIDES
from strategykit.venues.listed import read_listed

__all__ = ["ask_request", "read_answer"]


class _TradeItem(msgspec.Struct, gc=False):
    time_exchange: str
    time_coinapi: str
    uuid: str
    price: Number
    size: Size
    taker_side: str | None = None


class _BookItem(msgspec.Struct, gc=False):
    time_exchange: str
    time_coinapi: str
    asks: list[LevelRow] | None = None
    bids: list[LevelRow] | None = None


class _OrdersItem(msgspec.Struct, gc=False):
    time_exchange: str
    time_coinapi: str
    asks: list[OrderRow] | None = None
    bids: list[OrderRow] | None = None


class _SymbolItem(msgspec.Struct, gc=False):
    symbol_id: str
    exchange_id: str = "COINAPI"
    asset_id_quote: str | None = None
    price_precision: Decimal | None = None
    size_precision: Decimal | None = None
    symbol_id_exchange: str | None = None


_TRADES: Final = msgspec.json.Decoder(list[_TradeItem])
_BARS: Final = msgspec.json.Decoder(list[PlainBarRow])
_BOOK: Final = msgspec.json.Decoder(_BookItem)
_ORDERS: Final = msgspec.json.Decoder(_OrdersItem)
_SYMBOLS: Final = msgspec.json.Decoder(list[_SymbolItem])

_FINEST: Final = Decimal("0.000000001")
"""Where a symbol doesn't say: numbers have nine places at the most (section 5)."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9_~@:-][A-Za-z0-9_.~@:-]*")
"""Symbol ids that are one segment of a path as they are."""

_NOT_BEFORE: Final = DAY
"""Times from the first day of 1970 on stand for none."""


def ask_request(ask: Ask) -> HttpRequest:
    """Give the call for `ask`.

    Trades are given oldest first, and one call is of one day: what it leaves is to be asked for again. Without a time
    from which on (``since=0``) they are the newest, of about a minute.

    Raises:
        LocalProtocolError: The venue can't be asked this.
    """
    if isinstance(ask, AskInstruments):
        if ask.exchange is None:
            raise LocalProtocolError("CoinAPI has far too many symbols to list them all: name an exchange")
        return _get("/v1/symbols", filter_exchange_id=ask.exchange)
    if not isinstance(ask, AskInstrument | AskBars | AskPastTrades | AskBook):
        raise LocalProtocolError("CoinAPI has market data only; it has no accounts")
    symbol = ask.instrument
    if isinstance(ask, AskInstrument):
        if "/" in symbol:
            raise LocalProtocolError(f"{symbol} is a rate of two assets; it isn't traded")
        return _get("/v1/symbols", filter_symbol_id=symbol)
    if not _PLAIN.fullmatch(symbol):
        raise LocalProtocolError(f"{symbol[:60]!r} can't stand in a path")
    match ask:
        case AskBars():
            return _bars_request(ask)
        case AskPastTrades():
            most = str(min(max(ask.count, 1), MAX_PAST))
            if ask.since < _NOT_BEFORE:
                return _get(f"/v1/trades/{symbol}/latest", limit=most)
            midnight = ask.since - ask.since % DAY + DAY
            until = max(ask.since, min(ask.until, midnight))
            times = {"time_start": write_time(ask.since), "time_end": write_time(until)}
            return _get(f"/v1/trades/{symbol}/history", **times, limit=most)
        case _:
            book = "orderbooks3" if ask.by_order else "orderbooks"
            cut = {} if ask.depth >= ALL_LEVELS else {"limit_levels": str(max(ask.depth, 1))}
            return _get(f"/v1/{book}/{symbol}/current", **cut)


def read_answer(ask: Ask, body: bytes, *, clock: str, receive_time: int) -> Sequence[Event | Instrument]:
    """Read the body of a successful answer, oldest rows first; they are marked as snapshots.

    Args:
        ask: What was asked.
        body: What came.
        clock: Which of the two times an event has: ``"exchange"`` or ``"coinapi"``.
        receive_time: When it came, nanoseconds UTC.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    try:
        match ask:
            case AskInstrument():
                return [_instrument(item) for item in _SYMBOLS.decode(body) if item.symbol_id == ask.instrument]
            case AskInstruments():
                return read_listed(_SYMBOLS.decode(body), _instrument)
            case AskBars():
                return _read_bars(ask, body, receive_time)
            case AskPastTrades():
                return _read_trades(ask, body, clock, receive_time)
            case AskBook():
                read = _read_orders if ask.by_order else _read_book
                return [read(ask, body, clock, receive_time)]
            case _:
                raise LocalProtocolError("CoinAPI has market data only; it has no accounts")
    except (*UNREADABLE, ConfigError) as exc:
        raise unreadable(body, exc) from exc


def _get(path: str, **query: str) -> HttpRequest:
    return HttpRequest(method="GET", path=path, query=query)


def _bars_request(ask: AskBars) -> HttpRequest:
    """Ask for twice the time of so many bars: of times without trades there are none."""
    if not 1 <= ask.count <= MOST_BARS:
        raise LocalProtocolError(f"{ask.count} bars: the venue gives 1 to {MOST_BARS}")
    period, count = period_of(ask.interval), min(2 * ask.count, MOST_BARS)
    last = -(-ask.until // ask.interval) * ask.interval
    query = {
        "period_id": period,
        "time_start": write_time(max(last - count * ask.interval, 0)),  # A period that starts then is in,
        "time_end": write_time(max(ask.until, 0)),  # and one that does so at the end isn't.
        "limit": str(count),
    }
    return _get(f"/v1/ohlcv/{ask.instrument}/history", **query)


def _read_bars(ask: AskBars, body: bytes, now: int) -> list[Bar]:
    bars: dict[int, Bar] = {}
    rows = _BARS.decode(body)
    known_until = min(ask.until, now)
    for row in rows:
        start, prices = nanoseconds(row.time_period_start), check_prices(row)
        if prices is not None and start < ask.until:
            # A later bar proves that one is over; for the last there is only the clock.
            closed = start + ask.interval <= known_until
            bars[start] = Bar(
                ask.instrument, start, ask.interval, *prices, row.volume_traded, closed, None, now, "", snapshot=True
            )
    return [bars[start] for start in sorted(bars)]


def _read_trades(ask: AskPastTrades, body: bytes, clock: str, now: int) -> list[Trade]:
    found = []
    for item in _TRADES.decode(body):
        if item.size and item.price:  # Else it is a marker.
            time = _time(item, clock)
            side = SIDES.get(item.taker_side or "")
            found.append(
                Trade(ask.instrument, item.price, item.size, side, item.uuid.lower(), time, now, "", snapshot=True)
            )
    # The latest ones come newest first. Sorting keeps the order of those of one time.
    newest_first = len(found) > 1 and found[0].event_time > found[-1].event_time  # type: ignore[operator]  # set above
    return sorted(found[::-1] if newest_first else found, key=lambda trade: trade.event_time or 0)


def _read_book(ask: AskBook, body: bytes, clock: str, now: int) -> BookSnapshot:
    item = _BOOK.decode(body)
    bids, asks = (parallel([level for level in side or () if level.size]) for side in (item.bids, item.asks))
    return BookSnapshot(ask.instrument, *bids, *asks, _time(item, clock), now, "", snapshot=True)


def _read_orders(ask: AskBook, body: bytes, clock: str, now: int) -> ByOrderSnapshot:
    item = _ORDERS.decode(body)
    # Sorting keeps the order of those at one price, which may be that of their queue; the venue doesn't say.
    bids, asks = (
        parallel_orders(
            [
                (order.id, order.price, order.size)
                for order in sorted(side or (), key=lambda order: sign * order.price)
                if order.size
            ]
        )
        for sign, side in ((-1, item.bids), (1, item.asks))
    )
    return ByOrderSnapshot(ask.instrument, *bids, *asks, _time(item, clock), now, "", snapshot=True)


def _time(item: _TradeItem | _BookItem | _OrdersItem, clock: str) -> int:
    return nanoseconds(item.time_coinapi if clock == "coinapi" else item.time_exchange)


def _instrument(item: _SymbolItem) -> Instrument:
    return Instrument(
        item.symbol_id,
        _step(item.price_precision),
        _step(item.size_precision),
        currency=item.asset_id_quote or "USD",
        exchange=item.exchange_id,
        description=item.symbol_id_exchange or "",
        time_zone="UTC",
        counts_units=True,
    )


def _step(value: Decimal | None) -> Decimal:
    return _FINEST if not value else value.normalize()
