"""Strategies that watch the figures of the day."""

from __future__ import annotations

import pytest

from strategykit import Strategy, Ticker, Tickers, define, sma
from strategykit.testing import START, run_strategy
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000


def day(second: int, last: float | None, *, opened: float | None = 100.0) -> Ticker:
    time = START + second * SECOND
    return Ticker("X", last, opened, 200.0, 50.0, 10.0, 1_000.0, 3, time, time, "")


@define
class Watching(Strategy):
    """Notes each figure, the mean of the last ones, and when the day has turned."""

    instrument: str
    day = Tickers("{instrument}", fresh=30)

    def __attrs_post_init__(self) -> None:
        self.seen: list[float | None] = []
        self.turned: list[int] = []
        self.entered: list[str] = []

    def on_ticker(self, ticker: Ticker) -> None:
        self.seen.append(ticker.last)

    async def run(self) -> None:
        mean = sma(self.day, 2)
        await self.when(self.day.change > 0.05)
        self.turned.append(self.now() - START)
        await self.when(self.day.price < mean)
        self.turned.append(self.now() - START)
        async with self.long(1, stop=0.1) as held:
            await self.when(self.day.price > 150)
        self.entered.append(held.ended_by)


def test_a_declared_ticker_is_told_to_handlers_indicators_and_conditions() -> None:
    strategy = Watching(instrument="X")
    (declared,) = strategy.declarations()
    assert declared.stream(strategy, now=START) == Stream(kind=StreamKind.TICKER, instrument="X")
    prices = [100.0, None, 104.0, 106.0, 103.0, 95.0, 90.0]

    outcome = run_strategy(strategy, [day(second, price) for second, price in enumerate(prices)]).check()

    assert strategy.seen == prices
    assert strategy.turned == [3 * SECOND, 4 * SECOND]
    assert strategy.entered == ["stop"], "a position's stop is watched by tickers, too"
    assert [fill.price for fill in outcome.fills] == [103, 90]


def test_an_async_for_that_lags_sees_the_latest_only() -> None:
    @define
    class Slow(Strategy):
        day = Tickers("X")

        def __attrs_post_init__(self) -> None:
            self.seen: list[float | None] = []

        async def run(self) -> None:
            async for ticker in self.day:
                self.seen.append(ticker.last)
                await self.sleep_until(self.now() + 3 * SECOND + 1)

    strategy = Slow()
    run_strategy(strategy, [day(second, float(second)) for second in range(1, 9)]).check()

    assert strategy.seen == [1.0, 4.0, 7.0]


def test_the_change_of_a_day_needs_where_it_began() -> None:
    changes = [day(0, 110.0), day(0, None), day(0, 110.0, opened=None), day(0, 110.0, opened=0.0)]

    assert [ticker.change for ticker in changes] == [pytest.approx(0.1), None, None, None]
