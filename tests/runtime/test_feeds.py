"""A strategy's view of its streams: what it sees, in which order, and what happens when it lags."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit import (
    Bar,
    Bars,
    Books,
    BookSnapshot,
    Gap,
    Quote,
    Quotes,
    Strategy,
    Trade,
    Trades,
    crosses_above,
    define,
    sma,
)
from strategykit.errors import StrategyError
from strategykit.model.events import BookDelta, Event, Side, Stale, VenueError
from strategykit.model.instruments import Instrument
from strategykit.runtime.feeds import BarFeed, BookFeed, Feed, QuoteFeed, TradeFeed
from strategykit.runtime.mailbox import MAILBOX
from strategykit.runtime.simulate import simulate
from strategykit.runtime.waking import Wakes
from strategykit.testing import START, make_bars, make_books, make_quotes, make_trades, run_strategy
from strategykit.venues.streams import Stream, StreamKind

F = TypeVar("F", bound=Feed[Any])
MINUTE = 60_000_000_000


class Owner:
    def __init__(self) -> None:
        self.told: list[Event] = []

    def feed_gap(self, feed: Feed[Any], gap: Gap) -> None:
        self.told.append(gap)

    def feed_stale(self, feed: Feed[Any], stale: Stale) -> None:
        self.told.append(stale)

    def feed_full(self, feed: Feed[Any], error: StrategyError) -> None:
        raise error


def make_feed(kind: type[F], *, handler: Callable[[Any], None] | None = None, **more: Any) -> F:
    stream = Stream(kind=StreamKind.BARS, instrument="X", interval=MINUTE)
    return kind("bars", stream, wakes=Wakes(lambda: None), owner=Owner(), handler=handler, **more)


def bar(
    number: int,
    *,
    closed: bool = True,
    snapshot: bool = False,
    close: float | None = None,
    arrives: int | None = None,
    guid: str = "g",
) -> Bar:
    price = float(number) if close is None else close
    opened = START + number * MINUTE
    time = opened + MINUTE if arrives is None else arrives
    return Bar("X", opened, MINUTE, price, price, price, price, 1.0, closed, time, time, guid, snapshot)


# History and the live stream


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_however_history_and_live_bars_overlap_each_interval_comes_once_and_in_order(data: st.DataObject) -> None:
    """HTTP gives bars up to some time; the stream replays from some time on and goes on; the answer comes somewhere."""
    total = data.draw(st.integers(2, 30), "intervals")
    http_until = data.draw(st.integers(1, total), "history ends before")
    replay_from = data.draw(st.integers(0, http_until), "replay begins")
    live_from = data.draw(st.integers(max(replay_from, http_until - 1), total), "first live")
    history = data.draw(st.permutations([bar(n, snapshot=True) for n in range(http_until)]), "history")
    streamed = [bar(n, snapshot=n < live_from) for n in range(replay_from, total)]
    repeats = data.draw(st.lists(st.sampled_from(streamed), max_size=4), "repeats") if streamed else []
    for repeat in repeats:
        # A reconnect replays: what was told before is told again, some time after it was.
        at = data.draw(st.integers(streamed.index(repeat) + 1, len(streamed)), "repeated at")
        streamed.insert(at, bar(number_of(repeat), snapshot=True))
    early = data.draw(st.integers(0, len(streamed)), "streamed before the answer")
    handled: list[int] = []
    heard: list[int] = []
    feed = make_feed(BarFeed, handler=lambda b: handled.append(number_of(b)), history=total)
    feed.listen(lambda b: heard.append(number_of(b)))

    for one in streamed[:early]:
        feed.take(one)
    assert not heard
    feed.warmed(history)
    for one in streamed[early:]:
        feed.take(one)

    assert heard == list(range(total))
    assert [number_of(b) for b in feed.held] == heard
    assert handled == sorted(set(handled))
    assert handled == heard[len(heard) - len(handled) :]
    assert feed.seam == (START + handled[0] * MINUTE if handled else None)
    assert feed.last is None or number_of(feed.last) == heard[-1]


def number_of(one: Bar) -> int:
    return (one.open_time - START) // MINUTE


def test_a_handler_gets_no_history() -> None:
    handled: list[Bar] = []
    feed = make_feed(BarFeed, handler=handled.append, history=5)
    feed.warmed([bar(n, snapshot=True) for n in range(5)])

    assert feed.warm
    assert not handled
    assert feed.seam is None
    feed.take(bar(5))
    assert [number_of(b) for b in handled] == [5]
    assert feed.seam == START + 5 * MINUTE


def test_history_is_cut_to_what_was_asked_for_and_to_what_is_closed() -> None:
    feed = make_feed(BarFeed, history=3)
    feed.warmed([*(bar(n, snapshot=True) for n in range(6)), bar(6, closed=False)])

    assert [number_of(b) for b in feed.held] == [4, 5]


def test_bars_that_a_venue_replays_without_being_asked_are_history_too() -> None:
    handled: list[Bar] = []
    feed = make_feed(BarFeed, handler=handled.append)
    for one in (bar(0, snapshot=True), bar(1, snapshot=True), bar(2)):
        feed.take(one)

    assert [number_of(b) for b in handled] == [2]
    assert [number_of(b) for b in feed.held] == [0, 1, 2]


def test_a_forming_bar_is_shown_only_where_it_was_asked_for() -> None:
    handled: list[Bar] = []
    quiet, loud = make_feed(BarFeed), make_feed(BarFeed, handler=handled.append, show_forming=True)
    for feed in (quiet, loud):
        feed.take(bar(0))
        feed.take(bar(1, closed=False, close=7.0))

    assert quiet.forming is not None
    assert quiet.forming.close == 7.0
    assert (quiet.close.value, loud.close.value) == (0.0, 7.0)
    assert [b.closed for b in handled] == [True, False]


def test_forming_bars_dont_push_closed_ones_out_of_what_is_held() -> None:
    feed = make_feed(BarFeed, show_forming=True)
    for number in range(3):
        for _ in range(600):
            feed.take(bar(number, closed=False))
        feed.take(bar(number))

    assert [number_of(b) for b in feed.held] == [0, 1, 2]


def test_a_forming_bar_isnt_shown_before_history_is_there() -> None:
    handled: list[Bar] = []
    feed = make_feed(BarFeed, handler=handled.append, show_forming=True, history=2)
    feed.take(bar(2, closed=False))

    assert not handled
    assert feed.forming is not None


# Other streams


def test_a_book_is_kept_and_forgotten_at_a_gap() -> None:
    feed = make_feed(BookFeed)
    book = make_books("X", [10.0], spread=0.2)[0]
    feed.deliver(book)
    assert (feed.best_bid, feed.best_ask, feed.mid) == (9.9, 10.1, 10.0)
    assert (feed.bid.value, feed.ask.value) == (9.9, 10.1)

    feed.deliver(Gap("X", START, START + 1, "lost", None, START + 1, "g"))

    assert (feed.best_bid, feed.mid) == (None, None)
    assert len(feed.gaps) == 1


def test_a_gap_and_a_silence_go_to_the_owner() -> None:
    feed = make_feed(TradeFeed)
    owner = feed._owner
    assert isinstance(owner, Owner)
    gap, stale = Gap("X", 1, 2, "lost", None, 2, "g"), Stale("X", 5, None, 7, "g")
    feed.deliver(gap)
    feed.deliver(stale)

    assert owner.told == [gap, stale]
    assert repr(feed) == "<TradeFeed bars: bars X 1m>"


def test_an_error_of_the_venue_is_no_bar() -> None:
    heard: list[Event] = []
    feed = make_feed(BarFeed, handler=heard.append)

    feed.deliver(VenueError("X", 0, "those that were missed can't be had", None, 7, "g"))

    assert (heard, feed.last) == ([], None)


def test_latest_values_follow_their_stream() -> None:
    quotes, trades = make_feed(QuoteFeed), make_feed(TradeFeed)
    quotes.deliver(make_quotes("X", [5.0], spread=0.5)[0])
    trades.deliver(make_trades("X", [7.0])[0])

    assert (quotes.bid.value, quotes.ask.value, trades.price.value) == (5.0, 5.5, 7.0)


def test_a_watcher_is_called_until_it_stops_watching() -> None:
    feed, seen = make_feed(TradeFeed), list[Trade]()
    one, two = make_trades("X", [1, 2])
    feed.watch(seen.append)
    feed.deliver(one)
    feed.unwatch(seen.append)
    feed.unwatch(seen.append)
    feed.deliver(two)

    assert seen == [one]


# Inside a run


def test_an_async_for_gets_every_trade() -> None:
    @define
    class Reader(Strategy):
        instrument: str = "X"
        trades = Trades("{instrument}")

        def __attrs_post_init__(self) -> None:
            self.seen: list[float] = []

        async def run(self) -> None:
            async for trade in self.trades:
                self.seen.append(trade.price)

    reader = Reader()
    run_strategy(reader, make_trades("X", range(50), every=0.0)).check()

    assert reader.seen == list(range(50))


def test_an_async_for_over_quotes_that_lags_sees_the_latest_only() -> None:
    @define
    class Lagging(Strategy):
        quotes = Quotes("X")
        books = Books("X")

        def __attrs_post_init__(self) -> None:
            self.seen: list[float | None] = []
            self.handled = 0

        def on_quote(self, quote: Quote) -> None:
            self.handled += 1

        def on_book(self, book: BookSnapshot) -> None:
            self.handled += 1

        async def run(self) -> None:
            async for quote in self.quotes:
                self.seen.append(quote.bid)
                await self.sleep_until(self.now() + 3_500_000_000)

    lagging = Lagging()
    events: list[Event] = [*make_quotes("X", range(10), spread=1), *make_books("X", range(5, 15), spread=0.5)]
    run_strategy(lagging, events).check()

    assert lagging.seen == [0, 3, 6]
    assert lagging.handled == 20


def test_a_strategy_that_falls_too_far_behind_is_stopped_with_a_reason() -> None:
    @define
    class Asleep(Strategy):
        trades = Trades("X")

        def __attrs_post_init__(self) -> None:
            self.count = 0

        def on_trade(self, trade: Trade) -> None:
            self.count += 1

        async def run(self) -> None:
            async for _ in self.trades:
                await self.sleep_until(self.now() + 86_400_000_000_000)

    asleep = Asleep()
    outcome = run_strategy(asleep, make_trades("X", [1.0] * (MAILBOX + 100)))

    with pytest.raises(StrategyError, match="10000 events behind"):
        outcome.check()
    # At once, and not when it looks the next time; one was taken out, and one more found no room.
    assert asleep.count == MAILBOX + 2


def test_a_condition_wakes_once_however_often_it_holds() -> None:
    @define
    class Waiter(Strategy):
        trades = Trades("X")

        def __attrs_post_init__(self) -> None:
            self.woken: list[float] = []

        async def run(self) -> None:
            await self.when(self.trades.price > 2)
            self.woken.append(self.trades.last.price if self.trades.last else 0)
            await self.when(self.trades.price > 2)
            self.woken.append(self.trades.last.price if self.trades.last else 0)

    waiter = Waiter()
    run_strategy(waiter, make_trades("X", [1, 3, 4, 1, 5])).check()

    # The second time it holds already: no event is waited for.
    assert waiter.woken == [3, 3]


def test_a_condition_that_nobody_waits_for_any_more_costs_nothing() -> None:
    @define
    class Impatient(Strategy):
        trades = Trades("X")
        quotes = Quotes("X")

        def __attrs_post_init__(self) -> None:
            self.left: list[int] = []

        async def run(self) -> None:
            import trio

            with trio.move_on_after(1.5):
                await self.when((self.trades.price > 100) & (self.quotes.bid > 100))
            self.left = [len(self.trades.waiting), len(self.quotes.waiting)]

    impatient = Impatient()
    run_strategy(impatient, [*make_trades("X", [1, 2, 3]), *make_quotes("X", [1, 2, 3], spread=1)]).check()

    assert impatient.left == [0, 0]


def test_a_condition_over_no_stream_and_one_that_is_none_are_refused() -> None:
    @define
    class Wrong(Strategy):
        kind: int = 0
        bars = Bars("X", "1m")

        async def run(self) -> None:
            from strategykit.runtime.feeds import TradeFeed

            if self.kind == 0:
                await self.when(True)  # type: ignore[arg-type]  # what is tested
            else:
                await self.when(make_feed(TradeFeed).price > 1 if self.kind == 1 else sma(_Nothing(), 2) > 1)

    class _Nothing:
        def listen(self, callback: Callable[[Any], None], /) -> None:
            """Nothing ever comes."""

    with pytest.raises(TypeError, match="`when` takes a condition such as"):
        run_strategy(Wrong(), make_bars("X", [1])).check()
    with pytest.raises(StrategyError, match="hangs on no stream"):
        run_strategy(Wrong(kind=2), make_bars("X", [1])).check()


def test_history_warms_indicators_before_run_begins() -> None:
    @define
    class Warm(Strategy):
        bars = Bars("X", "1m", history=5)

        def __attrs_post_init__(self) -> None:
            self.first: float | None = None
            self.crossed = False

        async def run(self) -> None:
            average = sma(self.bars, 5)
            self.first = average.value
            await self.when(crosses_above(self.bars.close, average))
            self.crossed = True

    closes = [5.0, 4, 3, 2, 1, 9, 9]
    whole = make_bars("X", closes)
    warm = Warm()
    run_strategy(warm, whole[5:], history=whole[:5]).check()

    assert warm.first == 3.0
    assert warm.crossed


@pytest.mark.parametrize("paper", [False, True])
def test_a_bar_that_is_passed_over_isnt_the_last_one_either(paper: bool) -> None:
    """Both ways through the driver: the short one sets `last` itself, where the feed lets it."""

    @define
    class Looker(Strategy):
        bars = Bars("X", "1m")

        def __attrs_post_init__(self) -> None:
            self.seen: list[tuple[int, float | None]] = []

        def on_bar(self, bar: Bar) -> None:
            self.seen.append((number_of(bar), self.bars.close.value))

    looker = Looker()
    guid = make_bars("X", [1])[0].guid
    events = [
        bar(number, closed=closed, arrives=START + at, guid=guid)
        for at, (number, closed) in enumerate([(0, True), (1, True), (2, False), (1, True), (2, True), (3, True)])
    ]
    done = simulate(
        [("one", looker)], events, instruments={"X": Instrument("X")}, start=START, paper=paper, cash=Decimal(0)
    )

    assert done.run.supervisor.seats[0].failure is None
    assert looker.seen == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert looker.bars.last is not None
    assert number_of(looker.bars.last) == 3


def make_book_feed(depth: int | None, handler: Callable[[Any], None]) -> BookFeed:
    stream = Stream(kind=StreamKind.BOOK, instrument="X", depth=depth)
    return BookFeed("book", stream, wakes=Wakes(lambda: None), owner=Owner(), handler=handler)


def book_snapshot() -> BookSnapshot:
    return BookSnapshot("X", (10.0, 9.0), (1.0, 1.0), (11.0, 12.0), (1.0, 1.0), None, 1, "g", snapshot=True)


def test_changes_of_a_book_are_told_as_the_states_that_they_make() -> None:
    told: list[BookSnapshot] = []
    feed = make_book_feed(None, told.append)
    feed.deliver(book_snapshot())
    feed.deliver(BookDelta("X", (10.0, 9.5), (0.0, 2.0), (), (), 5, 6, "g", 7))

    state = told[-1]
    assert (state.bid_prices, state.bid_sizes, state.ask_prices) == ((9.5, 9.0), (2.0, 1.0), (11.0, 12.0))
    assert (state.event_time, state.receive_time, state.snapshot, state.sequence) == (5, 6, False, 7)
    assert feed.last is state
    assert feed.bid.value == 9.5


def test_a_book_is_told_to_the_depth_that_was_wanted() -> None:
    told: list[BookSnapshot] = []
    feed = make_book_feed(1, told.append)
    feed.deliver(book_snapshot())
    feed.deliver(BookDelta("X", (10.0,), (0.0,), (), (), None, 2, "g"))

    assert [(state.bid_prices, state.ask_prices, state.snapshot) for state in told] == [
        ((10.0,), (11.0,), True),
        ((9.0,), (11.0,), False),
    ]
    assert feed.book.levels(Side.SELL) == ((11.0, 1.0), (12.0, 1.0))


def test_changes_to_a_book_that_isnt_known_are_not_told() -> None:
    told: list[BookSnapshot] = []
    feed = make_book_feed(None, told.append)
    feed.deliver(BookDelta("X", (10.0,), (1.0,), (), (), None, 2, "g"))

    assert not told
    assert feed.last is None
