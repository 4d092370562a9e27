"""What the venue refuses, in whose words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.model.events import Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderRequest, OrderType, TimeInForce
from strategykit.sim.account import Account
from strategykit.sim.checks import find_fault, find_shortage

D = Decimal
SBER = Instrument("SBER", D("0.01"), D(10))


def request(**values: Any) -> OrderRequest:
    wanted: dict[str, Any] = {
        "client_order_id": "c",
        "account": "A",
        "instrument": "SBER",
        "side": Side.BUY,
        "quantity": D(1),
    }
    return OrderRequest(**(wanted | values))


LIMIT = {"type": OrderType.LIMIT, "price": D(300)}
STOP = {"type": OrderType.STOP, "stop_price": D(300)}
STOP_LIMIT = {"type": OrderType.STOP_LIMIT, "stop_price": D(300), "price": D(301)}


@pytest.mark.parametrize(
    "values",
    [
        {},
        LIMIT,
        STOP,
        STOP_LIMIT,
        LIMIT | {"time_in_force": TimeInForce.POST_ONLY},
        LIMIT | {"quantity": D(5), "display_quantity": D(5)},
        STOP_LIMIT | {"quantity": D(5), "display_quantity": D(2)},
    ],
)
def test_a_sound_order_has_no_fault(values: dict[str, Any]) -> None:
    assert find_fault(request(**values), SBER) is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"quantity": D(0)}, "quantity"),
        ({"quantity": D(-1)}, "quantity"),
        ({"quantity": D("0.5")}, "quantity"),
        ({"quantity": D("NaN")}, "quantity"),
        ({"quantity": D("1E+999999")}, "BAD_AMOUNT"),
        ({"client_order_id": "x" * 101}, "100 characters"),
        (LIMIT | {"price": None}, "Price may not be 0 for a limit order"),
        (LIMIT | {"price": D(0)}, "Price may not be 0 for a limit order"),
        ({"price": D(300)}, "market order has no price"),
        ({"price": D(0)}, "market order has no price"),
        (STOP | {"stop_price": None}, "Price may not be 0 for a stop order"),
        (LIMIT | {"stop_price": D(300)}, "limit order has no trigger"),
        (LIMIT | {"price": D("300.005")}, "Minimum price step: 0.01"),
        (STOP | {"stop_price": D("300.005")}, "Minimum price step: 0.01"),
        (LIMIT | {"price": D(-1)}, "can not be less than"),
        (LIMIT | {"price": D("NaN")}, "can not be less than"),
        (LIMIT | {"price": D("1E+999999")}, "can not be greater than"),
        ({"time_in_force": TimeInForce.POST_ONLY}, "bookorcancel"),
        ({"display_quantity": D(1)}, "iceberg"),
        (LIMIT | {"display_quantity": D(1), "time_in_force": TimeInForce.FILL_OR_KILL}, "iceberg"),
        (LIMIT | {"display_quantity": D(2)}, "can not be greater than 1"),
        (LIMIT | {"display_quantity": D(0)}, "must be above 0"),
        (LIMIT | {"display_quantity": D("NaN")}, "must be above 0"),
        (LIMIT | {"quantity": D(2), "display_quantity": D("0.5")}, "quantity"),
    ],
)
def test_a_fault_is_named(values: dict[str, Any], words: str) -> None:
    fault = find_fault(request(**values), SBER)

    assert fault is not None
    assert words in fault


def test_parts_of_a_lot_are_a_matter_of_the_venue() -> None:
    wanted = request(**LIMIT, quantity=D("0.5"), display_quantity=D("0.25"))

    assert find_fault(wanted, SBER, whole_lots=False) is None


def test_a_shortage_says_what_is_needed_and_what_is_free() -> None:
    account = Account("A", {"RUB": D(6_000)})

    assert find_shortage(account, SBER, request(quantity=D(2)), D(300)) is None
    words = find_shortage(account, SBER, request(quantity=D(3)), D(300))
    assert words is not None
    assert "9000 RUB, 6000 are free" in words


def test_leaving_a_position_is_never_too_expensive() -> None:
    account = Account("A", {"RUB": D(0)})
    account.apply(account.holding(SBER), Side.SELL, D(3), D(300), D(0))
    account.holdings["SBER"].mark = D(500)

    assert account.buying_power("RUB") < 0
    assert find_shortage(account, SBER, request(quantity=D(3)), D(500)) is None
    assert find_shortage(account, SBER, request(side=Side.SELL), D(500)) is not None


numbers = st.decimals(allow_nan=True, allow_infinity=True)


@settings(max_examples=200, deadline=None)
@given(numbers, st.none() | numbers, st.none() | numbers, st.none() | numbers, st.sampled_from(OrderType))
def test_whatever_the_numbers_they_are_judged_without_an_error(
    quantity: Decimal, price: Decimal | None, stop: Decimal | None, display: Decimal | None, kind: OrderType
) -> None:
    wanted = request(quantity=quantity, price=price, stop_price=stop, display_quantity=display, type=kind)

    for whole_lots in (True, False):
        fault = find_fault(wanted, SBER, whole_lots=whole_lots)
        assert fault is None or fault
