"""The limits of a run for its report: which there were, and how often each was met."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import attrs

from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.risk import Risk

__all__ = ["LimitReport", "report_limits"]


@attrs.frozen(kw_only=True)
class LimitReport:
    """One limit of one scope."""

    scope: str
    """``"account"``, or ``"strategy NAME"``."""
    limit: str
    """Its key in a session file; that of a single instrument as ``"max_position.SBER"``."""
    allowed: Decimal | int
    """Of `repeat_window`: nanoseconds."""
    hits: int
    """Orders and amends that it refused, and days of too much loss. What single instruments may come to counts as
    `max_position`."""


def report_limits(risk: Risk, strategies: Iterable[str]) -> list[LimitReport]:
    """Give the limits of the account and of `strategies`; none where there were none."""
    if risk.plan == NO_PLAN:
        return []
    return [
        LimitReport(scope=scope.name, limit=limit, allowed=allowed, hits=scope.hits[limit])
        for scope in risk.scopes(strategies)
        for limit, allowed in scope.limits.items()
    ]
