"""Market data as T4 words it: definitions, books by price, trades, the session's figures, refusals.

Functions give messages, not frames: a snapshot holds some of them.

Source: T4 protocol sheet, sections 2.2, 3.3 and 4.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import BookSnapshot, InstrumentUpdate, Quote, Side, Trade
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.proto.price_pb2 import Decimal as DecimalText
from strategykit.venues.t4.proto.price_pb2 import Price
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.times import write_time

__all__ = [
    "DEPTHS",
    "TradeTotals",
    "by_order_refusal",
    "depth",
    "depth_refusal",
    "depth_trade",
    "details",
    "high_low",
    "price_limits",
    "settlement",
    "side_hit",
    "snapshot",
]

DEPTHS: Final = {enums.DEPTH_LEVELS_BEST_ONLY: 1, enums.DEPTH_LEVELS_NORMAL: 10, enums.DEPTH_LEVELS_ALL: 255}
"""Levels a side."""


@attrs.define(eq=False)
class TradeTotals:
    """A market's last trade, and all of the session's."""

    volume: int = 0
    count: int = 0
    last: Trade | None = None
    run: int = 0
    """Lots traded in a row at the last price."""

    def add(self, trade: Trade) -> None:
        lots = int(trade.quantity)
        self.run = self.run + lots if self.last is not None and self.last.price == trade.price else lots
        self.volume += lots
        self.count += 1
        self.last = trade


def details(words: PriceWords, now: int) -> pb.MarketDetails:
    """Define a market."""
    market = words.market
    expiry = _last_day(market.expiry_date)
    first = dt.datetime(expiry.year - 1, expiry.month, 1, tzinfo=dt.UTC)
    return pb.MarketDetails(
        market_id=market.market_id,
        exchange_id=market.exchange_id,
        contract_id=market.contract_id,
        expiry_date=market.expiry_date,
        contract_type=enums.CONTRACT_TYPE_FUTURE,
        decimals=market.places(enums.PRICE_FORMAT_DECIMAL),
        point_value=DecimalText(value=words.point_value),
        min_price_increment=words.price(market.instrument.tick),
        activation_date=write_time(int(first.timestamp()) * 1_000_000_000),
        last_trading_date=write_time(int(expiry.timestamp()) * 1_000_000_000),
        last_client_update_time=write_time(now),
        market_ref=f"{market.contract_id}{market.expiry_date // 100}",
        group=market.contract_id,
        strategy_type=enums.STRATEGY_TYPE_NONE,
        price_code=market.price_code,
        real_decimals=market.places(enums.PRICE_FORMAT_REAL),
        display_decimals=market.places(enums.PRICE_FORMAT_REAL),
        clearing_decimals=market.places(enums.PRICE_FORMAT_CLEARING_DECIMAL),
        volume_increment=1,
        vtt=market.vtt,
    )


def depth(
    book: BookSnapshot,
    orders: tuple[Sequence[int], Sequence[int]],
    words: PriceWords,
    *,
    levels: enums.DepthLevels,
    buffer: enums.DepthBuffer,
    mode: enums.MarketMode,
    totals: TradeTotals,
    time: int,
) -> pb.MarketDepth:
    """Word a book, best levels first, and the state of the last trade.

    Args:
        book: At least as deep as `levels`, or as deep as it gets.
        orders: How many stand at each of the bids and of the offers.
        words: The session's prices.
        levels: As subscribed.
        buffer: As subscribed.
        mode: The market's.
        totals: Of its trades.
        time: Nanoseconds UTC.
    """
    count = DEPTHS[levels]
    return pb.MarketDepth(
        market_id=book.instrument,
        depth_levels=levels,
        depth_buffer=buffer,
        time=write_time(time),
        bids=_lines(book.bid_prices, book.bid_sizes, orders[0], count, words),
        offers=_lines(book.ask_prices, book.ask_sizes, orders[1], count, words),
        mode=mode,
        trade_data=_trade_data(totals, words),
    )


def depth_trade(totals: TradeTotals, words: PriceWords, mode: enums.MarketMode) -> pb.MarketDepthTrade | None:
    """Word the last trade; None before the first."""
    trade = totals.last
    if trade is None:
        return None
    return pb.MarketDepthTrade(
        market_id=trade.instrument,
        time=write_time(trade.event_time or 0),
        total_traded_volume=totals.volume,
        last_trade_volume=int(trade.quantity),
        at_bid_or_offer=side_hit(trade.side),
        order_volumes=[int(trade.quantity)],
        total_trade_count=totals.count,
        last_trade_price=Price(value=words.text(trade.price)),
        mode=mode,
    )


def high_low(quote: Quote, words: PriceWords, *, trade_date: int, time: int) -> pb.MarketHighLow:
    """Word the session's open, high and low; those that aren't known are left out."""
    return pb.MarketHighLow(
        market_id=quote.instrument,
        open_price=_shown(quote.open, words),
        high_price=_shown(quote.high, words),
        low_price=_shown(quote.low, words),
        trade_date=trade_date,
        time=write_time(time),
    )


def price_limits(status: InstrumentUpdate, words: PriceWords, *, time: int) -> pb.MarketPriceLimits:
    return pb.MarketPriceLimits(
        market_id=status.instrument,
        high_price=words.price(status.price_max),
        low_price=words.price(status.price_min),
        time=write_time(time),
    )


def settlement(quote: Quote, words: PriceWords, *, vwap: Decimal | None, settled: int) -> pb.MarketSettlement:
    """Word the last settlement (of `settled`, nanoseconds UTC), open interest and the day's average."""
    market, when = words.market, write_time(settled)
    message = pb.MarketSettlement(
        exchange_id=market.exchange_id,
        market_id=market.market_id,
        settlement_price=_shown(quote.previous_close, words),
        settlement_time=when,
        settlement_trade_date=when,
        open_interest=market.open_interest,
        open_interest_time=when,
        open_interest_trade_date=when,
    )
    if vwap is not None:
        message.vwap_price.value = words.exact(vwap)
        message.vwap_time.CopyFrom(write_time(quote.receive_time))
    return message


