"""What the demonstration finds wrong: with our books, with the wires, with the re-run."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs

from strategykit.model.event_class import altered
from strategykit.runtime.demo import _Breaking, _check, _compare
from strategykit.runtime.report import ConnectionReport, OrderReport, RunReport, StrategyReport, SubscriptionReport
from strategykit.runtime.rerun import CommandDifference, RerunReport

ORDER = OrderReport(
    client_order_id="ours-1",
    strategy="maker",
    instrument="A",
    side="buy",
    type="limit",
    quantity=Decimal(2),
    price=Decimal(10),
    state="filled",
    filled=Decimal(2),
    average_price=Decimal(10),
    venue_order_ids=("7",),
    reason="",
    placed=1,
)

RUN = RunReport(
    started=0,
    ended=1,
    strategies=[],
    connections=[
        ConnectionReport(
            name="market-0",
            lane="market",
            state="open",
            frames_in=1,
            frames_out=1,
            reconnects=2,
            lag_p50=None,
            lag_p99=None,
        )
    ],
    subscriptions=[],
    orders=[ORDER],
    notes=[],
    unaccounted=[],
    unreadable=0,
    late=0,
    events=1,
    digest="same",
)

THEIRS: dict[str, Any] = {"account": "D1", "venue_order_id": "7", "status": "filled", "filled": "2"}


def rerun(**changes: Any) -> RerunReport:
    return attrs.evolve(RerunReport(recorded=1, equal=1, differences=(), run=RUN, recorded_digest="same"), **changes)


def test_books_that_agree_are_nothing_to_talk_about() -> None:
    foreign = {**THEIRS, "account": "D2", "venue_order_id": "8"}

    assert _compare(RUN, [THEIRS, foreign], "D1") == []
    assert _check(RUN, rerun()) == []


def test_every_way_in_which_books_can_differ_is_told() -> None:
    assert _compare(RUN, [], "D1") == ["ours-1: the venue has no order 7"]
    assert _compare(RUN, [THEIRS, {**THEIRS, "venue_order_id": "8"}], "D1") == [
        "the venue has order 8, which our books don't"
    ]
    for wrong in ({"status": "cancelled"}, {"filled": "1"}):
        (told,) = _compare(RUN, [{**THEIRS, **wrong}], "D1")
        assert told.startswith("ours-1: we say filled with 2 filled, the venue ")


def test_an_amended_order_is_compared_by_its_numbers_alone() -> None:
    amended = altered(RUN, orders=[altered(ORDER, venue_order_ids=("6", "7"))])
    first = {**THEIRS, "venue_order_id": "6", "status": "cancelled", "filled": "1"}

    assert _compare(amended, [first, {**THEIRS, "filled": "1"}], "D1") == []


def test_all_that_is_wrong_with_a_run_or_its_re_run_is_told() -> None:
    failed = StrategyReport(
        name="maker",
        strategy="Maker",
        state="failed",
        error="ValueError: x",
        orders=0,
        fills=0,
        positions={},
        realised={},
        open_pnl={},
        fees={},
        pnl={},
        left=["an order"],
    )
    asked = SubscriptionReport(
        guid="g", stream="book A", connection="market-0", owners=["maker"], state="asked", data=0, gaps=[]
    )
    bad = attrs.evolve(
        RUN,
        strategies=[failed],
        subscriptions=[asked],
        orders=[],
        unaccounted=["a line"],
        tape_failure="disk full",
    )
    again = rerun(differences=(CommandDifference("maker", 1, None, None),), recorded_digest="other")

    assert _check(bad, again) == [
        "a line",
        "maker: ValueError: x",
        "maker: left an order",
        "book A is asked",
        "disk full",
        "no order was placed",
        "the re-run differs in 1 of 1 order commands",
        "the re-run's events, orders and fills have another digest than the run's",
    ]


def test_wires_that_were_cut_and_not_opened_again_are_told() -> None:
    breaking = _Breaking("http://127.0.0.1:9", 4.0, [(0.2, "all"), (0.5, "all"), (0.6, "all")], lambda _: None)

    assert breaking.problems(attrs.evolve(RUN, connections=[])) == [
        "wires were cut 3 times, but only 0 were opened again"
    ]
    assert len(breaking.problems(RUN)) == 1
