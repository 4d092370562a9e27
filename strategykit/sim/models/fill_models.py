"""All that a backtest or paper trading assumes of fills, in one value: part of what a run is known by."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.sim.fees import NO_FEES, FeeModel
from strategykit.sim.models.bars import BarPrice, BarRule
from strategykit.sim.models.day_end import DayEnd
from strategykit.sim.models.impact import NO_IMPACT, Impact
from strategykit.sim.models.latency import NONE, Latency
from strategykit.sim.models.queues import Chance, FillRule

__all__ = ["DEFAULT_MODELS", "FillModels"]


def _share(_: FillModels, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 < value <= 1:
        raise ConfigError(f"{attribute.name} must be above 0, and 1 at most, not {value}")


def _rate(_: FillModels, attribute: attrs.Attribute[Any], value: Decimal) -> None:
    if not value.is_finite() or value < 0:
        raise ConfigError(f"{attribute.name} must be 0 or above, not {value}")


def _step(_: FillModels, attribute: attrs.Attribute[Any], value: Decimal | None) -> None:
    if value is not None and not (value.is_finite() and value > 0):
        raise ConfigError(f"{attribute.name} must be above 0, not {value}")


def _frozen(values: Mapping[str, FeeModel]) -> Mapping[str, FeeModel]:
    return MappingProxyType(dict(values))


@attrs.frozen(kw_only=True)
class FillModels:
    """What is assumed. Each field can be replaced by itself; what each can't know, docs/backtest-models.md says."""

    rule: FillRule = FillRule.TOUCH
    """When resting limit orders fill."""
    chance: Chance = attrs.field(factory=Chance)
    """Of `FillRule.PROBABILITY`."""
    partial: bool = False
    """Whether an order gets no more than was traded or shown, all own orders together, and what was taken from a level
    is gone until the venue tells a new size of it. False: resting orders fill whole, and takers meet a level anew."""
    beyond_depth: bool = True
    """Whether a market order for more lots than are shown gets the rest one tick beyond; False: the rest ends."""
    only_trades: bool = False
    """Whether resting orders are filled by trades alone, and by no quote or book."""
    bars: BarRule = BarRule.BOTH
    bar_share: float = attrs.field(default=1.0, validator=_share)
    """With `partial`: the part of a bar's volume that own orders can have."""
    next_open: bool = False
    """Where there are bars alone: market orders get the next bar's open, not the last one's close."""
    next_bar: bool = False
    """Where there are bars alone: limit orders and stops meet nothing before the next bar."""
    bar_price: BarPrice = BarPrice.LIMIT
    stop_at_close: bool = False
    """Whether a bar fills a stop at its close, where that is worse for its owner than the trigger: careful."""
    feed_latency: Latency = NONE
    """How much later than the data say strategies are told of the market."""
    order_latency: Latency = NONE
    """From giving a command to its taking effect."""
    answer_latency: Latency = NONE
    """From what happens to an order to its owner's being told."""
    fees: FeeModel = NO_FEES
    fees_of: Mapping[str, FeeModel] = attrs.field(factory=dict, converter=_frozen)
    """By symbol, or by exchange; where there is none, `fees` hold."""
    impact: Impact = NO_IMPACT
    day_end: DayEnd | None = None
    """When day orders lapse; None: never."""
    margin_rate: Decimal = attrs.field(default=Decimal(1), validator=_rate)
    """Share of positions that equity must cover; 0: any order is affordable."""
    cash_step: Decimal | None = attrs.field(default=None, validator=_step)
    """The smallest unit of cash, to which each fill's value is rounded; None: values are exact."""


DEFAULT_MODELS: Final = FillModels()
"""Hopeful, and free of charge."""
