"""The day of a loss: where it begins, what it begins with, and what the next one forgives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Strategy, Trades, define
from strategykit.model.risk_limits import Limits, RiskPlan
from strategykit.runtime.risk_books import day_end, day_of
from strategykit.testing import make_trades, run_strategy

if TYPE_CHECKING:
    from tests.risk.conftest import Rig

Narrow = Callable[..., "Rig"]
SECOND = 1_000_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
NOON = 1_773_316_800 * SECOND
MIDNIGHT = NOON + 12 * HOUR


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("zone", "begin", "end", "hours"),
    [
        ("UTC", "2026-03-12T00:00+00:00", "2026-03-13T00:00+00:00", 24),
        ("Europe/Moscow", "2026-03-12T00:00+03:00", "2026-03-13T00:00+03:00", 24),
        ("Europe/Berlin", "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00", 23),
        ("Europe/Berlin", "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00", 25),
        ("America/New_York", "2026-03-08T00:00-05:00", "2026-03-09T00:00-04:00", 23),
        # Clocks were put forward at midnight: the day began at one o'clock.
        ("Africa/Cairo", "2023-04-28T00:00+02:00", "2023-04-29T00:00+03:00", 23),
        ("Africa/Cairo", "2023-04-27T00:00+02:00", "2023-04-28T00:00+02:00", 24),
        # Put back from one o'clock to midnight: midnight came twice.
        ("America/Havana", "2025-11-02T00:00-04:00", "2025-11-03T00:00-05:00", 25),
    ],
)
def test_days_are_those_of_a_time_zone(zone: str, begin: str, end: str, hours: int) -> None:
    first, last = at(begin), at(end)

    assert last - first == hours * HOUR
    for moment in (first, first + 1, (first + last) // 2, last - 1):
        assert (day_of(moment, ZoneInfo(zone)), day_end(moment, ZoneInfo(zone))) == (first, last)
    assert day_of(last, ZoneInfo(zone)) == last
    assert day_end(first - 1, ZoneInfo(zone)) == first


def test_a_day_whose_last_hour_comes_twice_ends_all_the_same() -> None:
    """In 2006, clocks in St. John's were put back by an hour at one minute past midnight."""
    zone = ZoneInfo("America/St_Johns")
    again = at("2006-10-29T03:00+00:00")

    assert datetime.fromtimestamp(again // SECOND, zone).day == 28
    assert again < day_end(again, zone) <= again + HOUR


@settings(max_examples=150, deadline=None)
@given(
    now=st.integers(at("1990-01-01T00:00+00:00"), at("2060-01-01T00:00+00:00")),
    zone=st.sampled_from(["UTC", "Europe/Moscow", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_whatever_the_time_its_day_holds_it_and_nothing_of_another_date(now: int, zone: str) -> None:
    where = ZoneInfo(zone)
    begin, end = day_of(now, where), day_end(now, where)

    assert begin <= now < end
    assert 22 * HOUR < end - begin < 26 * HOUR
    date = datetime.fromtimestamp(now // SECOND, where).date()
    assert datetime.fromtimestamp(begin // SECOND, where).date() == date
    assert datetime.fromtimestamp(begin // SECOND - 1, where).date() == date - timedelta(1)
    assert datetime.fromtimestamp(end // SECOND, where).date() == date + timedelta(1)


@pytest.mark.parametrize("scope", ["strategy a", "account"])
def test_a_new_day_forgives(narrow: Narrow, scope: str) -> None:
    rig = narrow(scope, max_daily_loss=Decimal(100))
    rig.hold(10)
    rig.prices["X"] = Decimal(80)
    rig.refuses(lambda: rig.buy(1), "max_daily_loss", scope)

    rig.time = MIDNIGHT - 1
    rig.refuses(lambda: rig.buy(1), "max_daily_loss", scope)
    rig.time = MIDNIGHT
    rig.buy(1, "1")

    # What is held is worth what it is worth now: only what is lost from here on counts.
    rig.prices["X"] = Decimal(70)
    rig.buy(1, "1")
    rig.prices["X"] = Decimal("69.99")
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", scope)


@pytest.mark.parametrize(
    ("begin", "end"),
    [("2026-03-29T12:00+02:00", "2026-03-30T00:00+02:00"), ("2026-10-25T00:30+02:00", "2026-10-26T00:00+01:00")],
)
def test_days_may_be_those_of_another_zone_and_of_another_length(narrow: Narrow, begin: str, end: str) -> None:
    rig = narrow("account", max_daily_loss=Decimal(100), zone="Europe/Berlin", time=at(begin))
    rig.hold(10)
    rig.prices["X"] = Decimal(80)
    rig.refuses(lambda: rig.buy(1), "max_daily_loss", "account")

    rig.time = at(end) - 1
    rig.refuses(lambda: rig.buy(1), "max_daily_loss", "account")
    rig.time = at(end)
    rig.buy(1)


def test_who_turns_the_day_gets_the_next_one(narrow: Narrow) -> None:
    rig = narrow("account", max_daily_loss=Decimal(100))
    rig.hold(10)
    rig.prices["X"] = Decimal(90)

    assert rig.risk.begin_day(NOON) == MIDNIGHT
    assert rig.risk.begin_day(MIDNIGHT) == MIDNIGHT + DAY
    rig.time = MIDNIGHT + HOUR  # No order came meanwhile, and the price went on.
    rig.prices["X"] = Decimal(80)
    rig.buy(1, "1")
    rig.prices["X"] = Decimal("79.99")
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "account")


def test_a_fill_of_an_earlier_day_is_no_loss_of_today(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100))
    rig.hold(10, 100)
    order = rig.sell(10)
    rig.prices["X"] = Decimal(91)

    rig.fill(order, price=50, fee=1_000, time=NOON - DAY)

    rig.buy(1, "1")
    rig.hold(10, 91)
    rig.prices["X"] = Decimal(81)
    rig.buy(1, "1")
    rig.prices["X"] = Decimal("80.99")
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")


@pytest.mark.parametrize("known", [True, False])
def test_what_an_earlier_run_left_begins_at_the_price_of_now(narrow: Narrow, known: bool) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100), max_position=20, price=50 if known else None)
    if known:
        rig.hold(3, 1)
    rig.risk.hold("a", {"X": Decimal(10), "Y": Decimal(-20)}, rig.time)
    rig.risk.hold("b", {"X": Decimal(7)}, rig.time)

    rig.refuses(lambda: rig.buy(11, "1"), "max_position", "strategy a")
    rig.refuses(lambda: rig.sell(1, "1", symbol="Y"), "max_position", "strategy a")
    rig.prices["X"] = Decimal(50)
    rig.sell(10, "60")
    rig.buy(1, "1")
    rig.prices["X"] = Decimal(40)
    rig.buy(1, "1")
    rig.prices["X"] = Decimal("39.99")
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")
    assert rig.risk.scopes([])[0].books["X"].quantity == 17


def test_what_was_held_since_before_anybody_knew_a_price_counts_from_the_first_fill(narrow: Narrow) -> None:
    rig = narrow("strategy a", max_daily_loss=Decimal(100), price=None)
    rig.risk.hold("a", {"X": Decimal(10)}, rig.time)
    rig.buy(1, "1")

    rig.fill(rig.sell(5), price=60)
    rig.buy(1, "1")
    rig.fill(rig.sell(5), price=40)
    rig.buy(1, "1")
    rig.hold(1, 100)
    rig.hold(-1, 99)
    rig.refuses(lambda: rig.buy(1, "1"), "max_daily_loss", "strategy a")


def test_what_nobody_knows_of_is_held_but_isnt_worth_anything(narrow: Narrow) -> None:
    rig = narrow("account", max_daily_loss=Decimal(100), max_position=10)
    rig.risk.hold("gone", {"DELISTED": Decimal(10)}, rig.time)

    rig.buy(1, "1")

    assert rig.risk.scopes(["gone"])[1].books["DELISTED"].long == 10


def test_days_turn_in_a_run_while_nobody_trades() -> None:
    """Each day loses 60, and the limit is 100: held against the first price, the second day would be too much."""

    @define
    class Holder(Strategy):
        trades = Trades("X")

        async def run(self) -> None:
            await self.when(self.trades.price > 0)
            await (await self.buy(10)).filled()
            await self.when(self.trades.price < 95)
            await self.when(self.trades.price < 90)
            self.log(f"{self.now() - MIDNIGHT > 0}")
            await self.buy(1)

    prices = [100.0, *[94.0] * 20, *[94.0] * 3, 88.0, 88.0]
    events = make_trades("X", prices, every=3_600.0, start=NOON - 10 * HOUR)
    plan = RiskPlan(account=Limits(max_daily_loss=Decimal(100)), strategy=Limits(max_daily_loss=Decimal(100)))

    outcome = run_strategy(Holder(), events, limits=plan).check()

    assert outcome.notes == ["strategy: True"]
    assert outcome.positions == {"X": 11}
