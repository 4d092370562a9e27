"""Backpack's words, which the seed's documentation shares, and those of the seed's reference implementation.

Source: stream protocol sheet, sections 3.1, 3.2 and 4.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from strategykit.venues.stream.server_streams import ChannelKind
from strategykit.venues.stream.server_values import BookUpdate, Candle, Day, Mark, OpenInterest, Print, Top
from strategykit.venues.stream.server_wording import Row, Wording

__all__ = ["BackpackWording", "ReferenceWording", "write_naive"]

_MS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - no zone is what it is for


class BackpackWording(Wording):
    """See `Wording`."""

    def __init__(self) -> None:
        super().__init__(microseconds=True)
        self.words = {
            ChannelKind.TRADE: self._trade,
            ChannelKind.DEPTH: self._depth,
            ChannelKind.TOP: self._top,
            ChannelKind.KLINE: self._kline,
            ChannelKind.TICKER: self._ticker,
            ChannelKind.MARK_PRICE: self._mark_price,
            ChannelKind.OPEN_INTEREST: self._open_interest,
        }

    def _trade(self, trade: Print, now: int) -> Row:
        return {
            "e": "trade",
            "E": self.time(now),
            "s": trade.symbol,
            "p": trade.price,
            "q": trade.quantity,
            # Orders have no numbers here that anybody could look up; those of the trade tell them apart.
            "b": str(2 * trade.trade_id),
            "a": str(2 * trade.trade_id + 1),
            "t": trade.trade_id,
            "T": self.time(trade.time),
            "m": trade.buyer_is_maker,
        }

    def _depth(self, update: BookUpdate, now: int) -> Row:
        row: Row = {"e": "depth", "E": self.time(now), "s": update.symbol, "a": update.asks, "b": update.bids}
        return row | {"U": update.first, "u": update.last, "T": self.time(update.time)}

    def _top(self, top: Top, now: int) -> Row:
        (bid, bid_size), (ask, ask_size) = top.bid or (None, None), top.ask or (None, None)
        row: Row = {"e": "bookTicker", "E": self.time(now), "s": top.symbol, "a": ask, "A": ask_size}
        return row | {"b": bid, "B": bid_size, "u": str(top.last), "T": self.time(top.time)}

    def _kline(self, candle: Candle, now: int) -> Row:
        return {
            "e": "kline",
            "E": self.time(now),
            "s": candle.symbol,
            "t": write_naive(candle.open_time),
            "T": write_naive(candle.close_time + 1),
            "o": candle.open,
            "c": candle.close,
            "h": candle.high,
            "l": candle.low,
            "v": candle.volume,
            "n": candle.trades,
            "X": candle.closed,
        }

    def _ticker(self, day: Day, now: int) -> Row:
        row: Row = {"e": "ticker", "E": self.time(now), "s": day.symbol, "o": day.open, "c": day.last, "h": day.high}
        return row | {"l": day.low, "v": day.volume, "V": day.quote_volume, "n": day.trades}

    def _mark_price(self, mark: Mark, now: int) -> Row:
        row: Row = {"e": "markPrice", "E": self.time(now), "s": mark.symbol, "p": mark.price, "f": mark.funding}
        # The one time that Backpack gives in milliseconds.
        return row | {"i": mark.index, "n": mark.next_funding // _MS, "T": self.time(now)}

    def _open_interest(self, held: OpenInterest, now: int) -> Row:
        return {"e": "openInterest", "E": self.time(now), "s": held.symbol, "o": held.quantity}


class ReferenceWording(Wording):
    """What the seed's engine publishes; members by name, upper case first. It has no words for tickers."""

    def __init__(self) -> None:
        super().__init__(microseconds=False)
        self.words = {ChannelKind.TRADE: self._trade, ChannelKind.DEPTH: self._depth}

    def _trade(self, trade: Print, now: int) -> Row:  # noqa: ARG002 - it doesn't say
        # A flaw of the original: it compares owners where it means makers, so nobody is ever the maker.
        row: Row = {"T": self.time(trade.time), "e": "trade", "m": False, "p": trade.price, "q": trade.quantity}
        return row | {"s": trade.symbol, "t": trade.trade_id}

    def _depth(self, update: BookUpdate, now: int) -> Row:  # noqa: ARG002 - it doesn't say
        return {"a": update.asks, "b": update.bids, "e": "depth", "s": update.symbol}


def write_naive(time: int, *, between: str = "T") -> str:
    """Write nanoseconds UTC as ``2024-09-11T12:00:00``, without a zone, as Backpack does."""
    moment = _EPOCH + timedelta(seconds=time // 1_000_000_000)
    return moment.isoformat(between, "seconds")
