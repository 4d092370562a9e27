"""What commands that run strategies on recordings are told alike: which strategies, on what assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from strategykit.cli._session import is_strategy
from strategykit.config import StrategySpec, load_session
from strategykit.config_models import load_models
from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import Constant
from strategykit.sim.models.queues import FillRule

__all__ = ["Cash", "FeeRate", "Latency", "Named", "Rule", "assumed", "cash_of", "named", "number_of"]

Cash = Annotated[str, Parameter(help="money at the start", metavar="NUMBER")]
FeeRate = Annotated[str | None, Parameter(help="fee as a part of the traded value: 0.0005 is 0.05 %", metavar="NUMBER")]
Rule = Annotated[
    Literal["touch", "trade_through", "risk_averse", "probability"] | None,
    Parameter(help="when a resting limit order is filled"),
]
Latency = Annotated[str | None, Parameter(help="from an order to its taking effect, such as 50ms", metavar="TIME")]


@attrs.frozen
class Named:
    """What a strategy file, or a session file, says of a backtest."""

    strategies: Sequence[StrategySpec]
    limits: RiskPlan
    models: FillModels


def named(what: str, params: Mapping[str, object], *, purpose: str) -> Named:
    """Read `what`, a strategy with its parameters or a session file.

    Raises:
        ConfigError: The session is wrong, or has no strategy for the `purpose`.
    """
    if is_strategy(what):
        name = Path(what.removeprefix("sample:")).stem
        return Named([StrategySpec(name=name, file=what, params=params)], DEFAULT_PLAN, DEFAULT_MODELS)
    session = load_session(what)
    if not session.strategies:
        raise ConfigError(f"{what}: has no [[strategy]] to {purpose}")
    return Named(list(session.strategies), session.risk, session.models)


def assumed(
    models: FillModels, file: Path | None, fee_rate: str | None, rule: str | None, latency: str | None
) -> FillModels:
    """Give `models`, or those of `file`, with what flags say in their place.

    Raises:
        ConfigError: A value can't be; it says which.
    """
    found = models if file is None else load_models(file)
    if fee_rate is not None:
        rate = number_of(fee_rate)
        if not rate.is_finite():
            raise ConfigError(f"--fee-rate {fee_rate!r} should be a number")
        if abs(rate) >= 1:
            raise ConfigError(f"--fee-rate {fee_rate!r} should be a part of the traded value: 0.0005 is 0.05 %")
        found = attrs.evolve(found, fees=FeeModel(maker_rate=rate, taker_rate=rate))
    if rule is not None:
        found = attrs.evolve(found, rule=FillRule(rule))
    if latency is not None:
        found = attrs.evolve(found, order_latency=Constant(span=parse_duration(latency)))
    return found


def cash_of(text: str) -> Decimal:
    """Read the money at the start.

    Raises:
        ConfigError: It is none.
    """
    cash = number_of(text)
    if not cash.is_finite() or cash < 0:
        raise ConfigError(f"--cash {text!r} should be a number, 0 or above")
    return cash


def number_of(text: str) -> Decimal:
    """Read a number; what is none is a NaN."""
    try:
        return Decimal(text)
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        return Decimal("NaN")
