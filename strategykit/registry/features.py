"""What each venue can be used for, as its dialect says: for a table, for JSON, and for the page in the docs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from strategykit.model.orders import OrderType
from strategykit.registry.venue import Venue
from strategykit.venues.streams import PRIVATE, StreamKind

__all__ = ["Features", "features_of", "features_page"]


@attrs.frozen(kw_only=True)
class Features:
    """One venue, in words."""

    name: str
    title: str
    market_data: Sequence[str]
    account: Sequence[str]
    """Streams of an account."""
    orders: Sequence[str]
    """Order types; none: strategies trade on paper."""
    links_orders: bool
    """Whether strategies can place orders that cancel each other, and brackets."""
    credentials: Sequence[str]
    """Ways to log in, each the keys that it needs; none: nobody is asked who he is."""
    connections: int
    subscriptions: int
    """A connection."""
    confirms: bool
    """Whether the venue answers subscriptions; else the first datum has to do."""
    life: float | None
    """Seconds that a connection may live; None: no limit is known."""


def features_of(venue: Venue) -> Features:
    """Ask a venue's dialect what it has."""
    dialect = venue.dialect({})
    offers, limits = dialect.offers, dialect.limits
    lives = [spec.life for spec in dialect.lanes.values() if spec.life is not None]
    return Features(
        name=venue.name,
        title=venue.title,
        market_data=offers.market_data,
        account=[kind.value for kind in StreamKind if kind in offers.streams and kind in PRIVATE],
        orders=[kind.value for kind in OrderType if kind in offers.orders],
        links_orders=offers.links_orders,
        credentials=[" + ".join(login) for login in venue.logins],
        connections=limits.connections,
        subscriptions=limits.subscriptions,
        confirms=dialect.acknowledges,
        life=min(lives, default=None),
    )


_HEAD: Final = """\
# Venues

Made from the dialects themselves by `strategykit venues --markdown`; a test compares. A name is what `[venue]` in a
session file, `--venue` and `strategykit sim` take.
"""

_TAIL: Final = """\
Where a venue takes no orders, or none are spoken to it yet, strategies trade on paper: market data are the venue's, a
fill model on your machine answers the orders, through the same gateway. A subscription that no venue confirms counts as
confirmed by its first datum; if nothing comes, strategies are told so. The stop of a position that a strategy holds by
`long` or `short` rests at the venue, or is watched here, by the program and only while it runs; here it is, too, where
orders stay on paper.
"""

_NONE: Final = "–"


def features_page(venues: Iterable[Venue]) -> str:
    """Write the page, in Markdown."""
    rows = [features_of(venue) for venue in venues]
    public = [kind.value for kind in StreamKind if kind not in PRIVATE]
    private = [kind.value for kind in StreamKind if kind in PRIVATE]
    types = [kind.value for kind in OrderType]
    lines = [_HEAD]
    lines += _table(["name", *(f"`{row.name}`" for row in rows)], [["venue", *(row.title for row in rows)]])
    for title, names, held in (
        ("Market data", public, [row.market_data for row in rows]),
        ("Account", private, [row.account for row in rows]),
        ("Orders", types, [row.orders for row in rows]),
    ):
        lines += [f"## {title}", ""]
        lines += _table(
            ["", *(f"`{row.name}`" for row in rows)],
            [[name.replace("_", " "), *("yes" if name in each else _NONE for each in held)] for name in names],
        )
    lines += ["## Rules", ""]
    lines += _table(
        ["", *(f"`{row.name}`" for row in rows)],
        [
            ["credentials", *(" or ".join(f"`{item}`" for item in row.credentials) or "none" for row in rows)],
            ["connections at the most", *(f"{row.connections:,}" for row in rows)],
            ["subscriptions a connection", *(f"{row.subscriptions:,}" for row in rows)],
            ["subscriptions are confirmed", *("yes" if row.confirms else "by the first datum" for row in rows)],
            ["stops of positions", *("at the venue" if OrderType.STOP.value in row.orders else "here" for row in rows)],
            ["linked orders", *("yes" if row.links_orders else _NONE for row in rows)],
            ["a connection lives", *(_NONE if row.life is None else f"{row.life / 3_600:g} h" for row in rows)],
        ],
    )
    lines.append(_TAIL)
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]
