"""What can be called at each stream venue, by path. Source: stream protocol sheet, sections 3.3, 4, 5 and 7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from strategykit.sim.http_calls import HttpAnswer, HttpCall
from strategykit.sim.stream_http import Call, CallError, StreamDesk, answer_call
from strategykit.sim.stream_market import StreamMarket, Symbol
from strategykit.venues.stream import server_rest_backpack as backpack
from strategykit.venues.stream import server_rest_binance as binance
from strategykit.venues.stream.server_values import BookState
from strategykit.venues.stream.server_variants import ServerVariant

__all__ = ["StreamRest"]

_MS: Final = 1_000_000
_SECOND: Final = 1_000 * _MS


class StreamRest:
    """Answers the calls of one venue.

    Args:
        market: What is shown.
        variant: In whose words.
    """

    def __init__(self, market: StreamMarket, variant: ServerVariant) -> None:
        self.stale_snapshots = 0
        """How many of the next snapshots are older than any change that a client can have seen."""
        self._market = market
        self._variant = variant
        futures = {"premiumIndex": _mark} if variant.futures else {"avgPrice": _average}
        tables: dict[str, Mapping[str, Call]] = {
            "binance": _BINANCE | futures,
            "backpack": _BACKPACK,
            "seed": _SEED,
        }
        self._calls = tables[variant.language]

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one call; whatever it is, there is an answer."""
        desk = StreamDesk(self._market, self._variant, call.query, self._refusal, self._book)
        missing = {"code": -1, "msg": f"no {call.path[:100]} here"}
        return answer_call(call, self._calls, desk, now, prefix=self._variant.rest, missing=missing)

    def _refusal(self, name: str) -> CallError:
        """Refuse a parameter. Binance's codes are the vendor's; the others' words aren't known."""
        if self._variant.language != "binance":
            return CallError({"code": "INVALID_CLIENT_REQUEST", "message": f"{name} is wrong"})
        code, words = {"symbol": (-1121, "Invalid symbol."), "interval": (-1120, "Invalid interval.")}.get(
            name, (-1100, f"Illegal characters found in parameter '{name}'.")
        )
        return CallError({"code": code, "msg": words})

    def _book(self, symbol: Symbol) -> BookState:
        if self.stale_snapshots:
            self.stale_snapshots -= 1
            return symbol.stale_book
        return symbol.book


def _exchange_info(desk: StreamDesk, now: int) -> Any:
    listed = [symbol.instrument for symbol in desk.symbols]
    return binance.exchange_info(listed, now, futures=desk.variant.futures)


def _binance_depth(desk: StreamDesk, now: int) -> Any:
    book = desk.book(default=100, most=5_000)
    return binance.depth_row(book, now, futures=desk.variant.futures)


def _one_or_all(desk: StreamDesk, rows: list[Any]) -> Any:
    return rows if desk.all_or_one else rows[0]


def _day(desk: StreamDesk, now: int) -> Any:
    return _one_or_all(desk, [binance.day_row(symbol.day(now)) for symbol in desk.symbols])


def _tops(desk: StreamDesk, _: int) -> Any:
    return _one_or_all(desk, [binance.book_top_row(symbol.top()) for symbol in desk.symbols])


def _prices(desk: StreamDesk, now: int) -> Any:
    days = [symbol.day(now) for symbol in desk.symbols]
    return _one_or_all(desk, [{"symbol": day.symbol, "price": day.last} for day in days])


def _average(desk: StreamDesk, now: int) -> Any:
    day = desk.symbol.day(now, window=300 * _SECOND)
    return {"mins": 5, "price": day.weighted, "closeTime": day.close_time // _MS}


def _mark(desk: StreamDesk, now: int) -> Any:
    return _one_or_all(desk, [binance.mark_row(symbol.mark(now), now) for symbol in desk.symbols])


def _nothing(_: StreamDesk, __: int) -> Any:
    return {}


def _empty(_: StreamDesk, __: int) -> Any:
    return []


def _binance_time(_: StreamDesk, now: int) -> Any:
    return {"serverTime": now // _MS}


def _binance_trades(desk: StreamDesk, _: int) -> Any:
    return [binance.trade_row(trade) for trade in desk.trades(default=500)]


def _binance_aggregates(desk: StreamDesk, _: int) -> Any:
    return [binance.aggregate_row(trade) for trade in desk.trades(default=500)]


def _binance_klines(desk: StreamDesk, now: int) -> Any:
    return [binance.kline_row(candle) for candle in desk.candles(now, unit=_MS, most=1_500)]


_BINANCE: Final[dict[str, Call]] = {
    "ping": _nothing,
    "time": _binance_time,
    "exchangeInfo": _exchange_info,
    "depth": _binance_depth,
    "trades": _binance_trades,
    "historicalTrades": _binance_trades,
    "aggTrades": _binance_aggregates,
    "klines": _binance_klines,
    "ticker/24hr": _day,
    "ticker/price": _prices,
    "ticker/bookTicker": _tops,
}


def _backpack_time(_: StreamDesk, now: int) -> Any:
    return now // _MS


def _status(_: StreamDesk, __: int) -> Any:
    return {"status": "Ok", "message": None}


def _markets(desk: StreamDesk, _: int) -> Any:
    return [backpack.market_row(symbol.instrument) for symbol in desk.symbols]


def _market(desk: StreamDesk, _: int) -> Any:
    return backpack.market_row(desk.symbol.instrument)


def _backpack_depth(desk: StreamDesk, _: int) -> Any:
    return backpack.depth_row(desk.book(default=1_000, most=1_000))


def _backpack_trades(desk: StreamDesk, _: int) -> Any:
    return [backpack.trade_row(trade) for trade in reversed(desk.trades(default=100))]


def _backpack_klines(desk: StreamDesk, now: int) -> Any:
    return [backpack.kline_row(candle) for candle in desk.candles(now, unit=_SECOND)]


def _ticker(desk: StreamDesk, now: int) -> Any:
    return backpack.ticker_row(desk.symbol.day(now))


def _tickers(desk: StreamDesk, now: int) -> Any:
    return [backpack.ticker_row(symbol.day(now)) for symbol in desk.symbols]


def _backpack_marks(desk: StreamDesk, now: int) -> Any:
    return [backpack.mark_row(symbol.mark(now)) for symbol in desk.symbols]


_BACKPACK: Final[dict[str, Call]] = {
    "ping": lambda _, __: "pong",
    "time": _backpack_time,
    "status": _status,
    "markets": _markets,
    "market": _market,
    "securities": _empty,
    "assets": _empty,
    "depth": _backpack_depth,
    "trades": _backpack_trades,
    "klines": _backpack_klines,
    "ticker": _ticker,
    "tickers": _tickers,
    "markPrices": _backpack_marks,
}


def _seed_depth(desk: StreamDesk, _: int) -> Any:
    return backpack.seed_depth_row(desk.book(default=1_000, most=1_000))


def _seed_trades(desk: StreamDesk, _: int) -> Any:
    return [backpack.seed_trade_row(trade) for trade in reversed(desk.trades(default=100))]


def _seed_klines(desk: StreamDesk, now: int) -> Any:
    return [backpack.seed_kline_row(candle) for candle in desk.candles(now, unit=_MS)]


_SEED: Final[dict[str, Call]] = {
    "health": lambda _, __: {"status": "ok"},
    "depth": _seed_depth,
    "trades": _seed_trades,
    "klines": _seed_klines,
    "tickers": _tickers,
}
