"""What REST gives of the markets of the simulated CoinAPI: trades, quotes, books, bars, rates.

Source: CoinAPI protocol sheet, section 8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum
from typing import Any, Final, TypeVar

import msgspec

from strategykit.sim.coinapi_bars import Row
from strategykit.sim.coinapi_figures import Figures
from strategykit.sim.coinapi_market import CoinBoard, CoinMarket
from strategykit.sim.coinapi_queries import CallRefused, Query
from strategykit.sim.history import MINUTE
from strategykit.venues.coinapi.names import PERIODS
from strategykit.venues.coinapi.server_items import Bar, Level
from strategykit.venues.coinapi.times import DAY, SECOND, write_time

__all__ = ["History", "list_periods"]

_T = TypeVar("_T")

_HISTORY_LEVELS: Final = 20


class History:
    """Everything that is about a symbol or a pair. What isn't known raises `CallRefused`, or is an empty list."""

    def __init__(self, market: CoinMarket, figures: Figures) -> None:
        self._market = market
        self._figures = figures

    def trades(self, name: str, how: str, query: Query, now: int) -> list[Any]:
        """Give a part of a day, oldest first, or the last minute, newest first; of one symbol or (``""``) all."""
        boards = self._boards(name)
        since, until = (now - MINUTE, now + 1) if how == "latest" else query.day()
        found = [
            (_time(trade.event_time, trade.receive_time), board, trade)
            for board in boards
            for trade in board.trades
            if since <= _time(trade.event_time, trade.receive_time) < until
        ]
        found.sort(key=lambda each: each[0])
        found = _ordered(found, how)
        with_id = query.flag("include_id")
        rows: list[Any] = []
        for _, board, trade in found[: query.limit()]:
            item = board.trade_item(trade)
            rows.append({**msgspec.structs.asdict(item), "id_trade": str(trade.trade_id)} if with_id else item)
        return rows

    def quotes(self, name: str, how: str, query: Query, now: int) -> Any:
        """Give those of a part of a day, the last minute, or the one that stands."""
        if how == "current":
            found = [board.quotes[-1][1] for board in self._boards(name)]
            return self._one(found, name) if name else found
        since, until = (now - MINUTE, now + 1) if how == "latest" else query.day()
        rows = [row for board in self._boards(name) for row in board.quotes if since <= row[0] < until]
        rows.sort(key=lambda row: row[0])
        return [item for _, item in _ordered(rows, how)[: query.limit()]]

    def books(self, name: str, how: str, query: Query, now: int) -> Any:
        """Give whole books: those of a past day, the last minute's, or the one that stands."""
        levels = query.levels()
        if how == "current":
            books = [
                board.book.top(levels or len(board.book.asks) + len(board.book.bids), now)
                for board in self._boards(name)
            ]
            return self._one(books, name) if name else books
        if how == "latest":
            since, until = now - MINUTE, now + 1
        else:
            since, until = query.day()
            until = min(until, now - now % DAY)  # The current day isn't given.
            levels = min(levels or _HISTORY_LEVELS, _HISTORY_LEVELS)
        rows = [row for board in self._boards(name) for row in board.books if since <= row[0] < until]
        rows.sort(key=lambda row: row[0])
        return [
            book.top(levels or len(book.asks) + len(book.bids), time)
            for time, book in _ordered(rows, how)[: query.limit()]
        ]

    def orders_book(self, name: str, now: int) -> Any:
        """Give the book by order."""
        return self._one([board.book.orders_book(board.stand(), now) for board in self._boards(name)], name)

    def depth(self, name: str, query: Query, now: int) -> dict[str, Any]:
        """Give what stands in a book, added up."""
        top = self.books(name, "current", query, now)
        return {
            "symbol_id": name,
            "time_exchange": top.time_exchange,
            "time_coinapi": top.time_coinapi,
            "ask_levels": len(top.asks),
            "bid_levels": len(top.bids),
            "ask_depth": _total(top.asks),
            "bid_depth": _total(top.bids),
        }

    def bars(self, name: str, how: str, query: Query, now: int) -> list[Any]:
        """Give bars from a time on, oldest first, or the latest ones, newest first."""
        boards = self._boards(name)
        _, length = query.period()
        limit, with_empty = query.limit(), query.flag("include_empty_items")
        if not boards:
            return []
        board = boards[0]
        if how == "history":
            since, until = query.span()
            return _bars(board, length, since, min(until, now + 1), limit, with_empty=with_empty)
        rows = [*board.bars.bars(length, 0, now + 1)]
        if with_empty:
            since = now - now % length - (limit - 1) * length
            found = _bars(board, length, max(since, rows[0].start if rows else now), now + 1, limit, with_empty=True)
            return found[::-1]
        return [row.word(board.symbol, length) for row in reversed(rows[-limit:])]

    def exchange_bars(self, exchange: str, query: Query, now: int) -> list[Any]:
        """Give the bars of all symbols of a venue, with their symbols; of a day at the most."""
        _, length = query.period(most=PERIODS["1DAY"])
        since, until = query.span()
        if until - since > DAY:
            raise CallRefused(400, "time_start and time_end must be at most one day apart")
        rows: list[Any] = []
        for name, symbol in self._market.symbols.items():
            if symbol.exchange == exchange:
                bars = _bars(
                    self._market.boards[name], length, since, min(until, now + 1), query.limit(), with_empty=False
                )
                rows += ({"symbol_id": name, **msgspec.structs.asdict(bar)} for bar in bars)
        return rows[: query.limit()]

    def rate(self, base: str, quote: str, now: int) -> dict[str, Any]:
        item = self._figures.rate(base, quote, now)
        if item is None:
            raise CallRefused(550, f"You requested specific single item that we don't have: {base}/{quote}"[:200])
        return {"time": item.time, "asset_id_base": base, "asset_id_quote": quote, "rate": item.rate}

    def rates(self, base: str, now: int) -> dict[str, Any]:
        """Give all rates of an asset that there are, the best of each pair."""
        quotes = dict.fromkeys(item.asset_id_quote for item in self._figures.rates(now) if item.asset_id_base == base)
        found = [self.rate(base, quote, now) for quote in quotes]
        if not found:
            raise CallRefused(550, f"You requested specific single item that we don't have: {base}"[:200])
        rows = [
            {"time": each["time"], "asset_id_quote": each["asset_id_quote"], "rate": each["rate"]} for each in found
        ]
        return {"asset_id_base": base, "rates": rows}

    def rate_history(self, base: str, quote: str, query: Query, now: int) -> list[dict[str, Any]]:
        """Give a rate's past, from the first market of the pair."""
        _, length = query.period()
        since, until = query.span()
        names = [name for name, symbol in self._market.symbols.items() if (symbol.base, symbol.quote) == (base, quote)]
        found = [
            _bars(self._market.boards[name], length, since, min(until, now + 1), query.limit(), with_empty=False)
            for name in names[:1]
        ]
        return [
            {
                "time_period_start": bar.time_period_start,
                "time_period_end": bar.time_period_end,
                "time_open": bar.time_open,
                "time_close": bar.time_close,
                "rate_open": bar.price_open,
                "rate_high": bar.price_high,
                "rate_low": bar.price_low,
                "rate_close": bar.price_close,
            }
            for bars in found
            for bar in bars
        ]

    def _boards(self, name: str) -> list[CoinBoard]:
        boards = self._market.boards
        return list(boards.values()) if not name else [boards[name]] if name in boards else []

    def _one(self, found: Sequence[Any], name: str) -> Any:
        if not found:
            raise CallRefused(550, f"You requested specific single item that we don't have: {name}"[:200])
        return found[0]


