"""CoinAPI live against its simulated feed, on real sockets, while it breaks: whole, nothing twice, and re-run equal."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from strategykit.cli import main
from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.model.events import (
    AssetUpdate,
    Bar,
    BookDelta,
    BookSnapshot,
    ByOrderDelta,
    ByOrderSnapshot,
    Event,
    Gap,
    Quote,
    Rate,
    Side,
    Stale,
    Trade,
    Volume,
)
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.feeds import MARKET
from strategykit.runtime.load import load_strategy
from strategykit.runtime.parameters import make_strategy
from strategykit.runtime.recorded import Contents, scan
from strategykit.runtime.recorded_events import market_events
from strategykit.runtime.report import RunReport
from strategykit.runtime.run import backtest_tape, recorded_dialect, rerun_tape, run_session
from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig, default_coinapi_instruments
from strategykit.sim.server_coinapi import open_simulated_coinapi
from strategykit.tape.format import Kind
from strategykit.tape.info import tape_info
from strategykit.tape.reader import open_tape
from strategykit.venues.asks import AskBook
from strategykit.venues.streams import Stream, StreamKind

BTC, ETH, COINBASE = "KRAKEN_SPOT_BTC_USD", "KRAKEN_SPOT_ETH_EUR", "COINBASE_SPOT_BTC_USD"
LISTED = {name: each for name, each in default_coinapi_instruments().items() if name in (BTC, ETH, COINBASE)}

STRATEGY = """
from strategykit import *
from strategykit import Bars, Books, Quotes, Strategy, Trades, define
import trio

@define
class Own(Strategy):
    instrument: str
    trades = Trades("{instrument}", fresh=0.6)
    quotes = Quotes("{instrument}")
    book = Books("{instrument}", depth=1000)
    top = Books("{instrument}", depth=5)
    %s

    def on_book(self, book) -> None:
        assert book.bid_prices[0] < book.ask_prices[0]

    async def run(self) -> None:
        await self.when(self.book.bid < self.book.ask)
        while True:
            self.buy_nowait(1, instrument=self.instrument)
            await trio.sleep(0.1)
"""
RARE = """orders = BooksByOrder("{instrument}")
    rate = Rates("BTC/USD")
    traded = Volumes("{instrument}")
    coin = Assets("BTC")
    told = 0

    def on_book_by_order(self, change) -> None:
        self.told += 1
        assert self.orders.bid.value < self.orders.ask.value

    def on_volume(self, volume) -> None:
        if volume.period == "1DAY":
            self.log(f"{volume.period} {volume.base > 0}")

    def on_asset(self, asset) -> None:
        self.log(f"{asset.instrument} {asset.price_usd > 1_000}")

    def on_rate(self, rate) -> None:
        if self.told > 5:
            self.log(f"{rate.instrument} {rate.rate > 1_000} after changes of orders")
