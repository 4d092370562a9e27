"""The simulated T4 venue on one loopback port: WebSocket at /v1, REST beside it, faults under /sim."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.server import Listen, SimulatedServer, listen_tcp, serve_venue, steady_clock
from strategykit.sim.t4_config import T4VenueConfig
from strategykit.sim.t4_session import T4Session
from strategykit.sim.t4_updates import OrderLogEntry
from strategykit.sim.t4_venue import T4Venue

__all__ = ["SimulatedT4", "open_simulated_t4"]


class SimulatedT4(SimulatedServer[T4Session]):
    """A running T4 venue.

    Attributes:
        config: What it is like.
    """

    def __init__(
        self,
        config: T4VenueConfig,
        *,
        host: str,
        listeners: list[trio.SocketListener],
        clock: Callable[[], int],
        listen: Listen,
    ) -> None:
        self._venue = T4Venue(config, now=clock())
        limits = config.limits
        super().__init__(self._venue, host=host, listeners=listeners, limits=limits, clock=clock, listen=listen)
        self.config = config

    @property
    def websocket_url(self) -> str:
        """Where clients connect, such as ``"ws://127.0.0.1:8900/v1"``."""
        return f"ws://{self.host}:{self.port}/v1"

    @property
    def exchange(self) -> SimulatedExchange:
        """What it serves."""
        return self._venue.exchange

    @property
    def log(self) -> list[OrderLogEntry]:
        """What happened to orders, oldest first: the truth that clients' books are checked against."""
        return list(self._venue.log)


@asynccontextmanager
async def open_simulated_t4(
    config: T4VenueConfig | None = None, *, port: int = 0, host: str = "127.0.0.1", listen: Listen = listen_tcp
) -> AsyncGenerator[SimulatedT4]:
    """Start the venue and yield its handle; leaving stops it. Checkpoints on entry and exit.

    Args:
        config: Default: four generated futures markets, one user with two accounts, the sheet's timings.
        port: 0: any free one.
        host: To listen on. The venue asks nobody who may break it, so keep to loopback.
        listen: Opens what it listens on.
    """
    config = config or T4VenueConfig()
    listeners = await listen(port, host)
    clock = config.clock or steady_clock()
    venue = SimulatedT4(config, host=host, listeners=listeners, clock=clock, listen=listen)
    async with serve_venue(venue, advances_per_second=config.advances_per_second):
        yield venue
