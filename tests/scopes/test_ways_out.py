"""Whatever the way out of a position, nothing is left of it at the venue, or the error says what."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import Fill, LegsApart, OrderEnded, OrderState, RiskLimit, Side, StrategykitError
from strategykit.errors import StrategyKilled, Unsettled
from strategykit.model.events import OrderStatus
from strategykit.model.orders import Command, CreateOrder
from strategykit.runtime.flatten import REMEMBERED
from tests.scopes.conftest import Stage, Teller, market, play

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


async def hold(teller: Teller) -> None:
    """Hold two lots until somebody ends it."""
    async with teller.long(2, stop=0.02, trailing=0.02) as holding:
        teller.told.append(holding)
        await trio.sleep_forever()


def is_exit(command: Command) -> bool:
    return isinstance(command, CreateOrder) and command.request.stop_price is None and command.request.side is SELL


def at(seconds: float, act: Callable[[Stage], Any]) -> Callable[[Stage], None]:
    """Do something to the stage so many seconds after its beginning."""

    def prepare(stage: Stage) -> None:
        async def wait() -> None:
            await trio.sleep(seconds)
            act(stage)

        stage.start(wait)

    return prepare


def both(*prepares: Callable[[Stage], None]) -> Callable[[Stage], None]:
    def prepare(stage: Stage) -> None:
        for each in prepares:
            each(stage)

    return prepare


def verdict(wanted: Callable[[Command], bool], word: str, times: int = 1) -> Callable[[Stage], None]:
    """Have the venue treat the next commands of a kind so."""

    def prepare(stage: Stage) -> None:
        left = [word] * times
        stage.venue.verdict = lambda command: left.pop() if left and wanted(command) else ""

    return prepare


def cut(seconds: float, length: float) -> Callable[[Stage], None]:
    """Break the wire for so long."""
    return at(seconds, lambda stage: stage.start(stage.cut, length))


# Ways out that are somebody's wish


@pytest.mark.parametrize("at_venue", [True, False])
@pytest.mark.parametrize("way", ["end", "return", "raise", "helper", "deadline", "cancel", "end it", "handler"])
def test_every_way_out_leaves_nothing(way: str, at_venue: bool) -> None:
    async def story(teller: Teller) -> None:
        try:
            with trio.move_on_after(2.5 if way == "deadline" else math.inf) as scope:
                await inner(teller, scope)
        except* LookupError:
            teller.told.append("raised")

    async def inner(teller: Teller, scope: trio.CancelScope) -> None:
        async def helper() -> None:
            await trio.sleep(2.5)
            raise LookupError("helper")

        async with teller.long(2, stop=0.02, within=30) as holding:
            if way == "helper":
                holding.start(helper)
            elif way in ("end", "return", "raise"):
                await trio.sleep(2.5)
            if way == "return":
                return
            if way == "raise":
                raise LookupError("block")
            if way == "cancel":
                scope.cancel()
            if way == "end it":
                holding.end("mine")
            if way in ("helper", "deadline", "cancel", "end it", "handler"):
                await trio.sleep_forever()

    class Failing(Teller):
        def on_quote(self, quote: object) -> None:
            if way == "handler" and self.seconds() == 3:
                raise LookupError("handler")

    stage = play(story, latency=0.1, at_venue=at_venue, teller=Failing(), check=False)

    assert stage.teller.told == (["raised"] if way in ("raise", "helper") else [])
    assert isinstance(stage.error, LookupError) == (way == "handler")
    stage.check_flat()


@pytest.mark.parametrize(("at_venue", "limit"), [(True, 100.5), (False, None)])
def test_a_cancel_at_any_step_leaves_nothing(at_venue: bool, limit: float | None) -> None:
    """The scope around the position is cancelled whenever one of the strategy's tasks has stopped to wait."""
    total = 0
    for step in range(1_000):
        injector = Injector(step)

        async def story(teller: Teller, injector: Injector = injector) -> None:
            injector.root = trio.lowlevel.current_task()
            trio.lowlevel.add_instrument(injector)
            with injector.scope:
                async with teller.long(4, limit=limit, enter_within=1.5, stop=0.02, trailing=D(1), within=4) as holding:
                    holding.start(trio.sleep, 0.5)
                    await trio.sleep(3)
            trio.lowlevel.remove_instrument(injector)
            teller.told.append("went on")

        path = [100, 101, 102, 102, 102, 102, 102, 102, 102, 102]
        stage = play(story, market(path), latency=0.2, at_venue=at_venue)

        assert stage.teller.told == ["went on"], step
        stage.check_flat()
        total += 1
        if not injector.struck:
            break
    assert 15 < total < 200


