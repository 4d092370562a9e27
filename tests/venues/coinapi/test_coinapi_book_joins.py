"""Books with a hole: REST's book takes their place, joined by time to what came since."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.by_order import BookByOrder
from strategykit.model.events import BookDelta, BookSnapshot, ByOrderDelta, ByOrderSnapshot, Gap, Side
from strategykit.venues.asks import AskBook
from strategykit.venues.coinapi import book as book_module
from strategykit.venues.coinapi.times import write_time
from strategykit.venues.streams import StreamKind

START = 1_714_979_280_000_000_000
SECOND = 1_000_000_000


def levels(*pairs: tuple[float, float]) -> list[dict[str, float]]:
    return [{"price": price, "size": size} for price, size in pairs]


def order(name: str | None, price: float, size: float, how: str | None = None) -> dict[str, Any]:
    return {"id": name, "price": price, "size": size} | ({} if how is None else {"update_type": how})


def change(
    lab: Any, number: int, *, at: int | None = None, kind: str = "book", whole: bool = False, **more: Any
) -> Any:
    """Feed a message; its number is its time, too, unless said otherwise."""
    at = number if at is None else at
    fields = {"bids": [], "asks": [], "is_snapshot": whole, "sequence": number, **more}
    return lab.feed(lab.frame(kind, at=at, **fields))


def rest(lab: Any, *, at: int, **sides: Any) -> Any:
    """Answer the oldest question as REST does."""
    time = write_time(START + at * 1_000_000)
    body = json.dumps({"symbol_id": "X", "time_exchange": time, "time_coinapi": time, "bids": [], "asks": [], **sides})
    return lab.answer(lab.dialect.decode_answer(lab.needs[0].ask, body.encode(), receive_time=lab.now))


def begin(lab: Any, kind: StreamKind = StreamKind.BOOK, **sides: Any) -> Any:
    lab.want(kind)
    wire = "book" if kind is StreamKind.BOOK else "book_l3"
    return change(lab, 1, kind=wire, whole=True, **(sides or {"bids": levels((99, 1), (98, 2))}))


def test_a_hole_is_told_at_once_and_the_book_of_rest_is_asked_for(lab: Any) -> None:
    begin(lab)

    (gap,) = change(lab, 3, bids=levels((97, 5)))

    assert isinstance(gap, Gap)
    assert "1 messages of book KRAKEN_SPOT_ETH_EUR are missing before number 3" in gap.reason
    assert [need.ask for need in lab.needs] == [AskBook(instrument="KRAKEN_SPOT_ETH_EUR", depth=1 << 30, number=2)]
    request = lab.dialect.request(lab.needs[0].ask)
    assert (request.path, request.query) == ("/v1/orderbooks/KRAKEN_SPOT_ETH_EUR/current", {}), "all levels"
    assert lab.resubscribed == []


def test_the_book_of_rest_takes_the_holes_place_and_what_came_since_changes_it(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    assert change(lab, 4, bids=levels((98, 7))) == [], "until the answer is there"

    snapshot, delta = rest(lab, at=3, bids=levels((99, 4), (98, 2), (97, 5)), asks=levels((101, 1), (102, 0)))

    assert isinstance(snapshot, BookSnapshot)
    assert (snapshot.snapshot, snapshot.sequence, snapshot.event_time) == (True, 3, START + 3_000_000)
    assert (snapshot.bid_prices, snapshot.bid_sizes, snapshot.ask_prices) == ((99, 98, 97), (4, 2, 5), (101,))
    assert isinstance(delta, BookDelta)
    assert (delta.bid_prices, delta.bid_sizes, delta.sequence) == ((98,), (7,), 4)
    (further,) = change(lab, 5, bids=levels((99, 0)))
    assert further.bid_sizes == (0,)
    assert (lab.needs, lab.resubscribed) == ([], [])


def test_what_the_book_of_rest_has_already_isnt_told_again(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    rest(lab, at=5, bids=levels((99, 4), (97, 5), (96, 1)))

    assert change(lab, 4, bids=levels((96, 1))) == [], "the wire was slower than HTTP"
    assert len(change(lab, 5, bids=levels((95, 1)))) == 1, "of the same moment, and not in it"
    assert len(change(lab, 6, bids=levels((97, 0)))) == 1
    assert change(lab, 7, at=4, bids=levels((97, 3)))[0].bid_sizes == (3,), "clocks may go back later on"


def test_an_older_change_that_the_book_of_rest_denies_has_it_subscribed_to_anew(lab: Any) -> None:
    """It may be outdated, or by a clock that went back: nobody knows."""
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    rest(lab, at=5, bids=levels((99, 4), (97, 5)))

    assert change(lab, 4, bids=levels((96, 1))) == []
    assert lab.resubscribed == ["g1"]


@pytest.mark.parametrize(
    "answer", [{"at": 2, "bids": levels((99, 1), (97, 5))}, {"at": 9, "bids": levels((99, 1), (97, 4))}]
)
def test_an_answer_that_proves_nothing_is_asked_for_again_and_then_left(lab: Any, answer: Any) -> None:
    """One is older than what came first since the hole; the other has another level than what came."""
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))

    for number in (2, 3, 4):
        assert [need.ask.number for need in lab.needs] == [number]
        assert rest(lab, **answer) == []
    assert lab.resubscribed == ["g1"]
    assert lab.needs == []
    gap, snapshot = change(lab, 5, whole=True, bids=levels((99, 1)))
    assert "HTTP's book isn't as new as the stream" in gap.reason
    assert isinstance(snapshot, BookSnapshot)


def test_a_second_try_may_prove_it(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    rest(lab, at=2, bids=levels((99, 1)))

    assert len(rest(lab, at=3, bids=levels((99, 1), (97, 5)))) == 1
    assert lab.resubscribed == []


def test_a_snapshot_by_the_wire_comes_before_any_answer(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))

    (snapshot,) = change(lab, 4, whole=True, bids=levels((50, 1)))

    assert snapshot.bid_prices == (50,)
    assert rest(lab, at=3, bids=levels((97, 5))) == []
    assert len(change(lab, 5, bids=levels((51, 1)))) == 1


def test_holes_in_quick_succession_are_asked_about_once(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))

    (gap,) = change(lab, 5, bids=levels((97, 6)))

    assert isinstance(gap, Gap)
    assert lab.resubscribed == ["g1"]
    assert rest(lab, at=9, bids=levels((97, 6))) == [], "nobody waits for it any more"
    assert lab.needs == []


def test_a_later_hole_is_asked_about_again(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    rest(lab, at=3, bids=levels((97, 5)))
    lab.now += SECOND

    change(lab, 5, bids=levels((97, 6)))

    assert len(rest(lab, at=5, bids=levels((97, 6)))) == 1
    assert lab.resubscribed == []


def test_too_many_messages_behind_an_answer_end_the_waiting(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MOST_HELD", 2)
    begin(lab)
    for number in (3, 4, 5):
        change(lab, number, bids=levels((97, number)))

    assert lab.resubscribed == ["g1"]
    assert rest(lab, at=5, bids=levels((97, 5))) == []


def test_an_answer_to_a_wire_that_is_gone_is_nothing(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    lab.lose()

    assert rest(lab, at=3, bids=levels((97, 5))) == []
    assert lab.resubscribed == []
    gap, snapshot = change(lab, 1, whole=True, bids=levels((50, 1)))
    assert isinstance(gap, Gap)
    assert snapshot.bid_prices == (50,)


def test_a_connection_that_takes_over_heals_a_hole_too(lab: Any) -> None:
    begin(lab)
    change(lab, 3, bids=levels((97, 5)))
    lab.table.replace("market-0", "market-0~2")
    frame = lab.frame("book", at=4, bids=levels((50, 1)), asks=[], is_snapshot=True, sequence=1)

    (snapshot,) = lab.feed(frame, "market-0~2")

    assert snapshot.bid_prices == (50,)
    assert rest(lab, at=3, bids=levels((97, 5))) == []


def test_a_book_by_order_is_joined_to_the_orders_of_rest(lab: Any) -> None:
    begin(lab, StreamKind.BOOK_BY_ORDER, bids=[order("a", 99, 3), order("b", 98, 2)])
    change(lab, 3, kind="book_l3", bids=[order("c", 97, 5, "ADD"), order("b", 98, 0.5, "MATCH")])
    change(lab, 4, kind="book_l3", bids=[order("a", 99, 1, "SUBTRACT")])
    request = lab.dialect.request(lab.needs[0].ask)
    assert request.path == "/v1/orderbooks3/KRAKEN_SPOT_ETH_EUR/current"

    rows = [order("c", 97, 5), order("b", 98, 1.5), order("a", 99, 3), order("gone", 95, 0)]
    snapshot, delta = rest(lab, at=3, bids=rows, asks=[order(None, 102, 1), order(None, 101, 1)])

    assert isinstance(snapshot, ByOrderSnapshot)
    assert (snapshot.bid_ids, snapshot.bid_sizes, snapshot.sequence) == (("a", "b", "c"), (3, 1.5, 5), 3)
    assert (snapshot.ask_ids, snapshot.ask_prices) == ((None, None), (101, 102))
    assert isinstance(delta, ByOrderDelta)
    assert (delta.bid_ids, delta.bid_prices, delta.bid_sizes) == (("a",), (99,), (2,))
    (last,) = change(lab, 5, kind="book_l3", bids=[order("c", 97, 1, "MATCH")])
    assert last.bid_sizes == (4,)


def test_orders_that_rest_doesnt_have_are_subscribed_to_anew(lab: Any) -> None:
    begin(lab, StreamKind.BOOK_BY_ORDER, bids=[order("a", 99, 3)])
    change(lab, 3, kind="book_l3", bids=[order("c", 97, 5, "ADD")])

    assert lab.answer(None, "550: unknown") == []
    assert lab.resubscribed == ["g1"]


def test_what_may_be_taken_off_an_order_twice_has_the_book_subscribed_to_anew(lab: Any) -> None:
    begin(lab, StreamKind.BOOK_BY_ORDER, bids=[order("a", 99, 3)])
    change(lab, 3, kind="book_l3", bids=[order("c", 97, 5, "ADD")])
    rest(lab, at=5, bids=[order("c", 97, 5), order("a", 99, 3)])

    assert change(lab, 4, kind="book_l3", bids=[order("a", 99, 1, "MATCH")]) == []
    assert lab.resubscribed == ["g1"]


@pytest.mark.parametrize(
    ("entries", "proven"),
    [
        ([order("a", 99, 1, "ADD"), order("a", 99, 0.25, "MATCH"), order("a", 99, 0.25, "SUBTRACT")], True),
        ([order("a", 99, 0.75, "ADD")], False),
        ([order("a", 99, 1, "DELETE")], False),
        ([order("gone", 98, 1, "DELETE"), order("b", 98, 7, "MATCH")], True),
        ([order(None, 97, 2, "UPDATE")], True),
        ([order(None, 97, 3, "UPDATE")], False),
    ],
)
def test_orders_of_rest_have_to_be_what_came_live(lab: Any, entries: list[Any], proven: bool) -> None:
    begin(lab, StreamKind.BOOK_BY_ORDER, bids=[order("x", 90, 3)])
    change(lab, 3, kind="book_l3", bids=entries)

    told = rest(lab, at=3, bids=[order("a", 99, 0.5), order("b", 98, 2), order(None, 97, 2)])

    assert bool(told) is proven


@attrs.define
class Venue:
    """What a venue tells of one book, and how it stands after each change: bids only, by price or by order."""

    kind: str
    rows: list[list[dict[str, Any]]]
    states: list[dict[Any, Any]]
    """Sizes by price; or price and size by id."""

    def listed(self, number: int) -> list[dict[str, Any]]:
        state = self.states[number]
        return levels(*state.items()) if self.kind == "book" else [order(name, *each) for name, each in state.items()]

    def read(self, told: list[Any]) -> list[dict[Any, Any] | None]:
        """Give the state after each thing that was told; None while it isn't known."""
        book, orders = Book("X"), BookByOrder("X")
        found: list[dict[Any, Any] | None] = []
        for thing in told:
            (book.apply if self.kind == "book" else orders.apply)(thing)
            if self.kind == "book":
                found.append(None if book.invalid else dict(book.levels(Side.BUY)))
            else:
                ids, prices, sizes = orders.orders(Side.BUY)
                found.append(None if orders.invalid else dict(zip(ids, zip(prices, sizes, strict=True), strict=True)))
        return found


