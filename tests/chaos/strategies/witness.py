"""A strategy that remembers everything it is told of one instrument, in the order in which it is told."""

from __future__ import annotations

from typing import Any

from strategykit import Books, Gap, Strategy, Trade, Trades, define


@define
class Witness(Strategy):
    instrument: str

    trades = Trades("{instrument}")
    books = Books("{instrument}")

    def __attrs_post_init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def on_trade(self, trade: Trade) -> None:
        self.told.append(("trade", trade.trade_id, trade.event_time, trade.price, trade.quantity, trade.snapshot))

    def on_gap(self, gap: Gap) -> None:
        kind = "gap" if gap.guid == self.trades.guid else "book gap"
        self.told.append((kind, gap.since, gap.until, gap.reason))
