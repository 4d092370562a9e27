"""ALOR's doors, as the doctor knocks at them."""

from __future__ import annotations

import time

from strategykit.config import VenuePlan
from strategykit.doctor.network import Doors
from strategykit.errors import RemoteProtocolError
from strategykit.runtime.run import make_dialect
from strategykit.tape.redact import Redactor
from strategykit.venues.alor.tokens import read_refresh, refresh_request
from strategykit.venues.dialect import HttpRequest

__all__ = ["alor_doors", "parse_time"]


def alor_doors(venue: VenuePlan) -> Doors:
    """Give what to knock at.

    Raises:
        ConfigError: The refresh token isn't where the session says.
    """
    secret = venue.secret()
    redactor = Redactor()
    redactor.protect(secret.reveal())
    return Doors(
        dialect=make_dialect(venue.name, exchange=venue.exchange, format=venue.format),
        endpoints=venue.endpoints,
        token_request=lambda: refresh_request(secret),
        parse_token=read_refresh,
        time_request=HttpRequest(method="GET", path="/md/v2/time"),
        parse_time=parse_time,
        now=time.time_ns,
        redactor=redactor,
    )


def parse_time(body: bytes) -> int:
    """Read the venue's time, nanoseconds UTC.

    Raises:
        RemoteProtocolError: It is no time.

    Source: ALOR protocol sheet, section 5, ``GET /md/v2/time``: a bare integer, seconds.
    """
    text = body.strip()
    if not (text.isdigit() and len(text) <= 12):
        raise RemoteProtocolError("the venue's time isn't a whole number of seconds", frame=body)
    return int(text) * 10**9