@attrs.define(eq=False)
class Injector(trio.abc.Instrument):
    """Cancels its scope after so many steps of the strategy's tasks."""

    step: int
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    root: trio.lowlevel.Task | None = attrs.field(default=None, init=False)
    struck: bool = attrs.field(default=False, init=False)
    _steps: int = attrs.field(default=0, init=False)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        above: trio.lowlevel.Task | None = task
        while above is not None and above is not self.root:
            above = None if above.parent_nursery is None else above.parent_nursery.parent_task
        if above is None or self.struck:
            return
        self._steps += 1
        if self._steps > self.step:
            self.struck = True
            self.scope.cancel()


def test_the_end_of_the_run_leaves_nothing() -> None:
    stage = play(hold, latency=0.1, prepare=at(3.05, lambda stage: stage.run.supervisor.stop()))

    assert stage.teller.told[0].quantity == 0
    stage.check_flat()


@pytest.mark.parametrize("at_venue", [True, False])
def test_the_kill_switch_leaves_nothing(at_venue: bool) -> None:
    """Nothing is placed any more but what closes a position, and that is what leaving does."""
    pull = at(3.05, lambda stage: stage.run.kill.pull("enough", "a test"))

    stage = play(hold, latency=0.1, prepare=pull, at_venue=at_venue, check=False)

    assert isinstance(stage.error, StrategyKilled)
    assert stage.sides == [BUY, SELL]
    stage.check_flat()
    assert stage.run.kill.proof.endswith("positions: flat")


def test_a_run_in_a_hurry_says_what_it_leaves() -> None:
    """The second Ctrl-C: nobody waits for the venue's word any more."""
    stage = play(hold, latency=0.5, prepare=at(3.05, lambda stage: stage.run.supervisor.hurry()), check=False)

    assert isinstance(stage.error, Unsettled)
    assert stage.error.left == {"X": 2}
    assert stage.error.doubtful == (stage.orders[1].client_order_id,)
    assert "not known to be flat; 2 lots are left by the fills so far" in str(stage.error)
    assert stage.venue.held() == 2


def test_a_hurry_while_it_leaves_says_what_is_undecided() -> None:
    hurry = at(3.6, lambda stage: stage.run.supervisor.hurry())
    stop = at(3.0, lambda stage: stage.run.supervisor.stop())
    stage = play(hold, latency=0.5, prepare=both(stop, hurry), check=False)

    # The stop is withdrawn by then, and the exit has left.
    assert isinstance(stage.error, Unsettled)
    assert stage.error.doubtful == (stage.orders[2].client_order_id,)
    assert stage.error.left == {"X": 2}
    assert stage.venue.held() == 0


# Ways out on which something goes wrong


def test_an_exit_that_the_venue_refuses_is_tried_again() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02):
            await trio.sleep(2)
        teller.told.append(teller.seconds())

    stage = play(story, prepare=verdict(is_exit, "refuse", times=3))

    assert [order.state.value for order in stage.orders[2:]] == ["rejected"] * 3 + ["filled"]
    assert stage.teller.told == [pytest.approx(2 + 0.1 + 0.2 + 0.4)]
    stage.check_flat()


def test_an_exit_that_we_refuse_ourselves_is_tried_again_and_said_once() -> None:
    """A limit of ours, such as one on the rate of orders, lets it pass in the end."""

    async def story(teller: Teller) -> None:
        async with teller.long(2):
            await trio.sleep(2)
        teller.told.append(teller.seconds())

    class Limited:
        def __init__(self, gateway: Any) -> None:
            self.gateway = gateway
            self.left = 3

        def __getattr__(self, name: str) -> Any:
            return getattr(self.gateway, name)

        def submit(self, strategy: str, instrument: str, side: Side, *arguments: Any, **how: Any) -> Any:
            if side is SELL and self.left:
                self.left -= 1
                raise RiskLimit("too many orders")
            return self.gateway.submit(strategy, instrument, side, *arguments, **how)

    def prepare(stage: Stage) -> None:
        desk: Any = stage.run.supervisor.seats[0].desk
        desk.gateway = Limited(desk.gateway)

    stage = play(story, prepare=prepare)

    assert stage.teller.told == [pytest.approx(2 + 0.1 + 0.2 + 0.4)]
    assert stage.notes == ["no exit from X: too many orders; trying again"]
    stage.check_flat()


