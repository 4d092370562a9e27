"""REST, client side: charts and past trades. All its times are US Central, without saying so.

Source: T4 protocol sheet, section 1.6.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from strategykit.errors import LocalProtocolError, RemoteProtocolError
from strategykit.model.events import Bar, Side, Trade
from strategykit.venues.asks import AskBars, AskPastTrades, HttpRequest
from strategykit.venues.t4.names import split_market
from strategykit.venues.t4.reading import exact, price

__all__ = ["bars_request", "read_bars", "read_trades", "trades_request"]

_CENTRAL: Final = ZoneInfo("America/Chicago")
_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND
_MINUTE: Final = 60
_HOUR: Final = 3_600 * _SECOND
_UNITS: Final = ((604_800, "Week"), (86_400, "Day"), (3_600, "Hour"), (60, "Minute"), (1, "Second"))
_SIDES: Final = {"buy": Side.BUY, "bid": Side.BUY, "sell": Side.SELL, "offer": Side.SELL}
"""How the aggressor is written isn't documented but for the word; what isn't known here says nothing."""

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _Market(msgspec.Struct, rename={"market_id": "marketID", "increment": "minPriceIncrement"}):
    market_id: str = ""
    increment: str | float | None = None


class _BarRow(msgspec.Struct, rename="camel"):
    time: str
    open_price: str
    high_price: str
    low_price: str
    close_price: str
    volume: float = 0.0


class _TradeRow(msgspec.Struct, rename="camel"):
    time: str
    trade_price: str
    volume: float = 0.0
    aggressor_side: str | None = None


class _BarChart(msgspec.Struct, rename="camel"):
    bars: list[_BarRow]
    market_definitions: list[_Market] = []


class _TradeChart(msgspec.Struct, rename="camel"):
    trades: list[_TradeRow]
    market_definitions: list[_Market] = []


_READ_BARS: Final = msgspec.json.Decoder(_BarChart)
_READ_TRADES: Final = msgspec.json.Decoder(_TradeChart)


def bars_request(ask: AskBars) -> HttpRequest:
    """Ask for a chart that begins early enough, however many days of it have no trades.

    Raises:
        LocalProtocolError: T4 has no bars of this length.
    """
    seconds, rest = divmod(ask.interval, _SECOND)
    if rest or seconds < 1:
        raise LocalProtocolError(f"T4's bars are of whole seconds, not of {ask.interval} ns")
    unit, name = next((size, name) for size, name in _UNITS if seconds % size == 0)
    # Markets are shut for an hour a day and two days a week, and on holidays. Of bars shorter than a minute a day would
    # be tens of megabytes: they are asked for by the hour, and at a session's beginning there are few.
    pause = 5 * _DAY if seconds >= _MINUTE else _HOUR
    since = ask.until - ask.count * ask.interval * 3 // 2 - pause if ask.since is None else ask.since
    query = {
        **_place(ask.instrument),
        "chartType": "Bar",
        "barInterval": name,
        "barPeriod": str(seconds // unit),
        "tradeDateStart": _wall(since),
        "tradeDateEnd": _wall(ask.until + _SECOND),
    }
    return HttpRequest(method="GET", path="/chart/barchart", query=query, headers={"Accept": "application/json"})


def trades_request(ask: AskPastTrades) -> HttpRequest:
    query = {**_place(ask.instrument), "start": _wall(ask.since), "end": _wall(ask.until + _SECOND)}
    return HttpRequest(method="GET", path="/chart/tradehistory", query=query, headers={"Accept": "application/json"})


def read_bars(ask: AskBars, body: bytes, *, receive_time: int) -> list[Bar]:
    """Read a chart: its bars that began before the end that was asked for; one that isn't over then is open.

    Raises:
        RemoteProtocolError: It can't be read.
    """
    try:
        chart = _READ_BARS.decode(body)
        scale = _scale(ask.instrument, ask.tick, chart.market_definitions)
        bars = [_bar(row, ask, scale, receive_time) for row in chart.bars]
        return [bar for bar in bars if (ask.since or 0) <= bar.open_time < ask.until]
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as exc:
        raise RemoteProtocolError(f"this isn't a chart: {exc}", frame=body) from exc


def read_trades(ask: AskPastTrades, body: bytes, *, receive_time: int) -> list[Trade]:
    """Read past trades: the newest of those that were asked for.

    Raises:
        RemoteProtocolError: They can't be read.
    """
    try:
        chart = _READ_TRADES.decode(body)
        trades = list(_trades(chart.trades, ask, receive_time))
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as exc:
        raise RemoteProtocolError(f"these aren't trades: {exc}", frame=body) from exc
    return trades[-ask.count :] if ask.count else []


def _trades(rows: Sequence[_TradeRow], ask: AskPastTrades, now: int) -> Iterator[Trade]:
    for row in rows:
        value, time = price(row.trade_price), _read_time(row.time)
        if value is None or row.volume < 0:
            raise ValueError(f"a trade of {row.volume} lots at {row.trade_price!r}")
        if row.volume and ask.since <= time < ask.until:
            side = _SIDES.get((row.aggressor_side or "").lower())
            yield Trade(ask.instrument, value, row.volume, side, None, time, now, "", True)


def _bar(row: _BarRow, ask: AskBars, scale: Decimal | None, now: int) -> Bar:
    first, high = _scaled(row.open_price, scale), _scaled(row.high_price, scale)
    low, last = _scaled(row.low_price, scale), _scaled(row.close_price, scale)
    if row.volume < 0:
        raise ValueError(f"a bar of {row.volume} lots")
    opened = _read_time(row.time)
    closed = opened + ask.interval <= ask.until
    return Bar(ask.instrument, opened, ask.interval, first, high, low, last, row.volume, closed, None, now, "", True)


def _scaled(text: str, scale: Decimal | None) -> float:
    value = exact(text)
    if value is None:
        raise ValueError("a bar without a price")
    return float(value if scale is None else value * scale)


def _scale(instrument: str, tick: Decimal | None, markets: Sequence[_Market]) -> Decimal | None:
    """Say what the chart's prices are multiplied by, where it isn't in the session's format: its ticks tell."""
    market_id = split_market(instrument).market_id
    found = next((each for each in markets if each.market_id == market_id), None)
    shown = None if found is None or found.increment is None else exact(str(found.increment))
    if tick is None or not shown or shown == tick:
        return None
    return tick / shown


def _place(instrument: str) -> dict[str, Any]:
    market = split_market(instrument)
    return {"exchangeId": market.exchange_id, "contractId": market.contract_id, "marketID": market.market_id}


def _read_time(text: str) -> int:
    """Read a wall-clock time, with up to seven digits of the second; nanoseconds UTC."""
    whole, _, part = text.partition(".")
    if part and not (part.isascii() and part.isdigit() and len(part) <= 9):
        raise ValueError(f"time {text[:40]!r}")
    read = dt.datetime.fromisoformat(whole)
    if read.tzinfo is not None or not 1971 <= read.year <= 2199:
        raise ValueError(f"time {text[:40]!r}")
    since = read.replace(tzinfo=_CENTRAL).astimezone(dt.UTC) - _EPOCH
    return (since.days * 86_400 + since.seconds) * _SECOND + int(part.ljust(9, "0") or 0)


def _wall(time: int) -> str:
    return _central(time).strftime("%Y-%m-%dT%H:%M:%S")


def _central(time: int) -> dt.datetime:
    return (_EPOCH + dt.timedelta(seconds=time // _SECOND)).astimezone(_CENTRAL)
