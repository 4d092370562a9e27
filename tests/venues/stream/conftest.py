"""A guid table with one venue's dialect, and an engine's part played by hand: what a test gives is what arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import attrs
import msgspec
import pytest

from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Confirmed, Decoded, Need
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_748_000_000_000 * MS
"""Nanoseconds UTC."""


@attrs.define(eq=False)
class Desk:
    """One venue's table, told what an engine would tell it."""

    family: StreamFamily
    table: Subscriptions = attrs.field(init=False)
    now: int = START
    needs: list[Need] = attrs.field(factory=list)
    told: list[Decoded] = attrs.field(factory=list)
    """All but confirmations and needs."""
    confirmed: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        numbers, family = count(1), self.family
        self.table = Subscriptions(
            family.limits, {"market": 2}, lambda: f"g{next(numbers)}", family.cursor, family.lane, family.key
        )

    def want(self, kind: StreamKind, symbol: str, **more: Any) -> Subscription:
        """Have a stream asked for."""
        row = self.table.want(Stream(kind=kind, instrument=symbol, **more), "a")
        self.table.asked(row.guid)
        return row

    def frame(self, frame: str | bytes, *, by: str = "market-0", after: int = MS) -> list[Decoded]:
        """Take a frame; give what is told, without confirmations and needs."""
        self.now += after
        return self._take(self.family.decode(frame, self.table, connection=by, receive_time=self.now))

    def data(self, row: Subscription | str, data: object, *, by: str = "market-0", after: int = MS) -> list[Decoded]:
        """Take a datum of a row, or of a stream of a name."""
        name = row if isinstance(row, str) else str(row.key)
        return self.frame(msgspec.json.encode({"stream": name, "data": data}).decode(), by=by, after=after)

    def answer(self, rows: Sequence[Event | Instrument] | None, reason: str = "", *, after: int = MS) -> list[Decoded]:
        """Answer the oldest need."""
        self.now += after
        return self._take(self.needs.pop(0).asker.answered(rows, reason, self.now))

    def body(self, value: object, *, after: int = MS) -> list[Decoded]:
        """Answer the oldest need with what the venue would send."""
        body = msgspec.json.encode(value)
        rows = self.family.decode_answer(self.needs[0].ask, body, receive_time=self.now)
        return self.answer(rows, after=after)

    def cut(self, connection: str = "market-0") -> None:
        """Lose a connection and have all of it asked for again."""
        for row in self.table.lost(connection, self.now, "cut"):
            self.table.asked(row.guid)

    def _take(self, things: Sequence[Decoded]) -> list[Decoded]:
        told: list[Decoded] = []
        for thing in things:
            if isinstance(thing, Confirmed):
                self.confirmed.append(thing.guid)
                self.table.moved(self.table.by_guid[thing.guid])
                gap = self.table.confirmed(thing.guid, self.now)
                told.extend([] if gap is None else [gap])
            elif isinstance(thing, Need):
                self.needs.append(thing)
            else:
                told.append(thing)
        self.told.extend(told)
        return told


@pytest.fixture
def desk() -> Callable[..., Desk]:
    def make(variant: str = "binance", **options: Any) -> Desk:
        return Desk(StreamFamily(variant, **options))

    return make
