"""The simulated CoinAPI on one loopback port: WebSocket, REST and flat files, with faults on command."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.sim.coinapi_config import CoinApiVenueConfig
from strategykit.sim.coinapi_session import AHEAD, CoinSession
from strategykit.sim.coinapi_venue import CoinApiVenue
from strategykit.sim.server import Listen, SimulatedServer, listen_tcp, serve_venue, steady_clock
from strategykit.venues.coinapi.names import Variant

__all__ = ["open_simulated_coinapi"]


@asynccontextmanager
async def open_simulated_coinapi(
    variant: str = "v1",
    config: CoinApiVenueConfig | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    listen: Listen = listen_tcp,
) -> AsyncGenerator[SimulatedServer[CoinSession]]:
    """Start the venue and yield its handle; leaving stops it. Checkpoints on entry and exit.

    Args:
        variant: ``"v1"`` or ``"ds"``.
        config: Default: five generated markets on three venues, open to `SIMULATED_KEY`.
        port: 0: any free one.
        host: To listen on. The venue asks nobody who may break it, so keep to loopback.
        listen: Opens what it listens on.

    Raises:
        ConfigError: There's no such variant, or the configuration can't be.
    """
    if variant not in list(Variant):
        raise ConfigError(f"no CoinAPI variant {variant!r}; there are: {', '.join(Variant)}")
    config = config or CoinApiVenueConfig()
    clock = config.clock or steady_clock()
    venue = CoinApiVenue(Variant(variant), config, now=clock())
    listeners = await listen(port, host)
    # The venue keeps what waits for a client itself; the server's own limit must not come first.
    limits = attrs.evolve(config.limits, max_unread=max(config.limits.max_unread, 2 * AHEAD))
    server = SimulatedServer(venue, host=host, listeners=listeners, limits=limits, clock=clock, listen=listen)

    def feed(event: Event, now: int, shift: int) -> None:
        venue.feed(event, now, shift=shift)

    async with serve_venue(server, advances_per_second=config.advances_per_second) as nursery:
        nursery.start_soon(partial(server.play, config.source, feed, speed=config.source_speed))
        yield server
