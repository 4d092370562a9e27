"""Sessions made with known models: a market that is made up, and a paper exchange that answers orders in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from random import Random
from typing import Final

import attrs

from strategykit.model.event_class import altered
from strategykit.model.events import BookSnapshot, Event, Fill, OrderStatus, OrderUpdate, Side, Trade
from strategykit.model.instruments import Instrument
from strategykit.model.orders import CancelOrder, Command, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.parity.session import Sent, Session
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.paper import PaperExchange
from strategykit.venues.dialect import Reply

INSTRUMENT: Final = Instrument("X", tick=Decimal("0.01"), currency="USD", exchange="V")
START: Final = 1_700_000_000_000_000_000
MS: Final = 1_000_000


@attrs.define
class Crowd:
    """A book of ten levels a side that trades, cancels and additions change; prices are ticks."""

    random: Random
    bid: int = 9_999
    bids: list[int] = attrs.field(factory=lambda: [20] * 10)
    asks: list[int] = attrs.field(factory=lambda: [20] * 10)

    def step(self) -> tuple[Side, float, int] | None:
        """Change something; give the taker's side, the price and the lots if it was a trade."""
        random = self.random
        buys = random.random() < 0.5
        side = self.asks if buys else self.bids
        what = random.random()
        if what < 0.3:
            price = (self.bid + 1 if buys else self.bid) / 100
            lots = min(random.randint(1, 6), side[0])
            side[0] -= lots
            self._shift()
            return (Side.BUY if buys else Side.SELL), price, lots
        level = min(int(random.expovariate(0.8)), 9)
        if what < 0.65:
            side[level] = max(side[level] - random.randint(1, 6), 0 if level == 0 else 1)
        else:
            side[level] += random.randint(1, 6)
        self._shift()
        return None

    def _shift(self) -> None:
        if not self.asks[0]:
            self.bid += 1
            self.asks = [*self.asks[1:], 20]
            self.bids = [self.random.randint(5, 20), *self.bids[:-1]]
        elif not self.bids[0]:
            self.bid -= 1
            self.bids = [*self.bids[1:], 20]
            self.asks = [self.random.randint(5, 20), *self.asks[:-1]]


def market(random: Random, steps: int, feed: int, ahead: int) -> Iterator[tuple[int, Event, int]]:
    """Yield events with the times at which they come, and the best bid in ticks."""
    crowd, now = Crowd(random), START
    for _ in range(steps):
        now += random.randint(2, 40) * MS
        stamp = now - feed + ahead
        trade = crowd.step()
        if trade is not None:
            side, price, lots = trade
            yield now, Trade("X", price, float(lots), side, None, stamp, now, "trades"), crowd.bid
        bids = tuple((crowd.bid - n) / 100 for n in range(10))
        asks = tuple((crowd.bid + 1 + n) / 100 for n in range(10))
        sizes = [tuple(float(size) for size in side) for side in (crowd.bids, crowd.asks)]
        yield now, BookSnapshot("X", bids, sizes[0], asks, sizes[1], stamp, now, "book"), crowd.bid


def request(order: str, side: Side, lots: int, price: int | None) -> OrderRequest:
    return OrderRequest(
        client_order_id=order,
        account="A",
        instrument="X",
        side=side,
        quantity=Decimal(lots),
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        price=None if price is None else Decimal(price) / 100,
        time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
    )


@attrs.define
class Desk:
    """The account whose session it becomes."""

    exchange: PaperExchange
    feed: int
    ahead: int
    sent: list[Sent] = attrs.field(factory=list)
    fills: list[Fill] = attrs.field(factory=list)
    ended: dict[str, int] = attrs.field(factory=dict)
    numbers: dict[str, str] = attrs.field(factory=dict)

    def send(self, command: Command, now: int) -> None:
        self.sent.append(Sent(time=now, strategy="s", command=command))
        self.hear(self.exchange.command(command, now), now)

    def hear(self, told: Iterable[Reply | Event], now: int) -> None:
        for thing in told:
            if isinstance(thing, Reply):
                at = next(at for at, one in enumerate(self.sent) if one.command.guid == thing.guid)
                self.sent[at] = attrs.evolve(self.sent[at], answered=now, refusal="" if thing.ok else thing.message)
            elif isinstance(thing, OrderUpdate):
                self._updated(thing, now)
            elif isinstance(thing, Fill):
                self.fills.append(altered(thing, receive_time=now, event_time=self._stamp(thing.event_time)))

    def _updated(self, update: OrderUpdate, now: int) -> None:
        order = update.client_order_id or ""
        fresh = order not in self.numbers
        self.numbers[order] = update.venue_order_id
        if update.status is not OrderStatus.WORKING:
            self.ended[order] = now
        for at, one in enumerate(self.sent):
            matters = fresh if isinstance(one.command, CreateOrder) else update.status is OrderStatus.CANCELLED
            if one.order == order and matters and one.venue_time is None:
                self.sent[at] = attrs.evolve(one, venue_time=self._stamp(update.event_time))

    def _stamp(self, time: int | None) -> int:
        assert time is not None
        return time - self.feed + self.ahead

    def catch_up(self, now: int) -> None:
        while (due := self.exchange.due()) is not None and due < now:
            self.hear(self.exchange.run_due(due), due)


def known_session(
    models: FillModels, *, seed: int, steps: int = 1_500, feed: int = 3 * MS, ahead: int = 0, takers: bool = False
) -> Session:
    """Make a session whose venue is `models`.

    Args:
        models: Latencies in the time of the data, queues, fees.
        seed: Of the market and the orders.
        steps: Changes of the book.
        feed: Nanoseconds by which the data come after what they tell.
        ahead: Nanoseconds by which the venue's clock is ahead of ours.
        takers: Whether some orders take what is there.
    """
    random = Random(f"market {seed}")
    decide = Random(f"orders {seed}")
    cash = {"USD": Decimal(10_000_000)}
    desk = Desk(
        PaperExchange({"X": INSTRUMENT}, account="A", cash=cash, models=models, tells_account=False), feed, ahead
    )
    events: list[tuple[int, Event]] = []
    working: list[tuple[int, str, Side]] = []
    for number, (now, event, bid) in enumerate(market(random, steps, feed, ahead)):
        desk.catch_up(now)
        events.append((now, event))
        desk.hear(desk.exchange.on_event(event, now), now)
        if isinstance(event, Trade):
            continue
        for placed, order, side in [one for one in working if one[0] < number - 120]:
            working.remove((placed, order, side))
            if order in desk.numbers and order not in desk.ended:
                sent = next(one for one in desk.sent if one.order == order)
                desk.send(
                    CancelOrder(guid=f"{order}-c", venue_order_id=desk.numbers[order], request=sent.command.request),
                    now,
                )
        if decide.random() < 0.1:
            side = decide.choice([Side.BUY, Side.SELL])
            away = decide.choice([0, 0, 1, 2])
            price: int | None = bid - away if side is Side.BUY else bid + 1 + away
            if takers and decide.random() < 0.3:
                price = None
            order = f"o{len(desk.sent)}"
            desk.send(CreateOrder(guid=order, request=request(order, side, decide.randint(1, 5), price)), now)
            working.append((number, order, side))
    desk.catch_up(events[-1][0] + 10_000 * MS)
    return Session(
        instruments={"X": INSTRUMENT},
        market=events,
        sent=desk.sent,
        fills=desk.fills,
        ended=desk.ended,
    )
