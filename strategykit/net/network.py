"""The doors to the network: real sockets, unless somebody brings a network of his own along."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import attrs
import httpx
import trio

from strategykit.net.endpoints import client_tls

__all__ = ["SOCKETS", "Network"]


def _sockets() -> None:
    """Nothing has to be put in the place of httpx's own transport."""


@attrs.frozen(kw_only=True)
class Network:
    """What opens byte streams and carries HTTP calls."""

    connect: Callable[[str, int], Awaitable[trio.SocketStream]] = trio.open_tcp_stream
    """Opens a stream to a host and port; raises `OSError` where that can't be had."""
    transport: Callable[[], httpx.AsyncBaseTransport | None] = _sockets
    """Makes what carries the calls of one HTTP client, and is closed and used again with it; None: sockets."""
    tls: Callable[[str | Path | None], ssl.SSLContext] = client_tls
    """Makes the TLS settings from a file of certificates; None: the system's."""


SOCKETS: Final = Network()
