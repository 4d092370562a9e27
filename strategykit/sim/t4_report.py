"""What the simulated T4 venue knows of orders, as rows of plain values, for checkers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from strategykit.model.events import OrderStatus
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.t4_updates import OrderLogEntry

__all__ = ["make_report"]


def make_report(
    log: Iterable[OrderLogEntry], exchange: SimulatedExchange, accounts: Iterable[str]
) -> dict[str, list[dict[str, Any]]]:
    """Give the last state of each order, all fills, all positions, and every change that was told, oldest first.

    An order's status is in the words of all venues, that of a change in T4's.
    """
    changes = [entry.row() for entry in log]
    last = {row["unique_id"]: row for row in changes}
    held = [_plain(row) for name in accounts for row in exchange.positions(name)]
    return {
        "orders": [{**row, "venue_order_id": row["unique_id"], "status": _status(row)} for row in last.values()],
        "fills": [row for row in changes if row["trade_id"]],
        "positions": held,
        "commands": changes,
    }


def _status(row: dict[str, Any]) -> str:
    if row["status"] == "FINISHED":
        found = OrderStatus.FILLED if row["filled"] and row["filled"] >= row["volume"] else OrderStatus.CANCELLED
    else:
        found = OrderStatus.REJECTED if row["status"] == "REJECTED" else OrderStatus.WORKING
    return found.value


def _plain(event: Any) -> dict[str, Any]:
    values = attrs.asdict(event)
    return {name: value if isinstance(value, str | int | None) else str(value) for name, value in values.items()}
