"""Binance's words, spot and USD-M futures. Source: stream protocol sheet, section 5; futures as recorded."""

from __future__ import annotations

from strategykit.venues.stream.server_streams import ChannelKind
from strategykit.venues.stream.server_values import BookState, BookUpdate, Candle, Day, Mark, Print, Top
from strategykit.venues.stream.server_wording import Row, Wording

__all__ = ["BinanceWording"]


class BinanceWording(Wording):
    """See `Wording`.

    Args:
        microseconds: As the client asked by ``timeUnit``.
        futures: USD-M in place of spot.
    """

    def __init__(self, *, microseconds: bool, futures: bool) -> None:
        super().__init__(microseconds=microseconds)
        self._futures = futures
        self.words = {
            ChannelKind.TRADE: self._trade,
            ChannelKind.AGGREGATE_TRADE: self._aggregate_trade,
            ChannelKind.DEPTH: self._depth,
            ChannelKind.PARTIAL_DEPTH: self._partial_depth,
            ChannelKind.TOP: self._top,
            ChannelKind.KLINE: self._kline,
            ChannelKind.TICKER: self._ticker,
            ChannelKind.MINI_TICKER: self._mini_ticker,
            ChannelKind.WINDOW_TICKER: self._window_ticker,
            ChannelKind.AVERAGE_PRICE: self._average_price,
            ChannelKind.MARK_PRICE: self._mark_price,
        }

    def _trade(self, trade: Print, now: int) -> Row:
        row: Row = {"e": "trade", "E": self.time(now)}
        if self._futures:
            row["T"] = self.time(trade.time)
        row |= {"s": trade.symbol, "t": trade.trade_id, "p": trade.price, "q": trade.quantity}
        if self._futures:
            return row | {"X": "MARKET", "m": trade.buyer_is_maker}
        return row | {"T": self.time(trade.time), "m": trade.buyer_is_maker, "M": True}

    def _aggregate_trade(self, trade: Print, now: int) -> Row:
        """Word a trade as an aggregate of itself."""
        row: Row = {"e": "aggTrade", "E": self.time(now), "s": trade.symbol, "a": trade.trade_id}
        row |= {"p": trade.price, "q": trade.quantity, "f": trade.trade_id, "l": trade.trade_id}
        row |= {"T": self.time(trade.time), "m": trade.buyer_is_maker}
        return row if self._futures else row | {"M": True}

    def _depth(self, update: BookUpdate, now: int) -> Row:
        row: Row = {"e": "depthUpdate", "E": self.time(now)}
        if self._futures:
            row["T"] = self.time(update.time)
        row |= {"s": update.symbol, "U": update.first, "u": update.last}
        if self._futures:
            row["pu"] = update.previous
        return row | {"b": update.bids, "a": update.asks}

    def _partial_depth(self, book: BookState, now: int) -> Row:
        if not self._futures:
            return {"lastUpdateId": book.last, "bids": book.bids, "asks": book.asks}
        update = BookUpdate(book.symbol, book.last, book.last, book.last - 1, book.bids, book.asks, book.time)
        return self._depth(update, now)

    def _top(self, top: Top, now: int) -> Row:
        (bid, bid_size), (ask, ask_size) = top.bid or ("0", "0"), top.ask or ("0", "0")
        row: Row = {"u": top.last, "s": top.symbol, "b": bid, "B": bid_size, "a": ask, "A": ask_size}
        if self._futures:
            row = {"e": "bookTicker"} | row | {"T": self.time(top.time), "E": self.time(now)}
        return row

    def _kline(self, candle: Candle, now: int) -> Row:
        bar = {
            "t": self.time(candle.open_time),
            "T": self.time(candle.close_time),
            "s": candle.symbol,
            "i": candle.interval,
            "f": candle.first_id,
            "L": candle.last_id,
            "o": candle.open,
            "c": candle.close,
            "h": candle.high,
            "l": candle.low,
            "v": candle.volume,
            "n": candle.trades,
            "x": candle.closed,
            "q": candle.quote_volume,
            "V": candle.taker_volume,
            "Q": candle.taker_quote_volume,
            "B": "0",
        }
        return {"e": "kline", "E": self.time(now), "s": candle.symbol, "k": bar}

    def _ticker(self, day: Day, now: int) -> Row:
        row = self._window("24hrTicker", day, now)
        row["Q"] = day.last_quantity
        if not self._futures:
            (bid, bid_size), (ask, ask_size) = day.top.bid or ("0", "0"), day.top.ask or ("0", "0")
            row |= {"x": day.previous_close, "b": bid, "B": bid_size, "a": ask, "A": ask_size}
        return row

    def _window_ticker(self, day: Day, now: int) -> Row:
        return self._window(f"{day.window}Ticker", day, now)

    def _mini_ticker(self, day: Day, now: int) -> Row:
        row: Row = {"e": "24hrMiniTicker", "E": self.time(now), "s": day.symbol, "c": day.last, "o": day.open}
        return row | {"h": day.high, "l": day.low, "v": day.volume, "q": day.quote_volume}

    def _average_price(self, day: Day, now: int) -> Row:
        return {
            "e": "avgPrice",
            "E": self.time(now),
            "s": day.symbol,
            "i": "5m",
            "w": day.weighted,
            "T": self.time(day.close_time),
        }

    def _mark_price(self, mark: Mark, now: int) -> Row:
        row: Row = {"e": "markPriceUpdate", "E": self.time(now), "s": mark.symbol, "p": mark.price, "i": mark.index}
        return row | {"P": mark.price, "r": mark.funding, "T": self.time(mark.next_funding)}

    def shutdown(self, now: int) -> Row:
        """Say that the server is about to go."""
        return {"e": "serverShutdown", "E": self.time(now)}

    def _window(self, name: str, day: Day, now: int) -> Row:
        return {
            "e": name,
            "E": self.time(now),
            "s": day.symbol,
            "p": day.change,
            "P": day.percent,
            "w": day.weighted,
            "c": day.last,
            "o": day.open,
            "h": day.high,
            "l": day.low,
            "v": day.volume,
            "q": day.quote_volume,
            "O": self.time(day.open_time),
            "C": self.time(day.close_time),
            "F": day.first_id,
            "L": day.last_id,
            "n": day.trades,
        }
