"""What a journal tells of orders: a line for each, and the whole life of one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from strategykit.errors import JournalError
from strategykit.journal.explain import Life, explain_order
from strategykit.journal.format import Record, RecordKind
from strategykit.journal.orders import list_orders
from strategykit.journal.words import describe, price_in_words
from tests.journal.conftest import NOON, intent

K = RecordKind
NAME = "a1-cross-1"
WHY = {
    "at": "cross.py:31 run",
    "events": {"trades SBER": "Trade(price=318.2)"},
    "condition": "fast > slow (101.2 > 100.9)",
    "params": {"fast": 5},
}


def told(*rows: tuple[RecordKind, Mapping[str, Any]]) -> list[Record]:
    """Make records, a millisecond apart."""
    return [Record(seq, NOON + seq * 1_000_000, kind, facts) for seq, (kind, facts) in enumerate(rows, 1)]


def learnt(state: str, evidence: str | None, reason: str = "") -> tuple[RecordKind, dict[str, Any]]:
    return K.LEARNT, {"client_order_id": NAME, "state": state, "evidence": evidence, "reason": reason}


def heard(kind: str, **news: Any) -> tuple[RecordKind, dict[str, Any]]:
    return K.HEARD, {"client_order_id": NAME, "news": {"type": kind, **news}}


def fill(number: str, lots: str = "1") -> tuple[RecordKind, dict[str, Any]]:
    return heard("Fill", trade_id=number, side="buy", quantity=lots, price="318.2", venue_order_id="9")


PLACED = (K.INTENT, intent(1, placed=NOON, why=WHY))
YES = heard("Reply", guid=NAME, code=200, message="success", ok=True, venue_order_id="9")
DAY = (
    (K.RUN, {"tag": "a1"}),
    PLACED,
    learnt("sent", "left"),
    YES,
    learnt("working", "accepted"),
    fill("t1"),
    learnt("partial", "part_filled"),
    fill("t1"),
    (K.INTENT, intent(1, "CancelOrder")),
    learnt("cancel_sent", "cancel_left"),
    heard("OrderUpdate", status="cancelled", venue_order_id="9", filled="1", reason="by owner"),
    learnt("cancelled", "cancelled", "by owner"),
)


def test_an_order_is_folded_into_one_line() -> None:
    (line,) = list_orders(told(*DAY)).orders.values()

    assert (line.client_order_id, line.strategy, line.instrument, line.side) == (NAME, "cross", "SBER", "buy")
    assert (line.quantity, line.price, line.filled) == (Decimal(2), Decimal("318.21"), Decimal(1))
    assert (line.state, line.is_open, line.venue_order_id) == ("cancelled", False, "9")
    assert (line.placed, line.last_time) == (NOON, NOON + 12_000_000)
    assert line.last == "cancelled: by owner"


def test_an_amend_changes_the_price_and_the_number() -> None:
    amend = intent(1, "AmendOrder")
    amend["command"]["request"] = {**amend["command"]["request"], "price": "319"}
    yes = heard("Reply", guid="a", code=200, message="", ok=True, venue_order_id="10")

    (line,) = list_orders(told(*DAY[:5], (K.INTENT, amend), yes)).orders.values()

    assert (line.price, line.venue_order_id, line.numbers) == (Decimal(319), "10", ("9", "10"))


def test_what_never_left_is_found_by_the_commands_guid() -> None:
    rows = told(PLACED, (K.UNSENT, {"guid": NAME, "reason": "the lane is down"}), learnt("rejected", "never_left"))

    life = explain_order(rows, NAME)

    assert [step.words for step in life.steps] == [
        "about to buy 2 SBER at 318.21",
        "not sent: the lane is down",
        "rejected",
    ]
    assert not life.order.is_open


@pytest.mark.parametrize("wanted", [NAME, "9", f"{NAME}-c1", "cross-1", "1"])
def test_an_order_is_found_by_each_of_its_names(wanted: str) -> None:
    assert explain_order(told(*DAY), wanted).order.client_order_id == NAME


def test_of_several_that_fit_the_newest_is_meant() -> None:
    newer = intent(1)
    newer["client_order_id"] = newer["guid"] = newer["command"]["guid"] = "b2-cross-1"
    rows = told(*DAY, (K.INTENT, newer))
    assert explain_order(rows, "cross-1").order.client_order_id == "b2-cross-1"
    assert explain_order(rows, NAME).order.client_order_id == NAME


def test_an_order_that_isnt_there_is_told() -> None:
    with pytest.raises(JournalError, match="no order 'a1-cross-2' is in this journal; give an id from the list"):
        explain_order(told(*DAY), "a1-cross-2")


def steps(life: Life) -> list[tuple[int | None, int, str, str]]:
    return [(step.seq, step.after // 1_000_000, step.kind, step.state) for step in life.steps]


def test_a_life_is_told_in_order_with_what_news_led_to() -> None:
    life = explain_order(told(*DAY), NAME)

    assert steps(life) == [
        (2, 0, "intent", "intent"),
        (3, 1, "learnt", "sent"),
        (4, 2, "heard", "working"),
        (5, 3, "learnt", "working"),
        (6, 4, "heard", "partial"),
        (7, 5, "learnt", "partial"),
        (8, 6, "heard", "partial"),
        (9, 7, "intent", "partial"),
        (10, 8, "learnt", "cancel_sent"),
        (11, 9, "heard", "cancelled"),
        (12, 10, "learnt", "cancelled"),
    ]
    assert life.why == WHY
    assert life.steps[2].facts["news"]["message"] == "success"


def test_the_parameters_are_those_of_the_run_that_placed_the_order() -> None:
    """They stand with each strategy's first order; a later run may have others, or be of a version without them."""
    first, second, third, other = (
        (K.INTENT, {**intent(number, placed=NOON, why={"at": "cross.py:31 run"}), **more})
        for number, more in ((1, {"params": {"fast": "5"}}), (2, {}), (3, {}), (4, {"params": {"fast": "6"}}))
    )
    rows = told((K.RUN, {}), first, second, other, (K.RUN, {"tag": "a2"}), third)

    whys = [explain_order(rows, f"{NAME[:-1]}{number}").why for number in (1, 2, 3, 4)]

    assert [why.get("params") for why in whys] == [{"fast": "5"}, {"fast": "5"}, None, {"fast": "6"}]
    assert explain_order(told((K.RUN, {}), carried(first)), NAME).why["params"] == {"fast": "5"}


