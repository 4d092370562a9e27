"""A fill that stands twice in a journal counts once, in one run and over several."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from strategykit.journal.format import Record, RecordKind
from strategykit.model.codec import make_converter
from strategykit.model.events import Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command, CreateOrder, OrderRequest, OrderType
from strategykit.runtime.carried import Carried, HeardNews, carried_facts, carry

CONVERTER = make_converter()
NAME = "a-s-1"
REQUEST = OrderRequest(
    client_order_id=NAME,
    account="D1",
    instrument="X",
    side=Side.BUY,
    quantity=Decimal(5),
    type=OrderType.LIMIT,
    price=Decimal(100),
)
FILL = Fill("X", "t1", "7", NAME, Side.BUY, Decimal(2), Decimal(100), Decimal("0.5"), "RUB", None, 0, "")


def intent() -> tuple[RecordKind, dict[str, Any]]:
    command = CONVERTER.unstructure(CreateOrder(guid=NAME, request=REQUEST), unstructure_as=Command)
    known = CONVERTER.unstructure(Instrument("X"))
    facts = {"guid": NAME, "client_order_id": NAME, "strategy": "s", "command": command, "placed": 1}
    return RecordKind.INTENT, {**facts, "instrument": known}


def heard(**changes: Any) -> tuple[RecordKind, dict[str, Any]]:
    news: Any = CONVERTER.unstructure(attrs.evolve(FILL, **changes), unstructure_as=HeardNews)  # type: ignore[misc]  # an event
    return RecordKind.HEARD, {"client_order_id": NAME, "news": news}


def left_by(*told: tuple[RecordKind, dict[str, Any]]) -> Carried:
    return carry([Record(seq, seq, kind, facts) for seq, (kind, facts) in enumerate(told, 1)], CONVERTER)


def held(carried: Carried) -> Decimal:
    (position,) = carried.positions
    return position.quantity


@pytest.mark.parametrize("later", [0, 10**9])
def test_told_twice_in_one_run_it_counts_once(later: int) -> None:
    carried = left_by(intent(), heard(), heard(receive_time=later))

    assert held(carried) == 2
    assert [result.amount for result in carried.results] == [Decimal("-0.5")]


def test_told_again_to_the_next_run_it_counts_once() -> None:
    first = left_by(intent(), heard())

    again = left_by((RecordKind.CARRIED, carried_facts(first, CONVERTER)), heard(), heard(trade_id="t2"))

    assert held(again) == 4
    assert [result.amount for result in again.results] == [Decimal("-1.0")]


def test_both_sides_of_a_trade_with_oneself_count() -> None:
    assert left_by(intent(), heard(), heard(side=Side.SELL, quantity=Decimal(1))).positions[0].quantity == 1
