"""The stream family's streams that say all there is to say each time, live and again from the tape."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit import Strategy, Ticker
from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.assembly import Run
from strategykit.runtime.backtest import BacktestPlan, backtest
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.runtime.recorded_events import market_events
from strategykit.runtime.run import recorded_dialect, rerun_tape, run_session
from strategykit.tape.reader import open_tape
from strategykit.venues.streams import Stream, StreamKind
from tests.end_to_end.test_live_streams import open_venue, until

HEAD = """
from strategykit import Bars, Books, Quotes, Strategy, Tickers, Trades, define
import attrs

@define
class Own(Strategy):
    instrument: str
    day = Tickers("{instrument}", fresh=5)
    trades = Trades("{instrument}")
    tickers: list = attrs.field(factory=list, init=False)
    gaps: list = attrs.field(factory=list, init=False)
    seen: set = attrs.field(factory=set, init=False)

    def on_ticker(self, ticker) -> None:
        self.tickers.append(ticker)

    def on_gap(self, gap) -> None:
        self.gaps.append(gap.guid)

    def on_trade(self, trade) -> None:
        self.seen.add("trade")
"""

MORE = """
    quotes = Quotes("{instrument}")
    book = Books("{instrument}", depth=5)
    bars = Bars("{instrument}", "1m", forming=True)

    def on_quote(self, quote) -> None:
        self.seen.add("quote")

    def on_book(self, book) -> None:
        assert max(len(book.bid_prices), len(book.ask_prices)) <= 5
        self.seen.add("book")

    def on_bar(self, bar) -> None:
        self.seen.add("bar")
"""


@pytest.mark.parametrize(
    ("name", "symbol", "other", "options", "more", "cuts"),
    [
        ("seed", "SOL_USDC", "ETH_USDT", {}, "", 1),
        ("backpack", "SOL_USDC", "BTC_USDC", {}, MORE, 0),
        ("binance", "BTCUSDT", "ETHUSDT", {"trades": "aggTrade"}, MORE, 1),
        ("binance-usdm", "BTCUSDT", "ETHUSDT", {"trades": "trade"}, MORE, 0),
    ],
)
def test_tickers_are_told_restored_recorded_and_told_again(
    tmp_path: Path, name: str, symbol: str, other: str, options: dict[str, str], more: str, cuts: int
) -> None:
    """Beside them, by which the venue has them: trades one by one or aggregated, quotes, small books, and bars."""
    file = tmp_path / "own.py"
    file.write_text(HEAD + more)
    everything = {"trade", "quote", "book", "bar"} if more else {"trade"}
    found: list[Any] = []

    async def cut(run: Run) -> None:
        own: Any = run.supervisor.seats[0].strategy
        found.append(own)
        with trio.fail_after(30):
            await until(lambda: bool(own.tickers) and own.seen == everything)
            for _ in range(cuts):
                venue.fault("reset")
                await until(lambda: own.day.guid in own.gaps)  # It is told with the first ticker afterwards.
                own.seen.clear()
                await until(lambda: own.seen >= everything - {"bar"})  # They are told every two seconds.
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()

    with open_venue(name.replace("-", "_")) as venue:
        plan = VenuePlan(name=name, endpoints=Endpoints.at(venue.url), options=options)
        session = Session(
            venue=plan,
            run=RunPlan(duration=None, seed=1, tape=None),
            strategies=(StrategySpec(name="own", file=str(file), params={"instrument": symbol}),),
            record=(Stream(kind=StreamKind.TICKER, instrument=other),),
        )
        result = run_session(session, tape=tmp_path / "tape", meanwhile=cut)

    (own,) = found
    assert result.ok, (result.strategies, result.unaccounted)
    for ticker in own.tickers:
        assert ticker.instrument == symbol
        assert ticker.low <= min(ticker.last, ticker.open) <= max(ticker.last, ticker.open) <= ticker.high
        assert ticker.volume > 0
        assert ticker.low * ticker.volume <= ticker.turnover * 1.001
        assert ticker.trades > 0
    times = [ticker.event_time for ticker in own.tickers]
    assert times == sorted(set(times)), "each once, in order"
    report = {row.stream: row for row in result.subscriptions}
    assert (report[f"ticker {symbol}"].state, len(report[f"ticker {symbol}"].gaps)) == ("active", cuts)
    assert report[f"ticker {other}"].data > 0, "recorded, though no strategy wants it"

    again = rerun_tape(tmp_path / "tape")
    assert (again.differences, again.digest_equal) == ((), True)
    tape = open_tape(tmp_path / "tape")
    kept = [event for _, event in market_events(tape, recorded_dialect(tape)) if isinstance(event, Ticker)]
    assert [ticker.event_time for ticker in kept if ticker.instrument == symbol] == times
    strategy: Strategy = make_strategy(load_strategy(str(file)), {"instrument": symbol})
    replayed = backtest(BacktestPlan(source=tape, dialect=recorded_dialect(tape), strategies=[("own", strategy)]))
    assert replayed.ok
    assert [ticker.event_time for ticker in vars(strategy)["tickers"]] == times
