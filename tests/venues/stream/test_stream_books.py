from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, Gap, Side
from strategykit.venues.asks import AskBook
from strategykit.venues.dialect import Decoded, Reply
from strategykit.venues.stream.asking import MOST_HELD
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import Subscription

MS = 1_000_000
SECOND = 1_000 * MS
Sides = dict[str, str]


def change(
    first: int, last: int, bids: Sides | None = None, asks: Sides | None = None, previous: int | None = None
) -> dict[str, Any]:
    data = {"e": "depthUpdate", "E": 1_748_000_000_000, "s": "BTCUSDT", "U": first, "u": last}
    data |= {"b": list((bids or {}).items()), "a": list((asks or {}).items())}
    return data if previous is None else data | {"pu": previous, "T": 1_748_000_000_001}


def snapshot(number: int, bids: Sides | None = None, asks: Sides | None = None) -> dict[str, Any]:
    return {"lastUpdateId": number, "bids": list((bids or {}).items()), "asks": list((asks or {}).items())}


def want(desk: Any, symbol: str = "BTCUSDT", **more: Any) -> Subscription:
    row: Subscription = desk.want(StreamKind.BOOK, symbol, **more)
    return row


def told(things: Sequence[Decoded]) -> list[Any]:
    """Give snapshots and changes by their numbers, and all else by its type."""
    found: list[Any] = []
    for thing in things:
        if isinstance(thing, BookSnapshot):
            found.append(("book", thing.sequence))
        else:
            found.append(thing.sequence if isinstance(thing, BookDelta) else type(thing).__name__)
    return found


def fold(desk: Any) -> Book:
    book = Book("BTCUSDT")
    for thing in desk.told:
        if isinstance(thing, BookSnapshot | BookDelta | Gap):
            book.apply(thing)
    return book


def test_changes_wait_for_the_snapshot_that_they_lead_on_from(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    assert row.key == "btcusdt@depth@100ms"

    assert bench.data(row, change(5, 8)) == []
    assert bench.confirmed == [row.guid]
    assert [need.ask for need in bench.needs] == [AskBook(instrument="BTCUSDT", depth=1000, number=1)]
    bench.data(row, change(9, 12, {"10": "1"}))
    bench.data(row, change(13, 13, {"11": "2"}))

    found = bench.body(snapshot(10, {"9": "1"}, {"20": "1"}))

    assert told(found) == [("book", 10), 12, 13]
    assert fold(bench).levels(Side.BUY) == ((11.0, 2.0), (10.0, 1.0), (9.0, 1.0))
    assert [thing.guid for thing in found] == [row.guid] * 3
    assert found[0].snapshot


def test_a_change_is_told_as_it_came(desk: Callable[..., Any]) -> None:
    bench = desk("binance_usdm")
    row = want(bench)
    bench.data(row, change(5, 8, previous=4))
    bench.body(snapshot(8))

    (found,) = bench.data(row, change(12, 14, {"61800.10": "0.5"}, {"61800.20": "0.000"}, previous=8))

    assert (found.bid_prices, found.bid_sizes, found.ask_prices, found.ask_sizes) == (
        (61800.1,),
        (0.5,),
        (61800.2,),
        (0.0,),
    )
    assert (found.event_time, found.receive_time) == (1_748_000_000_001 * MS, bench.now)


def test_repeats_change_nothing(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 8))
    bench.body(snapshot(8))

    assert told(bench.data(row, change(7, 8))) == []
    assert told(bench.data(row, change(9, 9))) == [9]
    assert told(bench.data(row, change(8, 11))) == [11]


def test_a_snapshot_older_than_the_first_change_is_asked_for_again(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(50, 51))

    for number in (2, 3, 4):
        assert told(bench.body(snapshot(10))) == []
        assert bench.needs[0].ask.number == number
    assert told(bench.body(snapshot(10))) == []
    assert not bench.needs, "the venue is left alone for a second"
    bench.data(row, change(52, 52))
    assert not bench.needs
    bench.data(row, change(53, 53), after=SECOND)
    assert told(bench.body(snapshot(52))) == [("book", 52), 53]


