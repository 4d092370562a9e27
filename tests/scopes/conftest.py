"""Strategies that trade in virtual time at a venue of a test's own: it has stops, it refuses, its wire breaks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any

import attrs
import trio

from strategykit import Fill, Order, Quote, Quotes, Side, Strategy, Trades, define
from strategykit.model.events import Event, OrderUpdate
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command, CreateOrder, OrderRequest, VenueCommand
from strategykit.runtime.assembly import Run
from strategykit.runtime.ports import OrderPort
from strategykit.runtime.simulate import simulate
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import Constant
from strategykit.sim.paper import PaperExchange
from strategykit.testing import START, make_quotes, make_trades
from strategykit.venues.dialect import Ask, AskOrders, AskStopOrders, AskTrades, Reply

SECOND = 1_000_000_000


def market(prices: Sequence[float], *, every: float = 1.0) -> list[Event]:
    """Quotes with an ask that is 0.5 above the price, and trades at it: what the venue's stops go by."""
    quotes = make_quotes("X", prices, spread=0.5, every=every)
    trades = make_trades("X", prices, every=every)
    return [event for pair in zip(quotes, trades, strict=True) for event in pair]


def thin(*bids: float) -> list[Quote]:
    """Quotes for three lots, with an ask that is 0.5 above the bid."""
    return make_quotes("X", bids, spread=0.5, size=3)


@define
class Teller(Strategy):
    """Runs the story that a test gives it, once there is a price."""

    def __attrs_post_init__(self) -> None:
        self.story: Callable[[Teller], Awaitable[None]] = no_story
        self.told: list[Any] = []
        self.curtain = trio.Event()
        """Set when the venue is there."""

    quotes = Quotes("X")
    trades = Trades("X")

    async def run(self) -> None:
        await self.curtain.wait()
        await self.when((self.quotes.bid > 0) | (self.trades.price > 0))
        await self.story(self)

    def seconds(self) -> float:
        return (self.now() - START) / SECOND


async def no_story(_: Teller) -> None:
    await trio.lowlevel.checkpoint()


