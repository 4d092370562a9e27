"""The crowd makes a market that a strategy can be tried on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError
from strategykit.model.events import Side
from strategykit.model.orders import TimeInForce
from strategykit.sim.history import MINUTE, SECOND, BarHistory
from strategykit.sim.market import NEVER, Crowd, FairPrice, generate_past
from strategykit.sim.matching import Match, MatchingEngine, Order

START = 1_700_000_000 * SECOND
HOME = 30_000


class Market:
    """One crowd on one book."""

    def __init__(self, *, seed: int = 1, rate: float = 200.0) -> None:
        number = count(1).__next__
        random = Random(seed)
        self.engine = MatchingEngine(number=number)
        fair = FairPrice(random, HOME, low=HOME * 0.9, high=HOME * 1.1)
        self.crowd = Crowd(self.engine, fair, random=random, number=number, start=START, rate=rate)
        self.crowd.open_book()
        self.number = number

    def run(self, seconds: float) -> Iterator[tuple[int, int, int, list[Match]]]:
        """Yield time, best bid, best ask and trades after each action."""
        until = START + int(seconds * SECOND)
        while self.crowd.next_time <= until:
            time = self.crowd.next_time
            matches = [one for one in self.crowd.act() if isinstance(one, Match)]
            bid, ask = self.engine.best(Side.BUY), self.engine.best(Side.SELL)
            assert bid is not None
            assert ask is not None
            yield time, bid, ask, matches


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [20.0, 200.0, 2_000.0])
def test_the_book_is_never_crossed_and_is_tight_and_deep(seed: int, rate: float) -> None:
    market = Market(seed=seed, rate=rate)
    tight = total = 0
    for _, bid, ask, _ in market.run(6_000 / rate):
        assert bid < ask
        assert market.engine.levels(Side.BUY) >= 10
        assert market.engine.levels(Side.SELL) >= 10
        total += 1
        tight += ask - bid <= 3
    assert tight / total > 0.95


@pytest.mark.parametrize("rate", [50.0, 500.0])
def test_actions_come_at_the_rate_asked_for(rate: float) -> None:
    """A little above it, for the bursts."""
    done = sum(1 for _ in Market(rate=rate).run(60))

    assert 0.9 < done / (60 * rate) < 1.4


@pytest.mark.parametrize("seed", range(4))
def test_averages_cross_and_ranges_break_within_a_minute(seed: int) -> None:
    history = BarHistory("X")
    for time, _, _, matches in Market(seed=seed).run(60):
        for match in matches:
            history.trade(time, float(match.price), float(match.quantity))
    closes = [bar.close for bar in history.bars(SECOND, START, NEVER, START + 60 * SECOND)]

    def average(end: int, length: int) -> float:
        return sum(closes[end - length : end]) / length

    above = [average(end, 4) > average(end, 12) for end in range(12, len(closes))]
    breaks = [end for end in range(10, len(closes)) if closes[end] > max(closes[end - 10 : end])]
    assert len(closes) > 50
    assert sum(one is not two for one, two in pairwise(above)) >= 3
    assert len(breaks) >= 3
    assert max(closes) - min(closes) >= 10


def test_one_seed_gives_one_market_and_another_another() -> None:
    def tape(seed: int) -> list[tuple[int, int, int]]:
        return [(time, bid, ask) for time, bid, ask, _ in Market(seed=seed).run(5)]

    assert tape(1) == tape(1)
    assert tape(1) != tape(2)


def test_a_market_bought_empty_fills_again() -> None:
    market = Market()
    market.engine.submit(Order(market.number(), "A", Side.BUY, 10**6, HOME * 2, TimeInForce.IMMEDIATE_OR_CANCEL))
    market.engine.submit(Order(market.number(), "A", Side.SELL, 10**6, 1, TimeInForce.IMMEDIATE_OR_CANCEL))
    assert market.engine.levels(Side.BUY) == market.engine.levels(Side.SELL) == 0

    # The first action fills one side only, so `run` can't be asked yet.
    while not (market.engine.levels(Side.BUY) and market.engine.levels(Side.SELL)):
        market.crowd.act()
    assert all(bid < ask for _, bid, ask, _ in market.run(10))

    assert min(market.engine.levels(side) for side in Side) >= 10


def test_a_crowd_of_rate_0_is_never_due() -> None:
    assert Market(rate=0).crowd.next_time == NEVER


def test_the_fair_price_keeps_within_its_bounds() -> None:
    fair = FairPrice(Random(1), 100.0, low=99.0, high=101.0)

    assert {99.0, 101.0} <= {fair.move(1.0) for _ in range(200)}
    assert all(99 <= fair.move(1.0) <= 101 for _ in range(200))


def test_the_generated_past_is_coarse_then_fine_and_ends_at_the_start() -> None:
    random = Random(1)
    past = list(generate_past(FairPrice(random, HOME, low=1, high=10**6), random, start=START, minutes=10, seconds=60))
    times = [time for time, _, _ in past]

    assert times == sorted(set(times))
    assert times[0] == START - 60 * SECOND - 10 * MINUTE
    assert START - SECOND < times[-1] < START
    assert all(lots > 0 for _, _, lots in past)


def test_one_seed_gives_one_past_and_another_another() -> None:
    def past(seed: int) -> list[tuple[int, float, int]]:
        random = Random(seed)
        fair = FairPrice(random, HOME, low=1, high=10**6)
        return list(generate_past(fair, random, start=START, minutes=10, seconds=60))

    assert past(1) == past(1)
    assert past(1) != past(2)


def test_bars_are_the_same_however_often_they_are_asked_for() -> None:
    """Trades are folded when somebody asks, or when too many wait for that."""
    asked, left = BarHistory("X"), BarHistory("X")
    random = Random(3)
    for number in range(25_000):
        trade = (START + number * SECOND // 4, 100.0 + random.randrange(20), float(random.randrange(1, 9)))
        asked.trade(*trade)
        left.trade(*trade)
        if number % 999 == 0:
            assert asked.bars(SECOND, trade[0] - SECOND, NEVER, NEVER)[-1].close == trade[1]

    for interval in (SECOND, 5 * SECOND, MINUTE):
        found, expected = (
            [(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars]
            for bars in (history.bars(interval, 0, NEVER, NEVER) for history in (left, asked))
        )
        assert found == expected


def test_bars_fold_trades_by_the_second_and_by_the_minute() -> None:
    history = BarHistory("X")
    minute = START - START % MINUTE
    for after, price, quantity in ((0, 10.0, 1.0), (0.5, 12.0, 2.0), (1.0, 9.0, 1.0), (59, 11.0, 3.0), (61, 20.0, 1.0)):
        history.trade(minute + int(after * SECOND), price, quantity)

    now = minute + 62 * SECOND
    seconds = history.bars(SECOND, 0, NEVER, now)
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in seconds[:2]] == [
        (10.0, 12.0, 10.0, 12.0, 3.0),
        (9.0, 9.0, 9.0, 9.0, 1.0),
    ]
    (pair, *_) = history.bars(2 * SECOND, 0, NEVER, now)
    assert (pair.open_time, pair.open, pair.high, pair.low, pair.close, pair.volume) == (minute, 10, 12, 9, 9, 4)
    minutes = history.bars(MINUTE, 0, NEVER, now)
    assert [(bar.close, bar.volume, bar.closed) for bar in minutes] == [(11.0, 7.0, True), (20.0, 1.0, False)]
    assert [bar.open_time for bar in history.bars(SECOND, minute + SECOND, minute + 59 * SECOND, now)] == [
        minute + SECOND
    ]


@pytest.mark.parametrize("interval", [0, -SECOND, SECOND // 2, SECOND + 1])
def test_an_interval_of_broken_seconds_is_refused(interval: int) -> None:
    with pytest.raises(ConfigError, match="whole seconds"):
        BarHistory("X").bars(interval, 0, 1, 1)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(90, 110), st.integers(1, 9)), max_size=60),
    st.sampled_from([1, 2, 5, 15, 60, 120, 300]),
)
def test_whatever_was_traded_the_bars_hold_all_of_it(rows: list[tuple[int, int, int]], length: int) -> None:
    history = BarHistory("X")
    rows.sort(key=lambda row: row[0])
    for second, price, quantity in rows:
        history.trade(START + second * SECOND, float(price), float(quantity))

    bars = history.bars(length * SECOND, 0, NEVER, NEVER)

    assert sum(bar.volume for bar in bars) == sum(row[2] for row in rows)
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in bars)
    assert all(one.open_time < two.open_time for one, two in pairwise(bars))
    assert all(bar.open_time % (length * SECOND) == 0 for bar in bars)
    if bars:
        assert (bars[0].open, bars[-1].close) == (rows[0][1], rows[-1][1])
        assert max(bar.high for bar in bars) == max(row[1] for row in rows)
