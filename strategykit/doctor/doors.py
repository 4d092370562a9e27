"""A venue's doors, as the doctor knocks at them."""

from __future__ import annotations

import time

from strategykit.config import VenuePlan
from strategykit.doctor.network import Doors
from strategykit.tape.redact import Redactor

__all__ = ["venue_doors"]


def venue_doors(venue: VenuePlan) -> Doors:
    """Give what to knock at.

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
        time=known.time,
        now=time.time_ns,
        redactor=redactor,
    )
