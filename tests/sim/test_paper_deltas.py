"""Own orders against books that are told as changes, and against data that count units."""

from __future__ import annotations

from decimal import Decimal

import pytest

from strategykit.model.events import BookDelta, BookSnapshot, Quote, Side
from strategykit.model.instruments import Instrument
from strategykit.sim.recorded import RecordedMarket

D = Decimal

Levels = dict[float, float]


@pytest.fixture
def market() -> RecordedMarket:
    return RecordedMarket(Instrument("BTCUSDT", D("0.1"), D("0.001"), currency="USDT", counts_units=True))


def snapshot(bids: Levels, asks: Levels, guid: str = "") -> BookSnapshot:
    sides = tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values())
    return BookSnapshot("BTCUSDT", *sides, None, 1, guid)


def delta(bids: Levels, asks: Levels, guid: str = "") -> BookDelta:
    sides = tuple(bids), tuple(bids.values()), tuple(asks), tuple(asks.values())
    return BookDelta("BTCUSDT", *sides, None, 2, guid)


def test_takers_meet_the_book_as_its_changes_left_it(market: RecordedMarket) -> None:
    assert market.note(snapshot({100.0: 1.0}, {101.0: 1.0, 102.0: 3.0}))
    assert market.note(delta({100.5: 0.002}, {101.0: 0.0}))

    assert market.offers(Side.BUY) == [(D("102.0"), D(3000))]
    assert market.offers(Side.SELL) == [(D("100.5"), D(2)), (D("100.0"), D(1000))]
    assert market.mark == D("101.25")


def test_changes_to_an_unknown_book_say_nothing(market: RecordedMarket) -> None:
    assert not market.note(delta({100.5: 0.002}, {}))
    assert not market.known


def test_a_quote_after_a_change_is_the_newer_one(market: RecordedMarket) -> None:
    market.note(snapshot({100.0: 1.0}, {101.0: 1.0}))
    market.note(Quote("BTCUSDT", 90.0, 0.0005, 91.0, None, None, None, 3, ""))

    assert market.offers(Side.SELL) == [(D("90.0"), D("0.5"))]
    assert market.offers(Side.BUY) == [(D("91.0"), None)]


def test_books_of_two_depths_are_kept_apart(market: RecordedMarket) -> None:
    """A strategy may want five levels beside a whole book: the changes of the one don't fit the levels of the other."""
    market.note(snapshot({100.0: 1.0, 99.0: 1.0}, {101.0: 1.0}, guid="whole"))
    market.note(snapshot({100.0: 1.0}, {101.0: 1.0}, guid="small"))
    market.note(delta({100.0: 0.0}, {}, guid="whole"))

    assert market.offers(Side.SELL) == [(D("99.0"), D(1000))]
