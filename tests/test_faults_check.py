"""The campaign of live faults: what a venue that amends by a new order may fill twice, and nothing beyond that."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from benchmarks.faults_check import check_books, check_report
from strategykit.config import SIMULATED_ACCOUNT
from strategykit.runtime.report import OrderReport, RunReport

SECOND = 10**9

ORDER = OrderReport(
    client_order_id="tag-churn-7",
    strategy="churn",
    instrument="SBER",
    side="sell",
    type="limit",
    quantity=Decimal(2),
    price=Decimal("306.14"),
    state="filled",
    filled=Decimal(3),
    average_price=Decimal("306.14"),
    venue_order_ids=("1", "2"),
    reason="",
    placed=1,
)

LINE = "<Order tag-churn-7 sell 2 SBER at 306.14: cancel_sent, 3 filled>: that is too much"


def row(number: str, filled: int, status: str) -> dict[str, Any]:
    return {
        "venue_order_id": number,
        "account": SIMULATED_ACCOUNT,
        "filled": filled,
        "status": status,
        "stop_price": None,
    }


def venue(*, amended: int | None = 10 * SECOND, filled: int = 10 * SECOND, lots: int = 1) -> dict[str, Any]:
    """Give the venue's log: an order of two of which `lots` were filled, and that was then amended to two more."""
    amend = {"client_order_id": "tag-churn-7", "action": "amend", "code": 200, "repeated": False, "time": amended}
    return {
        "commands": [] if amended is None else [amend],
        "orders": [row("1", lots, "cancelled"), row("2", 3 - lots, "filled")],
        "fills": [
            {"venue_order_id": "1", "quantity": lots, "event_time": filled},
            {"venue_order_id": "2", "quantity": 3 - lots, "event_time": 11 * SECOND},
        ],
        "positions": [],
    }


def lines(told: Mapping[str, Any], *unaccounted: str) -> list[str]:
    run = RunReport(
        started=0,
        ended=1,
        strategies=[],
        connections=[],
        subscriptions=[],
        orders=[ORDER],
        notes=[],
        unaccounted=unaccounted,
        unreadable=0,
        late=0,
        events=2,
        digest="",
    )
    counted = "0 fills for us, 2 for the venue"  # No strategy is in the report.
    return [*check_report(run, told), *(line for line in check_books(run, told, forgets=False) if line != counted)]


def test_an_amend_that_a_fill_overtook_may_have_asked_for_its_lots_again() -> None:
    assert lines(venue(), LINE) == []


@pytest.mark.parametrize(
    "told",
    [
        venue(amended=None),
        venue(filled=10 * SECOND + 1),
        venue(amended=40 * SECOND),
    ],
    ids=["no amend", "filled after it", "filled long before it"],
)
def test_nothing_else_fills_an_order_too_far(told: dict[str, Any]) -> None:
    assert lines(told, LINE) == [LINE, "tag-churn-7: 3 filled of 2, and no amend was overtaken by that"]


def test_what_else_a_run_can_not_account_for_stays() -> None:
    other = LINE.replace("churn-7", "churn-70")
    assert lines(venue(), other, "SBER: 3 held for us") == [other, "SBER: 3 held for us"]
