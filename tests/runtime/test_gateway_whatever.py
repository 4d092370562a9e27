"""Whatever a wire can do to commands and news: in the end, what the gateway knows is what the venue has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from strategykit.errors import OrderRefused
from strategykit.model.events import Event, OrderStatus
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command, CreateOrder
from strategykit.venues.dialect import Ask

if TYPE_CHECKING:
    from tests.runtime.conftest import Stage

Rows = Sequence[Event | Instrument]


class Wire:
    """Carries commands and news as a test draws it: late, twice, in any order, or never."""

    def __init__(self, stage: Stage, draw: Callable[..., Any]) -> None:
        self.stage = stage
        self.draw = draw
        self.travelling: list[tuple[float, Command]] = []
        self.answers: list[tuple[float, Callable[[], None]]] = []
        self.faults = True
        stage.ask = self.ask  # type: ignore[method-assign]  # the far end

    def pick(self, most: int) -> int:
        chosen: int = self.draw(st.integers(0, most))
        return chosen

    def post(self) -> None:
        """Take what was sent on its way; it arrives soon, if it does."""
        for command in self.stage.sent:
            self.travelling.append((trio.current_time() + self.pick(3) * 0.5, command))
        self.stage.sent.clear()

    def arrive(self) -> None:
        due = [item for item in self.travelling if item[0] <= trio.current_time() or not self.faults]
        for item in due:
            self.travelling.remove(item)
            refuse = isinstance(item[1], CreateOrder) and self.faults and self.pick(9) == 0
            self.stage.venue.execute(item[1], refuse=refuse)
        for time, answer in list(self.answers):
            if time <= trio.current_time():
                self.answers.remove((time, answer))
                answer()

    def ask(self, ask: Ask, answered: Callable[[Rows | None, str], None]) -> None:
        late = self.pick(2) * 0.4 if self.faults else 0.0
        if self.faults and self.pick(5) == 0:
            self.answers.append((trio.current_time() + late, lambda: answered(None, "503")))
            return
        rows = self.stage.venue.answer(ask)  # As it was when it was asked.
        self.answers.append((trio.current_time() + late, lambda: answered(rows, "")))

    def deliver(self) -> None:
        """Give one piece of news, any; maybe it comes again."""
        said = self.stage.venue.said
        if said:
            index = self.pick(min(len(said) - 1, 6))
            self.stage.hear(said[index])
            if not self.faults or self.pick(4):
                del said[index]

    def reply(self) -> None:
        replies = self.stage.venue.replies
        if replies and self.stage.up:
            self.stage.gateway.replied(replies.pop(self.pick(min(len(replies) - 1, 3))))

    def break_lane(self) -> None:
        """Replies are lost; of what was on its way some still arrives."""
        self.stage.venue.replies.clear()
        self.travelling = [item for item in self.travelling if self.pick(1)]
        self.stage.lane(up=False)

    def break_stream(self) -> None:
        """What was said is never told; the lane comes back, and the run asks."""
        self.stage.venue.said.clear()
        self.stage.gateway.doubt(0.0)

    async def rest(self, seconds: float) -> None:
        """Let time pass in small steps: nothing arrives later than a venue may take."""
        until = trio.current_time() + seconds
        while trio.current_time() < until:
            self.post()
            self.arrive()
            await wait_all_tasks_blocked()
            await trio.sleep(0.1)
        if self.stage.suspected:
            self.stage.suspected.clear()
            self.break_lane()

    def act(self) -> None:
        """Have the strategy, or the market, do something."""
        stage, gateway = self.stage, self.stage.gateway
        orders = [order for order in gateway.orders.values() if order.is_open]
        live = [truth for truth in stage.venue.orders.values() if truth.status is OrderStatus.WORKING]
        what = self.draw(st.sampled_from(["place", "stop", "cancel", "amend", "fill", "fill", "end", "trigger"]))
        stops = [truth for truth in live if truth.request.stop_price is not None]
        plain = [truth for truth in live if truth.request.stop_price is None]
        if what == "place":
            stage.order(1 + self.pick(4), limit=Decimal(100 + self.pick(3)))
        elif what == "stop":
            stage.order(1 + self.pick(4), limit=None, stop=Decimal(100))
        elif what == "cancel" and orders:
            orders[self.pick(len(orders) - 1)].cancel_nowait()
        elif what == "amend" and orders:
            order = orders[self.pick(len(orders) - 1)]
            if order.request.stop_price is None:
                with suppress(OrderRefused):
                    gateway.amend_nowait(order, limit=Decimal(90 + self.pick(5)), quantity=Decimal(1 + self.pick(4)))
        elif what == "fill" and plain:
            truth = plain[self.pick(len(plain) - 1)]
            stage.venue.fill(truth, 1 + self.pick(int(truth.left) - 1))
        elif what == "end" and plain:
            ends = st.sampled_from([OrderStatus.CANCELLED, OrderStatus.EXPIRED])
            stage.venue.end(plain[self.pick(len(plain) - 1)], self.draw(ends))
        elif what == "trigger" and stops:
            stage.venue.trigger(stops[self.pick(len(stops) - 1)])


async def live_through(draw: Callable[..., Any], open_stage: Callable[[trio.Nursery, bool], Stage]) -> None:
    async with trio.open_nursery() as nursery:
        stage = open_stage(nursery, draw(st.booleans()))
        wire = Wire(stage, draw)
        for _ in range(draw(st.integers(1, 25))):
            wire.act()
            for what in draw(st.lists(st.sampled_from(["deliver", "deliver", "reply", "rest"]), max_size=6)):
                if what == "rest":
                    await wire.rest(draw(st.sampled_from([0.2, 0.6, 2.0, 6.0])))
                elif what == "deliver":
                    wire.deliver()
                else:
                    wire.reply()
                wire.post()
                await wait_all_tasks_blocked()
            match draw(st.integers(0, 12)):
                case 0:
                    wire.break_lane()
                case 1:
                    wire.break_stream()
            if not stage.up and draw(st.booleans()):
                stage.lane(up=True)
        # The weather clears: what is still on its way arrives, everything is told, and what is lost is asked for.
        wire.faults = False
        if not stage.up:
            stage.lane(up=True)
        for _ in range(30):
            wire.post()
            wire.arrive()
            while stage.venue.said:
                wire.deliver()
            while stage.venue.replies:
                wire.reply()
            await wire.rest(1.0)
            if not stage.up:
                stage.lane(up=True)
        assert not stage.gateway.contradictions
        for order in stage.gateway.orders.values():
            assert order.amending is None or not order.is_open
            assert not (order.cancel_wanted and order.is_open)
        stage.check()
        nursery.cancel_scope.cancel()


ALLOWED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)


@settings(max_examples=120, deadline=None, suppress_health_check=ALLOWED)
@given(data=st.data())
def test_whatever_the_wire_does_what_is_known_in_the_end_is_true(
    open_stage: Callable[[trio.Nursery, bool], Stage], data: st.DataObject
) -> None:
    trio.run(live_through, data.draw, open_stage, clock=MockClock(autojump_threshold=0))
