"""The simulated venues of the stream family on one loopback port."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from strategykit.model.events import Event
from strategykit.sim.server import Listen, SimulatedServer, listen_tcp, serve_venue, steady_clock
from strategykit.sim.stream_config import StreamVenueConfig
from strategykit.sim.stream_session import StreamSession
from strategykit.sim.stream_venue import StreamVenue
from strategykit.venues.stream.server_variants import find_server_variant

__all__ = ["open_simulated_stream"]


@asynccontextmanager
async def open_simulated_stream(
    variant: str,
    config: StreamVenueConfig | None = None,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    listen: Listen = listen_tcp,
) -> AsyncGenerator[SimulatedServer[StreamSession]]:
    """Start a venue and yield its handle; leaving stops it. Checkpoints on entry and exit.

    Args:
        variant: ``"seed"``, ``"backpack"``, ``"binance"`` or ``"binance_usdm"``.
        config: Default: a generated market under the real venue's limits.
        port: 0: any free one.
        host: To listen on. The venue asks nobody who may break it, so keep to loopback.
        listen: Opens what it listens on.

    Raises:
        ConfigError: There's no such variant.
    """
    found, config = find_server_variant(variant), config or StreamVenueConfig()
    clock = config.clock or steady_clock()
    venue = StreamVenue(found, config, now=clock())
    listeners = await listen(port, host)
    server = SimulatedServer(venue, host=host, listeners=listeners, limits=config.limits, clock=clock, listen=listen)

    def feed(event: Event, now: int, shift: int) -> None:
        venue.feed(event, now, shift=shift)

    async with serve_venue(server, advances_per_second=config.advances_per_second) as nursery:
        nursery.start_soon(partial(server.play, config.source, feed, speed=config.source_speed))
        yield server
