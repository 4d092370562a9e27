"""What the demonstration says of books that aren't as they should be."""

from __future__ import annotations

from strategykit.model.events import BookDelta, BookSnapshot, Gap, Side, Trade
from strategykit.runtime.demo_books import BookWatch
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

BOOK = Stream(kind=StreamKind.BOOK, instrument="A")


def table() -> Subscriptions:
    dialect = StreamFamily("binance")
    found = Subscriptions(dialect.limits, {}, lambda: "", dialect.cursor, dialect.lane, dialect.key)
    found.restore("book", BOOK, "market-0")
    found.restore("trades", Stream(kind=StreamKind.TRADES, instrument="A"), "market-0")
    return found


def snapshot(bid: float | None, ask: float | None) -> BookSnapshot:
    bids, asks = [() if price is None else (price,) for price in (bid, ask)]
    return BookSnapshot("A", bids, (1.0,) * len(bids), asks, (1.0,) * len(asks), None, 1, "book")


def said(*events: BookSnapshot | BookDelta | Gap | Trade) -> list[str]:
    watch = BookWatch()
    for event in events:
        watch(event)
    return watch.problems(table())


def test_a_good_book_is_nothing_to_talk_about() -> None:
    change = BookDelta("A", (9.5,), (2.0,), (), (), None, 2, "book")
    trade = Trade("A", 9.0, 1.0, Side.BUY, "1", None, 3, "trades")

    assert said(snapshot(9.0, 10.0), change, trade, Gap("A", 3, 4, "x", None, 4, "trades")) == []


def test_a_book_that_never_came_is_missed() -> None:
    assert said() == ["book A: there never was one"]


def test_a_book_that_was_not_mended_after_a_gap_is_not_whole() -> None:
    gap = Gap("A", 1, 2, "lost", None, 2, "book")

    assert said(snapshot(9.0, 10.0), gap) == ["book A: isn't whole at the end"]
    assert said(snapshot(9.0, None)) == ["book A: isn't whole at the end"]
    assert said(snapshot(9.0, 10.0), gap, snapshot(9.0, 10.0)) == []


def test_each_state_in_which_bids_stand_above_offers_counts() -> None:
    told = said(snapshot(10.0, 10.0), snapshot(11.0, 10.0), snapshot(9.0, 10.0))

    assert told == ["book A: bids stood above offers 2 times"]
