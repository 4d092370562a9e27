"""Run one strategy over a list of events, with orders answered by a fill model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter

import attrs

from strategykit.model.event_class import altered
from strategykit.model.events import Bar, Event, Fill
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.runtime.order import Order
from strategykit.runtime.simulate import kind_of, simulate, stream_guid
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import Constant
from strategykit.strategy import Strategy

__all__ = ["Outcome", "make_outcome", "run_strategy"]


@attrs.frozen(kw_only=True)
class Outcome:
    """What a strategy did."""

    orders: Sequence[Order]
    """In the order in which they were placed."""
    fills: Sequence[Fill]
    positions: Mapping[str, Decimal]
    """Lots at the end, by instrument; those that were never traded are missing."""
    profit: Mapping[str, Decimal]
    """Realised, before fees, by currency."""
    fees: Mapping[str, Decimal]
    error: BaseException | None
    """What the strategy raised; None if nothing."""
    notes: Sequence[str]
    """What it logged, and what the run noted."""

    def check(self) -> Outcome:
        """Give itself, or raise what the strategy raised."""
        if self.error is not None:
            raise self.error
        return self


def run_strategy(
    strategy: Strategy,
    events: Iterable[Event],
    *,
    history: Sequence[Bar] = (),
    instruments: Iterable[Instrument] = (),
    cash: Decimal = Decimal(1_000_000),
    models: FillModels = DEFAULT_MODELS,
    latency: float | None = None,
    limits: RiskPlan = DEFAULT_PLAN,
    seed: int = 0,
) -> Outcome:
    """Run `strategy` over `events` in virtual time and give what it did; an hour of market takes milliseconds.

    Args:
        strategy: A new one; it can run once.
        events: Market data, as `make_bars`, `make_trades`, `make_quotes` and `make_books` give them, of one or several
            instruments: they are put in the order of their `receive_time`. Events of one time stay in the order given.
            Where there are trades and no bars at all, bars are built from the trades, as on a venue that has none.
        history: Past bars, for `Bars` declarations that ask for them.
        instruments: Reference data; instruments without get a tick of 0.01 and a lot of 1.
        cash: At the start, in each instrument's currency.
        models: What is assumed of fills: fees, latencies, queues and more.
        latency: Seconds from an order to its taking effect; None: as `models` have it.
        limits: Of risk; what a session file calls ``[risk]``.
        seed: Of `Strategy.random`.

    Returns:
        What it did. What it raised is in `Outcome.error`; `Outcome.check` raises it.

    Raises:
        ConfigError: A value that can't be.
    """
    if latency is not None:
        models = attrs.evolve(models, order_latency=Constant(span=int(latency * 1e9)))
    given = sorted((_addressed(event) for event in events), key=attrgetter("receive_time"))
    known = {item.symbol: item for item in instruments}
    for event in given:
        if event.instrument is not None:
            known.setdefault(event.instrument, Instrument(event.instrument))
    start = min((event.receive_time for event in given), default=0)
    done = simulate(
        [("strategy", strategy)],
        given,
        instruments=known,
        start=start,
        streams={kind for kind in map(kind_of, given) if kind is not None},
        history=history,
        cash=cash,
        models=models,
        limits=limits,
        seed=seed,
    )
    return make_outcome(strategy, done.run.supervisor.seats[0].failure, done.notes.lines)


def make_outcome(strategy: Strategy, error: BaseException | None, notes: Iterable[tuple[int, str, str]]) -> Outcome:
    """Give what a strategy did in a run that is over, and in which it had a place."""
    orders, book = list(strategy.desk.orders), strategy.desk.portfolio
    return Outcome(
        orders=orders,
        fills=[fill for order in orders for fill in order.fills_seen],
        positions={symbol: position.quantity for symbol, position in book.positions.items()},
        profit=book.realised(),
        fees=book.fees(),
        error=error,
        notes=[f"{source}: {text}" for _, source, text in notes],
    )


def _addressed(event: Event) -> Event:
    """Give the event with the guid of the stream that carries it."""
    kind = kind_of(event)
    if kind is None or event.instrument is None:
        return event
    guid = stream_guid(kind, event.instrument, event.interval if isinstance(event, Bar) else None)
    if event.guid == guid:
        return event
    return altered(event, guid=guid)