def snapshot(
    market_id: str,
    mode: enums.MarketMode,
    book: pb.MarketDepth,
    trade: pb.MarketDepthTrade | None,
    figures: pb.MarketHighLow,
    limits: pb.MarketPriceLimits,
    settled: pb.MarketSettlement,
    *,
    due_to_connection: bool = False,
) -> pb.MarketSnapshot:
    """Give a market's state as a subscription begins with it, or as it is given anew when a feed is back."""
    parts = [pb.MarketSnapshotMessage(market_depth=book)]
    if trade is not None:
        parts.append(pb.MarketSnapshotMessage(market_depth_trade=trade))
    parts += [
        pb.MarketSnapshotMessage(market_high_low=figures),
        pb.MarketSnapshotMessage(market_price_limits=limits),
        pb.MarketSnapshotMessage(market_settlement=settled),
    ]
    return pb.MarketSnapshot(market_id=market_id, mode=mode, due_to_connection=due_to_connection, messages=parts)


def depth_refusal(market_id: str, mode: enums.MarketMode, now: int) -> pb.MarketDepthSubscribeReject:
    return pb.MarketDepthSubscribeReject(market_id=market_id, time=write_time(now), mode=mode)


def by_order_refusal(market_id: str, mode: enums.MarketMode, now: int) -> pb.MarketByOrderSubscribeReject:
    return pb.MarketByOrderSubscribeReject(market_id=market_id, time=write_time(now), mode=mode)


def side_hit(aggressor: Side | None) -> enums.BidOffer:
    """Give the side of the book that a trade hit: a buyer takes an offer."""
    if aggressor is None:
        return enums.BID_OFFER_UNDEFINED
    return enums.BID_OFFER_OFFER if aggressor is Side.BUY else enums.BID_OFFER_BID


def _lines(
    prices: Sequence[float], sizes: Sequence[float], orders: Sequence[int], count: int, words: PriceWords
) -> list[pb.MarketDepth.DepthLine]:
    line, text = pb.MarketDepth.DepthLine, words.text
    return [
        line(price=Price(value=text(price)), volume=int(size), num_orders=number)
        for price, size, number in zip(prices[:count], sizes, orders, strict=False)
    ]


def _trade_data(totals: TradeTotals, words: PriceWords) -> pb.MarketDepth.TradeData | None:
    trade = totals.last
    if trade is None:
        return None
    return pb.MarketDepth.TradeData(
        total_traded_volume=totals.volume,
        total_trade_count=totals.count,
        last_trade_price=Price(value=words.text(trade.price)),
        last_trade_volume=int(trade.quantity),
        last_trade_total_volume=totals.run,
        at_bid_or_offer=side_hit(trade.side),
        time=write_time(trade.event_time or 0),
    )


def _shown(price: float | None, words: PriceWords) -> Price | None:
    return None if price is None else Price(value=words.text(price))


def _last_day(expiry_date: int) -> dt.datetime:
    year, rest = divmod(expiry_date, 10_000)
    month, day = divmod(rest, 100)
    return dt.datetime(year, month, day or 15, 21, tzinfo=dt.UTC)
