"""What everyone may see of the simulated T4 venue's markets: state, words, definitions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from strategykit.model.events import BookSnapshot, Quote, Trade
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.t4_session import T4Session
from strategykit.venues.t4 import server_market as wording
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.server import encode
from strategykit.venues.t4.server_market import TradeTotals
from strategykit.venues.t4.server_prices import ListedMarket, PriceWords

__all__ = ["CENTRAL", "Board", "Boards", "central", "trade_date"]

CENTRAL: Final = ZoneInfo("America/Chicago")
"""T4's wall clock."""

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND


@attrs.define(eq=False)
class Board:
    """One market's public state."""

    market: ListedMarket
    book: BookSnapshot
    quote: Quote
    mode: enums.MarketMode = enums.MARKET_MODE_OPEN
    totals: TradeTotals = attrs.field(factory=TradeTotals)
    turnover: float = 0.0
    """Sum of price times lots."""
    counts: tuple[list[int], list[int]] = ([], [])
    """How many orders stand at each bid and each offer."""

    def add(self, trade: Trade) -> None:
        self.totals.add(trade)
        self.turnover += trade.price * trade.quantity

    @property
    def vwap(self) -> Decimal | None:
        """Average price of the session's trades, to a hundredth of a tick."""
        if not self.totals.volume:
            return None
        step = self.market.instrument.tick / 100
        return round(Decimal(self.turnover / self.totals.volume) / step) * step


class Boards:
    """All markets.

    Args:
        exchange: Where they are.
        markets: What T4 says of them, by market id.
    """

    def __init__(self, exchange: SimulatedExchange, markets: Mapping[str, ListedMarket]) -> None:
        self.markets = markets
        self.exchange = exchange
        self._words: dict[tuple[str, enums.PriceFormat], PriceWords] = {}
        self._boards = {
            name: Board(market, exchange.book(name), exchange.quote(name), counts=exchange.order_counts(name))
            for name, market in markets.items()
        }

    def __getitem__(self, market_id: str) -> Board:
        return self._boards[market_id]

    def __contains__(self, market_id: str) -> bool:
        return market_id in self._boards

    def words(self, market_id: str, price_format: enums.PriceFormat) -> PriceWords:
        """Give the prices of a market in a format."""
        key = market_id, price_format
        found = self._words.get(key)
        if found is None:
            found = self._words[key] = PriceWords(self.markets[market_id], price_format)
        return found

    def define(self, session: T4Session, market_id: str, now: int) -> None:
        """Send a market's definition, unless the session has it. Source: sheet, section 3.3: once, before its data."""
        if market_id not in session.defined:
            session.defined.add(market_id)
            session.send(encode(market_details=self.details(session, market_id, now)), now)

    def details(self, session: T4Session, market_id: str, now: int) -> pb.MarketDetails:
        return wording.details(self.words(market_id, session.format), now)

    def find_refusal(self, exchange_id: str, contract_id: str, market_id: str) -> enums.MarketMode:
        """Say why a subscription can't be; UNDEFINED if it can."""
        market = self.markets.get(market_id)
        if market is None:
            return enums.MARKET_MODE_UNAVAILABLE
        if (exchange_id, contract_id) != (market.exchange_id, market.contract_id):
            return enums.MARKET_MODE_REJECTED
        return enums.MARKET_MODE_UNDEFINED


def trade_date(now: int) -> int:
    """Give the trading day's midnight UTC, nanoseconds: from 17:00 US Central on it is tomorrow's."""
    local = central(now) + 7 * 3_600 * _SECOND
    return local - local % _DAY


def central(now: int) -> int:
    """Give the US Central wall clock's reading as if it were UTC, nanoseconds."""
    offset = dt.datetime.fromtimestamp(now // _SECOND, CENTRAL).utcoffset()
    assert offset is not None
    return now + int(offset.total_seconds()) * _SECOND
