"""Stops that rest at the venue: as large as what is held, moved with their level, and never in the way of an exit."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import trio

from strategykit import BookSnapshot, Fill, Gap, Order, OrderState, RiskLimit, Side, Ticker
from strategykit.model.events import Event
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder
from strategykit.runtime.holding import Holding
from strategykit.runtime.protection import price_to_leave
from strategykit.testing import START, make_bars, make_books, make_quotes, make_trades
from tests.scopes.conftest import SECOND, Stage, Teller, market, play, thin

BUY, SELL = Side.BUY, Side.SELL
D = Decimal


def is_stop(command: Command) -> bool:
    return command.request.stop_price is not None


def verdicts(wanted: Callable[[Command], bool], *words: str) -> Callable[[Command], str]:
    """What the venue makes of the first commands for which `wanted` holds."""
    left = list(words)
    return lambda command: left.pop(0) if left and wanted(command) else ""


def stop_of(holding: Holding) -> Order:
    """The order at the venue that protects it."""
    order = holding.protection.order
    assert order is not None
    return order


def own_notes(stage: Stage) -> list[str]:
    """What the position itself noted."""
    return [text for text in stage.notes if text.startswith("X: ")]


def verbs(stage: Stage) -> list[str]:
    """What the venue was told to do, in short."""
    found = []
    for command in stage.venue.commands:
        kind = {CreateOrder: "", AmendOrder: "amend ", CancelOrder: "cancel "}[type(command)]
        request = command.request
        at = "" if request.stop_price is None else f" stop {request.stop_price:.2f}"
        found.append(f"{kind}{request.side.value} {request.quantity}{at}")
    return found


class Limited:
    """A gateway whose limits forbid stops."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    def submit(self, *arguments: Any, **how: Any) -> Any:
        if how.get("stop") is not None:
            raise RiskLimit("no stops today")
        return self._gateway.submit(*arguments, **how)


# Prices


@pytest.mark.parametrize(
    ("event", "bought", "sold"),
    [
        (make_quotes("X", [99.0], spread=0.5)[0], 99.0, 99.5),
        (make_trades("X", [99.0])[0], 99.0, 99.0),
        (make_bars("X", [98.0, 99.0])[1], 99.0, 99.0),
        (make_books("X", [99.0], spread=0.5)[0], 98.75, 99.25),
        (BookSnapshot("X", (), (), (), (), 0, 0, "", False), None, None),
        (Ticker("X", 99.0, None, None, None, None, None, None, None, 1, ""), 99.0, 99.0),
        (Gap("X", 0, 1, "cut", None, 1, ""), None, None),
    ],
)
def test_the_price_at_which_a_position_can_be_left(event: Event, bought: float | None, sold: float | None) -> None:
    assert (price_to_leave(event, BUY), price_to_leave(event, SELL)) == (bought, sold)


# Resting


@pytest.mark.parametrize(
    ("side", "prices", "level", "at"),
    [
        (BUY, [100, 100, 101, 99, 98.6, 98.4, 98, 99], "98.49", 5),  # Bought at 100.5.
        (SELL, [100, 100, 99, 101, 101.8, 102.1, 103, 103], "102.00", 5),  # Sold at 100.
    ],
)
def test_a_stop_rests_at_the_venue_and_its_fill_ends_the_block(
    side: Side, prices: list[float], level: str, at: float
) -> None:
    async def story(teller: Teller) -> None:
        block = teller.long if side is BUY else teller.short
        async with block(2, stop=0.02) as holding:
            await trio.sleep(0.5)
            teller.told.append(holding.protection)
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds(), holding.exits))

    stage = play(story, market(prices))

    protection, ended_by, seconds, (stop,) = stage.teller.told
    assert (protection.where, protection.price, protection.reason) == ("venue", D(level), "")
    assert (protection.order, stop.state, stop.filled_quantity) == (stop, OrderState.FILLED, 2)
    assert (ended_by, seconds) == ("stop", at)
    assert verbs(stage) == [f"{side.value} 2", f"{side.opposite.value} 2 stop {level}"]
    assert stage.notes == []
    stage.check_flat()


def test_without_a_stop_nothing_rests_at_the_venue() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, target=0.05) as holding:
            await trio.sleep(2)
            teller.told.append(holding.protection)

    stage = play(story)

    (protection,) = stage.teller.told
    assert (protection.where, protection.price, protection.order) == ("none", None, None)
    assert verbs(stage) == ["buy 1", "sell 1"]
    assert stage.run.supervisor.seats[0].desk.protections == {}


