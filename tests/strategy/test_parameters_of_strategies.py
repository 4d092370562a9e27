"""What a strategy is given and may ask for: parameters, time, tasks, randomness, and orders that make sense."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Instrument, Order, Quote, Quotes, Side, Strategy, Trade, Trades, define, param
from strategykit.errors import ConfigError, RiskLimit
from strategykit.model.orders import OrderType
from strategykit.runtime.parameters import make_strategy
from strategykit.testing import START, Outcome, make_quotes, make_trades, run_strategy

SECOND = 1_000_000_000
D = Decimal


# Parameters


@define
class Tuned(Strategy):
    """Parameters with bounds."""

    instrument: str
    window: int = param(20, low=2, high=200)
    stop: float = param(0.02, low=0.0, high=0.5)
    most: int | None = param(None, low=1)

    quotes = Quotes("{instrument}")

    _count: int = attrs.field(default=0, init=False)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"window": 1}, "parameter window = 1 is below its least value 2"),
        ({"window": 201}, "parameter window = 201 is above its greatest value 200"),
        ({"stop": -0.1}, "parameter stop = -0.1 is below its least value 0.0"),
        ({"stop": float("nan")}, "parameter stop = nan"),
        ({"most": 0}, "parameter most = 0 is below its least value 1"),
    ],
)
def test_values_beyond_their_bounds_are_refused_with_the_bound(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Tuned(instrument="X", **params)


def test_bounds_themselves_are_allowed_and_none_is_no_number() -> None:
    low, high = (Tuned(instrument="X", window=w, stop=s, most=m) for w, s, m in ((2, 0.0, 1), (200, 0.5, None)))

    assert (low.window, low.stop, low.most) == (2, 0.0, 1)
    assert (high.window, high.stop, high.most) == (200, 0.5, None)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            {"instrument": "X", "window": "ten"},
            "Tuned: parameter window = 'ten' should be a whole number from 2 to 200",
        ),
        ({"instrument": "X", "window": 2.5}, "parameter window = 2.5 should be a whole number"),
        ({"instrument": "X", "window": True}, "parameter window = True should be a whole number"),
        ({"instrument": "X", "window": "1"}, "Tuned: parameter window = 1 is below its least value 2"),
        ({"instrument": "X", "stop": "nan"}, "parameter stop = 'nan' should be a number from 0 to 0.5"),
        ({}, "Tuned: parameter instrument is missing; give text"),
        ({"instrument": "X", "windows": 3}, r"Tuned has no parameter windows; did you mean window\?"),
        ({"instrument": "X", "count": 3}, "Tuned has no parameter count"),
        ({"instrument": "X", "desk": 3}, "Tuned has no parameter desk"),
    ],
)
def test_a_session_s_parameters_are_refused_in_words(params: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make_strategy(Tuned, params)


def test_a_parameter_without_default_has_to_be_given() -> None:
    with pytest.raises(TypeError, match="instrument"):
        Tuned()  # type: ignore[call-arg]  # the mistake that is tested


def test_strategies_of_equal_parameters_stay_two() -> None:
    one, two = Tuned(instrument="X"), Tuned(instrument="X")

    assert one != two
    assert len({one, two}) == 2
    assert repr(one) == "Tuned(instrument='X', window=20, stop=0.02, most=None, _count=0)"


# Inside a run


@define
class Teller(Strategy):
    """Runs the story that a test gives it, on quotes and trades of one instrument."""

    story: Callable[[Teller], Awaitable[None]]
    told: list[Any] = attrs.field(factory=list, init=False)

    quotes = Quotes("X")

    async def run(self) -> None:
        await self.story(self)

    def seconds(self) -> float:
        return (self.now() - START) / SECOND


def tell(
    story: Callable[[Teller], Awaitable[None]], *, seed: int = 0, tick: str = "0.01", cash: int = 1_000_000
) -> tuple[Outcome, list[Any]]:
    teller = Teller(story=story)
    quotes = make_quotes("X", [100.0] * 60, spread=0.5)
    outcome = run_strategy(teller, quotes, seed=seed, instruments=[Instrument("X", D(tick))], cash=D(cash))
    return outcome, teller.told


def test_time_is_the_markets() -> None:
    async def story(teller: Teller) -> None:
        teller.told.append(teller.seconds())
        await trio.sleep(2.25)
        teller.told.append(teller.seconds())
        await teller.sleep_until(START + 10 * SECOND + 7)
        teller.told.append(teller.now() - START)
        await teller.sleep_until(START)
        teller.told.append(teller.seconds())

    outcome, told = tell(story)

    outcome.check()
    assert told == [0.0, 2.25, 10 * SECOND + 7, (10 * SECOND + 7) / SECOND]


@given(st.integers(min_value=0, max_value=59 * SECOND))
@settings(max_examples=30, deadline=None)
def test_whatever_nanosecond_one_sleeps_until_one_wakes_at_it(offset: int) -> None:
    async def story(teller: Teller) -> None:
        await teller.sleep_until(START + offset)
        teller.told.append(teller.now() - START)

    assert tell(story)[1] == [offset]


def test_randomness_repeats_under_the_same_seed_only() -> None:
    async def story(teller: Teller) -> None:
        teller.told.extend(teller.random.random() for _ in range(5))

    first, again, other = (tell(story, seed=seed)[1] for seed in (7, 7, 8))

    assert len(first) == 5
    assert first == again
    assert first != other


def test_lines_of_the_log_carry_the_name_of_who_wrote_them() -> None:
    async def story(teller: Teller) -> None:
        teller.log("one")
        await trio.sleep(3)
        teller.log("two")

    assert [note for note in tell(story)[0].check().notes if note.startswith("strategy")] == [
        "strategy: one",
        "strategy: two",
    ]


def test_tasks_run_beside_the_story_and_end_with_the_strategy() -> None:
    async def count(teller: Teller, what: str) -> None:
        try:
            while True:
                teller.told.append((what, teller.seconds()))
                await trio.sleep(25)
        finally:
            teller.told.append((what, "end"))

    async def story(teller: Teller) -> None:
        teller.start(count, teller, "a")
        teller.start(count, teller, "b")
        await trio.sleep(30)

    outcome, told = tell(story)

    outcome.check()
    assert told == [
        *[("a", 0.0), ("b", 0.0), ("a", 25.0), ("b", 25.0), ("a", 50.0), ("b", 50.0)],
        *[("a", "end"), ("b", "end")],
    ]


def test_only_async_functions_can_be_started() -> None:
    async def story(teller: Teller) -> None:
        teller.start(teller.log, "x")  # type: ignore[arg-type]  # the mistake that is tested
        await trio.sleep(1)

    with pytest.raises(TypeError, match="only async functions can be started"):
        tell(story)[0].check()


@define
class Quick(Strategy):
    """Trades from its handlers."""

    trades = Trades("X")
    orders: list[Order] = attrs.field(factory=list, init=False)

    def on_trade(self, trade: Trade) -> None:
        if not self.orders:
            self.orders.append(self.buy_nowait(2, limit=trade.price))
        elif len(self.orders) == 1 and self.position() == 2:
            self.orders.append(self.sell_nowait(1))
            self.start(self.follow)

    async def follow(self) -> None:
        await self.orders[1].filled()
        self.log(f"holds {self.position()}, made {self.portfolio.realised()['RUB']}")


def test_handlers_may_place_orders_and_start_tasks() -> None:
    quick = Quick()
    outcome = run_strategy(quick, make_trades("X", [10, 10, 12, 12])).check()

    assert [fill.quantity * fill.side.sign for fill in outcome.fills] == [2, -1]
    assert outcome.positions == {"X": 1}
    assert any(note.startswith("strategy: holds 1, made ") for note in outcome.notes)


# Instruments


@define
class Pair(Strategy):
    """Two instruments."""

    how: Callable[[Pair], object]
    near = Quotes("A")
    far = Quotes("B")
    same = Trades("B")

    def on_quote(self, quote: Quote) -> None:
        if quote.instrument == "B":
            self.how(self)


def pair(how: Callable[[Pair], object]) -> Outcome:
    return run_strategy(Pair(how=how), [*make_quotes("A", [10.0], spread=1.0), *make_quotes("B", [20.0], spread=1.0)])


@pytest.mark.parametrize(
    "how",
    [
        lambda pair: pair.buy_nowait(1),
        lambda pair: pair.sell_nowait(1, limit=3.0),
        lambda pair: pair.position(),
        lambda pair: pair.instrument_of(),
        lambda pair: pair.long(1),
    ],
)
def test_with_two_instruments_one_has_to_say_which(how: Callable[[Pair], object]) -> None:
    outcome = pair(how)

    assert not outcome.orders
    with pytest.raises(ConfigError, match=r"strategy has the instruments \['A', 'B'\]; say which with instrument=…"):
        outcome.check()


def test_with_two_instruments_the_named_one_is_traded() -> None:
    def how(pair: Pair) -> None:
        pair.buy_nowait(1, instrument="A")
        assert pair.instrument_of("B").symbol == "B"

    outcome = pair(how).check()

    assert outcome.positions == {"A": 1}


def test_a_strategy_without_streams_has_to_name_its_instrument() -> None:
    @define
    class Blind(Strategy):
        async def run(self) -> None:
            await self.buy(1)

    with pytest.raises(ConfigError, match="has the instruments none"):
        run_strategy(Blind(), []).check()


def test_an_instrument_that_is_not_there_is_refused() -> None:
    with pytest.raises(RiskLimit, match="no instrument 'C' in this run; declare a stream of it"):
        pair(lambda pair: pair.buy_nowait(1, instrument="C")).check()


# Orders that make sense


def placed(how: Callable[[Teller], object], *, tick: str = "0.05") -> Order:
    async def story(teller: Teller) -> None:
        how(teller)
        await trio.sleep(1)

    (order,) = tell(story, tick=tick)[0].check().orders
    return order


@pytest.mark.parametrize(
    ("how", "price"),
    [
        (lambda teller: teller.buy_nowait(1, limit=99.98), "99.95"),
        (lambda teller: teller.sell_nowait(1, limit=99.98), "100.00"),
        (lambda teller: teller.buy_nowait(1, limit=99.95), "99.95"),
        (lambda teller: teller.buy_nowait(1, limit=0.1 + 0.2), "0.30"),
        (lambda teller: teller.sell_nowait(1, limit=D("101.35")), "101.35"),
        (lambda teller: teller.buy_nowait(1, limit=99), "99"),
    ],
)
def test_prices_lie_on_the_tick_away_from_crossing(how: Callable[[Teller], object], price: str) -> None:
    assert placed(how).request.price == D(price)


@pytest.mark.parametrize(
    ("how", "trigger"),
    [
        (lambda teller: teller.buy_nowait(1, stop=110.02), "110.05"),
        (lambda teller: teller.sell_nowait(1, stop=90.03), "90.00"),
    ],
)
def test_triggers_lie_on_the_tick_away_from_the_market(how: Callable[[Teller], object], trigger: str) -> None:
    order = placed(how)

    assert order.request.stop_price == D(trigger)
    assert order.request.type is OrderType.STOP


@pytest.mark.parametrize(
    ("quantity", "how", "words"),
    [
        (0, {}, "quantity must be a whole number of lots above 0, not 0"),
        (-1, {}, "not -1"),
        (D("1.5"), {}, r"not 1\.5"),
        (0.5, {}, r"not 0\.5"),
        (D("NaN"), {}, "not NaN"),
        (D("Infinity"), {}, "not Infinity"),
        (1, {"limit": D("99.98")}, r"X: limit 99\.98 isn't a multiple of the tick 0\.05"),
        (1, {"stop": D("99.98")}, r"X: stop 99\.98 isn't a multiple of the tick"),
        (1, {"limit": float("nan")}, "X: limit nan isn't a price"),
        (1, {"limit": float("inf")}, "X: limit inf isn't a price"),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_orders_that_make_no_sense_are_refused_before_anything_is_sent(
    side: Side, quantity: Any, how: dict[str, Any], words: str
) -> None:
    async def story(teller: Teller) -> None:
        place = teller.buy_nowait if side is Side.BUY else teller.sell_nowait
        with pytest.raises(RiskLimit, match=words):
            place(quantity, **how)
        with pytest.raises(RiskLimit, match=words):
            await (teller.buy if side is Side.BUY else teller.sell)(quantity, **how)
        teller.told.append("went on")

    outcome, told = tell(story, tick="0.05")

    assert not outcome.check().orders
    assert told == ["went on"]
