"""A market as T4 lists it, and how its prices are written in each of the three formats."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.instruments import Instrument
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.price_pb2 import Price

__all__ = ["ListedMarket", "PriceWords", "read_decimal"]

_LONGEST: Final = 40
"""Characters of a price: a bound on what arithmetic is asked to do."""

_LARGEST: Final = Decimal(10) ** 15

_ONE: Final = Decimal(1)


@attrs.frozen(kw_only=True)
class ListedMarket:
    """What T4 says of a market beside what every venue says."""

    instrument: Instrument
    """Its symbol is the market id; tick and multiplier are those of the REAL format."""
    contract_id: str
    expiry_date: int
    """YYYYMMDD, with 00 for the day of monthly contracts."""
    exchange_description: str = ""
    contract_description: str = ""
    decimal_scale: Decimal = _ONE
    """DECIMAL price for a REAL one of 1: the exchange's raw number."""
    clearing_scale: Decimal = _ONE
    """CLEARING_DECIMAL price for a REAL one of 1."""
    decimals: int = 0
    real_decimals: int = 2
    clearing_decimals: int = 2
    price_code: str = ""
    """How the price is shown where it isn't decimal."""
    vtt: str = ""
    """Table of ticks that vary with the price, such as ``"5;P<-500=25;P>500=25;"``."""
    open_interest: int = 0

    @property
    def market_id(self) -> str:
        return self.instrument.symbol

    @property
    def exchange_id(self) -> str:
        return self.instrument.exchange

    def scale(self, price_format: enums.PriceFormat) -> Decimal:
        """Give what a REAL price is multiplied by."""
        if price_format == enums.PRICE_FORMAT_REAL:
            return _ONE
        return self.clearing_scale if price_format == enums.PRICE_FORMAT_CLEARING_DECIMAL else self.decimal_scale

    def places(self, price_format: enums.PriceFormat) -> int:
        """Give how many digits follow the point."""
        if price_format == enums.PRICE_FORMAT_REAL:
            return self.real_decimals
        return self.clearing_decimals if price_format == enums.PRICE_FORMAT_CLEARING_DECIMAL else self.decimals


class PriceWords:
    """One market's prices in one session's format. REAL ones are what the rest of the project counts in."""

    def __init__(self, market: ListedMarket, price_format: enums.PriceFormat) -> None:
        self.market = market
        self.format = price_format
        self._scale = market.scale(price_format)
        self._layout = f".{market.places(price_format)}f"
        self._tick = market.instrument.tick
        self._texts: dict[float, str] = {}

    @property
    def point_value(self) -> str:
        """Money for a price change of 1."""
        return _plain(self.market.instrument.multiplier * self.market.instrument.lot / self._scale)

    def text(self, price: float) -> str:
        """Write a price of market data; remembered, as the same few come again and again."""
        found = self._texts.get(price)
        if found is None:
            ticks = round(price / float(self._tick))
            found = self._texts[price] = format(self._tick * ticks * self._scale, self._layout)
        return found

    def exact(self, price: Decimal) -> str:
        """Write what needn't be a whole number of ticks: an average, a sum."""
        return _plain(price * self._scale)

    def price(self, price: Decimal | None) -> Price | None:
        """Write an order's price, if it has one."""
        return None if price is None else Price(value=format(price * self._scale, self._layout))

    def read(self, price: Decimal) -> Decimal:
        """Give the REAL price, or difference, of one in this format."""
        return price / self._scale


def read_decimal(text: str) -> Decimal | None:
    """Read the text of a price; None if it isn't one that can be reckoned with."""
    if len(text) > _LONGEST:
        return None
    try:
        value = Decimal(text)
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        return None
    if not value.is_finite() or abs(value) > _LARGEST or (value and value.adjusted() < -15):
        return None
    return value


def _plain(value: Decimal) -> str:
    """Write without an exponent and without trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
