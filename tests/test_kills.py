"""What the kill campaign takes for lost, doubled or proven. The campaign itself is run by `make kills`."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kills import INSTRUMENTS, Campaign, Tally, added, main
from strategykit.journal.format import RecordKind

ACCOUNTS = {"alor": "D12345", "t4": "SIM-1"}


def campaign(venue: str) -> Campaign:
    return Campaign(url="http://127.0.0.1:1", folder=Path("nowhere"), rng=random.Random(1), tally=Tally(venue, kills=1))


def placed(name: str) -> tuple[RecordKind, dict[str, Any]]:
    return RecordKind.INTENT, {"client_order_id": name, "placed": 1}


def heard(name: str, kind: str, **news: object) -> tuple[RecordKind, dict[str, Any]]:
    return RecordKind.HEARD, {"client_order_id": name, "news": {"type": kind, **news}}


def order(venue: str, name: str, number: str, account: str = "") -> dict[str, Any]:
    named = {"alor": {"client_order_id": name}, "t4": {"tag": f"{name}~2", "unique_id": number}}[venue]
    return {"account": account or ACCOUNTS[venue], "venue_order_id": number, **named}


@pytest.mark.parametrize("venue", INSTRUMENTS)
def test_what_the_journal_has_is_neither_lost_nor_doubled(venue: str) -> None:
    found = campaign(venue)
    for record in (
        placed("a-1"),
        heard("a-1", "Reply", venue_order_id="7"),
        heard("a-1", "Reply", venue_order_id=None),
    ):
        found.note(*record)
    found.note(*heard("a-1", "Fill", venue_order_id="7", trade_id="70"))
    found.told |= {"order a-1 7", "fill 7 70"}

    found.compare({"orders": [order(venue, "a-1", "7"), order(venue, "b-1", "8", account="another")]})

    assert found.tally.ok
    assert (found.tally.orders, found.tally.fills, found.tally.told) == (1, 1, 2)


@pytest.mark.parametrize("venue", INSTRUMENTS)
def test_an_order_without_an_intent_is_lost_and_one_with_two_numbers_doubled(venue: str) -> None:
    found = campaign(venue)
    found.note(*placed("a-1"))

    found.compare({"orders": [order(venue, "a-1", "7"), order(venue, "a-1", "8"), order(venue, "a-2", "9")]})

    assert (found.tally.lost, found.tally.duplicates) == ({"a-2"}, {"a-1"})
    assert not found.tally.clean


def test_a_fill_that_comes_before_any_answer_tells_the_orders_number() -> None:
    found = campaign("alor")
    found.note(*placed("a-1"))
    found.note(*heard("a-1", "Fill", venue_order_id="7", trade_id="70"))
    found.told |= {"order a-1 7", "fill 7 70"}

    found.compare({"orders": [order("alor", "a-1", "7")]})

    assert found.tally.ok


@pytest.mark.parametrize("told", ["order a-1 8", "order a-2 7", "fill 7 71"])
def test_what_a_strategy_was_told_and_the_journal_has_not_heard_is_lost(told: str) -> None:
    found = campaign("alor")
    found.note(*placed("a-1"))
    found.note(*heard("a-1", "Fill", venue_order_id="7", trade_id="70"))
    found.told.add(told)

    found.compare({"orders": [order("alor", "a-1", "7")]})

    assert found.tally.lost == {told}


@pytest.mark.parametrize("idle", [{"kills": 0}, {"orders": 0}, {"orders": 4}, {"fills": 0}, {"told": 0}])
def test_a_campaign_in_which_next_to_nothing_happened_proves_nothing(idle: dict[str, Any]) -> None:
    busy: dict[str, Any] = {"kills": 5, "orders": 5, "fills": 1, "told": 1}

    assert Tally(venue="t4", **busy).ok
    tally = Tally(venue="t4", **{**busy, **idle})
    assert tally.clean
    assert not tally.ok
    assert tally.idle.startswith("t4: nothing is proven by ")


def test_what_two_venues_gave_is_added_up() -> None:
    one = Tally("alor", kills=3, lost={"7"}, duplicates={"8"}, orders=4, fills=2, told=9)
    two = Tally("t4", kills=2, lost={"7"}, unreadable={"torn"}, others=["late"], orders=1, fills=1, told=1)

    total = added([one, two])

    assert total.line() == "kills: 5, lost 2, duplicates 1, unreadable 1"
    assert (total.others, total.orders, total.fills, total.told) == (["t4: late"], 5, 3, 10)


@pytest.mark.parametrize(("venue", "kills"), [("both", "1"), ("t4", "0")])
def test_each_venue_needs_a_kill(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], venue: str, kills: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["kills", "-n", kills, "--venue", venue])

    with pytest.raises(SystemExit) as found:
        main()

    assert found.value.code == 2
    assert f"-n {kills} is too few" in capsys.readouterr().err
