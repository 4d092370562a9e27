"""Everything that can be chosen about the simulated T4 venue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.instruments import Instrument
from strategykit.sim.fees import NO_FEES, FeeModel
from strategykit.sim.served import ServerLimits
from strategykit.venues.t4.server_prices import ListedMarket

__all__ = ["T4User", "T4VenueConfig", "default_markets"]

_OPENING: Final = {"ES": Decimal("5954.75"), "CL": Decimal("72.34"), "ZN": Decimal("110.515625")}


@attrs.frozen(kw_only=True)
class T4User:
    """Who may log in, either way."""

    firm: str = "SIM"
    username: str = "trader"
    password: str = attrs.field(default="simulated-password", repr=False)
    app_name: str = "strategykit"
    app_license: str = attrs.field(default="5d3a1c52-6d0e-4c58-9d5c-1f2f6f1b7a10", repr=False)
    api_key: str = attrs.field(default="simulated-api-key", repr=False)
    accounts: tuple[str, ...] = ("SIM-1", "SIM-2")

    @property
    def user_id(self) -> str:
        return f"{self.firm}-{self.username}"


def default_markets() -> dict[str, ListedMarket]:
    """Give two months of the S&P 500 and one each of crude oil and of ten-year notes, by market id.

    Ticks and point values are the real ones. That clearing prices of crude oil are in cents is invented, so that
    nobody takes one format for another.
    """
    sp500: dict[str, Any] = {
        "exchange_description": "CME Equity",
        "contract_description": "E-mini S&P 500",
        "decimals": 0,
    }
    listed = (
        _market("XCME_Eq ES (Z26)", "CME_Eq", "ES", 202612_00, "0.25", 50, raw=100, **sp500),
        _market("XCME_Eq ES (H27)", "CME_Eq", "ES", 202703_00, "0.25", 50, raw=100, **sp500),
        _market(
            "XCME_Ny CL (Z26)",
            "CME_Ny",
            "CL",
            202612_00,
            "0.01",
            1_000,
            raw=100,
            clearing_scale=Decimal(100),
            clearing_decimals=0,
            exchange_description="NYMEX",
            contract_description="Crude oil",
        ),
        _market(
            "XCME_C ZN (Z26)",
            "CME_C",
            "ZN",
            202612_00,
            "0.015625",
            1_000,
            raw=1_000_000,
            real_decimals=6,
            clearing_decimals=6,
            price_code="2Z",
            exchange_description="CBOT",
            contract_description="10-year Treasury note",
        ),
    )
    return {market.market_id: market for market in listed}


def _market(
    market_id: str,
    exchange_id: str,
    contract_id: str,
    expiry: int,
    tick: str,
    point: int,
    *,
    raw: int,
    **more: Any,
) -> ListedMarket:
    instrument = Instrument(
        market_id,
        Decimal(tick),
        multiplier=Decimal(point),
        currency="USD",
        exchange=exchange_id,
        description=f"{more.get('contract_description')} {expiry // 100}",
        time_zone="America/Chicago",
    )
    listed = ListedMarket(
        instrument=instrument,
        contract_id=contract_id,
        expiry_date=expiry,
        decimal_scale=Decimal(raw),
        open_interest=1_234_567,
    )
    return attrs.evolve(listed, **more)


def _above_zero(_: T4VenueConfig, attribute: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ConfigError(f"the simulated venue's {attribute.name} must be above 0, not {value}")


@attrs.frozen(kw_only=True)
class T4VenueConfig:
    """The venue's markets, users, limits and habits. Whatever is left out is as the sheet says, or suggests.

    Source: T4 protocol sheet, sections 1.3, 1.5, 5.2 and 7.
    """

    markets: Mapping[str, ListedMarket] = attrs.field(factory=default_markets)
    prices: Mapping[str, Decimal] | None = None
    """Where markets open, by market id; default: near 2026's prices for the default contracts."""
    seed: int = 1
    actions_per_second: float = 100.0
    """Of the generated crowd, on each market."""
    fees: FeeModel = NO_FEES
    margin_rate: Decimal = Decimal("0.05")
    users: tuple[T4User, ...] = (T4User(),)
    cash: Decimal = Decimal(1_000_000)
    """Of every account, at the start, in dollars."""
    max_clip: int = 1_000
    """Lots an order may have: what an account allows."""

    heartbeat_every: float = attrs.field(default=20.0, validator=_above_zero)
    """Seconds."""
    gone_after: float = attrs.field(default=60.0, validator=_above_zero)
    """Seconds without a message from a client until it is hung up on."""
    token_life: float = attrs.field(default=1800.0, validator=_above_zero)
    """Seconds."""
    max_backlog: int = 4_000
    """Messages waiting for one client; beyond, its session ends with result 12."""
    smart_interval: float = attrs.field(default=0.2, validator=_above_zero)
    """Seconds between the updates of a SMART subscription whose best prices stay; a quarter of it for FAST_SMART."""
    slow_interval: float = attrs.field(default=1.0, validator=_above_zero)
    """Seconds between the updates of a SLOW_SMART subscription."""
    profit_interval: float = attrs.field(default=1.0, validator=_above_zero)
    """Seconds between profit messages of an account that has positions."""

    advances_per_second: float = attrs.field(default=100.0, validator=_above_zero)
    log_size: int = 200_000
    """Entries of the venue's own log."""
    limits: ServerLimits = attrs.field(factory=ServerLimits)
    clock: Callable[[], int] | None = attrs.field(default=None, repr=False)
    """Gives nanoseconds UTC; None: the machine's clock."""

    @property
    def opening(self) -> dict[str, Decimal]:
        """Where markets open."""
        known = {name: _OPENING.get(market.contract_id) for name, market in self.markets.items()}
        return {name: price for name, price in known.items() if price is not None} | dict(self.prices or {})

    @property
    def accounts(self) -> tuple[str, ...]:
        """Of all users."""
        return tuple(dict.fromkeys(name for user in self.users for name in user.accounts))