def test_without_a_snapshot_it_is_said_why(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(50, 51))

    found = bench.answer(None, "418: banned")

    assert found == [Reply(row.guid, 0, "book BTCUSDT: no snapshot: 418: banned", ok=False)]
    assert len(bench.needs) == 1


@pytest.mark.parametrize("variant", ["binance", "backpack", "binance_usdm"])
def test_a_hole_is_told_and_the_book_begun_anew(desk: Callable[..., Any], variant: str) -> None:
    bench = desk(variant)
    row = want(bench)
    futures = variant == "binance_usdm"
    bench.data(row, change(5, 8, previous=4 if futures else None))
    bench.body(snapshot(8, {"9": "1"}))
    heard = bench.now
    bench.now += 2 * SECOND

    found = bench.data(row, change(10, 11, {"10": "1"}, previous=9 if futures else None))

    assert told(found) == ["Gap"]
    assert (found[0].since, found[0].until, found[0].guid) == (heard, bench.now, row.guid)
    assert fold(bench).invalid
    assert told(bench.body(snapshot(10))) == [("book", 10), 11]
    assert fold(bench).levels(Side.BUY) == ((10.0, 1.0),)


def test_a_stream_full_of_holes_gets_a_snapshot_a_second(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 8))
    bench.body(snapshot(8))

    bench.data(row, change(20, 20))
    assert not bench.needs
    bench.data(row, change(21, 21), after=SECOND)
    assert told(bench.body(snapshot(20))) == [("book", 20), 21]


def test_a_hole_while_a_snapshot_is_waited_for_drops_what_lies_before_it(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 8))
    bench.data(row, change(12, 12))

    assert told(bench.body(snapshot(9))) == []
    assert told(bench.body(snapshot(11))) == [("book", 11), 12]


def test_repeats_while_a_snapshot_is_waited_for_are_kept_once(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 8))
    bench.data(row, change(5, 8))
    bench.data(row, change(9, 9))

    assert told(bench.body(snapshot(6))) == [("book", 6), 8, 9]


def test_what_waits_is_bounded(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    for number in range(1, MOST_HELD + 3):
        bench.data(row, change(number, number))

    assert told(bench.body(snapshot(1))) == []
    assert told(bench.body(snapshot(MOST_HELD + 2))) == [("book", MOST_HELD + 2)]


def test_an_answer_from_before_a_reconnect_is_not_for_what_comes_after(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 8))
    bench.cut()

    assert bench.body(snapshot(8)) == []
    assert told(bench.data(row, change(90, 90))) == ["Gap"]
    assert told(bench.body(snapshot(90))) == [("book", 90)]


def test_levels_beyond_the_snapshots_last_one_are_known_from_changes(desk: Callable[..., Any]) -> None:
    """The snapshot has its 1,000 best levels a side; what earlier changes said of others still holds."""
    bench = desk()
    row = want(bench)
    bids = {str(5_000 - number): "1" for number in range(1_000)}
    asks = {str(6_000 + number): "1" for number in range(1_000)}
    bench.data(row, change(5, 6, {"100": "7", "101": "3", "4500": "9"}, {"9000": "8", "6500": "9"}))
    bench.data(row, change(7, 8, {"101": "0", "99": "2"}, {"9001": "4"}))

    (book,) = bench.body(snapshot(8, bids, asks))

    assert book.bid_prices[-3:] == (4001.0, 100.0, 99.0)
    assert book.bid_sizes[-2:] == (7.0, 2.0)
    assert book.ask_prices[-3:] == (6999.0, 9000.0, 9001.0)
    assert dict(zip(book.bid_prices, book.bid_sizes, strict=True))[4500.0] == 1.0


def test_a_snapshot_that_holds_all_there_is_leaves_nothing_to_know(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 6, {"100": "7"}))

    (book,) = bench.body(snapshot(6, {"200": "1"}))

    assert book.bid_prices == (200.0,)


