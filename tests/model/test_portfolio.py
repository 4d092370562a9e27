from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.model.events import Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.model.portfolio import Portfolio, Position

D = Decimal
ZERO = D(0)

SBER = Instrument("SBER", lot=D(10))
FUTURE = Instrument("SiZ5", tick=D(1), lot=D(1), multiplier=D("1.5"))
APPLE = Instrument("AAPL", currency="USD")


def fill(
    side: Side,
    quantity: Decimal | int | str,
    price: Decimal | int | str,
    *,
    symbol: str = "SBER",
    trade_id: str = "1",
    fee: Decimal | None = ZERO,
    fee_currency: str | None = None,
) -> Fill:
    return Fill(symbol, trade_id, "v", None, side, D(quantity), D(price), fee, fee_currency, None, 1, "g")


def renumbered(one: Fill, trade_id: str) -> Fill:
    return fill(
        one.side,
        one.quantity,
        one.price,
        symbol=one.instrument,
        trade_id=trade_id,
        fee=one.fee,
        fee_currency=one.fee_currency,
    )


def folded(*fills: Fill, cash: dict[str, Decimal] | None = None) -> Portfolio:
    portfolio = Portfolio([SBER, FUTURE, APPLE], cash=cash)
    for n, one in enumerate(fills):
        assert portfolio.apply(renumbered(one, str(n)))
    return portfolio


def state(position: Position) -> tuple[object, ...]:
    return (
        position.quantity,
        position.average_price,
        position.realised,
        position.turnover,
        position.open_pnl(D(77)),
        position.fees,
    )


def test_buying_twice_averages_the_price() -> None:
    position = folded(fill(Side.BUY, 1, 100), fill(Side.BUY, 3, 104)).positions["SBER"]

    assert (position.quantity, position.average_price) == (D(4), D(103))
    assert position.open_pnl(D(105)) == 80
    assert position.worth(D(105)) == 4200
    assert position.turnover == 1000 + 3120
    assert position.fills == 2


def test_reducing_realises_and_keeps_the_average() -> None:
    portfolio = folded(fill(Side.BUY, 4, 103), fill(Side.SELL, 1, 110))
    position = portfolio.positions["SBER"]

    assert (position.quantity, position.average_price, position.realised) == (D(3), D(103), D(70))
    assert portfolio.cash == {"RUB": D(-4120 + 1100)}


def test_a_short_earns_when_the_price_falls() -> None:
    position = folded(fill(Side.SELL, 2, 100), fill(Side.BUY, 1, 90)).positions["SBER"]

    assert (position.quantity, position.average_price, position.realised) == (D(-1), D(100), D(100))
    assert position.open_pnl(D(95)) == 50
    assert position.worth(D(95)) == -950


def test_a_flip_through_zero_closes_and_opens() -> None:
    position = folded(fill(Side.BUY, 2, 100), fill(Side.SELL, 5, 110)).positions["SBER"]

    assert (position.quantity, position.average_price, position.realised) == (D(-3), D(110), D(200))


def test_a_flat_position_has_no_average() -> None:
    position = folded(fill(Side.BUY, 2, 100), fill(Side.SELL, 2, 90)).positions["SBER"]

    assert (position.quantity, position.average_price, position.realised) == (D(0), None, D(-200))
    assert position.open_pnl(D(1000)) == 0


def test_the_multiplier_counts() -> None:
    assert folded(fill(Side.BUY, 2, 100, symbol="SiZ5")).positions["SiZ5"].open_pnl(D(110)) == 30


def test_a_fill_counts_once() -> None:
    portfolio = Portfolio([SBER])

    assert portfolio.apply(fill(Side.BUY, 1, 100))
    assert not portfolio.apply(fill(Side.BUY, 1, 100))

    assert portfolio.quantity("SBER") == 1
    assert portfolio.duplicates == 1


def test_two_orders_of_one_account_that_meet_are_two_fills() -> None:
    portfolio = Portfolio([SBER])
    portfolio.apply(fill(Side.BUY, 1, 100))
    portfolio.apply(fill(Side.SELL, 1, 100))

    assert portfolio.quantity("SBER") == 0
    assert portfolio.positions["SBER"].turnover == 2000


def test_equal_trade_ids_of_two_instruments_are_two_fills() -> None:
    portfolio = Portfolio([SBER, APPLE])

    assert portfolio.apply(fill(Side.BUY, 1, 100))
    assert portfolio.apply(fill(Side.BUY, 1, 100, symbol="AAPL"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (fill(Side.BUY, 1, 1, symbol="GAZP"), "'GAZP', whose lot and currency"),
        (fill(Side.BUY, 0, 1), "can't be: 0 lots"),
        (fill(Side.BUY, -1, 1), "can't be: -1 lots"),
        (fill(Side.BUY, "nan", 1), "can't be"),
        (fill(Side.BUY, 1, "inf"), "can't be"),
        (fill(Side.BUY, 1, 1, fee=D("nan")), "can't be"),
    ],
)
def test_a_fill_that_cannot_be_changes_nothing_and_is_not_marked(wrong: Fill, words: str) -> None:
    portfolio = Portfolio([SBER])
    for _ in range(2):
        with pytest.raises(LocalProtocolError, match=words):
            portfolio.apply(wrong)

    assert portfolio.cash == {}
    assert state(portfolio.positions["SBER"]) == state(Position(SBER))
    assert portfolio.duplicates == 0


def test_an_instrument_added_again_keeps_its_position() -> None:
    portfolio = folded(fill(Side.BUY, 1, 100))
    portfolio.add(SBER)

    assert portfolio.quantity("SBER") == 1
    assert portfolio.quantity("never heard of") == 0


