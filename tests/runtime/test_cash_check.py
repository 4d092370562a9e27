"""The account's cash is compared where that can be, a difference is told, and why not where it can't be."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from strategykit.config import StrategySpec
from strategykit.model.events import PositionUpdate
from strategykit.runtime.account_check import AccountCheck
from strategykit.runtime.account_report import AccountReport
from strategykit.runtime.cash_check import CashCheck, Paid, paid_by
from strategykit.testing.world import World, run_world
from tests.chaos.journal_bytes import read_journals

CAREFUL = Path(__file__).parents[1] / "chaos" / "strategies" / "careful.py"


def holding(name: str, amount: str, *, currency: bool = True) -> PositionUpdate:
    return PositionUpdate(name, Decimal(amount), None, None, None, None, 0, "", False, "D1", currency, None)


@attrs.define
class Table:
    """A check, and what it looks at."""

    positions: dict[str, PositionUpdate] = attrs.field(factory=lambda: {"RUB": holding("RUB", "1000")})
    paid: Paid = attrs.field(factory=lambda: Paid(cash={}, fees={}, fills=0))
    foreign: dict[str, Decimal] | None = attrs.field(factory=dict)
    told: list[str] = attrs.field(factory=list)
    kept: list[dict[str, Decimal]] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    def check(self, **how: Any) -> CashCheck:
        check = CashCheck(
            positions=self.positions,
            paid=lambda: self.paid,
            foreign=lambda: self.foreign,
            tell=self.told.append,
            keep=lambda amounts: self.kept.append(dict(amounts)),
            note=self.notes.append,
            **how,
        )
        check.begin()
        return check

    def trade(self, *, cash: str, fees: str = "0", fills: int = 1, unknown: int = 0) -> None:
        self.paid = Paid(cash={"RUB": Decimal(cash)}, fees={"RUB": Decimal(fees)}, fills=fills, unknown=unknown)

    def has(self, amount: str) -> None:
        self.positions["RUB"] = holding("RUB", amount)


@pytest.mark.parametrize(
    ("amount", "differs"),
    [
        ("899.50", None),
        ("900.00", None),  # The fee is booked later.
        ("899.70", None),
        ("899.49", None),  # A hundredth a fill may be rounded.
        ("899.48", "-0.02"),
        ("900.02", "0.52"),
        ("1000", "100.50"),
    ],
)
def test_cash_may_differ_by_what_is_rounded_and_by_fees_that_are_booked_later(amount: str, differs: str | None) -> None:
    table = Table()
    check = table.check()
    table.trade(cash="-100.50", fees="0.50")
    table.has(amount)

    assert check.look() == ({} if differs is None else {"RUB": Decimal(differs)})


def test_a_difference_is_told_once_when_it_stays() -> None:
    table = Table()
    check = table.check()
    table.trade(cash="-100")
    check.look_twice()
    assert table.told == []
    check.look_twice()
    check.look_twice()

    assert table.told == ["the venue counts +100 RUB besides what our fills and their fees come to"]
    table.has("900")
    check.look_twice()
    assert check.look() == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.trade(cash="-1", unknown=1), "doesn't tell what 1 of 1 fills have cost"),
        (lambda table: table.foreign.update(X=Decimal(1)), "somebody else has traded"),
        (lambda table: setattr(table, "foreign", None), "somebody else has traded"),
        (
            lambda table: setattr(table, "paid", Paid(cash={"USD": Decimal(5)}, fees={}, fills=1)),
            "tells no cash in USD",
        ),
    ],
)
def test_where_it_cant_be_known_nothing_is_guessed(change: Any, words: str) -> None:
    table = Table()
    check = table.check()
    table.trade(cash="-1")
    change(table)
    table.has("5")

    assert check.look() == {}
    assert words in check.unchecked
    check.look_twice()
    check.look_twice()
    assert table.told == []


def test_before_it_begins_and_without_fills_there_is_nothing_to_say() -> None:
    table = Table(positions={"X": holding("X", "5", currency=False)})
    assert table.check().unchecked == ""
    never = CashCheck(positions=table.positions, paid=lambda: table.paid, foreign=dict, tell=table.told.append)
    assert (never.unchecked, never.look(), never.cash) == ("", {}, {})


def test_what_was_paid_in_between_two_runs_is_a_note() -> None:
    table = Table()
    table.check(before={"RUB": Decimal(900), "USD": Decimal(5)})

    assert table.notes == [
        "the account has +100 RUB more than when the last run ended",
        "the account has -5 USD more than when the last run ended",
    ]
    assert table.told == []


async def test_at_the_end_news_are_waited_for(autojump_clock: MockClock) -> None:
    table = Table()
    check = table.check()
    table.trade(cash="-100")

    async def tell_late() -> None:
        await trio.sleep(0.5)
        table.has("900")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tell_late)
        await check.settle(2.0)

    assert table.told == []
    assert table.kept == [{"RUB": Decimal(900)}]
    table.has("901")
    await check.settle(2.0)
    assert len(table.told) == 1


async def test_nobody_waits_for_the_end_of_a_difference_that_was_told(autojump_clock: MockClock) -> None:
    """The end of a run has better uses for its time."""
    table = Table()
    cash = table.check()
    positions = {"X": holding("X", "1", currency=False)}
    told: list[str] = []
    lots = AccountCheck(positions=positions, held=dict, foreign=dict, tell=told.append)
    lots.begin()
    positions["X"] = holding("X", "2", currency=False)
    table.trade(cash="-100")

    await lots.settle(2.0)
    await cash.settle(2.0)
    assert trio.current_time() == 4.0
    await lots.settle(2.0)
    await cash.settle(2.0)

    assert trio.current_time() == 4.0
    assert (len(told), len(table.told)) == (1, 1)


def test_fills_of_strategies_that_dont_run_make_it_unknown() -> None:
    assert paid_by([], elsewhere=2) == Paid(cash={}, fees={}, fills=2, unknown=2)


def _play(venue: str, instrument: str, folder: Path) -> tuple[AccountReport, list[str]]:
    spec = StrategySpec(name="careful", file=str(CAREFUL), params={"instrument": instrument})
    world = World(venue=venue, strategies=[spec], instruments=[instrument], seconds=2.5, rests=False)
    report = run_world(world, journal=folder).report
    assert report is not None
    assert report.account is not None
    return report.account, list(report.alarms)


def test_alor_cash_agrees_and_is_written_down_for_the_next_run(tmp_path: Path) -> None:
    account, alarms = _play("alor", "SBER", tmp_path)

    assert (alarms, account.cash_unchecked) == ([], "")
    assert 0 < account.cash["RUB"] < 1_000_000
    kept = [row.facts["cash"] for row in read_journals(tmp_path) if "cash" in row.facts and row.kind == "note"]
    assert kept == [{"RUB": str(account.cash["RUB"])}]


def test_t4_says_why_its_cash_isnt_compared(tmp_path: Path) -> None:
    account, alarms = _play("t4", "CME_Eq/ES/XCME_Eq ES (Z26)", tmp_path)

    assert alarms == []
    assert account.cash_unchecked == "the venue tells no cash in USD that fills change at once"