@st.composite
def venues(draw: st.DrawFn) -> Venue:
    kind = draw(st.sampled_from(["book", "book_l3"]))
    venue = Venue(kind, [[]], [{99.0: 1.0} if kind == "book" else {"first": (99.0, 4.0)}])
    for number in range(1, draw(st.integers(3, 12))):
        state = dict(venue.states[-1])
        if kind == "book":
            price, size = draw(st.tuples(st.sampled_from([96.0, 97.0, 98.0, 99.0]), st.sampled_from([0.0, 1.0, 2.0])))
            venue.rows.append(levels((price, size)))
            state[price] = size
            state = {price: size for price, size in state.items() if size}
        else:
            name = draw(st.sampled_from([f"o{number}", *state]))
            price, size = state.get(name, (draw(st.sampled_from([97.0, 98.0])), 0.0))
            how = draw(st.sampled_from(["MATCH", "SUBTRACT", "DELETE", "UPDATE"])) if size else "ADD"
            amount = draw(st.sampled_from([1.0, 2.0]))
            venue.rows.append([order(name, price, amount, how)])
            left = {"DELETE": 0.0, "MATCH": size - amount, "SUBTRACT": size - amount}.get(how, amount)
            state[name] = (price, left)
            state = {name: each for name, each in state.items() if each[1] > 0}
        venue.states.append(state)
    return venue