def test_a_lost_answer_isnt_what_the_news_before_it_led_to() -> None:
    rows = told(PLACED, learnt("sent", "left"), YES, learnt("unknown", "answer_lost", "no answer"), learnt("x", None))

    life = explain_order(rows, NAME)

    assert [step.state for step in life.steps] == ["intent", "sent", "sent", "unknown", "x"]


def test_what_concerned_all_orders_is_told_while_one_is_open() -> None:
    killed = (K.KILLED, {"reason": "loss", "by": "risk"})
    other = (K.INTENT, intent(2))
    rows = told((K.RUN, {}), PLACED, other, killed, *DAY[2:], killed, (K.CLOSED, {"reason": "end"}), (K.NOTE, {}))

    life = explain_order(rows, NAME)

    assert [step.kind for step in life.steps][:3] == ["intent", "killed", "learnt"]
    assert [step.kind for step in life.steps].count("killed") == 1
    assert life.steps[1].words == "kill switch pulled: loss"


def carried(*rows: tuple[RecordKind, Mapping[str, Any]]) -> tuple[RecordKind, dict[str, Any]]:
    records = [{"time": NOON + at, "kind": kind.value, **facts} for at, (kind, facts) in enumerate(rows)]
    return K.CARRIED, {"orders": [{"client_order_id": NAME, "strategy": "cross", "records": records}]}


