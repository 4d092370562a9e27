"""What the simulated T4 venue knows of orders, as rows of plain values, for checkers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.t4_updates import OrderLogEntry

__all__ = ["make_report"]


def make_report(
    log: Iterable[OrderLogEntry], exchange: SimulatedExchange, accounts: Iterable[str]
) -> dict[str, list[dict[str, Any]]]:
    """Give the last state of each order, all fills, all positions, and every change that was told, oldest first."""
    changes = [entry.row() for entry in log]
    last = {row["unique_id"]: row for row in changes}
    held = [_plain(row) for name in accounts for row in exchange.positions(name)]
    return {
        "orders": list(last.values()),
        "fills": [row for row in changes if row["trade_id"]],
        "positions": held,
        "commands": changes,
    }


def _plain(event: Any) -> dict[str, Any]:
    values = attrs.asdict(event)
    return {name: value if isinstance(value, str | int | None) else str(value) for name, value in values.items()}
