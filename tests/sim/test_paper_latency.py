"""What travels: orders to the exchange, their news back, and the market to strategies."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Fill, Quotes, Strategy, define
from strategykit.errors import ConfigError
from strategykit.model.events import Event, Quote
from strategykit.model.instruments import Instrument
from strategykit.runtime.simulate import simulate
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import NONE, Constant, Drawn, Latency, Recorded, meter
from strategykit.testing import START, make_quotes
from strategykit.venues.streams import StreamKind

MILLI = 1_000_000
SECOND = 1_000_000_000


@define
class Late(Strategy):
    """Buys once at half past three seconds, and writes down what it is told when."""

    quotes = Quotes("X")

    def __attrs_post_init__(self) -> None:
        self.told: list[tuple[str, float, float]] = []

    def seconds(self) -> float:
        return (self.now() - START) / SECOND

    def on_quote(self, quote: Quote) -> None:
        assert quote.ask is not None
        assert quote.receive_time == self.now()
        self.told.append(("ask", quote.ask, self.seconds()))

    def on_fill(self, fill: Fill) -> None:
        assert fill.event_time is not None
        self.told.append(("fill", float(fill.price), self.seconds()))
        self.told.append(("filled", float(fill.price), (fill.event_time - START) / SECOND))

    async def run(self) -> None:
        await trio.sleep(3.5)
        await self.buy(1)


def run(prices: list[float], **models: Latency) -> Late:
    strategy = Late()
    events: list[Event] = []
    for event in make_quotes("X", prices, spread=0.5):
        event.guid = "quotes:X"  # type: ignore[misc]  # frozen to type checkers
        events.append(event)
    simulate(
        [("late", strategy)],
        events,
        instruments={"X": Instrument("X")},
        start=START,
        streams={StreamKind.QUOTES},
        models=FillModels(**models),  # type: ignore[arg-type]
    )
    return strategy


def test_strategies_see_the_market_later_than_the_exchange_does() -> None:
    """The order of 3.5 s meets the quote of 3 s, which its owner hasn't seen yet."""
    told = run([100, 101, 102, 103, 104], feed_latency=Constant(span=700 * MILLI)).told

    first = make_quotes("X", [100.0], spread=0.5)[0]
    began = (first.receive_time - START) / SECOND
    asks = [(ask, seconds) for what, ask, seconds in told if what == "ask"]
    assert [ask for ask, _ in asks] == [100.5, 101.5, 102.5, 103.5], "the run ends with the data"
    assert [seconds for _, seconds in asks] == pytest.approx([began + number + 0.7 for number in range(4)])
    fills = [row for row in told if row[0] != "ask"]
    newest = max(ask for ask, seconds in asks if seconds - 0.7 <= 3.5)
    assert fills == [("fill", newest, 3.5), ("filled", newest, 3.5)]
    assert max(ask for ask, seconds in asks if seconds <= 3.5) == newest - 1


def test_an_order_meets_the_market_of_its_arrival_and_its_news_take_their_time() -> None:
    travel = Constant(span=600 * MILLI)
    told = run([100, 101, 102, 103, 104, 105], order_latency=travel, answer_latency=Constant(span=1_500 * MILLI)).told

    asks = [(ask, seconds) for what, ask, seconds in told if what == "ask"]
    met = max(ask for ask, seconds in asks if seconds <= 4.1)
    assert [row for row in told if row[0] != "ask"] == [("fill", met, 5.6), ("filled", met, 4.1)]


def test_no_latency_is_none() -> None:
    assert meter(NONE, "orders") is None
    assert meter(Constant(span=5), "orders") is not None


def test_recorded_latencies_are_interpolated_and_stand_still_outside() -> None:
    at = Recorded(times=(100, 200, 400), spans=(10, 20, 0)).at

    assert [at(now) for now in (0, 100, 150, 200, 300, 400, 900)] == [10, 10, 15, 20, 10, 0, 0]
    assert Recorded(times=(5,), spans=(7,)).at(3) == 7


spans = st.lists(st.integers(0, 1_000), min_size=1, max_size=20)


@settings(max_examples=100, deadline=None)
@given(spans, st.integers(0, 2**32))
def test_drawn_latencies_lie_among_the_samples_and_the_same_seed_draws_the_same(samples: list[int], seed: int) -> None:
    latency = Drawn(samples=tuple(samples), seed=seed)
    first, again, other = (meter(latency, purpose) for purpose in ("orders", "orders", "answers"))
    assert first is not None
    assert again is not None
    assert other is not None

    drawn = [first(now) for now in range(50)]

    assert drawn == [again(0) for _ in range(50)]
    assert all(min(samples) <= span <= max(samples) for span in drawn)
    assert other(0) in range(min(samples), max(samples) + 1)


def test_a_distribution_comes_out_as_it_was_measured() -> None:
    draw = meter(Drawn(samples=tuple(range(0, 1_001, 10)), seed=1), "orders")
    assert draw is not None

    drawn = sorted(draw(0) for _ in range(5_000))

    for share in (0.1, 0.5, 0.9):
        assert drawn[int(share * 5_000)] == pytest.approx(share * 1_000, abs=30)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Constant(span=-1),
        lambda: Drawn(samples=()),
        lambda: Drawn(samples=(1, -1)),
        lambda: Recorded(times=(), spans=()),
        lambda: Recorded(times=(1, 2), spans=(1,)),
        lambda: Recorded(times=(2, 1), spans=(1, 1)),
    ],
)
def test_impossible_latencies_are_refused(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ConfigError):
        wrong()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 9))
def test_whatever_travels_how_long_one_order_is_filled_once_and_later_than_it_was_sent(
    feed: int, order: int, answer: int, seed: int
) -> None:
    drawn = Drawn(samples=(answer * MILLI, 0, answer * MILLI // 2), seed=seed)
    late = run(
        [100.0] * 12,
        feed_latency=Constant(span=feed * MILLI),
        order_latency=Constant(span=order * MILLI),
        answer_latency=drawn,
    )

    fills = {what: seconds for what, _, seconds in late.told if what != "ask"}
    assert late.position() == 1
    assert fills["filled"] == pytest.approx(3.5 + order / 1_000)
    assert fills["filled"] <= fills["fill"] <= fills["filled"] + answer / 1_000 + 1e-9
