"""The [risk] tables of a session file: from what they say to the limits of a run, without contradictions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from strategykit.config_tables import LimitsTable, RiskTable
from strategykit.config_values import EVERY, Mistakes
from strategykit.model.risk_limits import ACCOUNT_LIMITS, STRATEGY_LIMITS, Limits, RiskPlan, too_big_orders, wider_words

__all__ = ["make_plan"]

_ALL: Final = "risk.strategy"


def make_plan(risk: RiskTable, own: Iterable[tuple[str, str, LimitsTable]]) -> RiskPlan:
    """Give the limits of a run.

    What nobody says is as by default, or as narrow as the next wider scope. What is said can't be wider than that.

    Args:
        risk: The account's, and those of all strategies.
        own: For each strategy its name, the key of its table, and what that says.

    Raises:
        Mistakes: Limits contradict each other.
    """
    account = _applied(ACCOUNT_LIMITS, risk)
    every = _applied(STRATEGY_LIMITS, risk.strategy)
    around = [(_ALL, every), ("risk", account)]
    lines = [*_too_big(risk, around[1:]), *_too_big(risk.strategy, around)]
    lines += _wider(_ALL, risk.strategy, every, "risk", account)
    every = every.narrowed(account)
    strategies: dict[str, Limits] = {}
    for name, key, table in own:
        if _said(table):
            limits = _applied(every, table)
            lines += _too_big(table, [(key, limits), *around])
            lines += _wider(key, table, limits, _ALL, every)
            if limits.repeat_window < every.repeat_window:
                lines.append(wider_words(key, "repeat_window", limits, _ALL, every))
            strategies[name] = limits.narrowed(every)
    if lines:
        raise Mistakes(*lines)
    return RiskPlan(account=account, strategy=every, strategies=strategies, time_zone=risk.time_zone)


def _said(table: LimitsTable) -> dict[str, Any]:
    """Give the limits that a table says, by key."""
    values = attrs.asdict(table, recurse=False, filter=lambda field, _: field.name in _KEYS)
    return {key: value for key, value in values.items() if value is not None}


_KEYS: Final = frozenset(attrs.fields_dict(LimitsTable))


def _applied(base: Limits, table: LimitsTable) -> Limits:
    """Give `base` with what `table` says in its place."""
    said = _said(table)
    positions: Mapping[str, int] = said.pop("max_position", {})
    every = positions.get(EVERY, base.max_position)
    single = {symbol: lots for symbol, lots in positions.items() if symbol != EVERY}
    before = base.max_position_of
    if EVERY in positions:
        before = {symbol: min(lots, every) for symbol, lots in before.items()}
    return attrs.evolve(base, **said, max_position=every, max_position_of={**before, **single})


def _wider(key: str, table: LimitsTable, limits: Limits, outer_key: str, outer: Limits) -> Iterator[str]:
    said = {name for name in _said(table) if name != "max_position"}
    for symbol in table.max_position or ():
        said.add("max_position" if symbol == EVERY else f"max_position.{symbol}")
    for name in limits.wider(outer):
        if name in said:
            yield wider_words(key, name, limits, outer_key, outer)


def _too_big(table: LimitsTable, scopes: Sequence[tuple[str, Limits]]) -> Iterator[str]:
    if table.max_order_quantity is not None:
        yield from too_big_orders(scopes)