class Venue(PaperExchange):
    """The far end. What it does is true, whoever hears of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deaf = False
        """Whether its wire is broken: nothing arrives, nothing is told."""
        self.verdict: Callable[[Command], str] = lambda _: ""
        """Gives ``"refuse"``, ``"swallow"`` (it never arrives) or ``"mute"`` (nobody is told) for a command."""
        self.commands: list[Command] = []

    def command(self, command: Command, now: int) -> Sequence[Reply | Event]:
        verdict = self.verdict(command)
        if self.deaf or verdict == "swallow":
            return ()
        self.commands.append(command)
        if verdict == "refuse":
            return [Reply(command.guid, 400, "refused on command", False)]
        told = super().command(command, now)
        return () if verdict == "mute" else told

    def on_event(self, event: Event, now: int) -> Sequence[Reply | Event]:
        told = super().on_event(event, now)
        return () if self.deaf else told

    def run_due(self, now: int) -> Sequence[Reply | Event]:
        told = super().run_due(now)
        return () if self.deaf else told

    def held(self) -> Decimal:
        """Lots of X that its own books say are held."""
        return sum((fill.quantity * fill.side.sign for fill in self.fills()), Decimal(0))

    def working(self, now: int) -> list[OrderUpdate]:
        every = [*self.orders(now), *self.stop_orders(now)]
        return [update for update in every if update.status.value == "working"]


@attrs.define(eq=False)
class Stage:
    """One run of one strategy, whose venue a test can see and break."""

    teller: Teller
    run: Run
    venue: Venue
    port: OrderPort
    notes: list[str] = attrs.field(factory=list)

    # The port

    def command(self, strategy: str, command: VenueCommand) -> bool:
        return not self.venue.deaf and self.port.command(strategy, command)

    def suspect(self, reason: str) -> None:
        self.start(self.cut, 0.5, reason)

    # What breaks

    def start(self, function: Callable[..., Awaitable[object]], *arguments: object) -> None:
        self.run.clock.turns.start(self.run.nursery, function, *arguments)

    async def cut(self, seconds: float, reason: str = "cut") -> None:
        """Break the wire for so long."""
        if self.venue.deaf:
            return
        self.venue.deaf = True
        self.run.gateway.lane_changed(up=False, reason=reason)
        await trio.sleep(seconds)
        self.venue.deaf = False
        self.run.gateway.lane_changed(up=True, reason="")

    def ask(self, ask: Ask, answered: Callable[[Sequence[Any] | None, str], None]) -> None:
        """Answer what is asked over HTTP."""
        now, venue = self.run.clock.reading, self.venue
        if venue.deaf:
            answered(None, "the wire is cut")
            return
        rows: Sequence[Any] = ()
        match ask:
            case AskTrades():
                rows = venue.fills()
            case AskOrders():
                rows = venue.orders(now)
            case AskStopOrders():
                rows = venue.stop_orders(now)
        answered(rows, "")

    # What came of it

    @property
    def orders(self) -> list[Order]:
        return list(self.run.gateway.orders.values())

    @property
    def fills(self) -> list[Fill]:
        return [fill for order in self.orders for fill in order.fills_seen]

    @property
    def sides(self) -> list[Side]:
        return [fill.side for fill in sorted(self.fills, key=attrgetter("receive_time"))]

    @property
    def stops(self) -> list[OrderRequest]:
        """What stops were placed at the venue."""
        return [
            command.request
            for command in self.venue.commands
            if isinstance(command, CreateOrder) and command.request.stop_price is not None
        ]

    @property
    def error(self) -> BaseException | None:
        return self.run.supervisor.seats[0].failure

    def check_flat(self) -> None:
        """Nothing is held, and nothing works, by the venue's books and by ours."""
        assert self.venue.held() == 0
        assert self.venue.working(self.run.clock.reading) == []
        assert not any(order.is_open for order in self.orders)
        assert not any(position.quantity for position in self.run.supervisor.seats[0].desk.portfolio.positions.values())
        assert [fill.trade_id for fill in self.venue.fills()] == [
            fill.trade_id for fill in sorted(self.fills, key=attrgetter("trade_id"))
        ]


Story = Callable[[Teller], Awaitable[None]]


def play(
    story: Story,
    events: Iterable[Event] | None = None,
    *,
    prepare: Callable[[Stage], None] = lambda _: None,
    latency: float = 0.0,
    at_venue: bool = True,
    teller: Teller | None = None,
    check: bool = True,
) -> Stage:
    """Run `story` to its end.

    Args:
        story: What the strategy does.
        events: The market; by default a minute of quotes, 100.0 to 100.5.
        prepare: Told of the stage before the first event.
        latency: Seconds from a command to its taking effect.
        at_venue: Whether stops may rest at the venue.
        teller: The strategy, if it is to be a special one.
        check: Whether to raise what the strategy raised.
    """
    teller = teller or Teller()
    teller.story = story
    given = make_quotes("X", [100.0] * 60, spread=0.5) if events is None else list(events)
    stages: list[Stage] = []

    def ready(run: Run) -> None:
        models = FillModels(order_latency=Constant(span=int(latency * 1e9)))
        venue = Venue(run.instruments, account="PAPER", cash=Decimal(1_000_000), models=models)
        run.engine.paper = venue
        stage = Stage(teller, run, venue, run.gateway.commands.port)
        run.gateway.commands.port = stage
        parts: Sequence[Any] = (run.gateway, run.gateway._news, run.gateway.outages)
        for part in parts:
            part.doubt = lambda after: run.reconciler.doubt(run.gateway, after)
        run.reconciler.ask = stage.ask
        run.supervisor.seats[0].desk.stops_at_venue = at_venue
        stages.append(stage)
        prepare(stage)
        teller.curtain.set()

    instruments = {event.instrument: Instrument(event.instrument) for event in given if event.instrument}
    done = simulate([("strategy", teller)], given, instruments=instruments, start=START, ready=ready)
    (stage,) = stages
    stage.notes = [text for _, _, text in done.notes.lines]
    if check and stage.error is not None:
        raise stage.error
    return stage
