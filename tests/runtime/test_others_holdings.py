"""What isn't ours on an account, kept for the next run: only while none of our own fills can be what is missing."""

from __future__ import annotations

from decimal import Decimal

import attrs

from strategykit.model.events import PositionUpdate
from strategykit.runtime.account_check import AccountCheck

SYMBOL = "ES"


@attrs.define
class Table:
    """What the venue counts, what we hold, and what was kept and told."""

    positions: dict[str, PositionUpdate] = attrs.field(factory=dict)
    ours: int = 0
    certain: bool = True
    kept: list[dict[str, Decimal]] = attrs.field(factory=list)
    told: list[str] = attrs.field(factory=list)

    def count(self, lots: int) -> None:
        self.positions[SYMBOL] = PositionUpdate(SYMBOL, Decimal(lots), None, None, None, None, 0, "")

    def check(self, before: dict[str, Decimal] | None = None) -> AccountCheck:
        check = AccountCheck(
            positions=self.positions,
            held=lambda: {SYMBOL: Decimal(self.ours)},
            foreign=dict,
            tell=self.told.append,
            keep=lambda lots: self.kept.append(dict(lots)),
            certain=lambda: self.certain,
            before=before,
        )
        check.begin()
        return check


async def test_a_fill_that_a_broken_wire_holds_up_isnt_kept_as_somebody_elses() -> None:
    """The position came ahead of it: worth an alarm, but none at the next start, which hears of the fill, too."""
    table = Table()
    table.ours = 2
    table.count(2)
    check = table.check()
    table.count(0)
    table.certain = False

    check.look_twice()
    check.look_twice()
    await check.settle(0.0)

    assert table.kept == [{}]
    assert table.told == ["the venue counts -2 ES besides our fills and other people's that it told us of"]
    table.ours = 0
    table.check(before=table.kept[-1])
    assert len(table.told) == 1


def test_what_differs_for_sure_twice_in_a_row_is_kept() -> None:
    table = Table()
    check = table.check()
    table.count(1)
    for table.certain in (True, False, True):
        check.look_twice()
        assert table.kept == [{}], "a look in doubt counts for neither"

    check.look_twice()

    assert table.kept == [{}, {SYMBOL: Decimal(1)}]


async def test_at_the_end_what_differs_for_sure_is_kept_at_once() -> None:
    table = Table()
    check = table.check()
    table.count(1)

    await check.settle(0.0)

    assert table.kept == [{}, {SYMBOL: Decimal(1)}]


def test_what_is_amiss_is_known_only_where_everything_can_be_compared() -> None:
    table = Table()
    table.count(3)
    foreign: list[dict[str, Decimal] | None] = [{}]
    check = AccountCheck(positions=table.positions, held=dict, foreign=lambda: foreign[0], tell=table.told.append)
    assert check.amiss() is None, "what is others' isn't known yet"

    check.begin()
    assert check.amiss() == {}
    table.count(1)
    assert check.amiss() == {SYMBOL: Decimal(-2)}
    foreign[0] = None
    assert check.amiss() is None