@given(venue=venues(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_lost_and_however_late_rest_answers_the_book_is_always_one_that_was(
    make_lab: Any, venue: Venue, data: st.DataObject
) -> None:
    """REST may be behind the stream or ahead of it; a book that is subscribed to anew comes whole."""
    lab = make_lab()
    lab.want(StreamKind.BOOK if venue.kind == "book" else StreamKind.BOOK_BY_ORDER)
    told = change(lab, 1, kind=venue.kind, whole=True, bids=venue.listed(0))
    last = len(venue.rows) - 1
    number, sent, anew, newest = 1, 0, 0, 0
    while sent < last or lab.needs:
        if lab.needs and (sent == last or data.draw(st.booleans(), label="answers")):
            known = data.draw(st.integers(max(sent - 3, 0), last), label="REST knows") if sent < last else last
            newest = max(newest, known)
            told += rest(lab, at=1 + known, bids=venue.listed(known))
        else:
            sent += 1
            number += 1
            if sent == last or data.draw(st.integers(0, 3), label="lost if 0"):
                told += change(lab, number, at=1 + sent, kind=venue.kind, bids=venue.rows[sent])
        if len(lab.resubscribed) > anew:
            anew = len(lab.resubscribed)
            number += 1
            sent = max(sent, newest)  # What is asked for now isn't older than what was told before.
            told += change(lab, number, at=1 + sent, kind=venue.kind, whole=True, bids=venue.listed(sent))
        lab.now += data.draw(st.sampled_from([0, SECOND]))

    seen = 0
    for state in venue.read(told):
        if state is not None:
            assert state in venue.states[seen:], "one that was, and no older than the last one"
            seen += venue.states[seen:].index(state)
    assert venue.read(told)[-1] == venue.states[-1]
