"""What is wrong with an order before the exchange sees it, in words; empty where nothing is.

Source: T4 protocol sheet, section 3.5; the words are invented.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.sim.t4_live import TIMES
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_prices import PriceWords
from strategykit.venues.t4.server_requests import Submission, Ticket

__all__ = ["BRACKETS", "MOST_ORDERS", "OFFSETS", "SPARKS", "find_link_fault", "find_price_fault", "find_ticket_fault"]

MOST_ORDERS: Final = 100
"""Of one submission."""

OFFSETS: Final = frozenset({enums.ORDER_LINK_AUTO_OCO, enums.ORDER_LINK_AUTO_OCO_M})
"""Links whose children's prices are differences from the trigger's fill."""

BRACKETS: Final = OFFSETS | {enums.ORDER_LINK_AUTO_OCO_P, enums.ORDER_LINK_AUTO_OCO_MP}

SPARKS: Final = frozenset({enums.ORDER_LINK_SPARK, enums.ORDER_LINK_SPARK2})

_LINKS: Final = BRACKETS | SPARKS | {enums.ORDER_LINK_NONE, enums.ORDER_LINK_OCO}

_LIMITED: Final = frozenset({enums.PRICE_TYPE_LIMIT, enums.PRICE_TYPE_STOP_LIMIT})
_STOPPED: Final = frozenset(
    {
        enums.PRICE_TYPE_STOP_MARKET,
        enums.PRICE_TYPE_STOP_LIMIT,
        enums.PRICE_TYPE_STOP_SAME_LIMIT,
        enums.PRICE_TYPE_MARKET_IF_TOUCHED,
    }
)
_PLAIN: Final = frozenset(
    {
        enums.PRICE_TYPE_MARKET,
        enums.PRICE_TYPE_JOIN,
        enums.PRICE_TYPE_HIT,
        enums.PRICE_TYPE_FLATTEN,
        enums.PRICE_TYPE_RFQ,
    }
)
_SIDELESS: Final = frozenset({enums.PRICE_TYPE_FLATTEN, enums.PRICE_TYPE_RFQ})

_ACTIVATIONS: Final = frozenset(
    {
        enums.ACTIVATION_TYPE_IMMEDIATE,
        enums.ACTIVATION_TYPE_HOLD,
        enums.ACTIVATION_TYPE_AT_OR_AFTER_TIME,
        enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS,
        enums.ACTIVATION_TYPE_AT_OR_BELOW_TRADE_TICKS,
        enums.ACTIVATION_TYPE_ON_MARKET_MODE,
        enums.ACTIVATION_TYPE_QUEUE,
        enums.ACTIVATION_TYPE_AT_OR_ABOVE_TICKS,
        enums.ACTIVATION_TYPE_AT_OR_BELOW_TICKS,
        enums.ACTIVATION_TYPE_MARKET_ON_CLOSE,
    }
)
_PRICED_ACTIVATIONS: Final = frozenset(
    {
        enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS,
        enums.ACTIVATION_TYPE_AT_OR_BELOW_TRADE_TICKS,
        enums.ACTIVATION_TYPE_AT_OR_ABOVE_TICKS,
        enums.ACTIVATION_TYPE_AT_OR_BELOW_TICKS,
    }
)


def find_link_fault(submission: Submission) -> str:
    """Look at a submission as a whole."""
    count = len(submission.tickets)
    if not count:
        return "no orders"
    if count > MOST_ORDERS:
        return f"{count} orders; a submission has at most {MOST_ORDERS}"
    if submission.link not in _LINKS:
        return f"order link {submission.link} isn't simulated"
    if submission.link != enums.ORDER_LINK_NONE and count < 2:
        return "linked orders are two or more"
    return ""


def find_ticket_fault(ticket: Ticket, words: PriceWords, *, most_lots: int, child: bool) -> str:
    """Look at one order; a `child` of a bracket needs no volume, as its trigger's fills give it one."""
    if ticket.fault:
        return ticket.fault
    kind = ticket.price_type
    if kind not in _LIMITED | _STOPPED | _PLAIN:
        return f"price type {kind} can't be entered"
    if ticket.time_type not in TIMES:
        return f"time type {ticket.time_type} isn't simulated"
    if ticket.buy_sell not in (enums.BUY_SELL_BUY, enums.BUY_SELL_SELL) and kind not in _SIDELESS:
        return "neither a buy nor a sell"
    volume = ticket.volume
    if volume < 0 or (volume == 0 and not child and kind not in _SIDELESS):
        return f"volume {volume}: it must be above 0"
    if volume > most_lots:
        return f"volume {volume} is above the account's maximum of {most_lots}"
    if ticket.max_show is not None and not 0 <= ticket.max_show <= max(volume, most_lots if child else 0):
        return f"max show {ticket.max_show}: it must be 0 to {volume}"
    if kind in _LIMITED and ticket.limit_price is None:
        return "no limit price"
    if kind in _STOPPED and ticket.stop_price is None and ticket.trail_distance is None:
        return "no stop price"
    if ticket.trail_distance is not None and (kind != enums.PRICE_TYPE_STOP_MARKET or ticket.trail_distance <= 0):
        return "a trailing distance is above 0, and for stop market orders"
    return find_price_fault(
        words, ticket.limit_price, ticket.stop_price, ticket.trail_distance
    ) or _find_activation_fault(ticket, words)


def find_price_fault(words: PriceWords, *prices: Decimal | None) -> str:
    """Look for a price, or an offset, that is no whole number of ticks."""
    tick = words.market.instrument.tick
    for price in prices:
        if price is not None and words.read(price) % tick:
            return f"price {price} isn't a multiple of {words.exact(tick)}"
    return ""


def _find_activation_fault(ticket: Ticket, words: PriceWords) -> str:
    kind, given = ticket.activation_type, ticket.activation
    if kind not in _ACTIVATIONS:
        return f"activation type {kind} isn't simulated"
    price = None if given is None else given.price
    if kind in _PRICED_ACTIVATIONS and price is None:
        return "no price to be activated at"
    if kind == enums.ACTIVATION_TYPE_AT_OR_AFTER_TIME and (
        given is None or (given.submit_time is None and given.submit_delay_ms is None)
    ):
        return "no time to be activated at"
    if kind == enums.ACTIVATION_TYPE_ON_MARKET_MODE and (given is None or given.mode is None):
        return "no market mode to be activated by"
    return find_price_fault(words, price)
