"""When the venue is asked about a difference to its books, and when that is told."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import attrs
import trio
from trio.testing import MockClock

from strategykit.model.events import PositionUpdate
from strategykit.runtime.account_check import AccountCheck
from strategykit.runtime.account_inquiry import PATIENCE, AccountInquiry, keep_account
from strategykit.runtime.cash_check import CashCheck, Paid

NOTHING: frozenset[tuple[str, Decimal]] = frozenset()
ONE = frozenset({("X", Decimal(1))})
TWO = frozenset({("X", Decimal(2))})


@attrs.define
class Venue:
    """Counts questions; answers when told to."""

    asked: int = 0
    answered: int = 0

    def ask(self) -> Callable[[], bool]:
        self.asked += 1
        number = self.asked
        return lambda: self.answered >= number


def test_what_differs_is_told_only_once_the_venue_has_answered_a_question_about_it() -> None:
    venue = Venue()
    inquiry = AccountInquiry(venue.ask)

    assert inquiry.look(NOTHING, NOTHING, NOTHING)
    assert not inquiry.look(ONE, ONE, NOTHING)
    assert venue.asked == 0, "a position that is ahead of its fill for a moment is no reason to ask"
    assert not inquiry.look(ONE, ONE, ONE)
    assert not inquiry.look(ONE, ONE, ONE)
    venue.answered = 1
    assert inquiry.look(ONE, ONE, ONE)
    assert inquiry.look(ONE, NOTHING, NOTHING)
    assert venue.asked == 1


def test_a_difference_is_told_though_the_venue_never_answers() -> None:
    venue = Venue()
    inquiry = AccountInquiry(venue.ask)

    assert not any(inquiry.look(ONE, ONE, ONE) for _ in range(PATIENCE))
    assert inquiry.look(ONE, ONE, ONE)
    assert venue.asked == 1


def test_one_that_stays_isnt_asked_about_again() -> None:
    venue = Venue()
    inquiry = AccountInquiry(venue.ask)
    for _ in range(1000):
        inquiry.look(ONE, ONE, ONE)
        venue.answered = venue.asked

    assert venue.asked == 1


def test_ever_other_differences_are_asked_about_ever_less_often() -> None:
    venue = Venue()
    inquiry = AccountInquiry(venue.ask)
    for number in range(1, 3601):
        other = frozenset({("X", Decimal(number // 5 + 1))})
        inquiry.look(other, other, other)
        venue.answered = venue.asked

    assert 10 <= venue.asked <= 20
    inquiry.look(NOTHING, NOTHING, NOTHING)
    before = venue.asked
    inquiry.look(TWO, TWO, TWO)
    assert venue.asked == before + 1, "once nothing differs, the next one is asked about at once"


@attrs.define(eq=False)
class Account:
    """What the venue holds and we do."""

    positions: dict[str, PositionUpdate] = attrs.field(factory=dict)
    ours: int = 0
    told: list[tuple[float, str]] = attrs.field(factory=list)
    asked: list[float] = attrs.field(factory=list)
    finds: bool = True

    def lots(self) -> AccountCheck:
        def tell(line: str) -> None:
            self.told.append((trio.current_time(), line))

        return AccountCheck(positions=self.positions, held=lambda: {"X": Decimal(self.ours)}, foreign=dict, tell=tell)

    def cash(self) -> CashCheck:
        return CashCheck(
            positions=self.positions, paid=lambda: Paid(cash={}, fees={}, fills=0), foreign=dict, tell=lambda _: None
        )

    def ask(self) -> Callable[[], bool]:
        self.asked.append(trio.current_time())
        if self.finds:
            self.ours = 1
        return lambda: True


async def test_a_lost_fill_that_the_venue_tells_when_asked_is_no_alarm(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    account = Account()
    lots, cash = account.lots(), account.cash()
    lots.begin()
    nursery.start_soon(keep_account, lots, cash, AccountInquiry(account.ask))
    await trio.sleep(7.5)
    account.positions["X"] = PositionUpdate("X", Decimal(1), None, None, None, None, 0, "")

    await trio.sleep(60)

    assert account.asked == [9.0], "the second look that finds it"
    assert account.told == []


async def test_a_difference_that_stays_after_the_answer_is_told_once(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    account = Account(finds=False)
    lots, cash = account.lots(), account.cash()
    lots.begin()
    nursery.start_soon(keep_account, lots, cash, AccountInquiry(account.ask))
    account.positions["X"] = PositionUpdate("X", Decimal(1), None, None, None, None, 0, "")

    await trio.sleep(600)

    ((when, line),) = account.told
    assert (account.asked, line[:24]) == ([2.0], "the venue counts +1 X be")
    assert when == 10.0


async def test_at_the_end_of_a_run_the_venue_is_asked_before_a_difference_is_told(autojump_clock: MockClock) -> None:
    account = Account()
    lots = account.lots()
    lots.begin()
    account.positions["X"] = PositionUpdate("X", Decimal(1), None, None, None, None, 0, "")

    await lots.settle(2.0, ask=account.ask)

    assert (len(account.asked), account.told) == (1, [])
    assert trio.current_time() < 1.0
    await lots.settle(2.0, ask=account.ask)
    assert len(account.asked) == 1, "nothing differs"
