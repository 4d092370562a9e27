"""A relay as the command line runs it: a session's venue behind it, or only others' messages on a shared bus."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import attrs
import trio

from strategykit.config import Session
from strategykit.errors import ConfigError
from strategykit.relay.bus import Bus, LocalBus
from strategykit.relay.server import RelayPlan, RelayServer, open_relay
from strategykit.relay.source import Source
from strategykit.runtime.assembly import Run
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import run_session
from strategykit.wall import wall_time

__all__ = ["relay_session", "serve_only"]

Ready = Callable[[RelayServer], None]


def relay_session(
    session: Session,
    plan: RelayPlan,
    *,
    bus_url: str | None = None,
    tape: Path | None = None,
    on_ready: Ready = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    handle_signals: bool = True,
) -> RunReport:
    """Hold a session's venue connections once and serve its market data, until its time is over or it is stopped.

    Its strategies aren't run. What its [[record]] tables name is subscribed to all the time; everything else while a
    client wants it.

    Args:
        session: Names the venue.
        plan: How clients are served.
        bus_url: Of a Redis that other relays share; None: clients come to this process only.
        tape: Where to record what the venue sends; None: a new folder in the session's, if it has one.
        on_ready: Told when clients can come.
        on_note: Told when the bus goes away, and when it is back; and of channels that the venue refuses.
        handle_signals: Whether Ctrl-C stops it in good order.

    Raises:
        ConfigError: It would be served beyond this machine unprotected; or an address, file or password is wrong.
        LoginRefused: The venue doesn't accept us.
        ConnectionLost: The venue isn't there.
    """
    plan.check()

    async def serve(run: Run) -> None:
        bus = _bus(bus_url, lambda publish: _source(session, run, publish), on_note)
        async with open_relay(bus, plan) as server:
            on_ready(server)
            assert bus.source is not None
            await bus.source.keep_telling(on_note)

    return run_session(attrs.evolve(session, strategies=()), tape=tape, meanwhile=serve, handle_signals=handle_signals)


async def serve_only(
    bus_url: str,
    plan: RelayPlan,
    *,
    seconds: float = math.inf,
    on_ready: Ready = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve what other relays publish on a shared bus, for some `seconds` from when clients can come.

    Raises:
        ConfigError: It would be served beyond this machine unprotected; or an address, file or password is wrong.
    """
    async with open_relay(_bus(bus_url, None, on_note), plan) as server:
        on_ready(server)
        await trio.sleep(seconds)


def _source(session: Session, run: Run, publish: Callable[[str, bytes], None]) -> Source:
    named = [stream.instrument for stream in session.record if stream.instrument is not None]
    return Source(run.engine, publish, exchange=session.venue.exchange, now=wall_time(), named=named)


def _bus(
    url: str | None, make_source: Callable[[Callable[[str, bytes], None]], Source] | None, note: Callable[[str], None]
) -> Bus:
    if url is None:
        assert make_source is not None
        return LocalBus(make_source)
    try:
        from strategykit.relay.redis_bus import RedisBus
    except ModuleNotFoundError as exc:
        raise ConfigError(f"--bus needs a library more ({exc.name}): pip install 'strategykit[redis]'") from exc
    return RedisBus(url, make_source, note=note)
