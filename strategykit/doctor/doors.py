"""A venue's doors, as the doctor knocks at them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from strategykit.config import VenuePlan
from strategykit.doctor.network import Doors
from strategykit.tape.redact import Redactor

__all__ = ["venue_doors"]


def venue_doors(venue: VenuePlan, *, instruments: Sequence[str] = (), login: bool = False) -> Doors:
    """Give what to knock at.

    Args:
        venue: Which.
        instruments: What is to be found there.
        login: Whether a login is tried, too, that ends a session of the same user which is open.

    Raises:
        ConfigError: A credential isn't where the session says.
    """
    secrets = venue.secrets()
    redactor = Redactor()
    for secret in secrets.values():
        redactor.protect(secret.reveal())
    known = venue.known
    return Doors(
        dialect=venue.dialect(),
        endpoints=venue.endpoints,
        tokens=known.tokens(secrets, venue.options),
        http_tokens=known.http_tokens(secrets, venue.options),
        time=known.time,
        now=time.time_ns,
        instruments=instruments,
        exchange=venue.exchange,
        login=login,
        redactor=redactor,
    )
