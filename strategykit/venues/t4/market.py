"""Market data as T4 tells it, read into values before anybody is given any of them.

Source: T4 protocol sheet, sections 2.2, 3.3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import attrs

from strategykit.model.events import Side
from strategykit.model.instruments import Instrument, TickBand
from strategykit.venues.t4.names import join_market
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.reading import exact, price, stamp

__all__ = [
    "Bounds",
    "Depth",
    "Figures",
    "Half",
    "Mode",
    "Part",
    "Print",
    "Settled",
    "read_bounds",
    "read_depth",
    "read_details",
    "read_figures",
    "read_print",
    "read_settled",
    "read_snapshot",
]

Half = tuple[tuple[float, ...], tuple[float, ...]]
"""Prices, best first, and the lots at each."""

_AGGRESSORS: Final = {enums.BID_OFFER_BID: Side.SELL, enums.BID_OFFER_OFFER: Side.BUY}
"""Who traded at a side of the book came from the other one."""


@attrs.frozen
class Print:
    """A trade, or the state of the last one."""

    price: float
    volume: float
    side: Side | None
    """Who crossed the spread."""
    time: int | None
    total: int
    """Lots traded in the session so far, this trade included."""
    count: int
    snapshot: bool


@attrs.frozen
class Depth:
    """A whole book."""

    bids: Half
    asks: Half
    implied_bids: Half
    implied_asks: Half
    mode: int
    flags: int
    buffer: int
    delayed: bool
    time: int | None
    last: Print | None
    snapshot: bool


@attrs.frozen
class Figures:
    """The session's first, highest and lowest price."""

    open: float | None
    high: float | None
    low: float | None
    time: int | None


@attrs.frozen
class Bounds:
    """Between which prices orders are taken."""

    high: Decimal | None
    low: Decimal | None
    time: int | None


@attrs.frozen
class Settled:
    """How the last session ended."""

    price: float | None
    held: float | None
    open_interest: float | None
    vwap: float | None
    time: int | None


@attrs.frozen
class Mode:
    """The market's state, told by itself."""

    mode: int


Part = Print | Depth | Figures | Bounds | Settled | Mode


def read_depth(message: pb.MarketDepth, *, snapshot: bool = False) -> Depth:
    return Depth(
        _half(message.bids),
        _half(message.offers),
        _half(message.implied_bids),
        _half(message.implied_offers),
        message.mode,
        message.flags,
        message.depth_buffer,
        message.delayed,
        stamp(message, "time"),
        _last(message.trade_data, snapshot=snapshot) if message.HasField("trade_data") else None,
        snapshot,
    )


def read_print(message: pb.MarketDepthTrade, *, snapshot: bool = False) -> Print | None:
    """Read a trade; None where its message holds none, as before a session's first."""
    return _print(message, stamp(message, "time"), snapshot=snapshot)


def read_figures(message: pb.MarketHighLow) -> Figures:
    prices = price(message.open_price.value), price(message.high_price.value), price(message.low_price.value)
    return Figures(*prices, stamp(message, "time"))


def read_bounds(message: pb.MarketPriceLimits) -> Bounds:
    return Bounds(exact(message.high_price.value), exact(message.low_price.value), stamp(message, "time"))


def read_settled(message: pb.MarketSettlement) -> Settled:
    """Read a settlement. Open interest without a time is none: 0 is what T4 sends for it, too."""
    known = message.HasField("open_interest_time") or message.open_interest
    return Settled(
        price(message.settlement_price.value),
        price(message.settlement_held_price),
        float(message.open_interest) if known else None,
        price(message.vwap_price.value),
        stamp(message, "settlement_time"),
    )


def read_snapshot(message: pb.MarketSnapshot) -> tuple[Part, ...]:
    """Read the state that a subscription begins with."""
    parts: list[Part] = []
    for each in message.messages:
        match each.WhichOneof("payload"):
            case "market_depth":
                parts.append(read_depth(each.market_depth, snapshot=True))
            case "market_depth_trade":
                found = read_print(each.market_depth_trade, snapshot=True)
                parts += [] if found is None else [found]
            case "market_high_low":
                parts.append(read_figures(each.market_high_low))
            case "market_price_limits":
                parts.append(read_bounds(each.market_price_limits))
            case "market_settlement":
                parts.append(read_settled(each.market_settlement))
    return (*parts, Mode(message.mode)) if message.mode else tuple(parts)


def read_details(message: pb.MarketDetails, *, currency: str) -> Instrument:
    """Read a market's definition. T4 names no currency."""
    tick, point = exact(message.min_price_increment.value), exact(message.point_value.value)
    if not (message.exchange_id and message.contract_id and message.market_id):
        raise ValueError("a market without its whole name")
    if tick is None or tick <= 0 or point is None or point <= 0:
        raise ValueError(f"a market with a tick of {tick} and a point value of {point}")
    return Instrument(
        join_market(message.exchange_id, message.contract_id, message.market_id),
        tick,
        multiplier=point,
        currency=currency,
        exchange=message.exchange_id,
        board=message.contract_id,
        description=message.market_ref,
        time_zone="America/Chicago",
        bands=_bands(message.vtt, tick),
    )


def _bands(table: str, tick: Decimal) -> tuple[TickBand, ...]:
    """Read a table of variable ticks, such as ``"5;P<-500=25;P>500=25;"``: a usual tick, then where it is another.

    It counts in the exchange's raw numbers, whatever the session's format: the usual tick, which `tick` says too, tells
    how to convert. What can't be read says nothing; the sheet isn't sure of the form.
    """
    usual, *rules = [part for part in table.split(";") if part] or [""]
    found = []
    try:
        scale = tick / Decimal(usual)
        for rule in rules:
            where, _, step = rule.partition("=")
            limit, other = Decimal(where[2:]) * scale, Decimal(step) * scale
            if not (limit.is_finite() and other.is_finite() and other > 0 and where[:2] in ("P<", "P>")):
                return ()
            found.append(TickBand(tick=other, above=limit) if where[1] == ">" else TickBand(tick=other, below=limit))
    except ArithmeticError:
        return ()
    return tuple(found)


def _half(lines: Sequence[pb.MarketDepth.DepthLine]) -> Half:
    if not lines:
        return (), ()
    prices, sizes = [], []
    for line in lines:
        text = line.price.value
        value = price(text)
        if value is None or line.volume < 0:
            raise ValueError(f"a level of {line.volume} lots at {text[:40]!r}")
        prices.append(value)
        sizes.append(float(line.volume))
    return tuple(prices), tuple(sizes)


def _last(message: pb.MarketDepth.TradeData, *, snapshot: bool) -> Print | None:
    return _print(message, stamp(message, "time"), snapshot=snapshot)


def _print(
    message: pb.MarketDepthTrade | pb.MarketDepth.TradeData, time: int | None, *, snapshot: bool
) -> Print | None:
    value = price(message.last_trade_price.value)
    if value is None or not message.last_trade_volume:
        return None
    if message.last_trade_volume < 0:
        raise ValueError(f"a trade of {message.last_trade_volume} lots")
    return Print(
        value,
        float(message.last_trade_volume),
        _AGGRESSORS.get(message.at_bid_or_offer),
        time,
        message.total_traded_volume,
        message.total_trade_count,
        snapshot,
    )
