"""Which faults strike when: drawn from a seed, so that a schedule can be had again."""

from __future__ import annotations

import random
from typing import Any, Final

import attrs

from strategykit.model.risk_limits import ACCOUNT_LIMITS, STRATEGY_LIMITS, RiskPlan

__all__ = ["LIMITS", "Fault", "Plan", "draw_plan"]

STRIKING: Final = 5.0
"""Seconds in which faults strike; afterwards the run has to find back by itself."""

LIMITS: Final = RiskPlan(
    account=attrs.evolve(ACCOUNT_LIMITS, max_order_rate=400),
    strategy=attrs.evolve(STRATEGY_LIMITS, max_order_rate=200),
)
"""A strategy that acts 50 times a second on average, at random, is told by the usual limit that it went wrong."""

INSTRUMENTS: Final = ("SBER", "GAZP")

_LANES: Final = ("market", "orders", "ws", "commands", "all")


@attrs.frozen
class Fault:
    """One fault."""

    at: float
    """Seconds after the run began to connect."""
    command: dict[str, Any]
    """As the venue's ``POST /sim/faults`` takes it."""


@attrs.frozen(kw_only=True)
class Plan:
    """One schedule."""

    seed: int
    faults: tuple[Fault, ...]
    token_life: float
    """Seconds."""
    forgets: bool
    """Whether the venue loses its orders once: then books can't be compared."""
    pace: float
    """Seconds between two actions of a churning strategy."""


def draw_plan(seed: int) -> Plan:
    """Draw a schedule."""
    draw = random.Random(f"faults {seed}")
    count = draw.choice((1, 3, 6, 12, 20))
    commands = [_draw(draw) for _ in range(count)]
    forgets = draw.random() < 0.06
    if forgets:
        commands.append([{"fault": "restart", "seconds": draw.uniform(0.1, 1.0), "forget_orders": True}])
    faults: list[Fault] = []
    for group in commands:
        at = draw.uniform(0.0, STRIKING)
        faults += [Fault(at + number * draw.uniform(0.05, 1.0), command) for number, command in enumerate(group)]
    return Plan(
        seed=seed,
        faults=tuple(sorted(faults, key=lambda fault: fault.at)),
        token_life=draw.choice((1800.0, 1800.0, 1800.0, 3.0)),
        forgets=forgets,
        pace=draw.choice((0.1, 0.03, 0.01)),
    )


def _draw(draw: random.Random) -> list[dict[str, Any]]:
    """Draw one fault; those that have to be ended by another one come with it."""
    lane, count, seconds = draw.choice(_LANES), draw.choice((1, 1, 3, 10)), draw.uniform(0.05, 2.0)
    kind = draw.choice(
        (
            "drop",
            "reset",
            "reset",
            "stall",
            "half_open",
            "garbage",
            "late_acknowledgement",
            "missing_acknowledgement",
            "duplicate_acknowledgement",
            "late_reply",
            "missing_reply",
            "duplicate_reply",
            "duplicate_fill",
            "restart",
            "refuse_upgrades",
            "revoke_tokens",
            "halt",
        )
    )
    match kind:
        case "drop":
            return [{"fault": kind, "lane": lane, "code": draw.choice((1000, 1001, 1008, 1011, 1012, 1013, 4000))}]
        case "reset" | "half_open":
            return [{"fault": kind, "lane": lane}]
        case "stall":
            return [{"fault": kind, "lane": lane, "seconds": seconds}]
        case "garbage":
            frame = draw.choice((None, "", "[]", "null", '{"data":null,"guid":"x"}', '{"requestGuid":1}', "\x00" * 50))
            return [{"fault": kind, "lane": lane, "frame": frame}]
        case "late_acknowledgement" | "late_reply":
            return [{"fault": kind, "seconds": draw.choice((seconds, 6.0)), "count": count}]
        case "restart":
            return [{"fault": kind, "seconds": seconds}]
        case "refuse_upgrades":
            status = draw.choice((0, 429, 500, 503))
            return [{"fault": kind, "seconds": seconds, "status": status}, {"fault": "reset", "lane": lane}]
        case "revoke_tokens":
            after = {"fault": "reset", "lane": lane}
            return [{"fault": kind}, after] if draw.random() < 0.5 else [{"fault": kind}]
        case "halt":
            symbol = draw.choice(INSTRUMENTS)
            return [{"fault": "halt", "instrument": symbol}, {"fault": "resume", "instrument": symbol}]
        case _:
            return [{"fault": kind, "count": count}]
