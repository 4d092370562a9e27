"""Positions at simulated ALOR and T4, whole programs in virtual time: what the venue's own books say in the end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
import pytest

from strategykit.config import StrategySpec
from strategykit.runtime.run import rerun_tape
from strategykit.testing.faults import Fault, NetworkFault
from strategykit.testing.scripts import draw_script
from strategykit.testing.world import Outing, World, run_world

INSTRUMENTS = {"alor": "SBER", "t4": "CME_Eq/ES/XCME_Eq ES (Z26)"}
VENUES = sorted(INSTRUMENTS)

HOLDER = """\
from decimal import Decimal
import trio
from strategykit import OrderEnded, Quotes, RiskLimit, Strategy, Trades, define
from strategykit.errors import Unsettled

@define
class Holder(Strategy):
    instrument: str
    stop: int = 6
    trail: int = 4
    hold: float = 4.0
    quotes = Quotes("{instrument}")
    trades = Trades("{instrument}")

    async def run(self) -> None:
        await self.when((self.quotes.bid < self.quotes.ask) & (self.trades.price > 0))
        tick = self.instrument_of().tick
        while True:
            block = self.random.choice((self.long, self.short))
            how = {"stop": tick * self.stop, "trailing": tick * self.trail, "within": self.hold}
            if self.random.random() < 0.5:
                price = self.quotes.last.ask if block == self.long else self.quotes.last.bid
                how |= {"limit": price, "enter_within": 1.0}
            try:
                async with block(2, **how) as holding:
                    await trio.sleep(1.0)
                    self.log(f"where {holding.protection.where}")
                    await trio.sleep_forever()
                self.log(f"ended {holding.ended_by} {holding.quantity} {self.position()}")
            except (OrderEnded, RiskLimit) as exc:
                self.log(f"none {self.position()} {exc}")
                await trio.sleep(1)
            except Unsettled as exc:
                self.log(f"left {exc.left} {len(exc.doubtful)}")
                raise
"""


@attrs.frozen(kw_only=True)
class Seen:
    """What a world came to."""

    outing: Outing
    tape: Path

    @property
    def notes(self) -> list[str]:
        assert self.outing.report is not None
        return [text for _, source, text in self.outing.report.notes if source == "holder"]

    def said(self, word: str) -> list[str]:
        """What the strategy said of positions that ended so."""
        return [note.partition(" ")[2] for note in self.notes if note.startswith(f"{word} ")]

    def check(self) -> None:
        """Nothing is held unless the strategy said so, by its own books and by the venue's; and it happens again."""
        outing, report = self.outing, self.outing.report
        assert outing.error is None
        assert report is not None
        (strategy,) = report.strategies
        assert [
            note
            for note in (*self.said("ended"), *self.said("none"))
            if note.split()[-1] != "0" and note.split()[0] != "0"
        ] == []
        theirs = sum(Decimal(row["quantity"]) for row in outing.orders["positions"] if not row["is_currency"])
        assert sum(strategy.positions.values()) == theirs
        if strategy.error:
            assert strategy.error.startswith("Unsettled")
        else:
            assert theirs == 0
            assert [row for row in outing.orders["orders"] if row["status"] == "working"] == []
        again = rerun_tape(self.tape)
        assert again.differences == ()
        assert again.digest_equal


def live(
    venue: str, folder: Path, *, faults: Sequence[Fault] = (), seed: int = 0, seconds: float = 30.0, **terms: Any
) -> Seen:
    """Run the holder at a venue for so long, in its time."""
    file = folder / "holder.py"
    file.write_text(HOLDER)
    symbol = INSTRUMENTS[venue]
    spec = StrategySpec(name="holder", file=str(file), params={"instrument": symbol, **terms})
    world = World(
        venue=venue,
        strategies=[spec],
        faults=faults,
        seconds=seconds,
        seed=seed,
        rate=20.0,
        instruments=[symbol],
    )
    tape = folder / f"tape-{seed}"
    return Seen(outing=run_world(world, tape=tape), tape=tape)


@pytest.mark.parametrize("venue", VENUES)
def test_stops_rest_and_fire_at_the_venue(venue: str, tmp_path: Path) -> None:
    seen = live(venue, tmp_path)

    seen.check()
    assert len(seen.said("ended")) > 5
    assert {"trailing 0 0", "time 0 0"} <= set(seen.said("ended"))
    assert set(seen.said("where")) == {"venue"}
    assert seen.outing.report is not None
    assert seen.outing.report.ok


@pytest.mark.parametrize(("venue", "seed"), [("alor", 1), ("t4", 2)])
def test_whatever_strikes_nothing_is_held_untold(venue: str, seed: int, tmp_path: Path) -> None:
    """Ten faults in half a minute, drawn by chance: wires that break, answers that get lost, halts, restarts."""
    halted = [INSTRUMENTS[venue].rpartition("/")[2]]
    faults = draw_script(random.Random(seed), venue, instruments=halted, count=10, seconds=28.0)

    live(venue, tmp_path, faults=faults, seed=seed).check()


@pytest.mark.parametrize("venue", VENUES)
def test_wires_that_break_whenever_a_position_is_left_only_delay_it(venue: str, tmp_path: Path) -> None:
    """Positions live for half a second and wires for one: they break in every part of an entry and of an exit."""
    cuts = [
        NetworkFault(what="cut", where="ws", direction=direction, count=size)
        for size in (0, 40, 300, 900)
        for direction in get_args(Literal["up", "down"])
    ]
    faults = [Fault(at=1.0 + number * 1.37, network=cut) for number, cut in enumerate(cuts)]

    seen = live(venue, tmp_path, faults=faults, seconds=15.0, hold=0.5)

    seen.check()
    assert seen.said("left") == []
    assert len(seen.said("ended")) > 5