def test_an_exit_that_is_filled_in_part_is_followed_by_one_for_the_rest() -> None:
    """The venue ends the exit after three of five lots."""

    async def story(teller: Teller) -> None:
        async with teller.long(5):
            await trio.sleep(2)

    def prepare(stage: Stage) -> None:
        trader: Any = stage.venue._traders["X"]
        arrive = trader._arrive

        def arrive_in_part(order: Any, now: int, told: list[Any], at: Any = None) -> None:
            record = order.record
            if is_exit(CreateOrder(guid="", request=record.request)) and record.request.quantity == 5:
                price = trader.market.taken_at(record.request.side)
                trader._fill(record, price, D(3), now, told, maker=False)
                trader.end(record, OrderStatus.CANCELLED, now, told, "no more today")
            else:
                arrive(order, now, told, at=at)

        trader._arrive = arrive_in_part

    stage = play(story, prepare=prepare)

    assert [(order.side, int(order.filled_quantity)) for order in stage.orders] == [(BUY, 5), (SELL, 3), (SELL, 2)]
    stage.check_flat()


@pytest.mark.parametrize("word", ["mute", "swallow"])
def test_an_exit_whose_answer_is_lost_is_waited_for_and_never_doubled(word: str) -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02):
            await trio.sleep(2)
        teller.told.append(teller.seconds())

    stage = play(story, prepare=verdict(is_exit, word))

    # Five seconds without an answer, half a second until the wire is back; what isn't there then counts as not there
    # two seconds later.
    exits = [order.state for order in stage.orders[2:]]
    assert exits == ([OrderState.FILLED] if word == "mute" else [OrderState.REJECTED, OrderState.FILLED])
    assert 7 <= stage.teller.told[0] < 11
    stage.check_flat()


@pytest.mark.parametrize("began", [1.7, 1.95, 2.05, 2.15])
def test_a_wire_that_breaks_while_it_leaves_only_delays_it(began: float) -> None:
    """Before the stop's cancel leaves, while that is on its way, while it is answered, and while the exit is on its."""

    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02):
            await trio.sleep(1.9)
        teller.told.append(teller.seconds())

    stage = play(story, latency=0.1, prepare=cut(began, 3.0))

    assert began + 3 <= stage.teller.told[0] < 9
    stage.check_flat()


def test_an_entry_in_doubt_is_waited_for_and_what_it_bought_is_sold() -> None:
    """The deadline passes while nobody knows whether anything was bought."""

    async def story(teller: Teller) -> None:
        with trio.move_on_after(1):
            async with teller.long(2, stop=0.02):
                teller.told.append("held")
        teller.told.append(teller.seconds())

    stage = play(story, prepare=verdict(lambda command: command.request.side is BUY, "mute"))

    assert stage.teller.told == [pytest.approx(5.5, abs=0.6)]
    assert stage.sides == [BUY, SELL]
    stage.check_flat()


def test_an_entry_that_never_arrived_leaves_nothing() -> None:
    async def story(teller: Teller) -> None:
        with pytest.raises(OrderEnded, match="the venue doesn't have it"):
            async with teller.long(2, stop=0.02):
                teller.told.append("held")

    stage = play(story, prepare=verdict(lambda command: command.request.side is BUY, "swallow"))

    assert stage.teller.told == []
    stage.check_flat()


def test_what_the_block_raised_is_the_cause_of_what_is_left() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2):
            await trio.sleep(1)
            raise LookupError("mine")

    stage = play(story, prepare=verdict(is_exit, "refuse", times=100), check=False)

    assert isinstance(stage.error, Unsettled)
    assert isinstance(stage.error.__cause__, LookupError)
    assert stage.error.left == {"X": 2}
    assert stage.error.doubtful == ()
    assert "refused on command (400))" in str(stage.error)
    assert stage.venue.held() == 2


def test_a_wire_that_doesnt_come_back_is_told() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02):
            await trio.sleep(2)

    stage = play(story, prepare=cut(1.5, 60.0), check=False)

    assert isinstance(stage.error, Unsettled)
    assert stage.error.left == {"X": 2}
    assert stage.error.doubtful == (stage.orders[1].client_order_id,)


def test_short_positions_are_left_as_less_than_nothing() -> None:
    async def story(teller: Teller) -> None:
        async with teller.short(2):
            await trio.sleep(2)

    refuse = verdict(lambda command: command.request.side is BUY, "refuse", times=100)
    stage = play(story, prepare=refuse, check=False)

    assert isinstance(stage.error, Unsettled)
    assert stage.error.left == {"X": -2}


# What comes too late


def fill_late(stage: Stage, number: int, lots: int) -> None:
    """Have the venue tell a fill of an order that it has called withdrawn."""
    order, now = stage.orders[number], stage.run.clock.reading
    assert order.state.terminal
    fill = Fill(
        "X",
        "late",
        str(order.venue_order_id),
        order.client_order_id,
        order.side,
        D(lots),
        D(98),
        None,
        None,
        now,
        now,
        "",
    )
    stage.run.gateway.filled(fill)