def test_where_the_stops_of_positions_were_is_counted() -> None:
    async def story(teller: Teller) -> None:
        for _ in range(3):
            async with teller.long(1, stop=0.05):
                await trio.sleep(1.5)

    def prepare(stage: Stage) -> None:
        stage.venue.verdict = verdicts(is_stop, "refuse")

    stage = play(story, prepare=prepare)
    here = play(story, at_venue=False)

    assert stage.run.supervisor.seats[0].desk.protections == {"here": 1, "venue": 2}
    assert here.run.supervisor.seats[0].desk.protections == {"here": 3}
    assert here.stops == []


# As large as what is held


def test_a_stop_grows_with_an_entry_that_is_filled_in_parts() -> None:
    """Three of five are to be had at once, the others when the price comes down to the limit."""

    async def story(teller: Teller) -> None:
        async with teller.long(5, limit=100.5, stop=D(2)) as holding:
            teller.told.append((teller.seconds(), holding.quantity))
            await trio.sleep(1.5)
            teller.told.append(holding.protection.where)

    stage = play(story, thin(100, 100.4, 100.4, 100.4, 99.9, 100, 100, 100))

    assert stage.teller.told == [(4.0, 5), "venue"]
    assert verbs(stage)[:3] == ["buy 5", "sell 3 stop 98.50", "amend sell 5 stop 98.50"]
    assert verbs(stage)[3:] == ["cancel sell 5 stop 98.50", "sell 5"]
    stage.check_flat()


def test_what_isnt_entered_in_time_is_withdrawn_and_the_stop_is_for_the_rest() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(5, limit=100.5, enter_within=2.5, stop=D(2)) as holding:
            teller.told.append((teller.seconds(), holding.quantity, holding.entry.state))
            await trio.sleep_forever()
        teller.told.append((holding.ended_by, holding.quantity))

    stage = play(story, thin(100, 100.4, 100.4, 100.4, 100.4, 99, 98.4, 98))

    assert stage.teller.told == [(2.5, 3, OrderState.CANCELLED), ("stop", 0)]
    assert [request.quantity for request in stage.stops] == [3]
    stage.check_flat()


def test_a_stop_that_fires_while_the_entry_is_still_being_filled_ends_it_all() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(5, limit=100.5, stop=D(2)) as holding:
            teller.told.append((teller.seconds(), holding.ended_by))
            await trio.lowlevel.checkpoint()
            teller.told.append("went on")
        teller.told.append((holding.ended_by, holding.quantity))

    falling = thin(100, 100.4, 98.4, 98.4)
    (wide,) = make_quotes("X", [98.4], spread=3, start=START + 2 * SECOND)
    stage = play(story, [*falling[:2], wide, *falling[3:]])

    assert stage.teller.told == [(2.0, "stop"), ("stop", 0)]
    assert [order.filled_quantity for order in stage.orders][:2] == [3, 3]
    stage.check_flat()


# Moving


def test_a_trailing_stop_follows_the_best_price_at_a_bounded_rate() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.05, trailing=D(1)) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds(), holding.protection.price))

    rising = [100 + 0.1 * step for step in range(61)]
    stage = play(story, market([*rising, 105.5, 105.1, 104.9, 104.9, 104.9], every=0.1))

    moves = [command for command in stage.venue.commands if isinstance(command, AmendOrder)]
    assert 4 <= len(moves) <= 7, "six seconds, one a second"
    levels = [command.request.stop_price or 0 for command in moves]
    assert levels == sorted(set(levels))
    assert stage.teller.told[:2] == ["trailing", 6.3]
    assert stage.teller.told[2] == D("105.00")
    stage.check_flat()


def test_a_price_that_falls_through_a_level_to_which_the_stop_hasnt_moved_yet_is_seen_here() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, trailing=D(1)) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    stage = play(story, market([100, 100, 103, 101.9, 101.8, 101.7, 101.6], every=0.1))

    assert stage.teller.told == ["trailing", 0.3]
    assert verbs(stage) == ["buy 1", "sell 1 stop 99.50", "cancel sell 1 stop 99.50", "sell 1"]
    stage.check_flat()


def test_a_stop_at_the_venue_is_moved_by_hand() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, trailing=D(5)) as holding:
            await trio.sleep(2)
            holding.move_stop(99.5)
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    stage = play(story, market([100, 100, 100, 101, 99.6, 99.4, 99]))

    assert verbs(stage) == ["buy 1", "sell 1 stop 95.50", "amend sell 1 stop 99.50"]
    assert stage.teller.told == ["stop", 5.0]
    stage.check_flat()


