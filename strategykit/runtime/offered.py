"""Which stream of a venue serves what is wanted; what it doesn't have is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.runtime.built_bars import build_missing
from strategykit.runtime.outside import Finder
from strategykit.venues.dialect import Dialect
from strategykit.venues.streams import Stream

__all__ = ["check_offered", "find_offered"]


def check_offered(dialect: Dialect, wanted: Stream) -> None:
    """Pass a stream of a kind that the venue has.

    Raises:
        ConfigError: It has none; the message says what it has.
    """
    offers = dialect.offers
    if wanted.kind not in offers.streams:
        has = ", ".join(offers.market_data)
        raise ConfigError(f"{wanted.label}: {dialect.name} has no {wanted.kind.value}; of market data it has {has}")


def find_offered(dialect: Dialect) -> Finder:
    """Make what serves streams of the kinds that a venue has, and builds bars from trades where it has none of its own.

    What it makes raises `ConfigError` for any other kind.
    """
    build = build_missing(dialect.offers)

    def find(wanted: Stream, receive: Callable[[Event], None] | None) -> tuple[Stream, Callable[[Event], None] | None]:
        served, receive = build(wanted, receive)
        check_offered(dialect, served)
        return served, receive

    return find