def test_fees_are_kept_by_currency_and_leave_their_cash() -> None:
    portfolio = folded(
        fill(Side.BUY, 1, 100, fee=D("1.5")),
        fill(Side.BUY, 1, 100, fee=D("-0.5"), fee_currency="RUB"),
        fill(Side.BUY, 1, 100, fee=D("0.01"), fee_currency="BNB"),
        fill(Side.BUY, 1, 100, fee=None),
        fill(Side.BUY, 1, 100, symbol="AAPL", fee=D(2)),
    )

    assert portfolio.fees() == {"RUB": D(1), "BNB": D("0.01"), "USD": D(2)}
    assert portfolio.cash == {"RUB": D(-4001), "BNB": D("-0.01"), "USD": D(-102)}
    assert portfolio.positions["SBER"].fills_without_fee == 1


def test_currencies_are_kept_apart() -> None:
    portfolio = folded(
        fill(Side.BUY, 1, 100),
        fill(Side.SELL, 1, 110),
        fill(Side.BUY, 3, 200, symbol="AAPL"),
        fill(Side.SELL, 1, 210, symbol="AAPL"),
        fill(Side.BUY, 1, 10, symbol="SiZ5"),
        cash={"RUB": D(5000), "EUR": D(7)},
    )
    marks = {"AAPL": D(220), "SiZ5": D(12)}

    assert portfolio.realised() == {"RUB": D(100), "USD": D(10)}
    assert portfolio.open_pnl(marks) == {"RUB": D(3), "USD": D(40)}
    assert portfolio.equity(marks) == {"RUB": D(5103), "USD": D(50), "EUR": D(7)}
    assert portfolio.total(marks, {"USD": D(90), "EUR": D(100)}) == 5103 + 4500 + 700


def test_what_has_no_price_or_rate_is_unknown() -> None:
    portfolio = folded(
        fill(Side.BUY, 1, 100), fill(Side.BUY, 1, 10, symbol="SiZ5"), fill(Side.BUY, 1, 5, symbol="AAPL")
    )

    assert portfolio.open_pnl({"AAPL": D(6)}) == {"RUB": None, "USD": D(1)}
    assert portfolio.equity({"AAPL": D(6), "SBER": D(100)}) == {"RUB": None, "USD": D(1)}
    marks = {"AAPL": D(6), "SBER": D(100), "SiZ5": D(10)}
    assert portfolio.total(marks) is None
    assert portfolio.total({}, {"USD": D(90)}) is None
    assert portfolio.total(marks, {"USD": D(90)}) == 90


def test_a_currency_with_nothing_in_it_needs_no_rate() -> None:
    assert Portfolio([SBER, APPLE]).total({}) == 0


amounts = st.decimals("0.00000001", "1000000", places=8)
prices = st.decimals("-100", "1000000", places=6)
fees = st.none() | st.decimals("-5", "5", places=4)


@st.composite
def fill_lists(draw: st.DrawFn) -> list[Fill]:
    steps = draw(
        st.lists(
            st.tuples(st.sampled_from(list(Side)), amounts | st.integers(1, 5).map(Decimal), prices, fees), max_size=15
        )
    )
    return [
        fill(side, quantity, price, trade_id=str(n), fee=fee) for n, (side, quantity, price, fee) in enumerate(steps)
    ]


def apply_all(portfolio: Portfolio, fills: list[Fill]) -> None:
    for one in fills:
        portfolio.apply(one)


@settings(deadline=None, max_examples=200)
@given(fill_lists(), prices)
def test_whatever_the_fills_profit_equals_cash_and_worth(fills: list[Fill], mark: Decimal) -> None:
    portfolio = Portfolio([SBER])
    apply_all(portfolio, fills)
    position = portfolio.positions["SBER"]

    with localcontext(prec=200):
        profit = position.realised + position.open_pnl(mark) - position.fees.get("RUB", D(0))
        assert profit == portfolio.cash.get("RUB", D(0)) + position.worth(mark)
        assert position.quantity == sum((one.quantity * one.side.sign for one in fills), D(0))
        assert position.turnover == sum((abs(one.price) * one.quantity * 10 for one in fills), D(0))


@settings(deadline=None, max_examples=150)
@given(fill_lists(), st.integers(0, 15))
def test_whatever_is_told_again_changes_nothing(fills: list[Fill], cut: int) -> None:
    """After a reconnect the venue replays fills, in the middle of new ones."""
    once, again = Portfolio([SBER]), Portfolio([SBER])
    apply_all(once, fills)
    apply_all(again, fills[:cut])
    apply_all(again, fills)
    apply_all(again, list(reversed(fills)))

    assert state(again.positions["SBER"]) == state(once.positions["SBER"])
    assert again.cash == once.cash
    assert again.duplicates == len(fills) + len(fills[:cut])


@settings(deadline=None, max_examples=150)
@given(fill_lists())
def test_whatever_comes_in_parts_adds_up_to_the_whole(fills: list[Fill]) -> None:
    """An order that fills in three pieces at one price leaves what one fill would have left, to the last digit."""
    whole, parts = Portfolio([SBER]), Portfolio([SBER])
    apply_all(whole, fills)
    for one in fills:
        piece = (one.quantity / 3).quantize(D("1e-9"))
        with localcontext(prec=200):
            pieces = (piece, one.quantity - piece)
        for n, quantity in enumerate(pieces):
            part = fill(one.side, quantity, one.price, trade_id=f"{one.trade_id}/{n}", fee=one.fee if n else D(0))
            if quantity:
                parts.apply(part)

    assert state(parts.positions["SBER"])[:5] == state(whole.positions["SBER"])[:5]
    assert parts.cash.get("RUB", D(0)) == whole.cash.get("RUB", D(0))