def test_a_position_without_a_stop_gets_one_by_hand() -> None:
    async def story(teller: Teller) -> None:
        async with teller.short(1) as holding:
            await trio.sleep(2)
            holding.trail(D(1))
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    stage = play(story, market([100, 100, 100, 98, 98, 99.1, 99.6]))

    assert verbs(stage)[:2] == ["sell 1", "buy 1 stop 101.00"]
    assert stage.teller.told == ["trailing", 5.0]
    stage.check_flat()


def test_a_move_that_the_venue_refuses_leaves_the_stop_and_the_new_level_is_watched_here() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.05) as holding:
            await trio.sleep(1.5)
            holding.move_stop(D("99.50"))
            await trio.sleep(1)
            teller.told.append((holding.protection.where, stop_of(holding).request.stop_price))
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    def prepare(stage: Stage) -> None:
        stage.venue.verdict = lambda command: "refuse" if isinstance(command, AmendOrder) else ""

    stage = play(story, market([100, 100, 100, 100, 100, 99.5, 99]), prepare=prepare)

    assert stage.teller.told == [("venue", D("95.47")), "stop", 5.0]
    assert [text for text in stage.notes if "can't be moved to 99.5" in text] == stage.notes
    assert len(stage.notes) == 1
    assert [verb for verb in verbs(stage) if verb.startswith("amend")] == ["amend sell 1 stop 99.50"]
    stage.check_flat()


# Falling back


def test_a_stop_that_the_venue_refuses_is_watched_here_and_said_to_be() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep(0.5)
            teller.told.append((holding.protection.where, holding.protection.reason))
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    def prepare(stage: Stage) -> None:
        stage.venue.verdict = verdicts(is_stop, "refuse")

    stage = play(story, market([100, 100, 100, 98.4, 98]), prepare=prepare)

    assert stage.teller.told == [("here", "it ended rejected: refused on command (400)"), "stop", 3.0]
    assert stage.notes == [
        "X: the stop isn't at the venue but watched here: it ended rejected: refused on command (400)"
    ]
    stage.check_flat()


def test_a_stop_that_we_refuse_ourselves_is_watched_here() -> None:
    """What the gateway raises before anything is sent, such as a limit, is no reason to lose the position."""

    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, holding.protection.where))

    def prepare(stage: Stage) -> None:
        desk: Any = stage.run.supervisor.seats[0].desk
        desk.gateway = Limited(desk.gateway)

    stage = play(story, market([100, 100, 100, 98.4, 98]), prepare=prepare)

    assert stage.teller.told == ["stop", "here"]
    assert stage.notes == ["X: the stop isn't at the venue but watched here: no stops today"]
    stage.check_flat()


def test_a_stop_whose_answer_is_lost_is_watched_here_until_the_venue_shows_it() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            for _ in range(5):
                await trio.sleep(2)
                teller.told.append(holding.protection.where)
            await trio.sleep_forever()
        teller.told.append(holding.ended_by)

    def prepare(stage: Stage) -> None:
        stage.venue.verdict = verdicts(is_stop, "mute")

    stage = play(story, market([100] * 20 + [98, 98]), prepare=prepare)

    # No answer in five seconds makes it unknown and breaks the wire; it is found when that is back.
    assert stage.teller.told == ["here", "here", "venue", "venue", "venue", "stop"]
    lost, found = own_notes(stage)
    assert lost == "X: the stop isn't at the venue but watched here: no answer within 5 s"
    assert found.startswith("X: the stop is at the venue again, as ")
    assert len(stage.stops) == 1
    stage.check_flat()


def test_a_stop_in_doubt_that_is_reached_here_is_never_doubled_by_an_exit() -> None:
    """The stop fires while nobody hears of it; the exit waits until the venue has told what became of it."""

    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, holding.quantity, teller.seconds()))

    def prepare(stage: Stage) -> None:
        async def cut() -> None:
            await trio.sleep(2.5)
            await stage.cut(4.0)

        stage.start(cut)

    stage = play(story, market([100, 100, 100, 100, 98, *[97] * 10]), prepare=prepare)

    assert stage.teller.told == ["stop", 0, 6.5]
    assert verbs(stage) == ["buy 1", "sell 1 stop 98.49", "cancel sell 1 stop 98.49"]
    stage.check_flat()


