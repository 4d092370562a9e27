"""Asking the venue before a difference to its books is told: a fill that was lost on a living wire is found so."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import trio

from strategykit.runtime.account_check import AccountCheck
from strategykit.runtime.cash_check import CashCheck

__all__ = ["AccountInquiry", "keep_account"]

LOOK_EVERY: Final = 1.0
"""Seconds. What is the same twice in a row is asked about: positions are often ahead of their fills for less."""

TELL_EVERY: Final = 5
"""Looks. A difference is told when it is the same twice in a row at these."""

PATIENCE: Final = 60
"""Looks after which a difference is told though the venue hasn't answered: a person can ask where we can't."""

SHORTEST_REST: Final = 10
"""Looks from a question to the next one, about another difference."""

LONGEST_REST: Final = 300
"""The same where differences come and never go, such as those of trades of others that the venue doesn't tell."""

Differences = frozenset[tuple[str, Decimal]]
"""What the venue counts besides what we do, by instrument or currency."""


@attrs.define(eq=False)
class AccountInquiry:
    """Has fills, orders and positions asked for once when something differs, and says when that may be told."""

    ask: Callable[[], Callable[[], bool]]
    """Has one more round asked; gives what says whether all of it has been answered."""
    _about: Differences = attrs.field(default=frozenset(), init=False)
    """What differed when it was asked last."""
    _is_answered: Callable[[], bool] = attrs.field(default=lambda: True, init=False)
    _waited: int = attrs.field(default=0, init=False)
    """Looks since something began to differ that may not be told yet."""
    _rest: int = attrs.field(default=0, init=False)
    """Looks until another question may be asked."""
    _next_rest: int = attrs.field(default=SHORTEST_REST, init=False)

    def look(self, found: Differences, untold: Differences, same: Differences) -> bool:
        """Say whether what differs may be told: it was asked about and answered since, or had its time.

        Args:
            found: All that differs.
            untold: That of it which hasn't been told.
            same: That of it which was so at the last look, too, and may be asked about.
        """
        self._rest = max(self._rest - 1, 0)
        if not found:
            self._rest, self._next_rest = 0, SHORTEST_REST
        if not untold or (untold <= self._about and self._is_answered()):
            self._waited = 0
            return True
        self._waited = self._waited + 1 if same else 0
        if not same <= self._about and not self._rest:
            self._about, self._is_answered = same, self.ask()
            self._rest, self._next_rest = self._next_rest, min(2 * self._next_rest, LONGEST_REST)
        return self._waited > PATIENCE


async def keep_account(lots: AccountCheck, cash: CashCheck, inquiry: AccountInquiry) -> None:
    """Look every second, until cancelled."""
    before: Differences = frozenset()
    for count in itertools.count(1):
        await trio.sleep(LOOK_EVERY)
        untold = _differences(lots.untold(), cash.untold())
        may_tell = inquiry.look(_differences(lots.look(), cash.look()), untold, before & untold)
        if may_tell and not count % TELL_EVERY:
            lots.look_twice()
            cash.look_twice()
        before = untold


def _differences(*found: Mapping[str, Decimal]) -> Differences:
    return frozenset(item for each in found for item in each.items())
