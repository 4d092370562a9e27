"""Limits over several runs of one day: who dies and comes back has no new day, and holds what it held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from strategykit.journal.writer import JournalWriter, open_journal
from strategykit.model.codec import make_converter
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderState
from strategykit.model.risk_limits import NO_PLAN, RiskPlan
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.carried import (
    Carried,
    CarriedPosition,
    CarriedResult,
    CarriedTrip,
    carried_facts,
    carry,
    read_carried,
)
from strategykit.runtime.order_journal import RunJournal
from strategykit.runtime.risk_run import hold_carried

if TYPE_CHECKING:
    from tests.risk.conftest import Rig

SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
NOON = 1_773_316_800 * SECOND

PLAN = RiskPlan(
    account=attrs.evolve(NO_PLAN.account, max_daily_loss=Decimal(150)),
    strategy=attrs.evolve(NO_PLAN.strategy, max_daily_loss=Decimal(100), max_position=10),
)


@contextmanager
def writing(folder: Path) -> Iterator[tuple[JournalWriter, RunJournal]]:
    times = iter(range(1, 1_000_000))
    known = {symbol: Instrument(symbol) for symbol in "XY"}
    known["LOT"] = Instrument("LOT", lot=Decimal(10), multiplier=Decimal(2), currency="USD")
    with open_journal(folder, now=lambda: next(times), run={"tag": "tag"}, reserve=0, in_loop=True) as writer:
        yield (
            writer,
            RunJournal(
                writer=writer,
                converter=make_converter(),
                alarms=Alarms(lambda *_: None),
                why=lambda _: {},
                instruments=known,
            ),
        )


def left_by(writer: JournalWriter) -> Carried:
    """What the next run finds: by way of JSON, as it is handed on."""
    converter = make_converter()
    carried = carry(read_journal(writer.path).records, converter)
    return read_carried(carried_facts(carried, converter), converter)


@pytest.fixture
def after(open_rig: Callable[..., Rig]) -> Callable[..., Rig]:
    """Makes the rig of a run that comes after another."""

    def make(carried: Carried, **how: object) -> Rig:
        rig = open_rig(PLAN, **how)
        hold_carried(rig.risk, carried, rig.time)
        return rig

    return make


def test_what_was_lost_before_the_program_died_is_lost_today(
    tmp_path: Path, open_rig: Callable[..., Rig], after: Callable[..., Rig]
) -> None:
    with writing(tmp_path) as (writer, journal):
        first = open_rig(PLAN, journal=journal)
        first.hold(5, 100)
        first.hold(-5, 85)
        first.fill(first.buy(1), fee=5)
        carried = left_by(writer)

    assert {(it.currency, it.amount) for it in carried.results} == {("RUB", Decimal(-80))}
    again = after(carried, time=NOON + HOUR)
    again.prices["X"] = Decimal(80)
    again.buy(1, "1")
    again.prices["X"] = Decimal("79.99")
    refusal = again.refuses(lambda: again.buy(1, "1"), "max_daily_loss", "strategy a")
    assert "has lost 100.01 RUB" in str(refusal)


def test_the_next_day_begins_anew(tmp_path: Path, open_rig: Callable[..., Rig], after: Callable[..., Rig]) -> None:
    with writing(tmp_path) as (writer, journal):
        first = open_rig(PLAN, journal=journal)
        first.hold(5, 100)
        first.hold(-5, 75)
        carried = left_by(writer)

    same = after(carried, time=NOON + 12 * HOUR - 1)
    same.refuses(lambda: same.buy(1), "max_daily_loss", "strategy a")
    after(carried, time=NOON + 12 * HOUR).buy(1)


def test_results_are_handed_on_from_run_to_run(tmp_path: Path, open_rig: Callable[..., Rig]) -> None:
    converter = make_converter()
    with writing(tmp_path) as (writer, journal):
        first = open_rig(PLAN, journal=journal)
        first.hold(5, 100)
        first.hold(-5, 90)
        first.time += HOUR
        first.fill(first.buy(1, symbol="LOT", of="b"), fee=3, currency="EUR")
        first.fill(first.sell(1, symbol="LOT", of="b"), price=101)
        carried = left_by(writer)
        writer.write(RecordKind.CARRIED, carried_facts(carried, converter))
        again = left_by(writer)

    assert again == carried
    assert {(it.strategy, it.currency, it.begin, it.amount) for it in carried.results} == {
        ("a", "RUB", NOON, Decimal(-50)),
        ("b", "EUR", NOON + HOUR, Decimal(-3)),
        ("b", "USD", NOON + HOUR, Decimal(20)),
    }
    assert carried, "results alone are worth being known"


def test_results_of_days_ago_are_forgotten(tmp_path: Path, open_rig: Callable[..., Rig]) -> None:
    with writing(tmp_path) as (writer, journal):
        first = open_rig(PLAN, journal=journal)
        for days in range(4):
            first.time = NOON + days * 24 * HOUR
            first.hold(1, 100)
            first.hold(-1, 99)
        carried = left_by(writer)

    assert [it.begin for it in carried.results] == [NOON + days * 24 * HOUR for days in (2, 3)]


def test_the_account_has_lost_what_all_have_even_those_that_dont_come_back(after: Callable[..., Rig]) -> None:
    results = [
        CarriedResult(strategy=name, currency="RUB", begin=NOON - HOUR, amount=Decimal(-70)) for name in ("a", "gone")
    ]
    held = CarriedPosition(strategy="gone", instrument=Instrument("Y"), quantity=Decimal(1), cost=Decimal(100))
    rig = after(Carried(positions=(held,), results=tuple(results)))

    rig.buy(1, "1")
    rig.prices["Y"] = Decimal("89.99")
    refusal = rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "account")
    assert refusal.value == Decimal("150.01")


def test_positions_that_were_left_count(after: Callable[..., Rig]) -> None:
    held = CarriedPosition(strategy="a", instrument=Instrument("X"), quantity=Decimal(8), cost=Decimal(800))
    rig = after(Carried(positions=(held,)))

    rig.refuses(lambda: rig.buy(3), "max_position", "strategy a")
    rig.buy(2)
    rig.sell(8)


@pytest.mark.parametrize("scope", ["strategy a", "account"])
def test_an_open_loss_that_stopped_a_run_stops_those_after_it_until_midnight(
    tmp_path: Path, open_rig: Callable[..., Rig], scope: str
) -> None:
    mine, all_of_it = (attrs.evolve(NO_PLAN.strategy, max_daily_loss=Decimal(most)) for most in (100, 150))
    plan = RiskPlan(account=all_of_it, strategy=mine if scope == "strategy a" else all_of_it)
    with writing(tmp_path) as (writer, journal):
        first = open_rig(plan, journal=journal)
        first.risk.keep = journal.tripped
        first.hold(5 if scope == "strategy a" else 4, 100)
        if scope == "account":
            first.hold(4, 100, of="b")
        first.prices["X"] = Decimal(79)
        first.risk.look(first.time)
        left = left_by(writer)
        writer.write(RecordKind.CARRIED, carried_facts(left, make_converter()))
        carried = left_by(writer)

    assert carried == left, "the run after next has to know it, too"
    again = open_rig(plan, time=NOON + HOUR, price=79)
    again_bid = again.buy(1, "1")
    hold_carried(again.risk, carried, again.time)

    refusal = again.refuses(lambda: again.buy(1, "1"), "max_daily_loss", scope)
    assert "in an earlier run" in str(refusal)
    again.sell(4)
    assert again_bid.state is OrderState.CANCEL_SENT
    assert [note.partition(" has lost")[0] for note in again.notes] == [f"risk: {scope}"]
    (trip,) = carried.trips
    assert (trip.strategy, trip.time) == ("a" if scope == "strategy a" else None, NOON)
    again.time = NOON + 12 * HOUR
    again.buy(1, "1")


def test_a_trip_of_yesterday_or_within_a_limit_that_was_raised_since_is_none(open_rig: Callable[..., Rig]) -> None:
    def after(trip: CarriedTrip) -> Rig:
        rig = open_rig(PLAN)
        hold_carried(rig.risk, Carried(trips=(trip,)), rig.time)
        return rig

    trip = CarriedTrip(strategy="a", currency="RUB", loss=Decimal("100.01"), time=NOON - 12 * HOUR)
    today = after(trip)
    today.refuses(lambda: today.buy(1), "max_daily_loss", "strategy a")
    today.buy(1, of="b")
    after(attrs.evolve(trip, time=trip.time - 1)).buy(1)
    after(attrs.evolve(trip, loss=Decimal(100))).buy(1)


def test_a_journal_from_before_trips_were_kept_is_read(tmp_path: Path) -> None:
    converter = make_converter()
    facts = carried_facts(Carried(), converter)
    del facts["trips"]
    with writing(tmp_path) as (writer, _):
        writer.write(RecordKind.CARRIED, facts)
        assert left_by(writer) == Carried()
