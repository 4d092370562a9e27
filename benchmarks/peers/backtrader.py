"""backtrader, with every trade as a bar of its own."""

from __future__ import annotations

import sys

import backtrader as bt

from benchmarks.peers.course import FAST, SLOW, Lap, make_trades

__all__ = ["Counter", "Cross", "Feed", "run"]


class Feed(bt.feed.DataBase):  # type: ignore[misc]  # the library has no types
    """Fill the lines from columns."""

    params = (("columns", None),)

    def start(self) -> None:
        super().start()
        self._rows = zip(*self.p.columns, strict=True)

    def _load(self) -> bool:
        row = next(self._rows, None)
        if row is None:
            return False
        lines = self.lines
        lines.datetime[0], price, lines.volume[0] = row
        lines.open[0] = lines.high[0] = lines.low[0] = lines.close[0] = price
        lines.openinterest[0] = 0.0
        return True


class Counter(bt.Strategy):  # type: ignore[misc]  # as above
    """Count trades, and add up their prices."""

    def __init__(self) -> None:
        self.count, self.total, self.orders = 0, 0.0, 0

    def next(self) -> None:
        self.count += 1
        self.total += self.data.close[0]


class Cross(Counter):
    """Two averages; see `course`."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = self.slow = 0.0
        self.side = 0

    def next(self) -> None:
        price = self.data.close[0]
        self.count += 1
        self.total += price
        if self.count == 1:
            self.fast = self.slow = price
            return
        self.fast += 2 / (FAST + 1) * (price - self.fast)
        self.slow += 2 / (SLOW + 1) * (price - self.slow)
        if self.count > SLOW:
            side = 1 if self.fast > self.slow else -1
            if side != self.side:
                self.orders += 1
                (self.buy if side > 0 else self.sell)(size=2 if self.side else 1)
                self.side = side


def run(case: str, count: int) -> None:
    """Run one case, and tell."""
    lap = Lap()
    trades = make_trades(count)
    days = trades.times / 1e9 / 86_400 + 719_163
    columns = (days.tolist(), trades.prices.tolist(), trades.quantities.astype(float).tolist())
    engine = bt.Cerebro(stdstats=False)
    engine.adddata(Feed(columns=columns, timeframe=bt.TimeFrame.Ticks))
    engine.addstrategy(Cross if case == "cross" else Counter)
    engine.broker.setcash(1e9)
    lap.loaded()
    (one,) = engine.run()
    lap.ran()
    position = int(one.position.size)
    lap.tell(count=one.count, total=one.total, orders=one.orders, position=position, version=bt.__version__)


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