def test_an_order_that_a_run_took_over_has_its_life_from_before() -> None:
    rows = told((K.RUN, {}), carried(PLACED, YES, fill("t1")), learnt("unknown", "unseen"), fill("t1"), fill("t2"))

    life = explain_order(rows, NAME)

    assert steps(life)[:4] == [
        (None, 0, "intent", "intent"),
        (None, 0, "heard", "intent"),
        (None, 0, "heard", "intent"),
        (2, 2, "carried", "intent"),
    ]
    assert [step.kind for step in life.steps[4:]] == ["learnt", "heard", "heard"]
    assert life.order.filled == 2
    assert life.why == WHY


def test_an_order_that_is_taken_over_within_the_files_that_are_read_isnt_told_twice() -> None:
    rows = told(*DAY[:5], (K.RUN, {"tag": "a2"}), carried(PLACED, YES), learnt("unknown", "unseen"), fill("t2"))

    life = explain_order(rows, NAME)

    kinds = [step.kind for step in life.steps]
    assert kinds == ["intent", "learnt", "heard", "learnt", "run", "carried", "learnt", "heard"]
    assert life.order.filled == 1


def test_a_run_that_takes_over_other_orders_is_no_part_of_a_life() -> None:
    other = (K.CARRIED, {"orders": [{"client_order_id": "b", "records": [{"kind": "intent", "time": 1}]}]})
    assert [step.kind for step in explain_order(told(PLACED, other), NAME).steps] == ["intent"]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"orders": 7},
        {"orders": [7, {"client_order_id": NAME}, {"client_order_id": NAME, "records": [7, {"kind": "x", "time": 1}]}]},
        {"orders": [{"client_order_id": NAME, "records": [{"kind": "intent", "time": "x"}]}]},
    ],
)
def test_odd_facts_are_left_out(facts: dict[str, Any]) -> None:
    for kind in RecordKind:
        book = list_orders(told((kind, facts), (kind, {"client_order_id": NAME, "command": 1, "news": [], "state": 0})))
        assert set(book.orders) <= {NAME}
        assert describe(kind, facts)
    odd = told(
        (K.INTENT, {"client_order_id": NAME, "command": {"request": {"quantity": "many", "price": 3}}, "placed": "x"}),
        heard("Fill", trade_id=None, quantity="x"),
        (K.UNSENT, {"guid": "nobody's"}),
    )
    (line,) = list_orders(odd).orders.values()
    assert (line.quantity, line.price, line.filled, line.placed) == (None, None, Decimal(0), odd[0].time)


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (K.INTENT, intent(1), "about to buy 2 SBER at 318.21"),
        (K.INTENT, intent(1, "AmendOrder"), "about to amend 31845 to 2 at 318.21"),
        (K.INTENT, intent(1, "CancelOrder"), "about to cancel 31845"),
        (K.INTENT, {"command": {"type": "Dance"}}, "about to send Dance"),
        (K.HEARD, {"news": {"type": "Reply", "ok": False, "code": 400, "message": "no money"}},
         "answer: no: no money (400)"),
        (K.HEARD, {"news": {"type": "Smoke"}}, "venue: Smoke"),
        (K.RUN, {"tag": "a1"}, "a run began: a1"),
        (K.RELEASED, {}, "kill switch released"),
        (K.ALARM, {"text": "look"}, "alarm: look"),
        (K.NOTE, {}, "note"),
        (K.CLOSED, {"reason": "time is over"}, "the run ended: time is over"),
        (K.RECOVERED, {"bytes": 7, "file": "000001.journal"},
         "7 bytes at the end of 000001.journal were no whole record and were cut off"),
        (K.CARRIED, {}, "taken over from the runs before"),
    ],
)  # fmt: skip
def test_records_are_put_into_words(kind: RecordKind, facts: dict[str, Any], words: str) -> None:
    assert describe(kind, facts) == words


@pytest.mark.parametrize(
    ("price", "stop", "words"),
    [(None, None, "market"), ("3", None, "3"), (None, "2", "stop 2"), ("3", "2", "stop 2, 3")],
)
def test_prices_are_put_into_words(price: str | None, stop: str | None, words: str) -> None:
    assert price_in_words(price, stop) == words
