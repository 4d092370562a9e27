"""Books by price and trades of the simulated T4 venue: who is told what, how often.

Source: T4 protocol sheet, sections 3.3 and 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from strategykit.model.events import BookSnapshot, Event, Quote, Trade
from strategykit.sim.t4_boards import Board, Boards, trade_date
from strategykit.sim.t4_session import DepthWish, T4Session
from strategykit.venues.t4 import server_market as wording
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import market_pb2 as pb
from strategykit.venues.t4.server import encode
from strategykit.venues.t4.server_requests import SubscribeDepth

__all__ = ["DepthPublisher"]

_EVERY_TRADE: Final = frozenset(
    {enums.DEPTH_BUFFER_SLOW_TRADE, enums.DEPTH_BUFFER_SMART_TRADE, enums.DEPTH_BUFFER_FAST_TRADE}
) | {enums.DEPTH_BUFFER_TRADE_ONLY}

_SLOW: Final = frozenset({enums.DEPTH_BUFFER_SLOW_TRADE, enums.DEPTH_BUFFER_SLOW_SMART})
_FAST: Final = frozenset({enums.DEPTH_BUFFER_FAST_TRADE, enums.DEPTH_BUFFER_FAST_SMART})
_SMART: Final = frozenset({enums.DEPTH_BUFFER_SMART_TRADE, enums.DEPTH_BUFFER_SMART})
_BUFFERS: Final = _EVERY_TRADE | _SLOW | _FAST | _SMART | {enums.DEPTH_BUFFER_ALL}

_DATE: Final = 86_400 * 1_000_000_000


class DepthPublisher:
    """All depth subscriptions.

    Args:
        boards: What is shown.
        smart: Nanoseconds between the books of a SMART subscription whose best prices stay.
        slow: Nanoseconds between those of a SLOW_SMART one.
    """

    def __init__(self, boards: Boards, *, smart: int, slow: int) -> None:
        self._boards = boards
        self._intervals = {
            **dict.fromkeys(_SLOW, slow),
            **dict.fromkeys(_SMART, smart),
            **dict.fromkeys(_FAST, smart // 4),
            enums.DEPTH_BUFFER_ALL: 0,
        }
        self._wishes: dict[str, dict[T4Session, DepthWish]] = {name: {} for name in boards.markets}
        self._frames: dict[tuple[str, int, int, int], bytes] = {}

    def subscribe(self, session: T4Session, asked: SubscribeDepth, now: int) -> None:
        """Begin, change or end a subscription; data is the acknowledgement."""
        if asked.buffer == enums.DEPTH_BUFFER_NO_SUBSCRIPTION:
            self.unsubscribe(session, asked.market_id)
            return
        refusal = self._boards.find_refusal(asked.exchange_id, asked.contract_id, asked.market_id)
        if not refusal and (asked.buffer not in _BUFFERS or asked.levels not in wording.DEPTHS):
            refusal = enums.MARKET_MODE_REJECTED
        if refusal:
            refused = wording.depth_refusal(asked.market_id, refusal, now)
            session.send(encode(market_depth_subscribe_reject=refused), now)
            return
        wish = DepthWish(asked.buffer, asked.levels)
        session.depth[asked.market_id] = self._wishes[asked.market_id][session] = wish
        self._boards.define(session, asked.market_id, now)
        self._note_sent(wish, self._boards[asked.market_id], now)
        session.send(encode(market_snapshot=self._snapshot(session, asked.market_id, wish, now)), now)

    def unsubscribe(self, session: T4Session, market_id: str) -> None:
        if session.depth.pop(market_id, None) is not None:
            del self._wishes[market_id][session]

    def leave(self, session: T4Session) -> None:
        """End all subscriptions of a connection."""
        for market_id in list(session.depth):
            self.unsubscribe(session, market_id)

    def publish(self, events: Sequence[Event], now: int) -> None:
        """Tell what happened, as each subscription wants it."""
        for event in events:
            match event:
                case Trade():
                    self._trade(event, now)
                case BookSnapshot(instrument=name):
                    board = self._boards[name]
                    board.book, board.counts = event, self._boards.exchange.order_counts(name)
                    self._change(name, now)
                case Quote(instrument=name):
                    self._figures(name, event, now)
                case _:
                    pass
        self._frames.clear()  # The times in them are over.

    def set_mode(self, market_id: str, mode: enums.MarketMode, now: int) -> None:
        """Change a market's mode, and tell it with a book."""
        self._boards[market_id].mode = mode
        self._forget_frames(market_id)
        for session, wish in list(self._wishes[market_id].items()):
            if wish.buffer != enums.DEPTH_BUFFER_TRADE_ONLY:
                self._send_book(session, market_id, wish, now)

    def give_anew(self, market_id: str, now: int) -> None:
        """Send every subscriber the state as if a feed had been away."""
        for session, wish in list(self._wishes[market_id].items()):
            whole = self._snapshot(session, market_id, wish, now, due_to_connection=True)
            session.send(encode(market_snapshot=whole), now)

    def begin_session(self, market_id: str, now: int) -> None:
        """Count volume and trades from nothing again, as after a session's end."""
        board = self._boards[market_id]
        board.totals, board.turnover = wording.TradeTotals(), 0.0
        self.set_mode(market_id, board.mode, now)

    def run(self, now: int) -> None:
        """Send what conflation held back until `now`."""
        for market_id, wishes in self._wishes.items():
            for session, wish in list(wishes.items()):
                if wish.dirty and wish.due <= now:
                    self._send_book(session, market_id, wish, now)
        self._frames.clear()

    def _trade(self, trade: Trade, now: int) -> None:
        market_id = trade.instrument
        board = self._boards[market_id]
        board.add(trade)
        self._forget_frames(market_id)
        frames: dict[int, bytes] = {}
        for session, wish in list(self._wishes[market_id].items()):
            if wish.buffer in _EVERY_TRADE:
                frame = frames.get(session.format)
                if frame is None:
                    words = self._boards.words(market_id, session.format)
                    told = wording.depth_trade(board.totals, words, board.mode)
                    frame = frames[session.format] = encode(market_depth_trade=told)
                session.send(frame, now)
            if wish.buffer == enums.DEPTH_BUFFER_ALL:
                self._send_book(session, market_id, wish, now)
            else:
                wish.dirty = wish.buffer != enums.DEPTH_BUFFER_TRADE_ONLY

    def _change(self, market_id: str, now: int) -> None:
        self._forget_frames(market_id)
        board = self._boards[market_id]
        best = _best(board)
        for session, wish in list(self._wishes[market_id].items()):
            if wish.buffer == enums.DEPTH_BUFFER_TRADE_ONLY:
                continue
            wish.dirty = True
            if wish.due <= now or (wish.buffer not in _SLOW and best != wish.best):
                self._send_book(session, market_id, wish, now)

    def _figures(self, market_id: str, quote: Quote, now: int) -> None:
        board = self._boards[market_id]
        old, board.quote = board.quote, quote
        if (quote.open, quote.high, quote.low) == (old.open, old.high, old.low):
            return
        for session in list(self._wishes[market_id]):
            session.send(encode(market_high_low=self._high_low(session, market_id, now)), now)

    def _send_book(self, session: T4Session, market_id: str, wish: DepthWish, now: int) -> None:
        key = market_id, wish.levels, wish.buffer, session.format
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = encode(market_depth=self._depth(session, market_id, wish, now))
        self._note_sent(wish, self._boards[market_id], now)
        session.send(frame, now)

    def _note_sent(self, wish: DepthWish, board: Board, now: int) -> None:
        wish.dirty = False
        wish.best = _best(board)
        wish.due = now + self._intervals.get(wish.buffer, 0)

    def _forget_frames(self, market_id: str) -> None:
        for key in [key for key in self._frames if key[0] == market_id]:
            del self._frames[key]

    def _depth(self, session: T4Session, market_id: str, wish: DepthWish, now: int) -> pb.MarketDepth:
        board = self._boards[market_id]
        return wording.depth(
            board.book,
            board.counts,
            self._boards.words(market_id, session.format),
            levels=wish.levels,
            buffer=wish.buffer,
            mode=board.mode,
            totals=board.totals,
            time=now,
        )

    def _high_low(self, session: T4Session, market_id: str, now: int) -> pb.MarketHighLow:
        words = self._boards.words(market_id, session.format)
        return wording.high_low(self._boards[market_id].quote, words, trade_date=trade_date(now) // _DATE, time=now)

    def _snapshot(
        self, session: T4Session, market_id: str, wish: DepthWish, now: int, *, due_to_connection: bool = False
    ) -> pb.MarketSnapshot:
        boards, board = self._boards, self._boards[market_id]
        words = boards.words(market_id, session.format)
        settled = trade_date(now) - _DATE // 12  # 17:00 Central, more or less, on the day before.
        return wording.snapshot(
            market_id,
            board.mode,
            self._depth(session, market_id, wish, now),
            wording.depth_trade(board.totals, words, board.mode),
            self._high_low(session, market_id, now),
            wording.price_limits(boards.exchange.instrument_update(market_id), words, time=now),
            wording.settlement(board.quote, words, vwap=board.vwap, settled=settled),
            due_to_connection=due_to_connection,
        )


def _best(board: Board) -> tuple[float | None, float | None]:
    book = board.book
    return book.bid_prices[0] if book.bid_prices else None, book.ask_prices[0] if book.ask_prices else None
