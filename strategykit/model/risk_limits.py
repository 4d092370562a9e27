"""How much strategies may do: the limits of one scope, and those of a whole run.

A scope is one strategy, or the account, which is all strategies of the run together. Nothing here can be written once
it is made. Limits may be as wide as one likes, but none is ever missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from strategykit.errors import ConfigError

__all__ = [
    "ACCOUNT_LIMITS",
    "COLLAR_TICKS",
    "DEFAULT_PLAN",
    "LIMIT_WORDS",
    "NO_PLAN",
    "STRATEGY_LIMITS",
    "Limits",
    "RiskPlan",
    "limits_in_words",
    "too_big_orders",
    "wider_words",
    "zone_of",
]

SECOND: Final = 1_000_000_000

COLLAR_TICKS: Final = 10
"""Ticks that a limit may always lie beyond the last price: a part of a price near 0 is less than a tick."""


def _frozen(values: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(values))


def _sound(_: Limits, attribute: attrs.Attribute[Any], value: int | Decimal) -> None:
    kind = type(attribute.default)
    if type(value) is not kind or (isinstance(value, Decimal) and value.is_nan()) or value <= 0:
        raise ConfigError(f"{attribute.name} = {value!r} should be {_KINDS[kind]} above 0")


def _countable(_: Limits, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not int or value < 0:
        raise ConfigError(f"{attribute.name} = {value!r} should be a whole number, at least 0")


def _whole(_: Limits, attribute: attrs.Attribute[Any], value: Mapping[str, object]) -> None:
    for symbol, lots in value.items():
        if type(lots) is not int or lots < 0:
            raise ConfigError(f"{attribute.name}[{symbol!r}] = {lots!r} should be a whole number, at least 0")


_KINDS: Final[Mapping[type, str]] = {int: "a whole number", Decimal: "a Decimal"}


@attrs.frozen(kw_only=True)
class Limits:
    """The limits of one scope; `LIMIT_WORDS` says what each means. A value that equals its limit is allowed."""

    max_order_quantity: int = attrs.field(default=1_000, validator=_sound)
    max_order_notional: Decimal = attrs.field(default=Decimal(10_000_000), validator=_sound)
    price_collar: Decimal = attrs.field(default=Decimal("0.1"), validator=_sound)
    max_open_orders: int = attrs.field(default=100, validator=_sound)
    max_order_rate: int = attrs.field(default=50, validator=_sound)
    max_repeats: int = attrs.field(default=20, validator=_sound)
    repeat_window: int = attrs.field(default=10 * SECOND, validator=_sound)
    """Nanoseconds."""
    max_position: int = attrs.field(default=5_000, validator=_countable)
    max_position_of: Mapping[str, int] = attrs.field(factory=dict, converter=_frozen, validator=_whole)
    """`max_position` of single instruments, by symbol; 0 keeps one from being held."""
    max_daily_loss: Decimal = attrs.field(default=Decimal(100_000), validator=_sound)

    def position(self, instrument: str) -> int:
        """Give the lots that may be held of `instrument`."""
        return self.max_position_of.get(instrument, self.max_position)

    def items(self) -> Iterator[tuple[str, int | Decimal]]:
        """Give name and value of each; one of a single instrument as ``max_position.SBER``."""
        yield from ((name, getattr(self, name)) for name in LIMIT_WORDS)
        yield from ((f"max_position.{symbol}", lots) for symbol, lots in self.max_position_of.items())

    def narrowed(self, by: Limits) -> Limits:
        """Give the narrower of each two limits. The window of repeats stays."""
        changes = {name: min(getattr(self, name), getattr(by, name)) for name in _NARROWING}
        symbols = [*self.max_position_of, *by.max_position_of]
        of = {symbol: min(self.position(symbol), by.position(symbol)) for symbol in symbols}
        return attrs.evolve(self, **changes, max_position_of=of)

    def wider(self, than: Limits) -> Iterator[str]:
        """Name the limits that allow more than those of `than`; one of a single instrument as ``max_position.SBER``."""
        yield from (name for name in _NARROWING if getattr(self, name) > getattr(than, name))
        for symbol in self.max_position_of:
            if self.position(symbol) > than.position(symbol):
                yield f"max_position.{symbol}"


def limits_in_words(limits: Mapping[str, int | Decimal], *, beside: Mapping[str, int | Decimal] | None = None) -> str:
    """Write what `Limits.items` gives in a line, by the keys of a session file.

    Args:
        limits: By name.
        beside: What is known already: only what differs is written then.
    """
    known = beside or {}
    return ", ".join(
        f"{name} = {value / SECOND:g} s" if name == "repeat_window" else f"{name} = {value:,}"
        for name, value in limits.items()
        if known.get(name) != value
    )


def wider_words(key: str, name: str, limits: Limits, outer_key: str, outer: Limits) -> str:
    """Say that a limit allows more than that of the scope around it, and what to do.

    Args:
        key: What the scope is called.
        name: Of the limit.
        limits: Of the scope.
        outer_key: What the scope around it is called.
        outer: Its limits.
    """
    values, others = dict(limits.items()), dict(outer.items())
    theirs = name if name in others else "max_position"
    how, what = ("shorter", "shorten that one, or lengthen this") if name == "repeat_window" else ("wider", _MEND)
    return (
        f"{key}.{limits_in_words({name: values[name]})} is {how} than "
        f"{outer_key}.{limits_in_words({theirs: others[theirs]})}; {what}"
    )


_MEND: Final = "raise that one, or lower this"


def too_big_orders(scopes: Sequence[tuple[str, Limits]]) -> Iterator[str]:
    """Tell that a scope allows orders of more lots than may be held of any instrument, and what to do.

    Args:
        scopes: What it is called, and its limits; then the same of those around it, the widest last.
    """
    key, limits = scopes[0]
    left = limits
    for name, scope in scopes:
        left = left.narrowed(scope)
        most = max(left.max_position, *left.max_position_of.values(), 0)
        if limits.max_order_quantity > most:
            lots = f"{limits.max_order_quantity:,}"
            yield (
                f"{key}.max_order_quantity = {lots} is more than {name}.max_position = {most:,}: "
                f"no such order could open a position; {_MEND}"
            )
            return


LIMIT_WORDS: Final[Mapping[str, str]] = {
    "max_order_quantity": "Lots in one order.",
    "max_order_notional": "What one order is worth, in its instrument's currency: at its limit or trigger; a market "
    "order, and a sell below the market, at the last price. Before the first price, nobody knows what a market order "
    "is worth: it is held against the other limits alone.",
    "price_collar": "How far a limit may lie beyond the last price, as a part of it: above for a buy, below for a "
    f"sell; of a stop with a limit, beyond its trigger. {COLLAR_TICKS} ticks are always allowed.",
    "max_open_orders": "Orders that can still be filled, as far as is known.",
    "max_order_rate": "Orders and amends within any one second.",
    "max_repeats": "Orders of the same instrument, side, quantity and prices within `repeat_window`, with no fill of "
    "the instrument between them.",
    "repeat_window": "How far `max_repeats` looks back.",
    "max_position": "Lots of one instrument, long or short, with all that works in that direction counted as filled. "
    "Of the account: the long positions of all strategies added up, and the short ones by themselves.",
    "max_daily_loss": "Loss since the day began, realised and open, with fees, in each currency by itself. Beyond it, "
    "orders that open are withdrawn, and none is placed until the next day.",
}
"""What each limit means."""

_NARROWING: Final = tuple(name for name in LIMIT_WORDS if name != "repeat_window")
"""Limits that allow the less the smaller they are. A window of repeats is strict when it is long."""

STRATEGY_LIMITS: Final = Limits()
"""Of each strategy, where nobody says otherwise."""

ACCOUNT_LIMITS: Final = Limits(max_open_orders=500, max_order_rate=100, max_repeats=100)
"""Of all strategies together. Several of them may place the same order on the same news: more repeats are allowed."""


def zone_of(name: str) -> ZoneInfo:
    """Give a time zone by name.

    Raises:
        ConfigError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # Missing, unfit as a file's name, or a folder of zones.
        raise ConfigError(f"{name!r} is no known time zone, such as 'UTC' or 'Europe/Moscow'") from None


