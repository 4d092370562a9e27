"""Whole programs in virtual time against a simulated venue, recorded: what parity is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import trio

from strategykit import Books, Order, Quotes, Strategy, Trades, define, param
from strategykit.testing.world import World, run_world

SYMBOLS = {"alor": "SBER", "t4": "CME_Eq/ES/XCME_Eq ES (Z26)"}


@define
class Trader(Strategy):
    """Joins both sides of the book, and takes now and then."""

    instrument: str
    takes: int = param(5, low=1, help="rounds between two market orders")

    book = Books("{instrument}", depth=10)
    trades = Trades("{instrument}")
    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        for number in range(1, 1_000):
            bid, ask = self.book.best_bid, self.book.best_ask
            orders: list[Order] = []
            if bid is not None and ask is not None:
                orders = [self.buy_nowait(1, limit=bid), self.sell_nowait(1, limit=ask)]
            async with self.working(*orders):
                await trio.sleep(0.7)
            if not number % self.takes:
                self.buy_nowait(1) if number % 2 else self.sell_nowait(1)


@define
class Silent(Strategy):
    """Looks, and does nothing."""

    instrument: str
    trades = Trades("{instrument}")


def record_run(folder: Path, *strategies: tuple[str, Strategy], venue: str = "alor", **world: Any) -> Path:
    """Record a run, and give its tape."""
    values: dict[str, Any] = {"seconds": 15.0, "rate": 20.0, "seed": 4, "latency": (0.005, 0.006), **world}
    outing = run_world(
        World(venue=venue, strategies=list(strategies), instruments=[SYMBOLS[venue]], **values), tape=folder
    )
    assert outing.error is None, outing.error
    return folder


def trading_run(folder: Path, venue: str = "alor", **world: Any) -> Path:
    return record_run(folder, ("trader", Trader(instrument=SYMBOLS[venue])), venue=venue, **world)