"""
SECONDS = 'bars = Bars("{instrument}", "1s", history=3)\n    rate = Quotes("BTC/USD")'


@attrs.define(eq=False)
class Venue:
    url: str

    def fault(self, fault: str, **fields: Any) -> None:
        httpx.post(f"{self.url}/sim/faults", json={"fault": fault, **fields}, timeout=5).raise_for_status()

    def get(self, path: str, **query: Any) -> Any:
        answer = httpx.get(f"{self.url}/v1/{path}", params=query, headers={"X-CoinAPI-Key": SIMULATED_KEY}, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def trades(self, symbol: str) -> list[str]:
        """Give the ids of all of the last minute, oldest first."""
        return [row["uuid"] for row in self.get(f"trades/{symbol}/latest", limit=100_000)][::-1]


@contextmanager
def open_venue(variant: str = "v1", **settings: Any) -> Generator[Venue]:
    """Run a venue in a thread; leaving stops it."""
    told: list[Any] = []
    ready = threading.Event()

    async def main() -> None:
        scope = trio.CancelScope()
        with scope:
            config = CoinApiVenueConfig(**{"actions_per_second": 200.0, "instruments": LISTED, **settings})
            async with open_simulated_coinapi(variant, config) as venue:
                told.extend((venue.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,), name="venue")
    thread.start()
    try:
        assert ready.wait(10), "the venue didn't start"
        url, scope, token = told
        try:
            yield Venue(url)
        finally:
            token.run_sync_soon(scope.cancel)
    finally:
        thread.join(10)


@pytest.fixture
def venue() -> Generator[Venue]:
    with open_venue() as venue:
        yield venue


@attrs.define(eq=False)
class Watch:
    """A run that is watched from beside."""

    run: Run
    venue: Venue
    events: list[Event] = attrs.field(factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, *kinds: type[Any], symbol: str = BTC) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds) and event.instrument == symbol]

    def has_gaps(self, count: int) -> bool:
        return len(self.of(Gap)) >= count

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():  # noqa: ASYNC110 - a run tells nobody of its insides
            await trio.sleep(0.005)

    async def more(self, *kinds: type[Any], count: int = 3) -> None:
        """Wait for that many more of each kind."""
        wanted = {kind: len(self.of(kind)) + count for kind in kinds or (Trade, Quote, BookDelta, BookSnapshot)}
        await self.until(lambda: all(len(self.of(kind)) >= most for kind, most in wanted.items()))

    def row(self, kind: StreamKind, depth: int | None = None) -> Any:
        return next(
            row
            for row in self.run.engine.table
            if row.stream.kind is kind and (depth is None or row.stream.depth == depth) and row.stream.instrument == BTC
        )


Break = Callable[[Watch], Awaitable[None]]


@attrs.define(eq=False)
class Bench:
    folder: Path

    def run(
        self, venue: Venue, break_it: Break, *, name: str = "coinapi", more: str = "", symbol: str = BTC, **plan: Any
    ) -> tuple[RunReport, Watch]:
        """Run a strategy live until `break_it` has ended; its tape is run again, and must come out equal."""
        result, watch = self.play(venue, break_it, name=name, more=more, symbol=symbol, **plan)
        assert [each.error for each in result.strategies] == [""]
        assert result.orders, "it traded on paper"
        again = rerun_tape(self.folder / "tape")
        assert again.ok, again.differences
        tape = open_tape(self.folder / "tape")
        served = [event for _, event in market_events(tape, recorded_dialect(tape))]
        live = [event for event in watch.events if type(event) in MARKET and not is_past(event)]
        assert list(map(repr, served[: len(live)])) == list(map(repr, live)), "a venue can serve it again"
        return result, watch

    def play(
        self, venue: Venue, break_it: Break, *, name: str = "coinapi", more: str = "", symbol: str = BTC, **plan: Any
    ) -> tuple[RunReport, Watch]:
        """Run a strategy live until `break_it` has ended."""
        file = self.folder / "own.py"
        file.write_text(STRATEGY % more)
        watched: list[Watch] = []

        async def meanwhile(run: Run) -> None:
            watch = Watch(run, venue)
            watched.append(watch)
            run.engine.watchers.append(watch)
            with trio.fail_after(30):
                await break_it(watch)
            os.kill(os.getpid(), signal.SIGINT)

        session = Session(
            venue=VenuePlan(name=name, endpoints=Endpoints.at(venue.url), **plan),
            run=RunPlan(seed=1, tape=None),
            strategies=(StrategySpec(name="own", file=str(file), params={"instrument": symbol}),),
        )
        result = run_session(session, tape=self.folder / "tape", meanwhile=meanwhile)
        return result, watched[0]

    @property
    def contents(self) -> Contents:
        return scan(open_tape(self.folder / "tape"))

    def frames(self, kind: Kind) -> list[str]:
        """Give the texts that went out, or came in."""
        return [str(record.frame) for record in open_tape(self.folder / "tape") if record.kind is kind]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def is_past(event: Event) -> bool:
    return isinstance(event, Trade | Bar) and event.snapshot


def check_trades(watch: Watch) -> None:
    """All the venue's trades from the first to the last, each once, in its order."""
    told = [trade.trade_id for trade in watch.of(Trade)]
    venues = watch.venue.trades(BTC)
    assert told == venues[venues.index(told[0]) : venues.index(told[-1]) + 1]


