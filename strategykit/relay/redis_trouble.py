"""What can be wrong with a Redis, in words that never repeat a password."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import anyio
import trio
from coredis.exceptions import AuthenticationError, AuthorizationError, UnknownCommandError
from coredis.typing import RedisError

from strategykit.errors import ConfigError

__all__ = ["FOREIGN", "check_redis_url", "trouble_of"]

FOREIGN: Final = (
    *(RedisError, OSError, TimeoutError, anyio.EndOfStream),
    *(anyio.BrokenResourceError, anyio.ClosedResourceError, trio.BrokenResourceError, trio.ClosedResourceError),
)
"""What coredis lets out when a server isn't there, goes, or isn't a Redis."""

_REFUSALS: Final = (AuthenticationError, AuthorizationError, UnknownCommandError)


def check_redis_url(url: str) -> str:
    """Pass an address, without ever repeating its password.

    Raises:
        ConfigError: It isn't one of a Redis.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("redis", "rediss", "unix") and (parts.scheme == "unix" or bool(parts.hostname))
        _ = parts.port
    except ValueError:
        fine = False
    if not fine:
        raise ConfigError("--bus should look like redis://HOST:PORT or rediss://:PASSWORD@HOST:PORT")
    return url


def trouble_of(group: BaseExceptionGroup[Exception]) -> tuple[str, Exception | None]:
    """Say what is wrong, and give the error by which the server refused us, if that is what it did."""
    leaves = list(_leaves(group))
    refused = next((leaf for leaf in leaves if isinstance(leaf, _REFUSALS)), None)
    return _words(refused or leaves[0]), refused


def _leaves(error: Exception | BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _words(error: Exception) -> str:
    """Say what is wrong. The words of the server and of coredis name no password."""
    first = str(error).partition("\n")[0][:200]
    if isinstance(error, AuthenticationError):
        return f"the bus doesn't accept the password, or wants one: {first}"
    if isinstance(error, AuthorizationError):
        return f"the bus doesn't allow this user what a relay needs: {first}"
    if isinstance(error, UnknownCommandError):
        return f"the bus is no Redis of version 6.2 or later: {first}"
    return f"the bus is away: {first or type(error).__name__}"
