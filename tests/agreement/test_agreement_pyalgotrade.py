"""The fourth of PyAlgoTrade's tutorials, line by line as its authors published it."""

from __future__ import annotations

import csv
from collections import deque
from datetime import UTC, datetime
from decimal import Decimal
from statistics import fmean

from strategykit import Bar, Bars, Strategy, define
from strategykit.model.events import Fill, Side
from strategykit.model.instruments import Instrument
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.simulate import simulate, stream_guid
from strategykit.sim.models.fill_models import FillModels
from strategykit.venues.streams import StreamKind
from tests.agreement.recordings import DATA, DAY, SECOND, midnight, needs_recordings

pytestmark = needs_recordings

NAMES = ("Open", "High", "Low", "Close", "Volume")


@define
class AboveItsAverage(Strategy):
    """Holds ten shares while the close is above the average of 15."""

    bars = Bars("ORCL", "1d")

    def __attrs_post_init__(self) -> None:
        self.holds = False
        self.closes: deque[float] = deque(maxlen=15)
        self.lines: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        self.day = datetime.fromtimestamp(bar.open_time // SECOND, UTC)
        self.closes.append(bar.close)
        average = fmean(self.closes)
        if len(self.closes) < 15 or (bar.close > average) is self.holds or bar.close == average:
            return
        (self.sell_nowait if self.holds else self.buy_nowait)(10)
        self.holds = not self.holds

    def on_fill(self, fill: Fill) -> None:
        verb = "BUY" if fill.side is Side.BUY else "SELL"
        self.lines.append(f"{self.day:%Y-%m-%d %H:%M:%S} strategy [INFO] {verb} at ${fill.price:.2f}")


def adjusted_bars() -> list[Bar]:
    guid = stream_guid(StreamKind.BARS, "ORCL", DAY)
    with (DATA / "pyalgotrade" / "WIKI-ORCL-2000-quandl.csv").open(encoding="ascii") as file:
        rows = [
            (midnight(row["Date"].replace("-", "")), [float(row[f"Adj. {name}"]) for name in NAMES])
            for row in csv.DictReader(file)
        ]
    return [
        Bar("ORCL", day, DAY, first, high, low, close, volume, True, None, day + DAY, guid)
        for day, (first, high, low, close, volume) in sorted(rows)
    ]


def test_all_44_lines_of_the_tutorial_come_out() -> None:
    strategy, bars = AboveItsAverage(), adjusted_bars()
    done = simulate(
        [("sma", strategy)],
        bars,
        instruments={"ORCL": Instrument("ORCL", currency="USD")},
        start=bars[0].open_time,
        streams={StreamKind.BARS},
        cash=Decimal(1_000),
        models=FillModels(next_open=True),
        limits=NO_PLAN,
    )

    paper = done.run.engine.paper
    assert paper is not None
    equity = paper.account(done.run.clock.reading).equity
    expected = (DATA / "pyalgotrade" / "tutorial-4.expected.txt").read_text(encoding="ascii").splitlines()
    assert len(expected) == 44
    assert [*strategy.lines, f"Final portfolio value: ${equity:.2f}"] == expected
