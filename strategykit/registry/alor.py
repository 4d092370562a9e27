"""ALOR."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from strategykit.config_values import one_of, symbol
from strategykit.errors import RemoteProtocolError
from strategykit.net.endpoints import Endpoints
from strategykit.registry.simulation import SimPlan, Simulation, listed
from strategykit.registry.venue import Credential, Option, Shown, TimeQuestion, TokenService, Venue
from strategykit.secret import Secret
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.fees import FeeModel
from strategykit.sim.instruments import default_instruments
from strategykit.sim.server import SimulatedServer
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.tokens import read_refresh, refresh_request
from strategykit.venues.dialect import HttpRequest

__all__ = ["ALOR", "SIMULATED_ACCOUNT", "SIMULATED_TOKEN", "parse_time"]

SIMULATED_TOKEN: Final = "simulated-refresh-token"  # noqa: S105 - no secret: the simulated venue is born with it
"""Refresh token of the simulated venue on the loopback."""

SIMULATED_ACCOUNT: Final = "D12345"
"""Share account of the simulated venue."""


def parse_time(body: bytes) -> int:
    """Read the venue's time, nanoseconds UTC.

    Raises:
        RemoteProtocolError: It is no time.

    Source: ALOR protocol sheet, section 5, ``GET /md/v2/time``: a bare integer, seconds.
    """
    text = body.strip()
    if not (text.isdigit() and len(text) <= 12):
        raise RemoteProtocolError("the venue's time isn't a whole number of seconds", frame=body)
    return int(text) * 10**9


def _open(plan: SimPlan) -> AbstractAsyncContextManager[SimulatedServer[Any]]:
    from strategykit.sim.server_alor import open_simulated_alor

    config = AlorVenueConfig(
        instruments=listed(plan, default_instruments()),
        seed=plan.seed,
        actions_per_second=plan.rate,
        cash=plan.cash,
        fees=FeeModel(maker_rate=plan.fee_rate, taker_rate=plan.fee_rate),
        token_life=plan.token_life,
        source=plan.source,
        advances_per_second=plan.advances_per_second,
        clock=plan.clock,
    )
    return open_simulated_alor(config, port=plan.port, listen=plan.listen)


def _place(contour: str) -> tuple[str, Endpoints]:
    """Source: ALOR protocol sheet, section 1.1."""
    http = f"https://api{contour}.alor.ru"
    return http, Endpoints(http=http, ws=f"wss://api{contour}.alor.ru", oauth=f"https://oauth{contour}.alor.ru")


def _tokens(secrets: Mapping[str, Secret], _: Mapping[str, Any]) -> TokenService:
    return TokenService(request=lambda: refresh_request(secrets["token"]), parse=read_refresh)


ALOR: Final = Venue(
    name="alor",
    title="ALOR",
    make_dialect=Alor,
    options={
        "exchange": Option(symbol, "MOEX"),
        "format": Option(one_of(("Simple", "Slim", "Heavy")), "Slim"),
    },
    logins=[{"token": Credential(words="refresh token", example="env:ALOR_REFRESH_TOKEN", simulated=SIMULATED_TOKEN)}],
    tokens=_tokens,
    oauth=True,
    places=dict(map(_place, ("", "dev"))),
    time=TimeQuestion(request=HttpRequest(method="GET", path="/md/v2/time"), parse=parse_time),
    simulation=Simulation(
        open=_open,
        symbols=default_instruments,
        rate=200.0,
        takes=frozenset({"cash", "fee_rate", "source", "token_life"}),
        account=SIMULATED_ACCOUNT,
        facts={"accounts": list(AlorVenueConfig().portfolios), "refresh_token": SIMULATED_TOKEN},
    ),
    shown=[
        Shown(
            name="cross",
            file="sample:cross",
            params={"instrument": "SBER", "interval": "1s", "fast": 2, "slow": 5, "stop": 0.01},
        ),
        Shown(name="maker", file="sample:maker", params={"instrument": "GAZP", "refresh": 0.5, "edge": 1}),
    ],
)
