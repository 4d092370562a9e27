"""Regression statistics that LEAN publishes, and asserts in its own tests, for the same data.

Each algorithm is written here anew, as a strategy. LEAN scales prices by its factor file, takes them between 09:30 and
16:00 in New York, fills market orders at the quote at the end of a bar, and what rests by the bars that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from heapq import merge
from operator import attrgetter

import trio

from strategykit import Bar, Bars, Order, Quote, Quotes, Strategy, define
from strategykit.model.events import Event, Fill, OrderStatus, Side
from strategykit.model.instruments import Instrument
from strategykit.model.orders import TimeInForce
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.simulate import simulate, stream_guid
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.bars import BarPrice
from strategykit.sim.models.day_end import DayEnd
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.queues import FillRule
from strategykit.sim.paper import PaperExchange
from strategykit.venues.streams import StreamKind
from tests.agreement.recordings import MINUTE, SECOND, lean_bars, lean_rows, midnight, needs_recordings

pytestmark = needs_recordings

DAYS = ("20131007", "20131008", "20131009", "20131010", "20131011")
SCALE = 0.8646266
"""By the factor file, for prices from 2013-09-20 to 2013-12-19."""
PRICES = SCALE / 10_000
NEW_YORK = -4
LIVES = TimeInForce.GOOD_TILL_CANCELLED
OPENS, CLOSES = 34_200_000, 57_600_000
"""Milliseconds of the day."""

SHARES = FeeModel(maker_per_lot=Decimal("0.005"), taker_per_lot=Decimal("0.005"), order_minimum=Decimal(1))
EQUITY = Instrument("SPY", Decimal("1e-11"), currency="USD", exchange="USA", time_zone="America/New_York")


def regular(bars: Iterator[Bar], start: int) -> Iterator[Bar]:
    return (bar for bar in bars if OPENS <= (bar.open_time - start) // 1_000_000 < CLOSES)


def spy_bars(resolution: str = "minute", interval: int = MINUTE) -> Iterator[Bar]:
    for day in DAYS:
        start = midnight(day, NEW_YORK)
        name = f"equity_usa_{resolution}_spy_{day}_trade"
        yield from regular(lean_bars(name, "SPY", start, interval, scale=PRICES), start)


def spy_quotes() -> Iterator[Quote]:
    """Give what was bid and asked at the end of each minute."""
    guid = stream_guid(StreamKind.QUOTES, "SPY")
    for day in DAYS:
        start = midnight(day, NEW_YORK)
        for row in lean_rows(f"equity_usa_minute_spy_{day}_quote"):
            if OPENS <= int(row[0]) < CLOSES:
                time = start + int(row[0]) * 1_000_000 + MINUTE
                bid, ask = (round(float(cell) * PRICES, 11) for cell in (row[4], row[9]))
                yield Quote("SPY", bid, None, ask, None, None, None, time, guid)


def in_time(*streams: Iterator[Event]) -> Iterator[Event]:
    """Merge streams; of one time, the first comes first."""
    return merge(*streams, key=attrgetter("receive_time"))


def run(
    strategy: Strategy, events: Iterator[Event], kinds: set[StreamKind], models: FillModels, cash: int = 100_000
) -> PaperExchange:
    done = simulate(
        [("lean", strategy)],
        events,
        instruments={"SPY": EQUITY},
        start=midnight(DAYS[0], NEW_YORK),
        streams=kinds,
        cash=Decimal(cash),
        models=models,
        limits=NO_PLAN,
    )
    assert done.run.supervisor.seats[0].failure is None
    paper = done.run.engine.paper
    assert paper is not None
    return paper


def outcome(paper: PaperExchange, last: float) -> tuple[int, str, str]:
    """Give how many orders there were, and equity at a last price and fees as LEAN prints them."""
    account, (holding, *_) = paper.account(0), paper.positions(0)
    assert account.cash is not None
    equity = account.cash + holding.quantity * Decimal(str(last))
    return len(paper.orders(0)), f"{equity:.2f}", f"{account.fees:.2f}"


@define
class Minutes(Strategy):
    """What all of these share: bars of a minute, and the last one's close."""

    bars = Bars("SPY", "1m")

    def __attrs_post_init__(self) -> None:
        self.last = 0.0
        self.count = 0

    def on_bar(self, bar: Bar) -> None:
        self.last = bar.close
        self.count += 1
        self.act(bar)

    def act(self, bar: Bar) -> None:
        """Do what this one does."""

    def whole(self, *, fees: bool) -> Decimal:
        """Give how many shares LEAN sets all holdings to, which leaves a quarter of a per cent and the fee."""
        money = Decimal(99_750)
        price = Decimal(str(self.last))
        paid = Decimal("0.005") * (money / price).to_integral_value(ROUND_FLOOR) if fees else 0
        return ((money - paid) / price).to_integral_value(ROUND_FLOOR)


