"""An archive of bars, and sweeps over it."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from strategykit.archive.manifest import Source
from strategykit.archive.writer import open_archive_writer
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.sweep.work import Task
from strategykit.testing import make_bars
from strategykit.venues.streams import Stream, StreamKind

STREAM = Stream(kind=StreamKind.BARS, instrument="SBER", interval=60_000_000_000)

STRATEGY = '''\
from strategykit import Bar, Bars, Strategy, define, param


@define
class Cross(Strategy):
    """Two averages, in a handler."""

    fast: int = param(3, low=2, high=10)
    slow: int = param(8, low=3, high=40)
    weight: float = param(0.5, low=0.1, high=1.0)
    label: str = ""
    twice: bool = False
    bars = Bars("SBER", "1m")

    def __attrs_post_init__(self) -> None:
        self.closes: list[float] = []
        self.side = 0

    def on_bar(self, bar: Bar) -> None:
        self.closes = [*self.closes[-self.slow:], bar.close]
        fast, slow = (sum(self.closes[-count:]) / count for count in (self.fast, self.slow))
        side = 1 if fast > slow else -1
        if side != self.side and len(self.closes) > self.slow:
            self.side = side
            (self.buy_nowait if side > 0 else self.sell_nowait)(1)
'''


def make_prices(count: int, seed: int) -> list[float]:
    rng, prices = Random(seed), [300.0]
    while len(prices) < count:
        prices.append(round(prices[-1] + rng.gauss(0, 0.5), 2))
    return prices


def write_archive(folder: Path, prices: list[float], *, width: float = 0.0) -> Path:
    with open_archive_writer(folder, source=Source(format="test", names=["made"]), venue="alor") as writer:
        writer.instruments = {"SBER": Instrument("SBER")}
        for bar in make_bars("SBER", prices, width=width):
            event: Event = bar
            writer.declare(STREAM, guid=event.guid)
            writer.add(STREAM, event)
    return folder


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("recorded") / "sber", make_prices(400, 3))


@pytest.fixture(scope="session")
def strategy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strategies") / "crossing.py"
    path.write_text(STRATEGY)
    return path


@pytest.fixture
def task(archive: Path, strategy: Path) -> Task:
    return Task(file=str(strategy), data=str(archive))