@pytest.mark.parametrize(("depth", "limit"), [(None, 1_000), (50, 1_000), (1_500, 5_000), (9_999, 5_000)])
def test_the_snapshot_is_deep_enough(desk: Callable[..., Any], depth: int | None, limit: int) -> None:
    bench = desk()
    bench.data(want(bench, depth=depth), change(5, 6))

    assert bench.needs[0].ask.depth == limit


def test_the_seeds_books_have_no_numbers(desk: Callable[..., Any]) -> None:
    """The reference server's: no numbers and times, neither in changes nor in the snapshot."""
    bench = desk("seed")
    row = want(bench, "SOL_USDC")
    first, second = ({"e": "depth", "s": "SOL_USDC", "b": [[price, "1"]], "a": []} for price in ("96.40", "96.41"))
    bench.data(row, first)
    bench.data(row, first)
    found = bench.body({"bids": [["96.30", "2"], ["96.31", "0"], ["96.35", "1"]], "asks": [["96.50", "1"]]})

    assert told(found) == [("book", None), None, None]
    assert (found[0].bid_prices, found[0].event_time) == ((96.35, 96.3), None)
    assert told(bench.data(row, second)) == [None]
    assert bench.told[-1].event_time is None


def test_numbers_that_the_seeds_documentation_promises_are_watched(desk: Callable[..., Any]) -> None:
    bench = desk("seed")
    row = want(bench, "SOL_USDC")
    bench.data(row, change(5, 6))
    bench.body({"bids": [], "asks": []})

    assert told(bench.data(row, change(7, 7))) == [7]
    assert told(bench.data(row, change(9, 9))) == ["Gap"]


def test_a_successor_follows_from_where_nothing_is_missing(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.data(row, change(5, 8))
    bench.table.replace("market-0", "market-0~2")

    bench.data(row, change(11, 11), by="market-0~2")
    assert row.connection == "market-0"
    bench.body(snapshot(8))
    bench.data(row, change(12, 12), by="market-0~2")
    assert row.connection == "market-0"
    assert told(bench.data(row, change(9, 12))) == [12]
    assert told(bench.data(row, change(11, 13), by="market-0~2")) == [13]
    assert row.connection == "market-0~2"


def test_a_successor_may_bring_the_first_change(desk: Callable[..., Any]) -> None:
    bench = desk()
    row = want(bench)
    bench.table.replace("market-0", "market-0~2")

    bench.data(row, change(5, 8), by="market-0~2")

    assert row.connection == "market-0~2"


PRICES = [str(price) for price in range(90, 111)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_lost_and_repeated_the_book_is_the_venues_or_unknown(
    desk: Callable[..., Any], data: st.DataObject
) -> None:
    """Changes are lost, repeated, cut at other places; snapshots are stale or don't come; wires are cut."""
    bench = desk()
    row = want(bench)
    book: dict[str, str] = {}
    number, states, messages = 0, [(0, dict(book))], []
    steps = data.draw(st.lists(st.sampled_from(["change"] * 5 + ["lost", "repeat", "cut", "answer", "stale", "no"])))
    for step in [*steps, "change", "change", "answer", "change"]:
        if step in ("change", "lost"):
            changed = data.draw(st.dictionaries(st.sampled_from(PRICES), st.sampled_from(["0", "1", "2"]), max_size=3))
            book |= changed
            first, number = number + 1, number + data.draw(st.integers(1, 3))
            states.append((number, dict(book)))
            messages.append(change(first, number, changed))
            if step == "change":
                bench.data(row, messages[-1], after=61 * SECOND)
        elif step == "repeat" and messages:
            bench.data(row, data.draw(st.sampled_from(messages[-3:])))
        elif step == "cut":
            bench.cut()
        elif step == "no" and bench.needs:
            bench.answer(None, "no")
        elif step in ("answer", "stale") and bench.needs:
            last, state = states[-1] if step == "answer" else data.draw(st.sampled_from(states))
            bench.body(snapshot(last, {price: size for price, size in state.items() if size != "0"}))
        folded = fold(bench)
        if not folded.invalid and bench.told and step == "change":
            expected = {float(price): float(size) for price, size in book.items() if size != "0"}
            assert dict(folded.levels(Side.BUY)) == expected