@define
class Holds(Minutes):
    """Buys at the first quote, and holds; or sells at the next one."""

    sells: bool = False

    quotes = Quotes("SPY")

    def on_quote(self, _: Quote) -> None:
        if self.count == 1:
            self.buy_nowait(self.whole(fees=not self.sells))
        elif self.count == 2 and self.sells:
            self.sell_nowait(self.position())


def test_buying_and_holding_ends_with_the_equity_that_lean_has() -> None:
    strategy = Holds()
    paper = run(
        strategy,
        in_time(spy_bars(), spy_quotes()),
        {StreamKind.BARS, StreamKind.QUOTES},
        FillModels(fees=SHARES),
    )

    assert outcome(paper, strategy.last) == (1, "101691.92", "3.44")
    assert strategy.count == 5 * 390


def test_trading_free_of_charge_ends_with_the_equity_that_lean_has() -> None:
    strategy = Holds(sells=True)
    paper = run(strategy, in_time(spy_bars(), spy_quotes()), {StreamKind.BARS, StreamKind.QUOTES}, FillModels())

    assert outcome(paper, strategy.last) == (2, "99952.34", "0.00")


@define
class StopsOnFill(Minutes):
    """Sells short, and puts a stop below the fill, which the market has passed already."""

    def act(self, bar: Bar) -> None:
        if self.count == 1:
            self.sell_nowait(100)

    def on_fill(self, fill: Fill) -> None:
        if fill.side.sign < 0:
            self.buy_nowait(100, stop=fill.price - 2)


def test_a_stop_that_is_placed_on_a_fill_fills_at_the_next_open_as_in_lean() -> None:
    strategy = StopsOnFill()
    paper = run(strategy, spy_bars(), {StreamKind.BARS}, FillModels(fees=SHARES, next_bar=True, margin_rate=Decimal(0)))

    assert outcome(paper, strategy.last) == (2, "99995.41", "2.00")


@define
class TimesInForce(Minutes):
    """Two orders of each time in force: one that is filled, and one that lapses, or stays."""

    def act(self, bar: Bar) -> None:
        if self.count > 1:
            return
        until = midnight("20131010", NEW_YORK) + CLOSES * 1_000_000
        lives = LIVES
        self.orders: list[Order] = [
            self.buy_nowait(10, limit=Decimal(100), time_in_force=lives),
            self.buy_nowait(10, limit=Decimal(160), time_in_force=lives),
            self.buy_nowait(10, limit=Decimal(140)),
            self.buy_nowait(10, limit=Decimal(180)),
            self.buy_nowait(10, limit=Decimal(100), time_in_force=lives, until=until),
            self.buy_nowait(10, limit=Decimal(160), time_in_force=lives, until=until),
        ]


LATER = FillModels(
    fees=SHARES,
    rule=FillRule.TRADE_THROUGH,
    next_bar=True,
    bar_price=BarPrice.OPEN,
    day_end=DayEnd(at="16:00"),
    margin_rate=Decimal(0),
)


def test_orders_of_all_times_in_force_end_as_in_lean() -> None:
    strategy = TimesInForce()
    paper = run(strategy, spy_bars(), {StreamKind.BARS}, LATER)

    assert outcome(paper, strategy.last) == (6, "100070.41", "3.00")
    assert [update.status for update in paper.orders(0)] == [
        OrderStatus.CANCELLED,  # Withdrawn at the end of the run.
        OrderStatus.FILLED,
        OrderStatus.EXPIRED,
        OrderStatus.FILLED,
        OrderStatus.EXPIRED,
        OrderStatus.FILLED,
    ]