def test_a_stop_that_never_arrived_is_watched_here_for_good() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep(15)
            teller.told.append((holding.protection.where, stop_of(holding).state))
            await trio.sleep_forever()
        teller.told.append(holding.ended_by)

    def prepare(stage: Stage) -> None:
        stage.venue.verdict = verdicts(is_stop, "swallow")

    stage = play(story, market([100] * 20 + [98.4, 98]), prepare=prepare)

    assert stage.teller.told == [("here", OrderState.REJECTED), "stop"]
    assert len(own_notes(stage)) == 1
    assert stage.stops == []
    stage.check_flat()


def test_a_stop_that_somebody_else_withdraws_is_watched_here() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep(1.5)
            stop_of(holding).cancel_nowait()
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    stage = play(story, market([100, 100, 100, 98.4, 98]))

    assert stage.teller.told == ["stop", 3.0]
    assert stage.notes == ["X: the stop isn't at the venue but watched here: it ended cancelled"]
    stage.check_flat()


# Leaving


def test_the_stop_is_withdrawn_and_confirmed_before_the_exit_goes() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02):
            await trio.sleep(3)
        teller.told.append(teller.seconds())

    stage = play(story, latency=0.25)

    assert verbs(stage) == ["buy 2", "sell 2 stop 98.49", "cancel sell 2 stop 98.49", "sell 2"]
    # 0.25 s for the entry, 3 s in the block, and one after the other: 0.25 s for the cancel and as much for the exit.
    assert stage.teller.told == [3.75]
    stage.check_flat()


def test_a_stop_that_fires_before_its_cancel_arrives_is_the_exit() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02) as holding:
            await trio.sleep(2.4)
        teller.told.extend((holding.ended_by, holding.quantity, len(holding.exits)))

    stage = play(story, market([100, 100, 100, 98, 98, 98]), latency=0.5)

    assert stage.teller.told == ["block", 0, 1]
    assert verbs(stage) == ["buy 2", "sell 2 stop 98.49", "cancel sell 2 stop 98.49"]
    stage.check_flat()


def test_a_target_withdraws_the_stop_first() -> None:
    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02, target=0.02) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, teller.seconds()))

    stage = play(story, market([100, 100, 102, 103, 103]))

    assert stage.teller.told == ["target", 3.0]
    assert verbs(stage)[2:] == ["cancel sell 1 stop 98.49", "sell 1"]
    stage.check_flat()


def test_what_was_closed_twice_is_bought_back() -> None:
    """The venue says that the stop is withdrawn, and then, while the exit is under way, that it was filled."""

    async def story(teller: Teller) -> None:
        async with teller.long(2, stop=0.02) as holding:
            await trio.sleep(3)
        teller.told.extend((holding.quantity, [order.side for order in holding.orders]))

    def prepare(stage: Stage) -> None:
        async def contradict() -> None:
            await trio.sleep(4.2)
            stop = stage.orders[1]
            assert stop.state is OrderState.CANCELLED
            assert stage.orders[2].is_open
            number, now = str(stop.venue_order_id), stage.run.clock.reading
            fill = Fill("X", "late", number, stop.client_order_id, SELL, D(2), D(98), None, None, now, now, "")
            stage.run.gateway.filled(fill)

        stage.start(contradict)

    stage = play(story, prepare=prepare, latency=0.5)

    assert stage.teller.told == [0, [BUY, SELL, SELL, BUY]]
    assert verbs(stage)[-2:] == ["sell 2", "buy 2"]


def test_a_stop_that_has_fired_and_hangs_is_withdrawn_in_the_end() -> None:
    """It became a market order that isn't filled; the exit comes after its cancel."""

    async def story(teller: Teller) -> None:
        async with teller.long(1, stop=0.02) as holding:
            await trio.sleep_forever()
        teller.told.extend((holding.ended_by, holding.quantity, teller.seconds()))

    def prepare(stage: Stage) -> None:
        trader: Any = stage.venue._traders["X"]
        arrive = trader._arrive

        def hang(order: Any, *rest: Any, at: Any = None) -> None:
            if not order.record.request.client_order_id.endswith("-2"):
                arrive(order, *rest, at=at)

        trader._arrive = hang

    stage = play(story, market([100, 100, 100, 98, *[98] * 10]), prepare=prepare)

    assert stage.teller.told == ["stop", 0, 5.0]
    assert verbs(stage) == ["buy 1", "sell 1 stop 98.49", "cancel sell 1", "sell 1"]
    stage.check_flat()
