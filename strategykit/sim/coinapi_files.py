"""The bucket of flat files of the simulated CoinAPI: the day so far, as far as it is kept.

Source: CoinAPI protocol sheet, section 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from strategykit.sim.coinapi_market import CoinBoard, CoinMarket
from strategykit.sim.history import MINUTE
from strategykit.sim.http_calls import HttpAnswer, HttpCall
from strategykit.venues.coinapi.server_files import FileKind, FileStyle, encode_file, encode_listing, name_file
from strategykit.venues.coinapi.server_items import Level
from strategykit.venues.coinapi.times import DAY, write_date, write_time

__all__ = ["BUCKET", "CoinFiles"]

BUCKET: Final = "bucket"

_KINDS: Final = ("TRADES", "QUOTES", "LIMITBOOK_FULL")
_FIRST_NUMBER: Final = 4_001
_MOST: Final = 1_000
"""Entries of one answer, as S3 has it."""

_Row = dict[str, object]


class CoinFiles:
    """All of them; each is made when it is wanted, and then stands for a minute, so that it is as long as listed."""

    def __init__(self, market: CoinMarket, *, samples: bool) -> None:
        self._market = market
        self._style = FileStyle(samples)
        self._made: dict[str, tuple[int, bytes]] = {}

    def answer(self, path: str, call: HttpCall, now: int) -> HttpAnswer:
        """Answer a request for ``/bucket/`` or a key under it; `path` is without a client's key."""
        key = path.removeprefix(f"/{BUCKET}").lstrip("/")
        files = self._list(now)
        if not key:
            return self._answer_listing(call, files, now)
        if key not in files:
            missing = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code></Error>'
            return HttpAnswer(status=404, body=missing, content_type="application/xml")
        return HttpAnswer(status=200, body=self._keep(key, *files[key], now), content_type="application/gzip")

    def _answer_listing(self, call: HttpCall, files: dict[str, tuple[FileKind, CoinBoard]], now: int) -> HttpAnswer:
        query = call.query
        most = query.get("max-keys", "")
        body = encode_listing(
            BUCKET,
            [
                (key, len(self._keep(key, *file, now)))
                for key, file in files.items()
                if key.startswith(query.get("prefix", ""))
            ],
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            after=query.get("continuation-token", "") or query.get("start-after", ""),
            most=min(int(most), _MOST) if most.isascii() and most.isdecimal() and len(most) < 9 else _MOST,
            modified=write_time(now),
        )
        return HttpAnswer(status=200, body=body, content_type="application/xml")

    def _list(self, now: int) -> dict[str, tuple[FileKind, CoinBoard]]:
        listed = {}
        for kind in _KINDS:
            for number, board in enumerate(self._market.boards.values(), _FIRST_NUMBER):
                symbol = board.symbol
                key = name_file(
                    kind,
                    day=write_date(now),
                    exchange=symbol.exchange,
                    number=number,
                    symbol=symbol.name,
                    venue_symbol=symbol.venue_name,
                )
                listed[key] = kind, board
        return listed

    def _keep(self, key: str, kind: FileKind, board: CoinBoard, now: int) -> bytes:
        made, body = self._made.get(key, (now - MINUTE, b""))
        if made <= now - MINUTE:
            made, body = now, self._make(kind, board, now)
            # What stood longer is of no use to anyone, such as yesterday's.
            self._made = {name: each for name, each in self._made.items() if each[0] > now - MINUTE}
            self._made[key] = made, body
        return body

    def _make(self, kind: FileKind, board: CoinBoard, now: int) -> bytes:
        rows = {"TRADES": _trade_rows, "QUOTES": _quote_rows, "LIMITBOOK_FULL": _book_rows}[kind]
        today = write_date(now)
        # What is left of yesterday is in no file, but for the state of the book.
        return encode_file(kind, (row for row in rows(board, now) if str(row["time_coinapi"]) >= today), self._style)


def _trade_rows(board: CoinBoard, _: int) -> Iterator[_Row]:
    for trade in board.trades:
        item = board.trade_item(trade)
        yield {
            "time_exchange": item.time_exchange,
            "time_coinapi": item.time_coinapi,
            "guid": item.uuid,
            "price": item.price,
            "base_amount": item.size,
            "taker_side": item.taker_side,
            "id_exch_int_inc": trade.trade_id,
        }


def _quote_rows(board: CoinBoard, _: int) -> Iterator[_Row]:
    for _time, item in board.quotes:
        yield {
            "time_exchange": item.time_exchange,
            "time_coinapi": item.time_coinapi,
            "ask_px": item.ask_price,
            "ask_sx": item.ask_size,
            "bid_px": item.bid_price,
            "bid_sx": item.bid_size,
        }


def _book_rows(board: CoinBoard, now: int) -> Iterator[_Row]:
    """Give the book as a snapshot, then what was set; the snapshot lies at midnight if it is from before."""
    first, midnight = board.first_book, now - now % DAY
    changes = list(board.changes)
    while changes and changes[0][0] < midnight:
        first = first.apply(changes.pop(0)[1], midnight)
    whole = first.snapshot(max(first.time, midnight))
    for item, kind in [(whole, "SNAPSHOT"), *((change, "SET") for _, change in changes)]:
        times = {"time_exchange": item.time_exchange, "time_coinapi": item.time_coinapi}
        for is_buy, levels in ((0, item.asks), (1, item.bids)):
            yield from ({**times, "is_buy": is_buy, "update_type": kind, **row} for row in _level_rows(levels))


def _level_rows(levels: Iterable[Level]) -> Iterator[_Row]:
    for level in levels:
        yield {"entry_px": level.price, "entry_sx": level.size}