def list_periods() -> list[dict[str, Any]]:
    """Give the periods of bars."""
    return [
        {
            "period_id": name,
            "length_seconds": length // SECOND,
            "length_months": 0,
            "unit_count": int(name[:-3]),
            "unit_name": {"SEC": "second", "MIN": "minute", "HRS": "hour", "DAY": "day"}[name[-3:]],
        }
        for name, length in PERIODS.items()
    ]


def _bars(board: CoinBoard, length: int, since: int, until: int, limit: int, *, with_empty: bool) -> list[Bar]:
    rows: Iterable[Row] = board.bars.bars(length, since, until)
    if not with_empty:
        return [row.word(board.symbol, length) for row in [*rows][:limit]]
    known = {row.start: row for row in rows}
    first = -(-since // length) * length
    starts = range(first, until, length)[:limit]
    return [known[start].word(board.symbol, length) if start in known else _empty(start, length) for start in starts]


def _empty(start: int, length: int) -> Bar:
    return Bar(write_time(start), write_time(start + length), None, None, None, None, None, None, 0.0, 0)


def _ordered(rows: list[_T], how: str) -> list[_T]:
    """Give the latest rows newest first; rows of a history stay as they are."""
    return rows[::-1] if how == "latest" else rows


def _time(event_time: int | None, receive_time: int) -> int:
    return receive_time if event_time is None else event_time


def _total(levels: Iterable[Level]) -> float:
    return round(fsum(level.size for level in levels), 9)
