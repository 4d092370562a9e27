"""A guid table with CoinAPI's dialect, fed frame by frame as a run would do it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from typing import Any

import attrs
import pytest

from strategykit.model.events import Gap, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.coinapi.dialect import CoinApi
from strategykit.venues.coinapi.times import write_time
from strategykit.venues.dialect import Confirmed, Decoded, Need, Resubscribe
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions

START = 1_714_979_280_000_000_000
"""2024-05-06T07:08:00Z."""
ETH = "KRAKEN_SPOT_ETH_EUR"


@attrs.define(eq=False)
class Lab:
    dialect: CoinApi = attrs.field(factory=CoinApi)
    table: Subscriptions = attrs.field(init=False)
    now: int = START
    needs: list[Need] = attrs.field(factory=list)
    resubscribed: list[str] = attrs.field(factory=list)

    @table.default
    def _make_table(self) -> Subscriptions:
        numbers, dialect = count(1), self.dialect
        return Subscriptions(
            dialect.limits,
            {"market": 1},
            lambda: f"g{next(numbers)}",
            dialect.cursor,
            dialect.lane,
            dialect.key,
        )

    def want(self, kind: StreamKind, instrument: str = ETH, **more: Any) -> Subscription:
        """Subscribe, and have the venue asked."""
        row = self.table.want(Stream(kind=kind, instrument=instrument, **more), "test")
        self.table.asked(row.guid)
        return row

    def frame(self, kind: str, symbol: str = ETH, *, at: int = 0, **fields: Any) -> str:
        """Word a message; `at` is milliseconds after `START`."""
        time = write_time(START + at * 1_000_000)
        message = {"type": kind, "symbol_id": symbol, "time_exchange": time, "time_coinapi": time, **fields}
        return json.dumps(message)

    def trade(self, number: int, *, at: int | None = None, **fields: Any) -> str:
        """Word a trade whose id, price and time say its number."""
        return self.frame(
            "trade",
            at=number if at is None else at,
            **{"uuid": f"id-{number}", "price": float(number), "size": 1.0, "taker_side": "BUY", **fields},
        )

    def feed(self, frame: str | bytes, by: str = "market-0") -> list[Decoded]:
        """Take a frame; give what strategies are told, with what is asked over HTTP put aside."""
        self.now += 1
        told: list[Decoded] = []
        for thing in self.dialect.decode(frame, self.table, connection=by, receive_time=self.now):
            self._take(thing, by, told)
        return told

    def answer(self, rows: Sequence[Any] | None, reason: str = "") -> list[Decoded]:
        """Answer the oldest question."""
        self.now += 1
        need = self.needs.pop(0)
        told: list[Decoded] = []
        for thing in need.asker.answered(rows, reason, self.now):
            self._take(thing, self.table.by_guid[need.guid].connection, told)
        return told

    def lose(self, connection: str = "market-0") -> None:
        """Have a connection end, and another session ask for all again."""
        self.now += 1
        for row in self.table.lost(connection, self.now, "cut"):
            self.table.asked(row.guid)

    def _take(self, thing: Decoded, by: str, told: list[Decoded]) -> None:
        if isinstance(thing, Confirmed):
            row = self.table.by_guid[thing.guid]
            if by == row.successor:
                self.table.moved(row)
            gap = self.table.confirmed(thing.guid, self.now)
            told += [] if gap is None else [gap]
        elif isinstance(thing, Resubscribe):
            row = self.table.by_guid[thing.guid]
            self.table.missed(row, self.now, thing.reason)
            self.table.asked(row.guid)
            self.resubscribed.append(row.guid)
        elif isinstance(thing, Need):
            self.needs.append(thing)
        else:
            assert not isinstance(thing, Instrument)
            told.append(thing)


def summary(things: Sequence[Decoded]) -> list[Any]:
    """Give prices of trades, with a minus for past ones, and the names of all else."""
    found: list[Any] = []
    for thing in things:
        match thing:
            case Gap():
                found.append("gap")
            case Trade():
                found.append(-thing.price if thing.snapshot else thing.price)
            case _:
                found.append(type(thing).__name__)
    return found


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def make_lab() -> type[Lab]:
    return Lab


@pytest.fixture(scope="session")
def brief() -> Any:
    return summary
