"""The rows of a record that several checks read, in the venue's words and in ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["ENDED", "Row", "name_of", "theirs_by_name"]

Row = Mapping[str, Any]

ENDED: Final = frozenset({"filled", "cancelled", "rejected", "expired"})
"""States after which nothing of an order is filled any more, for us and for the venue."""


def theirs_by_name(record: Row) -> dict[str, list[Row]]:
    """Give the venue's rows of orders by our names for them, in the order in which they were placed."""
    found = defaultdict(list)
    for row in record["theirs"].get("orders", ()):
        if row["account"] == record["ours"]["account"]:
            found[name_of(row)].append(row)
    return found


def name_of(row: Row) -> str:
    """Give our name of an order. T4 shows the tag of its last command, which is that name with a suffix."""
    return str(row["tag"].partition("~")[0] if "tag" in row else row["client_order_id"] or "")
