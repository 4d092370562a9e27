"""The simulated ALOR venue on one loopback port: token service, HTTP, /ws and /cws, with faults on command."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from strategykit.model.events import Event
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.alor_session import Session
from strategykit.sim.alor_venue import AlorVenue, LogEntry
from strategykit.sim.faults import FaultCommand
from strategykit.sim.served import ServerLimits
from strategykit.sim.server import Listen, SimulatedServer, listen_tcp, serve_venue, steady_clock
from strategykit.sim.server_faults import Faults

__all__ = ["AlorFaults", "SimulatedAlor", "open_simulated_alor"]


class AlorFaults(Faults):
    """What the venue can be made to do wrong, in calls."""

    def late_acknowledgement(self, seconds: float, *, count: int = 1) -> int:
        """Answer the next requests on /ws late; data isn't delayed."""
        return self.carry_out(FaultCommand("late_acknowledgement", seconds=seconds, count=count))

    def missing_acknowledgement(self, *, count: int = 1) -> int:
        """Carry out the next requests on /ws without answering."""
        return self.carry_out(FaultCommand("missing_acknowledgement", count=count))

    def duplicate_acknowledgement(self, *, count: int = 1) -> int:
        return self.carry_out(FaultCommand("duplicate_acknowledgement", count=count))

    def late_reply(self, seconds: float, *, count: int = 1) -> int:
        """Carry out the next order commands on /cws at once and answer late."""
        return self.carry_out(FaultCommand("late_reply", seconds=seconds, count=count))

    def missing_reply(self, *, count: int = 1) -> int:
        """Carry out the next order commands on /cws and never answer."""
        return self.carry_out(FaultCommand("missing_reply", count=count))

    def duplicate_reply(self, *, count: int = 1) -> int:
        return self.carry_out(FaultCommand("duplicate_reply", count=count))

    def duplicate_fill(self, *, count: int = 1) -> int:
        """Tell the next fills twice, under the same trade number."""
        return self.carry_out(FaultCommand("duplicate_fill", count=count))

    def revoke_tokens(self) -> int:
        """Make every token given out so far worthless; refreshing still works."""
        return self.carry_out(FaultCommand("revoke_tokens"))

    def halt(self, instrument: str) -> int:
        """Stop trading in an instrument; its orders are refused until `resume`."""
        return self.carry_out(FaultCommand("halt", instrument=instrument))

    def resume(self, instrument: str) -> int:
        return self.carry_out(FaultCommand("resume", instrument=instrument))


class SimulatedAlor(SimulatedServer[Session]):
    """A running ALOR venue.

    Attributes:
        config: What it is like.
        faults: What it can be made to do wrong.
    """

    faults: AlorFaults

    def __init__(
        self,
        config: AlorVenueConfig,
        *,
        host: str,
        listeners: list[trio.SocketListener],
        clock: Callable[[], int],
        listen: Listen,
    ) -> None:
        limits = ServerLimits(
            max_connections=config.max_connections,
            max_unread=config.max_unread,
            max_message=config.max_message,
            http=config.http,
        )
        self._venue = AlorVenue(config, now=clock())
        super().__init__(self._venue, host=host, listeners=listeners, limits=limits, clock=clock, listen=listen)
        self.config = config
        self.faults = AlorFaults(self)

    @property
    def exchange(self) -> VenueMarket:
        """What it serves: a `SimulatedExchange`, or a recording."""
        return self._venue.market

    @property
    def log(self) -> list[LogEntry]:
        """What the venue did to orders, oldest first: the truth that clients' books are checked against."""
        return list(self._venue.log)

    def feed(self, event: Event, now: int, shift: int) -> None:
        """Take one event of a recording; its times lie `shift` nanoseconds before the venue's."""
        self._venue.feed(event, now, shift=shift)


@asynccontextmanager
async def open_simulated_alor(
    config: AlorVenueConfig | None = None, *, port: int = 0, host: str = "127.0.0.1", listen: Listen = listen_tcp
) -> AsyncGenerator[SimulatedAlor]:
    """Start the venue and yield its handle; leaving stops it. Checkpoints on entry and exit.

    Args:
        config: Default: a generated market of four instruments under the real venue's limits.
        port: 0: any free one.
        host: To listen on. The venue asks nobody who may break it, so keep to loopback.
        listen: Opens what it listens on.
    """
    config = config or AlorVenueConfig()
    listeners = await listen(port, host)
    clock = config.clock or steady_clock()
    venue = SimulatedAlor(config, host=host, listeners=listeners, clock=clock, listen=listen)
    async with serve_venue(venue, advances_per_second=config.advances_per_second) as nursery:
        nursery.start_soon(partial(venue.play, config.source, venue.feed, speed=config.source_speed))
        yield venue