async def stand_still(watch: Watch) -> None:
    """Have the market stop, and wait until the strategy has the venue's books, whole."""
    watch.venue.fault("halt", instrument=BTC)
    strategy: Any = watch.run.supervisor.seats[0].strategy
    shown = watch.venue.get(f"orderbooks/{BTC}/current")
    levels = {Side.BUY: shown["bids"], Side.SELL: shown["asks"]}

    def has_levels(side: Side) -> bool:
        found = strategy.book.book.levels(side)
        return bool([{"price": price, "size": size} for price, size in found] == levels[side])

    await watch.until(lambda: all(map(has_levels, Side)))
    if not hasattr(strategy, "orders"):
        return
    shown = watch.venue.get(f"orderbooks3/{BTC}/current")
    orders = {Side.BUY: shown["bids"], Side.SELL: shown["asks"]}

    def has_orders(side: Side) -> bool:
        ids, prices, sizes = strategy.orders.orders.orders(side)
        ours = dict(zip(ids, zip(prices, sizes, strict=True), strict=True))
        return ours == {each["id"]: (each["price"], each["size"]) for each in orders[side]}

    await watch.until(lambda: all(map(has_orders, Side)))


def test_a_cut_wire_loses_no_trade_and_books_are_whole_again(venue: Venue, bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.more()
        await watch.until(lambda: bool(watch.of(Quote, symbol="BTC/USD")))
        for _ in range(2):
            gaps = len(watch.of(Gap))
            venue.fault("reset")
            await watch.until(lambda gaps=gaps: len(watch.of(Gap)) >= gaps + 4)  # type: ignore[misc]  # bound now
            await watch.more()
        await watch.more(Bar, count=2)
        await stand_still(watch)

    result, watch = bench.run(venue, break_it, more=SECONDS)

    check_trades(watch)
    assert [trade for trade in watch.of(Trade) if trade.snapshot], "what was missed came later"
    closed = [bar.open_time for bar in watch.of(Bar) if bar.closed]
    assert closed == sorted(set(closed)), "each bar is over once"
    assert watch.of(Quote, symbol="BTC/USD")[0].last > 0
    (connection,) = result.connections
    assert connection.reconnects == 2
    assert result.unreadable == 0


def test_an_announced_end_is_survived_without_a_gap(venue: Venue, bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.more()
        venue.fault("reconnect", seconds=8)
        await watch.until(lambda: "market-0" not in watch.run.engine.sessions)
        await watch.more()
        await stand_still(watch)

    result, watch = bench.run(venue, break_it)

    check_trades(watch)
    assert watch.of(Gap) == []
    assert not any(trade.snapshot for trade in watch.of(Trade))
    quotes = [(quote.event_time, quote.bid, quote.bid_size, quote.ask, quote.ask_size) for quote in watch.of(Quote)]
    assert [quote[0] for quote in quotes] == sorted(quote[0] for quote in quotes)
    assert all(one != other for one, other in pairwise(quotes)), "no quote twice"
    assert {row.connection for row in result.subscriptions} == {"market-0~2"}


def test_a_plan_of_one_connection_survives_an_announced_end_with_a_gap(bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.more(Trade)
        watch.venue.fault("reconnect", seconds=0.3)
        await watch.until(lambda: "market-0~2" in watch.run.engine.sessions)
        await watch.more()

    with open_venue(connections_per_key=1) as venue:
        _, watch = bench.run(venue, break_it)
        check_trades(watch)

    assert watch.of(Gap)


@pytest.mark.parametrize("kind", ["trade", "book", "book_l3"])
def test_a_lost_message_is_told_and_made_good(venue: Venue, bench: Bench, kind: str) -> None:
    """Where REST gets ahead of a wire that lags, its book can't be proven; it is subscribed to anew then: once more."""
    holes: list[list[str]] = []

    async def break_it(watch: Watch) -> None:
        while not holes or holes[-1][1:]:
            if holes:
                venue.fault("resume", instrument=BTC)
                await trio.sleep(1.1)  # A second hole within a second isn't asked about.
            await watch.more()
            if kind == "book_l3":
                await watch.more(ByOrderDelta)
            before = len(watch.of(Gap))
            venue.fault("sequence_gap", count=2, instrument=BTC, arguments={"data_type": kind})
            await watch.until(partial(watch.has_gaps, before + 1))
            await watch.more()
            await stand_still(watch)
            holes.append([gap.reason for gap in watch.of(Gap)[before:]])

    result, watch = bench.run(venue, break_it, more=RARE if kind == "book_l3" else "")

    assert all("2 messages of " in hole[0] for hole in holes)
    anew = [reason for hole in holes for reason in hole[1:]]
    assert all("is subscribed to anew" in reason for reason in anew)
    assert kind != "trade" or len(holes) == 1
    check_trades(watch)
    asked = [ask.by_order for ask, status, _ in bench.contents.answers if isinstance(ask, AskBook) and status == 200]
    assert asked[:1] == {"trade": [], "book": [False], "book_l3": [True]}[kind], "a book is REST's, joined to the wire"
    assert sum("unsubscribe" in frame for frame in bench.frames(Kind.OUT)) == len(anew)
    assert result.connections[0].reconnects == 0


def test_a_book_that_rest_refuses_is_subscribed_to_anew(venue: Venue, bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.more()
        venue.fault("refuse_calls", status=429, seconds=30)
        venue.fault("sequence_gap", count=2, instrument=BTC, arguments={"data_type": "book"})
        await watch.until(lambda: len(watch.of(Gap)) >= 2)
        await watch.more()
        venue.fault("refuse_calls", seconds=0)
        await stand_still(watch)

    _, watch = bench.run(venue, break_it)

    lost, healed = watch.of(Gap)
    assert "2 messages of book" in lost.reason
    assert "HTTP gives no book: 429" in healed.reason
    assert any("unsubscribe" in frame for frame in bench.frames(Kind.OUT))


def test_what_only_coinapi_has_reaches_strategies_live_and_in_replay(venue: Venue, bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.until(lambda: all(watch.of(kind) for kind in (ByOrderSnapshot, ByOrderDelta, Volume)))
        await watch.until(
            lambda: len(watch.of(Rate, symbol="BTC/USD")) > 2 and bool(watch.of(AssetUpdate, symbol="BTC"))
        )
        gaps = len(watch.of(Gap))
        venue.fault("reset")
        await watch.until(lambda: len(watch.of(Gap)) > gaps)
        await watch.until(lambda: len(watch.of(ByOrderSnapshot)) >= 2)
        await watch.more(ByOrderDelta, Trade)
        await stand_still(watch)

    result, watch = bench.run(venue, break_it, more=RARE)

    said = {"1DAY True", "BTC True", "BTC/USD True after changes of orders"}
    assert said <= {text for _, source, text in result.notes if source == "own"}
    assert {volume.period for volume in watch.of(Volume)} == {"1HRS", "1DAY", "1MTH"}
    own = make_strategy(load_strategy(str(bench.folder / "own.py")), {"instrument": BTC})
    again = backtest_tape(bench.folder / "tape", [("own", own)])
    assert [each.error for each in again.strategies] == [""]
    assert said <= {text for _, source, text in again.notes if source == "own"}


def test_what_ds_lacks_is_refused_in_words_before_anything_is_sent(bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.until(lambda: watch.run.supervisor.seats[0].failure is not None)

    with open_venue("ds") as venue:
        result = bench.play(venue, break_it, name="coinapi-ds", symbol=COINBASE, more=RARE)[0]

    (own,) = result.strategies
    assert own.error.startswith(
        "ConfigError: rate BTC/USD: coinapi-ds has no rate; of market data it has trades, quotes,"
    )


@pytest.mark.parametrize("instrument", ["", COINBASE])
def test_a_scope_that_another_hello_has_replaced_is_taken_back(venue: Venue, bench: Bench, instrument: str) -> None:
    """The venue doesn't tell: what is silent, or what comes unasked, says it, and the latter says what was lost."""

    async def break_it(watch: Watch) -> None:
        await watch.more()
        venue.fault("scope_override", instrument=instrument)
        await watch.until(lambda: bool(watch.of(Stale)) or bool(watch.run.engine.table.foreign))
        await watch.more(Trade, *((Quote, BookSnapshot) if instrument else ()))

    _, watch = bench.run(venue, break_it)

    assert bool(watch.run.engine.table.foreign) is bool(instrument)
    assert bool(watch.of(Gap)) is bool(instrument)


def errors_on(tape: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Give the venue's error messages, as somebody who looks into a sealed tape sees them."""
    assert tape_info(tape).sealed
    capsys.readouterr()
    assert main(["tape", "cat", str(tape)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    frames = [line["frame"] for line in lines if line["kind"] == "in"]
    return [frame["message"] for frame in frames if frame["type"] == "error"]


def test_a_full_buffer_ends_the_session_and_not_the_run(
    venue: Venue, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.more()
        venue.fault("buffer_overflow")
        await watch.until(lambda: len(watch.of(Gap)) >= 4)
        await watch.more()

    result, watch = bench.run(venue, break_it)

    check_trades(watch)
    assert any("Reached maximum allowed buffered messages" in text for _, _, text in result.notes)
    full = "Reached maximum allowed buffered messages for this connection."
    assert errors_on(bench.folder / "tape", capsys) == [full]
    assert (result.ok, result.connections[0].reconnects) == (True, 1), "it passes"


def test_ds_has_trades_quotes_and_books_of_one_venue(bench: Bench) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.until(lambda: all(len(watch.of(kind, symbol=COINBASE)) > 3 for kind in (Trade, Quote, BookDelta)))

    with open_venue("ds") as venue:
        options = {"clock": "coinapi", "exchange": "COINBASE"}
        result, _ = bench.run(venue, break_it, name="coinapi-ds", symbol=COINBASE, options=options)

    assert result.connections[0].lag_p50 is not None
    assert -5 < result.connections[0].lag_p50 < 5_000


def test_another_error_ends_the_run_in_good_order(
    venue: Venue, bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    async def break_it(watch: Watch) -> None:
        await watch.more(Trade)
        venue.fault("error", arguments={"message": "Subscription expired"})
        await trio.sleep_forever()

    result, _ = bench.run(venue, break_it)

    assert any("Subscription expired" in text for _, _, text in result.notes)
    assert errors_on(bench.folder / "tape", capsys) == ["Subscription expired"]
    (why,) = result.unaccounted
    assert "the venue ended the session: Subscription expired (1008)" in why
    assert (result.ok, result.connections[0].reconnects) == (False, 0), "it is for good"


def test_a_wrong_key_is_never_tried_again(
    venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WRONG_KEY", "51d0a7ed-0000-4a91-8e57-00000000dead")
    session = Session(
        venue=VenuePlan(name="coinapi", endpoints=Endpoints.at(venue.url), credentials={"key": "env:WRONG_KEY"}),
        run=RunPlan(seed=1, tape=None, duration=20_000_000_000),
        record=(Stream(kind=StreamKind.TRADES, instrument=BTC),),
    )

    result = run_session(session, tape=tmp_path / "tape", handle_signals=False)

    assert any("Invalid API key" in text for _, _, text in result.notes)
    assert errors_on(tmp_path / "tape", capsys) == ["Invalid API key"]
    assert httpx.get(f"{venue.url}/sim/statistics", timeout=5).json()["errors"] == 1
    tape = b"".join(path.read_bytes() for path in (tmp_path / "tape").iterdir())
    assert b"00000000dead" not in tape
