"""Round trips: which lots belong together, and that their sums are the portfolio's, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.events import Fill, Side
from strategykit.model.portfolio import Portfolio
from strategykit.report.trips import Trip, round_trips
from tests.report.conftest import BTC, GAZP, SBER, SECOND, START, Filled, collected

KNOWN = {item.symbol: item for item in (SBER, GAZP, BTC)}


def of(trip: Trip, names: str) -> tuple[Any, ...]:
    return tuple(getattr(trip, name) for name in names.split())


def trips_of(*fills: Filled, marks: dict[str, str] | None = None) -> list[Trip]:
    return round_trips(collected(fills, marks=marks))


def test_what_was_entered_first_is_left_first() -> None:
    one, two = trips_of(
        Filled(side="buy", lots="1", price="100", after=1),
        Filled(side="buy", lots="2", price="110", after=2),
        Filled(side="sell", lots="3", price="120", after=5),
    )

    assert of(one, "entry_price lots pnl duration") == (100, 1, 20, 4 * SECOND)
    assert of(two, "entry_price lots pnl duration") == (110, 2, 20, 3 * SECOND)
    assert {one.side, two.side} == {"long"}


def test_fills_of_one_order_make_one_trip() -> None:
    (trip,) = trips_of(
        Filled(side="sell", lots="1", price="100", order="in", fee="0.1"),
        Filled(side="sell", lots="3", price="104", order="in", after=1, fee="0.3"),
        Filled(side="buy", lots="2", price="90", order="out", after=2, fee="0.2"),
        Filled(side="buy", lots="2", price="92", order="out", after=4, fee="0.2"),
    )

    assert of(trip, "side lots entry_price exit_price") == ("short", 4, 103, 91)
    assert of(trip, "pnl fees net") == (48, {"RUB": Decimal("0.8")}, Decimal("47.2"))
    assert of(trip, "entry_time exit_time") == (START, START + 4 * SECOND)


def test_an_order_that_turns_the_position_ends_one_trip_and_begins_another() -> None:
    closed, left = trips_of(
        Filled(side="buy", lots="1", price="100"),
        Filled(side="sell", lots="3", price="105", after=1, fee="0.3"),
        marks={"SBER": "101"},
    )

    assert of(closed, "pnl fees open") == (5, {"RUB": Decimal("0.1")}, False)
    assert of(left, "side lots pnl exit_price fees") == ("short", 2, 8, 101, {"RUB": Decimal("0.2")})
    assert left.open
    assert left.exit_order == ""


def test_without_a_last_price_what_is_open_has_no_profit() -> None:
    (left,) = trips_of(Filled(side="buy", lots="1", price="100", fee=None))

    assert of(left, "pnl exit_price fees") == (0, None, {})


def test_parts_of_an_open_position_are_one_trip_an_order() -> None:
    (left,) = trips_of(
        Filled(side="buy", lots="1", price="100", order="in"),
        Filled(side="buy", lots="1", price="102", order="in"),
        marks={"SBER": "110"},
    )

    assert of(left, "lots entry_price pnl") == (2, 101, 18)
    assert (
        trips_of(
            Filled(side="buy", lots="1", price="100", order="in"), Filled(side="buy", lots="1", price="102", order="in")
        )[0].exit_price
        is None
    )


def test_fees_in_another_currency_stand_apart() -> None:
    (trip,) = trips_of(
        Filled(side="buy", lots="1", price="100", symbol="BTCUSDT", fee="0.001", fee_currency="BTC"),
        Filled(side="sell", lots="1", price="90", symbol="BTCUSDT", fee="0.09", fee_currency="USDT", after=1),
    )

    assert trip.fees == {"BTC": Decimal("0.001"), "USDT": Decimal("0.09")}
    assert trip.net == Decimal("-10.09")


@pytest.mark.parametrize(("lots", "cost", "side", "pnl"), [("2", "200", "long", 20), ("-2", "-200", "short", -20)])
def test_what_an_earlier_run_had_entered_is_left_by_this_one(lots: str, cost: str, side: str, pnl: int) -> None:
    ours = collected(
        [Filled(side="sell" if side == "long" else "buy", lots="2", price="110", after=3)],
        begin=[("one", "SBER", lots, cost), ("one", "GAZP", "0", "0")],
    )
    (trip,) = round_trips(ours)

    assert of(trip, "side pnl entry_price entry_order entry_time") == (side, pnl, 100, "", START)


amounts = st.decimals("0.001", "1000", places=3)
fills = st.lists(
    st.builds(
        Filled,
        side=st.sampled_from(["buy", "sell"]),
        lots=amounts.map(str),
        price=amounts.map(str),
        strategy=st.sampled_from(["one", "two"]),
        symbol=st.sampled_from(["SBER", "GAZP"]),
        fee=st.none() | st.decimals("-1", "3", places=7).map(str),
        fee_currency=st.sampled_from([None, "RUB", "BNB"]),
        order=st.sampled_from(["", "a", "b", "c"]),
    ),
    max_size=25,
)


@settings(max_examples=100, deadline=None)
@given(fills, amounts, amounts, st.decimals("-5", "5", places=2))
def test_whatever_was_traded_trips_add_up_to_the_portfolio(
    given_fills: list[Filled], first: Decimal, second: Decimal, held: Decimal
) -> None:
    marks = {"SBER": first, "GAZP": second}
    ours = collected(
        # Orders have one strategy, instrument and side.
        [
            attrs.evolve(row, order=row.order and f"{row.order}-{row.strategy}-{row.symbol}-{row.side}")
            for row in given_fills
        ],
        marks={symbol: str(price) for symbol, price in marks.items()},
        begin=[("one", "SBER", str(held), str(held * 7))],
    )
    books = {"one": Portfolio(KNOWN.values()), "two": Portfolio(KNOWN.values())}
    if held:
        books["one"].carry(SBER, held, held * 7)
    columns = ours.fills
    for n, strategy in enumerate(columns["strategy"]):
        side = Side.BUY if columns["side"][n] == "buy" else Side.SELL
        fill = Fill(
            columns["instrument"][n], columns["trade_id"][n], columns["order"][n], None, side, columns["quantity"][n],
            columns["price"][n], columns["fee"][n], columns["fee_currency"][n], None, columns["time"][n], "",
        )  # fmt: skip
        assert books[strategy].apply(fill)

    trips = round_trips(ours)

    for name, book in books.items():
        mine = [trip for trip in trips if trip.strategy == name]
        assert sum(trip.pnl for trip in mine) == book.realised().get("RUB", 0) + (book.open_pnl(marks).get("RUB") or 0)
        for currency in ("RUB", "BNB"):
            assert sum(trip.fees.get(currency, Decimal(0)) for trip in mine) == book.fees().get(currency, 0)
        for symbol in ("SBER", "GAZP"):
            left = sum(
                trip.lots * (1 if trip.side == "long" else -1)
                for trip in mine
                if trip.open and trip.instrument == symbol
            )
            assert left == book.quantity(symbol)
