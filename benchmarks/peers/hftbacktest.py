"""hftbacktest: strategies compiled by numba, the engine in Rust. What no Python handler can reach."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    GTC,
    LOCAL_EVENT,
    MARKET,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

from benchmarks.peers.course import FAST, SLOW, Lap, make_trades

__all__ = ["run"]

_FAR = 1_000_000_000_000


@njit  # type: ignore[untyped-decorator]  # the library has no types
def count_trades(engine: Any) -> tuple[int, float, int]:
    """Count trades, and add up their prices."""
    count, total = 0, 0.0
    more = True
    while more:
        more = engine.wait_next_feed(False, _FAR) == 2  # The last trade comes with the word that there are no more.
        trades = engine.last_trades(0)
        for row in range(len(trades)):
            count += 1
            total += trades[row].px
        engine.clear_last_trades(0)
    return count, total, 0


@njit  # type: ignore[untyped-decorator]  # the library has no types
def cross(engine: Any, fast_over: int, slow_over: int) -> tuple[int, float, int]:
    """Two averages; see `course`."""
    count, total, orders, side, fast, slow = 0, 0.0, 0, 0, 0.0, 0.0
    more = True
    while more:
        more = engine.wait_next_feed(False, _FAR) == 2
        trades = engine.last_trades(0)
        for row in range(len(trades)):
            price = trades[row].px
            count += 1
            total += price
            if count == 1:
                fast = slow = price
                continue
            fast += 2 / (fast_over + 1) * (price - fast)
            slow += 2 / (slow_over + 1) * (price - slow)
            if count > slow_over:
                now = 1 if fast > slow else -1
                if now != side:
                    orders += 1
                    lots = 2.0 if side else 1.0
                    if now > 0:
                        engine.submit_buy_order(0, orders, price, lots, GTC, MARKET, False)
                    else:
                        engine.submit_sell_order(0, orders, price, lots, GTC, MARKET, False)
                    side = now
        engine.clear_last_trades(0)
        engine.clear_inactive_orders(0)
    return count, total, orders


def make_rows(count: int) -> Any:
    """Give the trades as the engine has them, and before them a book wide enough for every order."""
    trades = make_trades(count)
    rows = np.zeros(count + 2, dtype=event_dtype)
    both = EXCH_EVENT | LOCAL_EVENT
    rows["ev"][:2] = [DEPTH_EVENT | both | BUY_EVENT, DEPTH_EVENT | both | SELL_EVENT]
    rows["exch_ts"][:2] = rows["local_ts"][:2] = trades.times[0] - 10
    rows["px"][:2] = [1.0, 10_000.0]
    rows["qty"][:2] = 1e9
    rows["ev"][2:] = np.where(trades.buys, BUY_EVENT, SELL_EVENT).astype(np.uint64) | np.uint64(TRADE_EVENT | both)
    rows["exch_ts"][2:] = trades.times
    rows["local_ts"][2:] = trades.times + 1_000
    rows["px"][2:] = trades.prices
    rows["qty"][2:] = trades.quantities
    return rows


def make_engine(rows: Any) -> Any:
    asset = (
        BacktestAsset()
        .data(rows)
        .linear_asset(1.0)
        .constant_order_latency(1_000, 1_000)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(0.01)
        .lot_size(1.0)
        .last_trades_capacity(1_000)
    )
    return HashMapMarketDepthBacktest([asset])


def run(case: str, count: int) -> None:
    """Run one case, and tell."""

    def play(engine: Any) -> tuple[int, float, int]:
        found: tuple[int, float, int] = cross(engine, FAST, SLOW) if case == "cross" else count_trades(engine)
        return found

    few = make_rows(2_000)  # The engine keeps no more than a pointer to it.
    engine = make_engine(few)
    play(engine)  # This compiles it, which isn't counted.
    engine.close()
    lap = Lap()
    rows = make_rows(count)
    engine = make_engine(rows)
    lap.loaded()
    seen, total, orders = play(engine)
    lap.ran()
    position = int(engine.position(0))
    lap.tell(count=seen, total=total, orders=orders, position=position, version=version("hftbacktest"))
    engine.close()


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