@define
class Trails(Minutes):
    """Buys by a stop that trails, then sells by another."""

    def __attrs_post_init__(self) -> None:
        self.last, self.count, self.sold = 0.0, 0, False

    def act(self, bar: Bar) -> None:
        close = Decimal(str(bar.close))
        if self.count == 1:
            self.buy_nowait(100, stop=close + 2, trail=Decimal(2), time_in_force=LIVES)
        elif self.position() and not self.sold:
            self.sold = True
            trail = Decimal("0.5")
            self.sell_nowait(100, stop=close - trail, trail=trail, time_in_force=LIVES)


def test_stops_that_trail_end_with_the_equity_that_lean_has() -> None:
    """There, a buyer's stop follows what is asked, a seller's what is bid; both fill at the close if that is worse.

    A stream of bars has one side here, so that the feed gives bars of what is asked until shares are held, then of what
    is bid.
    """
    strategy = Trails()

    def bars() -> Iterator[Bar]:
        guid = stream_guid(StreamKind.BARS, "SPY", MINUTE)
        for day in DAYS:
            start = midnight(day, NEW_YORK)
            for row in lean_rows(f"equity_usa_minute_spy_{day}_quote"):
                opened = start + int(row[0]) * 1_000_000
                if OPENS <= int(row[0]) < CLOSES:
                    side = row[1:5] if strategy.position() else row[6:10]
                    first, high, low, close = (round(float(cell) * PRICES, 11) for cell in side)
                    yield Bar("SPY", opened, MINUTE, first, high, low, close, 0.0, True, None, opened + MINUTE, guid)

    paper = run(strategy, bars(), {StreamKind.BARS}, FillModels(fees=SHARES, next_bar=True, stop_at_close=True))

    assert outcome(paper, strategy.last) == (2, "100023.22", "2.00")


def each_hour(bars: Iterator[Bar]) -> Iterator[Bar]:
    """Put in a bar without trades at each full hour that has none, as LEAN does at each second."""
    hour, before = 3_600 * SECOND, next(bars)
    yield before
    for bar in bars:
        full = before.receive_time // hour * hour + hour
        if before.receive_time < full < bar.receive_time < before.receive_time + hour:
            close = before.close
            yield Bar("SPY", full - SECOND, SECOND, close, close, close, close, 0.0, True, None, full, bar.guid)
        yield bar
        before = bar


@define
class Hourly(Strategy):
    """A limit at the last price at each full hour: buys for two days, then sells."""

    bars = Bars("SPY", "1s")

    def __attrs_post_init__(self) -> None:
        self.last = 0.0
        self.turn = midnight("20131009", NEW_YORK)

    def on_bar(self, bar: Bar) -> None:
        self.last = bar.close
        if self.now() % (3_600 * SECOND) == 0:
            order = self.buy_nowait if self.now() < self.turn else self.sell_nowait
            order(10, limit=Decimal(str(bar.close)), time_in_force=LIVES)


def test_limits_at_each_hour_end_with_the_equity_that_lean_has() -> None:
    """Six of the 35 full hours have no bar of trades; without those that are put in, six orders would be missing."""
    strategy, empty = Hourly(), 0

    def bars() -> Iterator[Bar]:
        nonlocal empty
        for bar in each_hour(spy_bars("second", SECOND)):
            empty += not bar.volume
            yield bar

    paper = run(strategy, bars(), {StreamKind.BARS}, LATER)

    assert empty == 6
    assert outcome(paper, strategy.last) == (35, "99931.07", "34.00")


FUTURE = Instrument(
    "ES", Decimal("0.25"), multiplier=Decimal(50), currency="USD", exchange="CME", time_zone="America/New_York"
)
CONTRACTS = FeeModel(maker_per_lot=Decimal("2.15"), taker_per_lot=Decimal("2.15"))
MARCH = "201403"
"""The first that expires more than 90 days later."""
SESSION = (9 * 3_600 + 1_800, 17 * 3_600)
"""Seconds of the day in New York."""


def in_session(time: int) -> bool:
    """Say whether it lies in the regular session, its end included."""
    second = (time - midnight("20131008", NEW_YORK)) // SECOND % 86_400
    return SESSION[0] < second <= SESSION[1]


