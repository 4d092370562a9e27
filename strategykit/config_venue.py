"""The [venue] table of a session file: which keys it may have depends on the venue that it names."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from strategykit.config_values import Check, Mistakes, WrongValue, between, one_of, reference, symbol, table, url
from strategykit.errors import ConfigError
from strategykit.registry.table import VENUES
from strategykit.registry.venue import Venue

__all__ = ["VenueTable", "read_venue"]


@attrs.frozen(kw_only=True)
class VenueTable:
    """What a session says of its venue, checked key by key; what isn't said is None or missing."""

    venue: Venue
    url: str | None = None
    """All addresses in one, where they are."""
    http: str | None = None
    ws: str | None = None
    oauth: str | None = None
    account: str | None = None
    market_connections: int | None = None
    options: Mapping[str, object] = attrs.field(factory=dict)
    credentials: Mapping[str, str] = attrs.field(factory=dict)
    """References, by key."""


_ADDRESSES: Final = ("url", "http", "ws")


def read_venue(value: Any, kind: Any) -> VenueTable:
    """Check the [venue] table.

    Raises:
        WrongValue: It is no table.
        Mistakes: Something in it is wrong.
    """
    given: dict[str, Any] = dict(table(value, kind))
    lines: list[str] = []
    venue = _named(given, lines)
    # Without a venue nothing is known of the keys that only some have.
    checks = _checks(venue) if venue is not None else _all_checks()
    values: dict[str, Any] = {}
    for key, check in checks.items():
        if key in given and (venue is not None or key in _ADDRESSES):
            _take(key, given[key], check, values, lines)
    lines += [_unknown(key, venue, checks) for key in sorted(given.keys() - checks.keys() - {"name"})]
    if lines or venue is None:
        raise Mistakes(*lines)
    options = {key: values.pop(key) for key in venue.options if key in values}
    credentials = {key: values.pop(key) for key in venue.credentials if key in values}
    return VenueTable(venue=venue, options=options, credentials=credentials, **values)


def _named(given: Mapping[str, Any], lines: list[str]) -> Venue | None:
    if "name" not in given:
        lines.append(f"venue.name is missing; name the venue's dialect, one of {', '.join(VENUES)}")
        return None
    values: dict[str, Any] = {}
    _take("name", given["name"], one_of(tuple(VENUES)), values, lines)
    return VENUES[values["name"]] if values else None


def _take(key: str, value: object, check: Check, values: dict[str, Any], lines: list[str]) -> None:
    try:
        values[key] = check(value, None)
    except WrongValue as exc:
        lines.append(f"venue.{key} {exc}")
    except ConfigError as exc:
        lines.append(f"venue.{key}: {exc}")


def _checks(venue: Venue) -> dict[str, Check]:
    """Give the keys that a table of `venue` may have, but for its name, and the check of each."""
    return dict(_each_check(venue))


def _each_check(venue: Venue) -> Iterator[tuple[str, Check]]:
    for key in _ADDRESSES:
        yield key, url
    if venue.oauth:
        yield "oauth", url
    for key, option in venue.options.items():
        yield key, option.check
    if venue.takes_orders:
        yield "account", symbol
    for key, credential in venue.credentials.items():
        yield key, reference(key, credential.example)
    yield "market_connections", between(1, venue.market_connections)


def _all_checks() -> dict[str, Check]:
    return {key: check for venue in VENUES.values() for key, check in _each_check(venue)}


def _unknown(key: str, venue: Venue | None, checks: Mapping[str, Check]) -> str:
    others = [name for name, other in VENUES.items() if key in _checks(other)]
    known = ["name", *checks]
    if venue is not None and others:
        whose = " and ".join(others)
        return f"venue.{key} is a key of {whose}, not of {venue.name}; known are {', '.join(known)}"
    near = difflib.get_close_matches(key, known, n=1)
    return f"venue.{key} is no known key; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}")
