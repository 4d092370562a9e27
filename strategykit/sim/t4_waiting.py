"""Orders of the simulated T4 venue that wait, lapse or trail: conditions looked at whenever the market goes on.

Source: T4 protocol sheet, section 3.5, "Activation".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from strategykit.sim.t4_boards import Board, Boards
from strategykit.sim.t4_live import LiveOrder
from strategykit.sim.t4_orders import OrderDesk
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_requests import Activation

__all__ = ["Waiting"]

_MILLISECOND: Final = 1_000_000

_EMPTY: Final = Activation()

_CLOSING: Final = frozenset({enums.MARKET_MODE_PRE_CLOSED, enums.MARKET_MODE_CLOSED})

_BY_BOOK: Final = frozenset({enums.ACTIVATION_TYPE_AT_OR_ABOVE_TICKS, enums.ACTIVATION_TYPE_AT_OR_BELOW_TICKS})
_ABOVE: Final = frozenset({enums.ACTIVATION_TYPE_AT_OR_ABOVE_TICKS, enums.ACTIVATION_TYPE_AT_OR_ABOVE_TRADE_TICKS})
_BELOW: Final = frozenset({enums.ACTIVATION_TYPE_AT_OR_BELOW_TICKS, enums.ACTIVATION_TYPE_AT_OR_BELOW_TRADE_TICKS})


class Waiting:
    """Orders with a condition.

    Args:
        desk: Sends, changes and cancels them.
        boards: What conditions are about. Prices of conditions are REAL ones.
    """

    def __init__(self, desk: OrderDesk, boards: Boards) -> None:
        self._desk = desk
        self._boards = boards
        self._watched: dict[LiveOrder, None] = {}

    def watch(self, live: LiveOrder) -> None:
        """Look after an order that may have a condition."""
        told = live.told
        touched = told.price_type == enums.PRICE_TYPE_MARKET_IF_TOUCHED
        if live.activation is not None or told.activation_type or told.trail is not None or touched:
            self._watched[live] = None

    def run(self, now: int) -> None:
        """Do what has become due."""
        for live in list(self._watched):
            if live.finished:
                del self._watched[live]
                continue
            lapse = self._find_lapse(live, now)
            if lapse:
                self._desk.pull(live, now, reason=lapse)
            elif not live.number:
                if self._is_due(live, now):
                    self._desk.send(live, now)
            elif live.told.trail is not None:
                self._trail(live, live.told.trail, now)

    def _find_lapse(self, live: LiveOrder, now: int) -> str:
        asked, since = live.activation or _EMPTY, live.told.submitted
        if _passed(asked.cancel_time, asked.cancel_delay_ms, since, now):
            return "its time was over"
        if live.held and _passed(asked.activation_cancel_time, asked.activation_cancel_delay_ms, since, now):
            return "it was not activated in time"
        return ""

    def _is_due(self, live: LiveOrder, now: int) -> bool:
        told, board = live.told, self._boards[live.told.market_id]
        asked, kind = live.activation or _EMPTY, told.activation_type
        if not live.held:
            return _is_touched(live, board)
        if kind == enums.ACTIVATION_TYPE_AT_OR_AFTER_TIME:
            return _passed(asked.submit_time, asked.submit_delay_ms, told.submitted, now)
        if kind == enums.ACTIVATION_TYPE_ON_MARKET_MODE:
            return board.mode == asked.mode
        if kind == enums.ACTIVATION_TYPE_MARKET_ON_CLOSE:
            return board.mode in _CLOSING
        price = _watched_price(board, asked) if kind in _BY_BOOK else _last(board)
        if price is None or asked.price is None:
            return False
        return (kind in _ABOVE and price >= asked.price) or (kind in _BELOW and price <= asked.price)

    def _trail(self, live: LiveOrder, distance: Decimal, now: int) -> None:
        """Move a stop after the market, never back."""
        told, last = live.told, _last(self._boards[live.told.market_id])
        if last is None or told.current_stop is None or told.price_type != enums.PRICE_TYPE_STOP_MARKET:
            return
        stop = last + live.side.sign * distance
        if (told.current_stop - stop) * live.side.sign > 0:
            told.new_stop = stop
            self._desk.revise(live, now, detail="trailing")


def _passed(time: int | None, delay_ms: int | None, since: int, now: int) -> bool:
    if time is not None and time <= now:
        return True
    return delay_ms is not None and since + delay_ms * _MILLISECOND <= now


def _last(board: Board) -> Decimal | None:
    trade = board.totals.last
    return None if trade is None else board.market.instrument.round_price(trade.price)


def _is_touched(live: LiveOrder, board: Board) -> bool:
    """Whether the market came to a market-if-touched order: below a buy's price, above a sell's."""
    last, price = _last(board), live.told.current_stop
    return last is not None and price is not None and (price - last) * live.side.sign >= 0


def _watched_price(board: Board, asked: Activation) -> Decimal | None:
    book, bid = board.book, asked.bid_offer != enums.BID_OFFER_OFFER
    prices, sizes = (book.bid_prices, book.bid_sizes) if bid else (book.ask_prices, book.ask_sizes)
    if not prices or sizes[0] < (asked.volume or 0):
        return None
    return board.market.instrument.round_price(prices[0])