def future_quotes(rows: Iterator[list[str]], opened: Callable[[str], int], interval: int) -> Iterator[Quote]:
    """Give what was bid and asked at the end of each bar."""
    guid = stream_guid(StreamKind.QUOTES, "ES")
    for row in rows:
        time = opened(row[0]) + interval
        if in_session(time):
            bid, ask = (float(cell) if cell else None for cell in (row[4], row[9]))
            yield Quote("ES", bid, None, ask, None, None, None, time, guid)


def closed_outcome(
    strategy: Strategy, events: Iterator[Event], kinds: set[StreamKind], cash: int
) -> tuple[int, str, str]:
    """Give how many orders there were, equity and fees; LEAN values a contract at what is left when it is closed."""
    done = simulate(
        [("lean", strategy)],
        events,
        instruments={"ES": FUTURE},
        start=midnight("20131008", NEW_YORK),
        streams=kinds,
        cash=Decimal(cash),
        models=FillModels(fees=CONTRACTS, margin_rate=Decimal(0)),
        limits=NO_PLAN,
    )
    paper = done.run.engine.paper
    assert paper is not None
    account, (holding, *_) = paper.account(0), paper.positions(0)
    bid = paper.markets["ES"].best(Side.BUY)
    assert account.cash is not None
    assert holding.quantity == 1
    worth = FUTURE.value(Decimal(str(bid)), holding.quantity) - Decimal("2.15")
    return len(paper.orders(0)), f"{account.cash + worth:.2f}", f"{account.fees:.2f}"


@define
class HoldsOne(Strategy):
    """Buys a contract at the first quote."""

    quotes = Quotes("ES")

    def __attrs_post_init__(self) -> None:
        self.bought = False

    def on_quote(self, _: Quote) -> None:
        if not self.bought:
            self.bought = True
            self.buy_nowait(1)


def milliseconds_of(day: int, cell: str) -> int:
    """Give the time that is so many milliseconds into a day."""
    return day + int(cell) * 1_000_000


def test_a_contract_that_is_held_ends_with_the_equity_that_lean_has() -> None:
    def quotes() -> Iterator[Quote]:
        for day in ("20131008", "20131009", "20131010"):
            rows = lean_rows(f"future_cme_minute_es_{day}_quote", f"{day}_es_minute_quote_{MARCH}.csv")
            yield from future_quotes(rows, partial(milliseconds_of, midnight(day)), MINUTE)

    assert closed_outcome(HoldsOne(), quotes(), {StreamKind.QUOTES}, 100_000) == (1, "100620.70", "2.15")


@define
class AtHalfPast(Strategy):
    """Buys between two bars, after one that moved by a point."""

    bars = Bars("ES", "1h")

    async def run(self) -> None:
        half, hour = 1_800 * SECOND, 3_600 * SECOND
        while not self.position():
            await trio.sleep((self.now() // hour * hour + hour + half - self.now()) / SECOND)
            bar = self.bars.last
            if bar is not None and in_session(self.now()) and abs(bar.open - bar.close) >= 1:
                await self.buy(1)


def test_an_order_between_two_bars_fills_at_the_close_of_the_first_as_in_lean() -> None:
    hour = 3_600 * SECOND

    def opened(cell: str) -> int:
        return midnight(cell[:8]) + int(cell[9:11]) * hour

    def rows(kind: str) -> Iterator[list[str]]:
        found = lean_rows(f"future_cme_hour_es_{kind}", f"es_{kind}_{MARCH}.csv")
        return (row for row in found if "20131008" <= row[0] < "20131011")

    def bars() -> Iterator[Bar]:
        guid = stream_guid(StreamKind.BARS, "ES", hour)
        for row in rows("trade"):
            first, high, low, close = (float(cell) for cell in row[1:5])
            start = opened(row[0])
            if in_session(start + hour):
                yield Bar("ES", start, hour, first, high, low, close, 0.0, True, None, start + hour, guid)

    events = in_time(bars(), future_quotes(rows("quote"), opened, hour))
    kinds = {StreamKind.BARS, StreamKind.QUOTES}
    assert closed_outcome(AtHalfPast(), events, kinds, 1_000_000) == (1, "1000983.20", "2.15")
