"""Running strategies on events at hand: both ways through the driver do the same, and the dialect of no wire."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import (
    Bar,
    Bars,
    Books,
    BookSnapshot,
    Gap,
    OrderRefused,
    Quote,
    Quotes,
    Stale,
    Strategy,
    Trade,
    Trades,
    define,
)
from strategykit.errors import LocalProtocolError, StrategyError
from strategykit.model.events import BookDelta, Event, VenueStatus
from strategykit.model.instruments import Instrument
from strategykit.runtime.direct import Direct
from strategykit.runtime.simulate import Simulation, kind_of, simulate, stream_guid
from strategykit.runtime.supervise import Seat
from strategykit.testing import START, make_bars, make_books, make_quotes, make_trades, run_strategy
from strategykit.venues.dialect import AskBars, AskOrders, ErrorClass
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000


@define
class Diarist(Strategy):
    """Writes down all that it sees, in handlers and in tasks."""

    fails_at: int = 0

    trades = Trades("X")
    quotes = Quotes("X")
    books = Books("Y")
    bars = Bars("X", "1m")

    def __attrs_post_init__(self) -> None:
        self.seen: list[tuple[str, object, int]] = []

    def note(self, kind: str, what: object) -> None:
        self.seen.append((kind, what, self.now() - START))
        if len(self.seen) == self.fails_at:
            raise LookupError("enough")

    def on_trade(self, trade: Trade) -> None:
        self.note("trade", trade.price)

    def on_quote(self, quote: Quote) -> None:
        self.note("quote", quote.bid)

    def on_book(self, book: BookSnapshot) -> None:
        self.note("book", self.books.mid)

    def on_bar(self, bar: Bar) -> None:
        self.note("bar", bar.close)

    def on_gap(self, gap: Gap) -> None:
        self.note("gap", gap.reason)

    async def read(self) -> None:
        async for trade in self.trades:
            self.note("read", trade.price)

    async def run(self) -> None:
        self.start(self.read)
        while True:
            await self.when(self.trades.price > 3)
            self.note("high", None)
            await trio.sleep(0.7)


def watch(event: Event) -> None:
    """Look on: then every event goes through the engine, one by one."""


def run_both(
    events: Sequence[Event], *, paper: bool, fails_at: int = 0, watched: bool = False
) -> tuple[list[Diarist], Simulation]:
    diarists = [Diarist(fails_at=fails_at), Diarist()]
    done = simulate(
        [(f"s{number}", diarist) for number, diarist in enumerate(diarists)],
        events,
        instruments={symbol: Instrument(symbol) for symbol in "XY"},
        start=START,
        paper=paper,
        ready=lambda run: run.engine.watchers.extend([watch] * watched),
    )
    return diarists, done


KINDS = ("trade", "trade", "trade", "quote", "book", "bar", "gap", "status", "delta")


@settings(max_examples=100, deadline=None)
@given(
    drawn=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1_500), st.integers(1, 6)), max_size=40),
    fails_at=st.integers(0, 30),
)
def test_whatever_comes_the_short_way_through_the_driver_tells_what_the_long_one_tells(
    drawn: list[tuple[str, int, int]], fails_at: int
) -> None:
    time, events, minute = START, list[Event](), 0
    trades, quotes = make_trades("X", range(1, 7)), make_quotes("X", range(1, 7), spread=1)
    books = make_books("Y", range(1, 7), spread=0.5)
    for kind, pause, price in drawn:
        time += pause * 1_000_000
        match kind:
            case "trade":
                one = trades[price - 1]
                events.append(Trade("X", one.price, 1.0, one.side, None, time, time, one.guid))
            case "quote":
                quote = quotes[price - 1]
                events.append(Quote("X", quote.bid, 1.0, quote.ask, 1.0, None, time, time, quote.guid))
            case "book":
                book = books[price - 1]
                levels = (book.bid_prices, book.bid_sizes, book.ask_prices, book.ask_sizes)
                events.append(BookSnapshot("Y", *levels, time, time, book.guid))
            case "bar":
                bar = make_bars("X", [price])[0]
                minute += 1
                opens = START + minute * bar.interval
                ohlc = (bar.open, bar.high, bar.low, bar.close)
                events.append(Bar("X", opens, bar.interval, *ohlc, 1.0, True, time, time, bar.guid))
            case "gap":
                events.append(Gap("X", time, time, "lost", None, time, trades[0].guid))
            case "status":
                events.append(VenueStatus(None, "open", None, time, "nobody's"))
            case _:
                events.append(BookDelta("Z", (), (), (), (), None, time, "nobody's"))
    short, quick = run_both(events, paper=False, fails_at=fails_at)
    noted, shown = run_both(events, paper=True, fails_at=fails_at)
    long, slow = run_both(events, paper=True, fails_at=fails_at, watched=True)

    assert [diarist.seen for diarist in short] == [diarist.seen for diarist in long]
    assert [diarist.seen for diarist in noted] == [diarist.seen for diarist in long]
    for done in (quick, shown, slow):
        failures = [seat.failure for seat in done.run.supervisor.seats]
        assert failures[1] is None
        assert (failures[0] is not None) == (0 < fails_at <= len(short[0].seen))


def seat_of(done: Simulation) -> Seat:
    return done.run.supervisor.seats[0]


def test_without_a_paper_exchange_every_order_is_refused() -> None:
    @define
    class Trader(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            with pytest.raises(OrderRefused, match="the command lane is down"):
                await self.buy(1)
            self.log("refused")

    events = make_quotes("X", [1.0, 2.0], spread=1)
    done = simulate([("one", Trader())], events, instruments={"X": Instrument("X")}, start=START, paper=False)

    assert seat_of(done).failure is None
    assert [text for _, _, text in done.notes.lines] == ["refused"]


def test_an_instrument_without_reference_data_is_noted() -> None:
    @define
    class Lost(Strategy):
        quotes = Quotes("Z")

    done = simulate([("one", Lost())], [], instruments={}, start=START)

    assert [text for _, _, text in done.notes.lines] == ["no reference data of Z: unknown there"]


def test_an_error_of_the_run_itself_comes_out_alone() -> None:
    def broken(_: object) -> None:
        raise StrategyError("the tape has no such stream")

    with pytest.raises(StrategyError, match="no such stream"):
        simulate([], [], instruments={}, start=START, ready=broken)


def test_history_that_doesnt_come_is_noted_in_a_backtest() -> None:
    @define
    class Historian(Strategy):
        bars = Bars("X", "1m", history=10)

        def __attrs_post_init__(self) -> None:
            self.closes: list[float] = []

        def on_bar(self, bar: Bar) -> None:
            self.closes.append(bar.close)

    historian = Historian()
    run_strategy(historian, make_bars("X", [1, 2, 3])).check()

    assert historian.closes == [1, 2, 3]


def test_events_may_be_given_in_any_order_and_of_several_instruments() -> None:
    @define
    class Pair(Strategy):
        one = Trades("X")
        other = Trades("Y")

        def __attrs_post_init__(self) -> None:
            self.seen: list[tuple[str, float]] = []

        def on_trade(self, trade: Trade) -> None:
            self.seen.append((trade.instrument, trade.price))

    pair = Pair()
    run_strategy(pair, [*make_trades("X", [1, 2, 3]), *make_trades("Y", [7, 8, 9])]).check()

    assert pair.seen == [("X", 1), ("Y", 7), ("X", 2), ("Y", 8), ("X", 3), ("Y", 9)]


def test_a_live_stream_isnt_called_stale() -> None:
    @define
    class Listener(Strategy):
        trades = Trades("X", fresh=10)

        def on_stale(self, stale: Stale) -> None:
            raise AssertionError(stale)

    run_strategy(Listener(), make_trades("X", [1.0] * 60)).check()


def test_an_outcome_gives_what_was_earned_by_currency() -> None:
    @define
    class Trader(Strategy):
        quotes = Quotes("X")

        async def run(self) -> None:
            await self.when(self.quotes.bid > 0)
            async with self.long(2):
                await trio.sleep(2.5)

    outcome = run_strategy(
        Trader(), make_quotes("X", [10, 11, 12, 13, 14], spread=0.5), instruments=[Instrument("X", currency="EUR")]
    ).check()

    assert outcome.profit == {"EUR": Decimal("3.0")}
    assert outcome.fees == {"EUR": Decimal(0)}
    assert outcome.positions == {"X": Decimal(0)}
    assert outcome.notes == []


def test_made_books_have_levels_on_either_side() -> None:
    [first, second] = make_books("X", [10.0, 11.0], spread=0.2, step=0.1, levels=3, size=4.0, every=0.5)

    assert first.bid_prices == (9.9, 9.8, 9.7)
    assert first.ask_prices == (10.1, 10.2, 10.3)
    assert first.ask_sizes == (4.0, 4.0, 4.0)
    assert (first.snapshot, second.snapshot) == (True, False)
    assert second.receive_time - first.receive_time == SECOND // 2
    assert first.guid == stream_guid(StreamKind.BOOK, "X")
    assert kind_of(first) is StreamKind.BOOK
    assert kind_of(VenueStatus(None, "open", None, 0, "")) is None


def test_a_simulation_has_no_wire_to_speak_on() -> None:
    direct = Direct(tuple(make_bars("X", [1, 2])))
    stream = Stream(kind=StreamKind.TRADES, instrument="X")
    cursor = direct.cursor("g", stream)
    cursor.reconnected()
    for call in (
        lambda: direct.subscribe((), (), token=""),
        lambda: direct.unsubscribe((), (), token=""),
        lambda: direct.command(object()),
        lambda: direct.decode("frame", None, connection="", receive_time=0),  # type: ignore[arg-type]  # it isn't looked at
        lambda: direct.request(AskOrders(account="a")),
        lambda: direct.beat(0),
    ):
        with pytest.raises(LocalProtocolError, match="a simulation has no"):
            call()

    assert direct.login("market", guid="g", token="") is None
    assert direct.login_reply("frame", "g") is None
    assert direct.lane(stream) == "market"
    assert not direct.upgrade_headers("market", token="")
    assert not direct.http_headers(token="")
    assert direct.classify(500) is ErrorClass.STOP
    bars = direct.decode_answer(AskBars(instrument="X", interval=60 * SECOND, count=5, until=0), b"", receive_time=0)
    assert len(bars) == 2
    assert not direct.decode_answer(AskOrders(account="a"), b"", receive_time=0)
