"""A real book of Binance's, served by the simulated venue from the changes that were recorded, and followed again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, Event, Gap, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.venues.dialect import Confirmed, Decoded, Need
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions
from tests.sim_server.test_sim_stream_venue import Lab
from tests.venues.stream.test_stream_recordings import Session, hftbacktest, pytestmark, three

__all__ = ["pytestmark"]

KNOWN = {"BTCUSDT": Instrument("BTCUSDT", Decimal("0.01"), Decimal("0.00001"), currency="USDT", counts_units=True)}
CHANGES = 150


def recorded() -> list[tuple[int, Event]]:
    """Give the first changes of the recording's book, and the trades between them, with their times."""
    session = Session(StreamFamily("binance"), three("BTCUSDT", frequency=None))
    found: list[tuple[int, Event]] = []
    for line in hftbacktest("spot_btcusdt_20240808", symbol="BTCUSDT"):
        if line.snapshot_of:
            session.answer(session.needs[line.snapshot_of].ask, line.text.encode(), line.time)
        else:
            session.frame(line.text, line.time)
        events, session.events = session.events, []
        found += [(line.time, event) for event in events if not isinstance(event, Gap)]
        if session.counts["BookDelta"] >= CHANGES:
            break
    return found


def levels(book: Book) -> list[list[tuple[float, float]]]:
    return [[(price, round(size, 8)) for price, size in book.levels(side)] for side in Side]


def test_a_recorded_book_is_followed_without_a_hole_to_its_last_level() -> None:
    lab = Lab("binance", instruments=KNOWN, source=())
    client = lab.join(streams="btcusdt@depth@100ms/btcusdt@trade")
    family = StreamFamily("binance")
    table = Subscriptions(family.limits, {"market": 1}, lambda: "g", family.cursor, family.lane, family.key)
    row = table.want(Stream(kind=StreamKind.BOOK, instrument="BTCUSDT"), "test")
    table.asked(row.guid)
    original, followed, told = Book("BTCUSDT"), Book("BTCUSDT"), list[Any]()

    def take(things: Sequence[Decoded]) -> None:
        for thing in things:
            if isinstance(thing, Need):
                body = msgspec.json.encode(lab.get("/depth", symbol="BTCUSDT", limit="5000"))
                rows = family.decode_answer(thing.ask, body, receive_time=lab.now)
                take(thing.asker.answered(rows, "", lab.now))
            elif isinstance(thing, BookSnapshot | BookDelta):
                followed.apply(thing)
            elif not isinstance(thing, Confirmed):
                told.append(thing)

    def listen() -> None:
        frames, client.sent = client.sent, []
        for frame in frames:
            if frame["stream"] == "btcusdt@trade":
                trades.append((float(frame["data"]["p"]), float(frame["data"]["q"])))
            else:
                text = msgspec.json.encode(frame).decode()
                take(family.decode(text, table, connection="market-0", receive_time=lab.now))

    events, began, trades = recorded(), lab.now, list[tuple[float, float]]()
    for time, event in events:
        while lab.now < began + time - events[0][0]:
            lab.run(0.05)
        lab.venue.feed(event, lab.now, shift=lab.now - time)
        if isinstance(event, BookSnapshot | BookDelta):
            original.apply(event)
        listen()
    lab.run(0.3)
    listen()

    assert len(levels(original)[0]) > 1_000
    assert levels(followed) == levels(original)
    assert told == [], "no gap"
    assert trades == [(event.price, event.quantity) for _, event in events if isinstance(event, Trade)]
