"""CoinAPI's market data: V1, and DS, which has a host for each exchange."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

from strategykit.config_values import one_of, symbol
from strategykit.net.endpoints import Endpoints
from strategykit.registry.simulation import SimPlan, Simulation, listed
from strategykit.registry.venue import Credential, Option, Shown, Venue
from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig, default_coinapi_instruments
from strategykit.sim.server import SimulatedServer
from strategykit.venues.coinapi.dialect import CoinApi

__all__ = ["COINAPI", "COINAPI_DS"]

_REST: Final = "https://rest.coinapi.io"
_DS_EXCHANGE: Final = "COINBASE"
"""The one that the simulated DS has; it is a host of its own, as each of the real ones is."""


def _open(variant: str, plan: SimPlan) -> AbstractAsyncContextManager[SimulatedServer[Any]]:
    from strategykit.sim.server_coinapi import open_simulated_coinapi

    config = CoinApiVenueConfig(
        instruments=listed(plan, _symbols(variant)),
        seed=plan.seed,
        actions_per_second=plan.rate,
        source=plan.source,
        advances_per_second=plan.advances_per_second,
        clock=plan.clock,
    )
    return open_simulated_coinapi(variant, config, port=plan.port, listen=plan.listen)


def _symbols(variant: str) -> Mapping[str, Any]:
    known = default_coinapi_instruments()
    return {name: item for name, item in known.items() if variant == "v1" or item.exchange == _DS_EXCHANGE}


def _venue(
    variant: str,
    *,
    name: str,
    title: str,
    options: Mapping[str, Option],
    places: Mapping[str, Endpoints],
    shown: list[Shown],
) -> Venue:
    return Venue(
        name=name,
        title=title,
        make_dialect=partial(CoinApi, variant),
        options={"clock": Option(one_of(("exchange", "coinapi")), "exchange"), **options},
        logins=[{"key": Credential(words="API key", example="env:COINAPI_KEY", simulated=SIMULATED_KEY)}],
        places=places,
        home=next(iter(places), None),
        simulation=Simulation(
            open=partial(_open, variant),
            symbols=partial(_symbols, variant),
            rate=50.0,
            takes=frozenset({"source"}),
            facts={"key": SIMULATED_KEY},
        ),
        shown=shown,
    )


def _maker(instrument: str) -> Shown:
    name = f"maker-{'-'.join(instrument.lower().split('_')[2:])}"
    return Shown(name=name, file="sample:maker", params={"instrument": instrument, "refresh": 0.5, "edge": 1})


def _region(name: str) -> tuple[str, Endpoints]:
    """Source: CoinAPI protocol sheet, section 1."""
    host = f"api-{name}.coinapi.io"
    return f"https://{host}", Endpoints(http=f"https://{host}", ws=f"wss://{host}", oauth=f"https://{host}")


def _cross(instrument: str) -> Shown:
    params = {"instrument": instrument, "interval": "1s", "fast": 2, "slow": 5, "stop": 0.01}
    return Shown(name="cross", file="sample:cross", params=params)


COINAPI: Final = _venue(
    "v1",
    name="coinapi",
    title="CoinAPI",
    options={},
    places={
        _REST: Endpoints(http=_REST, ws="wss://ws.coinapi.io", oauth=_REST),
        **dict(map(_region, ("ncsa", "emea", "apac"))),
    },
    shown=[_maker("KRAKEN_SPOT_BTC_USD"), _maker("KRAKEN_SPOT_ETH_EUR")],
)

# Each exchange has a host of its own for WebSockets, so a session gives http and ws.
COINAPI_DS: Final = _venue(
    "ds",
    name="coinapi-ds",
    title="CoinAPI DS",
    options={"exchange": Option(symbol)},
    places={},
    shown=[_cross("COINBASE_SPOT_SOL_USD"), _maker("COINBASE_SPOT_BTC_USD")],
)