@pytest.mark.parametrize("legs", [True, False])
def test_a_fill_that_is_told_after_the_block_has_ended_is_undone(legs: bool) -> None:
    async def story(teller: Teller) -> None:
        if legs:
            with suppress(LegsApart):
                async with teller.legs(within=2) as placed:
                    placed.sell(1, limit=110.0)
                    placed.sell(2, limit=110.0)
        else:
            async with teller.long(2, stop=0.02):
                await trio.sleep(2)
        await trio.sleep(3)
        teller.told.append(teller.position())

    stage = play(story, prepare=at(3.5, lambda stage: fill_late(stage, 1, 2)))

    assert stage.teller.told == [0]
    assert [(order.side, int(order.filled_quantity)) for order in stage.orders][-1] == (BUY, 2)
    assert stage.notes[0] == "filled after the venue had said that it was over, and undone: -2 X"


def test_a_late_fill_that_cant_be_undone_fails_the_strategy() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02):
            await trio.sleep(2)
        await trio.sleep_forever()

    def prepare(stage: Stage) -> None:
        at(3.5, lambda stage: fill_late(stage, 1, 2))(stage)
        at(3.4, verdict(lambda command: command.request.side is BUY, "refuse", times=100))(stage)

    stage = play(story, prepare=prepare, check=False)

    assert isinstance(stage.error, Unsettled)
    assert stage.error.left == {"X": -2}


def test_fills_of_blocks_long_ago_are_left_to_the_report() -> None:
    async def story(teller: Teller) -> None:
        for _ in range(REMEMBERED + 2):
            async with teller.long(2, stop=0.02):
                await trio.sleep(0.25)
        await trio.sleep_forever()

    stage = play(story, prepare=at(40, lambda stage: fill_late(stage, 1, 2)))

    assert stage.run.supervisor.seats[0].desk.portfolio.quantity("X") == -2
    assert stage.notes == []


# All of it at once

WAYS = ("end", "raise", "deadline", "stop", "forever")
WORDS = ("", "", "", "refuse", "mute", "swallow")


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_breaks_it_ends_flat_by_the_venues_books_or_says_what_is_left(data: st.DataObject) -> None:
    way = data.draw(st.sampled_from(WAYS))
    after = data.draw(st.floats(0, 8))
    latency = data.draw(st.sampled_from([0.0, 0.2, 1.3]))
    buys = data.draw(st.booleans())
    limit = data.draw(st.sampled_from([None, 100.0, 100.5]))
    moves = data.draw(st.lists(st.sampled_from([-2.0, -0.5, 0.0, 0.5, 2.0]), min_size=15, max_size=15))
    words = data.draw(st.lists(st.sampled_from(WORDS), max_size=8))
    cuts = data.draw(st.lists(st.tuples(st.floats(0, 15), st.floats(0.1, 6)), max_size=3))
    at_venue = data.draw(st.booleans())

    async def story(teller: Teller) -> None:
        block = teller.long if buys else teller.short
        with trio.move_on_after(after if way == "deadline" else math.inf):
            async with block(3, limit=limit, enter_within=3, stop=0.02, trailing=0.015, target=0.04) as holding:
                teller.told.append(holding)
                if way in ("end", "raise"):
                    await trio.sleep(after)
                    if way == "raise":
                        raise LookupError("block")
                else:
                    await trio.sleep_forever()

    def prepare(stage: Stage) -> None:
        left = list(words)
        stage.venue.verdict = lambda _: left.pop(0) if left else ""
        for began, length in cuts:
            cut(began, length)(stage)
        if way == "stop":
            at(after, lambda stage: stage.run.supervisor.stop())(stage)

    prices = [100.0]
    for move in moves:
        prices.append(prices[-1] + move)
    stage = play(story, market(prices), prepare=prepare, latency=latency, at_venue=at_venue, check=False)

    if isinstance(stage.error, Unsettled):
        # What isn't in doubt is true: the fills that were told, and nothing else, are what the venue counts.
        if not stage.error.doubtful:
            assert stage.error.left.get("X", 0) == stage.venue.held()
    else:
        assert stage.error is None or isinstance(stage.error, LookupError | OrderEnded), stage.error
        stage.check_flat()
    # Never two exits at a time: nothing was closed twice, so nothing had to be bought back.
    assert not isinstance(stage.error, StrategykitError) or isinstance(stage.error, Unsettled | OrderEnded)
    closing = SELL if buys else BUY
    sides = [order.side for order in stage.orders]
    assert sides.count(closing.opposite) <= 1
