"""T4: futures of many exchanges, and orders on them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from strategykit.config_values import exactly, one_of, symbol
from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints
from strategykit.registry.simulation import SimPlan, Simulation, listed
from strategykit.registry.venue import Credential, Option, Shown, TokenService, Venue
from strategykit.secret import Secret
from strategykit.sim.server import SimulatedServer
from strategykit.sim.t4_config import T4User, T4VenueConfig, default_markets
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.login import FORMATS, Holder, join_secrets
from strategykit.venues.t4.names import join_market
from strategykit.venues.t4.server_prices import ListedMarket
from strategykit.venues.t4.subscribing import BUFFERS
from strategykit.venues.t4.tokens import read_service_token, service_request

__all__ = ["T4_VENUE"]

_USER: Final = T4User()
_KEY: Final = Credential(words="API key", example="env:T4_API_KEY", simulated=_USER.api_key)
_PASSWORD: Final = Credential(words="password", example="env:T4_PASSWORD", simulated=_USER.password)
_LICENCE: Final = Credential(words="application licence", example="env:T4_LICENCE", simulated=_USER.app_license)
_SECOND_KEY: Final = Credential(words="API key for orders", example="env:T4_ORDERS_KEY", simulated=_USER.api_key)
_SECOND_LICENCE: Final = Credential(
    words="licence of the second application", example="env:T4_ORDERS_LICENCE", simulated=_USER.app_license
)


def _tokens(secrets: Mapping[str, Secret], options: Mapping[str, Any]) -> Secret | None:
    needed = {"orders_app_license"} if "password" in secrets else {"orders_api_key"}
    if options.get("second_app") and not {"orders_api_key", *needed} & secrets.keys():
        (key,) = needed
        raise ConfigError(
            f"venue.{key} is missing: `second_app` is an application of its own for orders, and logs in with what only "
            "it has; name where that is, or leave `second_app` out"
        )
    return join_secrets(secrets)


def _http_tokens(secrets: Mapping[str, Secret], options: Mapping[str, Any]) -> TokenService | None:
    """Without a session a key is shown as it is; a password logs in, and T4 doesn't say what that does to others."""
    if "password" not in secrets:
        return None
    holder = Holder(**{key: str(options.get(key, "")) for key in ("firm", "username", "app_name")})
    price_format = str(options.get("price_format", "real"))
    return TokenService(
        request=lambda: service_request(secrets, holder, price_format=price_format),
        parse=read_service_token,
        displaces=True,
    )


def _symbols() -> dict[str, ListedMarket]:
    return {
        join_market(market.exchange_id, market.contract_id, market.market_id): market
        for market in default_markets().values()
    }


def _open(plan: SimPlan) -> AbstractAsyncContextManager[SimulatedServer[Any]]:
    from strategykit.sim.server_t4 import open_simulated_t4

    config = T4VenueConfig(
        markets={market.market_id: market for market in listed(plan, _symbols()).values()},
        seed=plan.seed,
        actions_per_second=plan.rate,
        cash=plan.cash,
        token_life=plan.token_life,
        advances_per_second=plan.advances_per_second,
        clock=plan.clock,
    )
    return open_simulated_t4(config, port=plan.port, listen=plan.listen)


def _place(suffix: str) -> tuple[str, Endpoints]:
    """Source: T4 protocol sheet, section 1.1."""
    http = f"https://api{suffix}.t4login.com"
    return http, Endpoints(http=http, ws=f"wss://wss{suffix}.t4login.com", oauth=http)


T4_VENUE: Final = Venue(
    name="t4",
    title="T4",
    make_dialect=T4,
    options={
        "firm": Option(symbol),
        "username": Option(symbol),
        "app_name": Option(symbol),
        "second_app": Option(symbol),
        "price_format": Option(one_of(tuple(FORMATS)), "real"),
        "pace": Option(one_of(tuple(BUFFERS)), "smart"),
        "implied": Option(exactly(bool)),
        "by_order": Option(exactly(bool)),
        "currency": Option(symbol, "USD"),
    },
    logins=[
        {"api_key": _KEY},
        {"password": _PASSWORD, "app_license": _LICENCE},
        {"api_key": _KEY, "orders_api_key": _SECOND_KEY},
        {"password": _PASSWORD, "app_license": _LICENCE, "orders_app_license": _SECOND_LICENCE},
    ],
    tokens=_tokens,
    http_tokens=_http_tokens,
    places=dict(map(_place, ("-sim", ""))),
    simulation=Simulation(
        open=_open,
        symbols=_symbols,
        rate=100.0,
        takes=frozenset({"cash", "token_life"}),
        account=_USER.accounts[0],
        facts={"accounts": list(_USER.accounts), "api_key": _USER.api_key},
    ),
    shown=[
        Shown(
            name="cross",
            file="sample:cross",
            params={
                "instrument": "CME_Eq/ES/XCME_Eq ES (Z26)",
                "interval": "1s",
                "fast": 2,
                "slow": 5,
                "stop": 0.01,
            },
        ),
        Shown(
            name="maker",
            file="sample:maker",
            params={"instrument": "CME_Ny/CL/XCME_Ny CL (Z26)", "refresh": 0.5, "edge": 1},
        ),
    ],
)
