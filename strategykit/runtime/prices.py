"""Last prices, for what open positions are worth."""

from __future__ import annotations

from strategykit.model.events import Bar, BookSnapshot, ByOrderSnapshot, Event, Quote, Ticker, Trade

__all__ = ["LastPrices"]


class LastPrices:
    """Watches a run and keeps the last price of each instrument."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        """Of trades, bars, tickers, and the middle of quotes: the newest."""
        self.middles: dict[str, float] = {}
        """Of books, for where there is nothing else."""

    @property
    def prices(self) -> dict[str, float]:
        """All of them, by instrument."""
        return {**self.middles, **self.told}

    def __call__(self, event: Event) -> None:
        if type(event) is Trade:  # By far the most; a `match` tries one class after the other.
            self.told[event.instrument] = event.price
            return
        match event:
            case Bar(instrument=symbol, close=price):
                self.told[symbol] = price
            case Ticker(instrument=symbol, last=price) if price is not None:
                self.told[symbol] = price
            case Quote(instrument=symbol, bid=bid, ask=ask) if bid is not None and ask is not None:
                self.told[symbol] = (bid + ask) / 2
            case (
                BookSnapshot(instrument=symbol, bid_prices=[bid, *_], ask_prices=[ask, *_])
                | ByOrderSnapshot(instrument=symbol, bid_prices=[bid, *_], ask_prices=[ask, *_])
            ):
                self.middles[symbol] = (bid + ask) / 2
