"""Money is conserved, fill by fill."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.sim.account import Account, Holding
from strategykit.sim.fees import NO_FEES, FeeModel

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
SHARE = Instrument("SBER", D("0.01"), D(10))
FUTURE = Instrument("Si-12.26", D(1), multiplier=D("0.5"))
FOREIGN = Instrument("ABC", D("0.01"), currency="USD")


def money(*numbers: int | None) -> tuple[Decimal | None, ...]:
    return tuple(None if number is None else D(number) for number in numbers)


def new_account(**cash: int) -> Account:
    return Account("A", {name: D(money) for name, money in (cash or {"RUB": 100_000}).items()})


@pytest.mark.parametrize(
    ("model", "maker", "expected"),
    [
        (NO_FEES, True, "0"),
        (FeeModel(taker_rate=D("0.001"), maker_rate=D("-0.0001")), False, "6.02"),
        (FeeModel(taker_rate=D("0.001"), maker_rate=D("-0.0001")), True, "-0.60"),
        (FeeModel(taker_per_lot=D("1.5")), False, "3.00"),
        (FeeModel(taker_per_lot=D("1.5"), maker_per_lot=D("0.25"), maker_rate=D("0.001")), True, "6.52"),
        (FeeModel(taker_rate=D("0.001"), step=D("0.0001")), False, "6.0200"),
        (FeeModel(taker_rate=D("0.00001"), step=D("0.05")), False, "0.05"),
    ],
)
def test_a_fee_is_a_share_of_the_value_and_a_sum_a_lot(model: FeeModel, maker: bool, expected: str) -> None:
    assert model.fee(SHARE, D(301), D(2), maker=maker) == D(expected)


@pytest.mark.parametrize(
    ("rounding", "expected"), [(ROUND_HALF_EVEN, "0.12"), (ROUND_HALF_UP, "0.13"), (ROUND_DOWN, "0.12")]
)
def test_half_a_unit_of_fee_goes_where_the_mode_says(rounding: str, expected: str) -> None:
    model = FeeModel(taker_per_lot=D("0.125"), rounding=rounding)

    assert model.fee(SHARE, D(1), D(1), maker=False) == D(expected)


@pytest.mark.parametrize("values", [{"maker_rate": D("NaN")}, {"taker_per_lot": D("Infinity")}, {"step": D(0)}])
def test_impossible_fees_are_refused(values: dict[str, Decimal]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        FeeModel(**values)  # type: ignore[arg-type]  # the one field that isn't a Decimal isn't among them


def test_a_position_averages_in_realises_out_and_turns_over() -> None:
    holding = Holding(SHARE)

    holding.apply(BUY, D(1), D(100))
    holding.apply(BUY, D(1), D(110))
    assert (holding.quantity, holding.average_price) == money(2, 105)
    holding.apply(SELL, D(1), D(107))
    assert (holding.quantity, holding.average_price, holding.realised) == money(1, 105, 20)
    holding.apply(SELL, D(3), D(100))
    assert (holding.quantity, holding.average_price, holding.realised) == money(-2, 100, -30)
    holding.mark = D(90)
    assert (holding.open_pnl, holding.worth(holding.quantity)) == money(200, -1800)
    holding.apply(BUY, D(2), D(99))
    assert (holding.quantity, holding.average_price, holding.realised) == money(0, None, -10)
    assert holding.open_pnl == 0


def test_without_a_mark_a_position_is_worth_what_it_cost() -> None:
    holding = Holding(FUTURE)
    assert holding.worth(holding.quantity) == 0

    holding.apply(SELL, D(2), D(90_000))

    assert holding.worth(holding.quantity) == -90_000
    assert holding.open_pnl == 0


def test_an_account_reports_what_it_is_worth_and_what_it_may_still_buy() -> None:
    account = new_account(RUB=10_000, USD=500)
    account.apply(account.holding(SHARE), BUY, D(2), D(300), D(6))
    account.apply(account.holding(FOREIGN), SELL, D(1), D(50), D(1))
    account.holdings["SBER"].mark = D(310)

    update = account.update(now=7)

    assert (update.cash, update.equity, update.profit) == money(3_994, 10_194, 194)
    assert (update.initial_margin, update.buying_power, update.fees) == money(6_200, 3_994, 6)
    assert update.by_currency == (("RUB", D(3_994)), ("USD", D(449)))
    rows = account.positions(now=7, snapshot=True)
    assert [(row.instrument, row.quantity, row.is_currency) for row in rows] == [
        ("SBER", D(2), False),
        ("ABC", D(-1), False),
        ("RUB", D(3_994), True),
        ("USD", D(549), True),
    ]
    assert rows[0].day_pnl == rows[0].open_pnl == 200
    assert rows[0].lot == 10
    assert all(row.snapshot and row.account == "A" for row in rows)


def test_a_currency_that_a_trade_brings_in_gets_a_row() -> None:
    account = new_account(RUB=0)

    account.apply(account.holding(FOREIGN), SELL, D(1), D(50), D(1))

    assert account.cash == {"RUB": 0, "USD": 49}
    assert account.equity("USD") == -1
    assert account.equity("EUR") == 0


def test_working_orders_tie_up_the_larger_side_only() -> None:
    account = new_account()
    holding = account.holding(SHARE)
    holding.mark = D(100)
    holding.working[BUY] = D(3)
    holding.working[SELL] = D(2)

    assert account.margin("RUB") == 3_000
    assert account.needed(SHARE, BUY, D(1), D(100)) == 1_000
    assert account.needed(SHARE, SELL, D(1), D(100)) == 0
    assert account.needed(SHARE, SELL, D(2), D(100)) == 1_000


def test_leaving_a_position_needs_nothing_and_reversing_it_only_what_is_new() -> None:
    account = new_account()
    account.apply(account.holding(SHARE), BUY, D(5), D(100), D(0))

    assert account.needed(SHARE, SELL, D(5), D(100)) == 0
    assert account.needed(SHARE, SELL, D(10), D(100)) == 0
    assert account.needed(SHARE, SELL, D(11), D(100)) == 1_000


def test_margin_is_a_share_of_the_value() -> None:
    account = Account("A", {"RUB": D(1_000)}, margin_rate=D("0.2"))

    account.apply(account.holding(SHARE), BUY, D(2), D(100), D(0))

    assert account.buying_power("RUB") == 600
    assert account.needed(SHARE, BUY, D(3), D(100)) == 600


@pytest.mark.parametrize(
    ("cash", "margin_rate", "cash_step"),
    [
        ({}, D(1), None),
        ({"RUB": D("NaN")}, D(1), None),
        ({"RUB": D(1)}, D(-1), None),
        ({"RUB": D(1)}, D("NaN"), None),
        ({"RUB": D(1)}, D(1), D(0)),
        ({"RUB": D(1)}, D(1), D("Infinity")),
    ],
)
def test_impossible_accounts_are_refused(
    cash: dict[str, Decimal], margin_rate: Decimal, cash_step: Decimal | None
) -> None:
    with pytest.raises(ConfigError, match="account A"):
        Account("A", cash, margin_rate=margin_rate, cash_step=cash_step)


def test_cash_can_be_kept_in_whole_cents() -> None:
    account = Account("A", {"USD": D(100)}, cash_step=D("0.01"))

    account.apply(account.holding(FOREIGN), BUY, D("0.01"), D("33.45"), D(0))

    assert account.cash["USD"] == D("99.67")


fills = st.lists(
    st.tuples(
        st.sampled_from([SHARE, FUTURE, FOREIGN]), st.sampled_from(Side), st.integers(1, 50), st.integers(1, 10**6)
    ),
    max_size=40,
)
fees = st.builds(
    FeeModel,
    maker_rate=st.decimals("-0.001", "0.01", places=5),
    taker_rate=st.decimals("0", "0.01", places=5),
    taker_per_lot=st.decimals("0", "10", places=2),
)


@settings(max_examples=150, deadline=None)
@given(fills, fees, st.booleans())
def test_whatever_is_filled_cash_and_position_value_change_by_the_fees_alone(
    made: list[tuple[Instrument, Side, int, int]], model: FeeModel, maker: bool
) -> None:
    account = new_account(RUB=1_000, USD=1_000)
    quantities = dict.fromkeys([SHARE, FUTURE, FOREIGN], D(0))
    for instrument, side, quantity, ticks in made:
        currency, price, lots = instrument.currency, instrument.price(ticks), D(quantity)
        account.holding(instrument).mark = price
        before = account.equity(currency)
        fee = model.fee(instrument, price, lots, maker=maker)
        account.apply(account.holding(instrument), side, lots, price, fee)
        quantities[instrument] += lots * side.sign
        assert account.equity(currency) == before - fee
    for instrument, lots in quantities.items():
        assert account.holding(instrument).quantity == lots
        assert (account.holding(instrument).average_price is None) is (lots == 0)
    for currency in ("RUB", "USD"):
        earned = sum(
            (h.realised + h.open_pnl for h in account.holdings.values() if h.instrument.currency == currency), D(0)
        )
        lost = account.fees.get(currency, D(0))
        # An average price may be a periodic decimal, so what is realised is known to 28 digits only.
        assert abs(account.equity(currency) - (1_000 + earned - lost)) < D("1e-12")
