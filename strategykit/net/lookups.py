"""Holding a dialect's conversation about what its venue lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.errors import ConnectionLost, LoginRefused
from strategykit.net.http import HttpClient
from strategykit.venues.lookups import Listed, Lookup

__all__ = ["hold"]

_NO_SUCH_THING: Final = (400, 404)
_NOBODY: Final = (401, 403)
_SHOWN: Final = 200
"""Bytes of an answer that are quoted."""


async def hold(client: HttpClient, lookup: Lookup) -> Sequence[Listed]:
    """Make the calls that a lookup wants, one after the other, and give what it found.

    Raises:
        LoginRefused: The venue doesn't take what the calls go with.
        Refused: There is no token for them.
        ConnectionLost: There was no answer, or none that says anything.
        RemoteProtocolError: An answer can't be read.
        ConfigError: The venue can't be reached securely.
    """
    try:
        request = next(lookup)
        while True:
            answer = await client.call(request)
            if answer.status in _NOBODY:
                raise LoginRefused(f"{request.path}: the venue answers with HTTP {answer.status}", code=answer.status)
            if not answer.ok and answer.status not in _NO_SUCH_THING:
                words = answer.body[:_SHOWN].decode("utf-8", "replace")
                raise ConnectionLost(f"{request.path}: the venue answers with HTTP {answer.status}: {words}")
            request = lookup.send(answer.body if answer.ok else None)
    except StopIteration as over:
        found: Sequence[Listed] = over.value
        return found
    finally:
        lookup.close()