def _frozen_limits(values: Mapping[str, Limits]) -> Mapping[str, Limits]:
    return MappingProxyType(dict(values))


def _known(_: RiskPlan, __: attrs.Attribute[str], value: str) -> None:
    zone_of(value)


def _too_big(scopes: Sequence[tuple[str, Limits]]) -> Iterator[str]:
    """Tell the same where somebody has asked for it: it isn't as by default, endless, or as in a scope around it."""
    (_, limits), *around = scopes
    if all(
        limits.max_order_quantity != each.max_order_quantity
        for each in (STRATEGY_LIMITS, _ENDLESS, *dict(around).values())
    ):
        yield from too_big_orders(scopes)


def _wider(key: str, limits: Limits, outer_key: str, outer: Limits) -> Iterator[str]:
    """Tell what a scope allows beyond the one around it; what is as by default or endless, nobody has asked for."""
    said = set(limits.items()) - {*STRATEGY_LIMITS.items(), *_ENDLESS.items()}
    names = {name for name, _ in said}
    yield from (wider_words(key, name, limits, outer_key, outer) for name in limits.wider(outer) if name in names)


@attrs.frozen(kw_only=True)
class RiskPlan:
    """The limits of a run.

    Raises:
        ConfigError: A scope allows more than the one around it, or orders of more lots than may be held, of what isn't
            as by default: that would never hold.
    """

    account: Limits = ACCOUNT_LIMITS
    strategy: Limits = STRATEGY_LIMITS
    """Of each strategy that has none of its own."""
    strategies: Mapping[str, Limits] = attrs.field(factory=dict, converter=_frozen_limits)
    """Of single strategies, by name."""
    time_zone: str = attrs.field(default="UTC", validator=_known)
    """Whose midnight begins the day of `max_daily_loss`."""

    def __attrs_post_init__(self) -> None:
        around = [("strategy", self.strategy), ("account", self.account)]
        lines = [*_too_big(around[1:]), *_too_big(around)]
        lines += _wider("strategy", self.strategy, "account", self.account)
        for name, limits in self.strategies.items():
            lines += _too_big([(f"strategies[{name!r}]", limits), *around])
            lines += _wider(f"strategies[{name!r}]", limits, "strategy", self.strategy)
            if STRATEGY_LIMITS.repeat_window != limits.repeat_window < self.strategy.repeat_window:
                lines.append(wider_words(f"strategies[{name!r}]", "repeat_window", limits, "strategy", self.strategy))
        if lines:
            raise ConfigError("\n".join(lines))

    def of(self, strategy: str) -> Limits:
        """Give the limits of the strategy of that name."""
        return self.strategies.get(strategy, self.strategy)


_ENDLESS: Final = Limits(
    max_order_quantity=10**15,
    max_order_notional=Decimal("Infinity"),
    price_collar=Decimal("Infinity"),
    max_open_orders=10**15,
    max_order_rate=10**15,
    max_repeats=10**15,
    max_position=10**15,
    max_daily_loss=Decimal("Infinity"),
)

DEFAULT_PLAN: Final = RiskPlan()
"""Where nobody says otherwise."""

NO_PLAN: Final = RiskPlan(account=_ENDLESS, strategy=_ENDLESS)
"""No limit is ever met: for running again what was recorded before there were limits."""
