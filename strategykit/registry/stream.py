"""The venues of the stream family: the open-source seed server, Backpack, Binance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from strategykit.config_values import one_of, step
from strategykit.errors import RemoteProtocolError
from strategykit.net.endpoints import Endpoints
from strategykit.registry.simulation import SimPlan, Simulation, listed
from strategykit.registry.venue import Option, Shown, TimeQuestion, Venue
from strategykit.sim.server import SimulatedServer
from strategykit.sim.stream_config import StreamVenueConfig, default_stream_instruments
from strategykit.venues.dialect import HttpRequest
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.stream.server_variants import find_server_variant
from strategykit.venues.stream.variants import find_variant

__all__ = ["BACKPACK", "BINANCE", "BINANCE_USDM", "SEED", "parse_milliseconds"]

_MS: Final = 1_000_000
_LONGEST: Final = 16
"""Digits of a time in milliseconds that could be one."""


class _ServerTime(msgspec.Struct):
    time: int = msgspec.field(name="serverTime")


def parse_milliseconds(body: bytes) -> int:
    """Read the venue's time, nanoseconds UTC.

    Raises:
        RemoteProtocolError: It is no time.

    Source: the vendors' REST pages: Binance has it as ``serverTime`` of an object, Backpack bare; both in milliseconds.
    """
    try:
        found = msgspec.json.decode(body, type=int | _ServerTime)
    except msgspec.DecodeError as exc:
        raise RemoteProtocolError("the venue's time isn't a number of milliseconds", frame=body) from exc
    time = found if isinstance(found, int) else found.time
    if not 0 < time < 10**_LONGEST:
        raise RemoteProtocolError("the venue's time lies outside of all centuries", frame=body)
    return time * _MS


def _open(variant: str, plan: SimPlan) -> AbstractAsyncContextManager[SimulatedServer[Any]]:
    from strategykit.sim.server_stream import open_simulated_stream

    config = StreamVenueConfig(
        instruments=listed(plan, _symbols(variant)),
        seed=plan.seed,
        actions_per_second=plan.rate,
        source=plan.source,
        advances_per_second=plan.advances_per_second,
        clock=plan.clock,
    )
    return open_simulated_stream(variant, config, port=plan.port, listen=plan.listen)


def _symbols(variant: str) -> Mapping[str, Any]:
    return default_stream_instruments(find_server_variant(variant))


def _makers(*symbols: str) -> list[Shown]:
    return [
        Shown(
            name=f"maker-{symbol.lower().replace('_', '-')}",
            file="sample:maker",
            params={"instrument": symbol, "refresh": 0.5, "edge": 1},
        )
        for symbol in symbols
    ]


def _cross(symbol: str, *, slow: int = 5) -> Shown:
    return Shown(
        name="cross",
        file="sample:cross",
        params={"instrument": symbol, "interval": "1s", "fast": 2, "slow": slow, "stop": 0.01},
    )


def _venue(
    variant: str, *, name: str, title: str, options: Mapping[str, Option], shown: Sequence[Shown], time: str | None
) -> Venue:
    known = find_variant(variant)
    return Venue(
        name=name,
        title=title,
        make_dialect=_dialect(variant),
        options=options,
        places={known.http: Endpoints(http=known.http, ws=known.ws, oauth=known.http)},
        home=known.http,
        time=None
        if time is None
        else TimeQuestion(request=HttpRequest(method="GET", path=time), parse=parse_milliseconds),
        simulation=Simulation(
            open=partial(_open, variant), symbols=partial(_symbols, variant), rate=50.0, takes=frozenset({"source"})
        ),
        shown=shown,
    )


def _dialect(variant: str) -> Callable[..., StreamFamily]:
    def make(**options: Any) -> StreamFamily:
        steps = {key: Decimal(value) for key, value in options.items() if key in ("tick", "lot")}
        return StreamFamily(variant, **{**options, **steps})

    return make


_TRADES: Final = {"trades": Option(one_of(("trade", "aggTrade")))}

SEED: Final = _venue(
    "seed",
    name="seed",
    title="seed server",
    options={"tick": Option(step), "lot": Option(step)},
    # It has no bars of the past: longer averages would begin too late to be seen.
    shown=[_cross("SOL_USDC", slow=3), *_makers("BTC_USDT")],
    time=None,
)

BACKPACK: Final = _venue(
    "backpack",
    name="backpack",
    title="Backpack",
    options={},
    shown=[_cross("SOL_USDC"), *_makers("BTC_USDC")],
    time="/api/v1/time",
)

BINANCE: Final = _venue(
    "binance",
    name="binance",
    title="Binance spot",
    options=_TRADES,
    shown=[_cross("BTCUSDT"), *_makers("ETHUSDT")],
    time="/api/v3/time",
)

BINANCE_USDM: Final = _venue(
    "binance_usdm",
    name="binance-usdm",
    title="Binance USD-M futures",
    options=_TRADES,
    shown=_makers("BTCUSDT", "ETHUSDT"),
    time="/fapi/v1/time",
)
