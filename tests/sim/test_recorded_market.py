"""What an exchange knows of a market, whether it was shown each event or is given the newest one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.book import Book
from strategykit.model.events import (
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Quote,
    Side,
    Ticker,
    Trade,
)
from strategykit.model.instruments import Instrument
from strategykit.sim.recorded import RecordedMarket

D = Decimal

SBER = Instrument("SBER")

prices = st.integers(100, 110).map(float)


def trade(price: float, *, snapshot: bool = False) -> Trade:
    return Trade("SBER", price, 1.0, Side.BUY, None, 1, 1, "trades", snapshot)


def quote(bid: float) -> Quote:
    return Quote("SBER", bid, 1.0, bid + 1, 1.0, None, 1, 1, "quotes")


def book(bid: float) -> BookSnapshot:
    return BookSnapshot("SBER", (bid,), (1.0,), (bid + 1,), (1.0,), 1, 1, "book")


def change(bid: float) -> BookDelta:
    return BookDelta("SBER", (bid,), (2.0,), (), (), 1, 1, "book")


def bar(close: float, *, snapshot: bool = False) -> Bar:
    return Bar("SBER", 1, 1, close, close, close, close, 1.0, True, 1, 1, "bars", snapshot)


def ticker(last: float) -> Ticker:
    return Ticker("SBER", last, None, None, None, None, None, None, 1, 1, "tickers")


events = st.lists(
    st.one_of(
        st.builds(trade, prices, snapshot=st.booleans()),
        st.builds(quote, prices),
        st.builds(book, prices),
        st.builds(change, prices),
        st.builds(bar, prices, snapshot=st.booleans()),
        st.builds(ticker, prices),
    ),
    max_size=30,
)


def seen(market: RecordedMarket) -> tuple[Any, ...]:
    """All that an order may meet."""
    offers = [market.offers(side) for side in Side]
    best = [market.best(side) for side in Side]
    return market.last, best, offers, market.mark, market.known, market.fine, market.traded


def show(market: RecordedMarket, event: Event) -> None:
    """Give an event as a hot loop does: it is only held, where that is enough."""
    newest = market.takes(type(event))
    if newest is None:
        market.note(event)
    else:
        newest.last = event


@settings(max_examples=300, deadline=None)
@given(events)
def test_to_hold_the_newest_event_is_as_good_as_to_be_shown_all(events: list[Event]) -> None:
    each, newest = RecordedMarket(SBER), RecordedMarket(SBER)
    for event in events:
        each.note(event)
        show(newest, event)
        assert seen(newest) == seen(each)


@settings(max_examples=300, deadline=None)
@given(events)
def test_the_last_price_and_the_best_ones_are_the_newest(events: list[Event]) -> None:
    """What counts is which came last; bars and tickers count for nothing once there is anything better."""
    market, levels, fine = RecordedMarket(SBER), Book("SBER"), False
    last: float | None = None
    top: Quote | Book | None = None
    for event in events:
        show(market, event)
        match event:
            case Trade():
                last, fine = event.price, fine or not event.snapshot
            case Quote():
                top, fine = event, True
            case BookSnapshot() | BookDelta():
                levels.apply(event)
                if not levels.invalid:
                    top, fine = levels, True
            case Bar() if not fine:
                last = event.close
            case Ticker() if not fine:
                last = event.last
        assert market.last == last
        assert isinstance(market.top, Book) == isinstance(top, Book)
        bid = top.best_bid if isinstance(top, Book) else None if top is None else top.bid
        assert market.best(Side.BUY) == bid


def test_a_twin_learns_by_itself() -> None:
    market = RecordedMarket(SBER)
    for event in (book(99.0), trade(100.0), quote(99.0)):
        market.note(event)
    twin = market.twin()
    assert seen(twin) == seen(market)

    before = seen(market)
    for news in (trade(105.0), quote(104.0), change(103.0)):
        show(twin, news)
    assert seen(market) == before
    assert (twin.last, twin.best(Side.BUY)) == (105.0, 103.0)

    market.note(trade(90.0))
    assert twin.last == 105.0


def test_a_twin_keeps_the_book_by_orders_though_a_quote_is_newer() -> None:
    market = RecordedMarket(SBER)
    market.note(ByOrderSnapshot("SBER", ("b",), (99.0,), (1.0,), ("a",), (101.0,), (1.0,), 1, 1, "orders"))
    market.note(quote(98.0))
    twin = market.twin()

    assert twin.note(ByOrderDelta("SBER", ("c",), (100.0,), (2.0,), (), (), (), 1, 1, "orders"))
    assert (twin.best(Side.BUY), market.best(Side.BUY)) == (100.0, 98.0)
