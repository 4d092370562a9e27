"""``strategykit orders JOURNAL --why`` on journals of whole runs, in virtual time: what placed an order, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel

from strategykit.cli import main
from strategykit.config import StrategySpec
from strategykit.registry.table import find_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.because import Because
from strategykit.runtime.why import explain_decision
from strategykit.testing.world import Meanwhile, World, run_world

HEAD = """
import trio
from strategykit import Books, LegsApart, Quotes, Strategy, Trades, define
from strategykit.indicators import sma
"""

WAITS = """
@define
class Waits(Strategy):
    instrument: str
    lots: int = 1

    quotes = Quotes("{instrument}")
    trades = Trades("{instrument}")

    async def run(self) -> None:
        mean = sma(self.trades, 2)
        self.start(self.elsewhere)
        await self.when((self.quotes.bid < self.quotes.ask) & (mean * 2 > 1.5))
        await self.buy(self.lots)  # right after
        second = await self.buy(self.lots)  # and again
        await second.filled()
        await self.sell(self.lots)  # after another wait
        await self.when(self.trades.price < self.quotes.ask + 1000)
        async with self.long(self.lots):  # a block
            pass

    async def elsewhere(self) -> None:
        await trio.sleep(5)
        await self.buy(self.lots)  # in another task

"""


class Played:
    """A run of one strategy that is over, and its journal, as the command tells of it.

    Args:
        strategy: Its source; it is kept in a file ``own.py``.
    """

    def __init__(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        strategy: str,
        *,
        seconds: float = 8.0,
        meanwhile: Meanwhile | None = None,
        **params: object,
    ) -> None:
        file = folder / "own.py"
        file.write_text(HEAD + strategy, encoding="utf-8")
        self._lines = file.read_text(encoding="utf-8").splitlines()
        self._capsys = capsys
        spec = StrategySpec(name="own", file=str(file), params={"instrument": "SBER", **params})
        world = World(strategies=[spec], instruments=["SBER"], seconds=seconds, rate=8.0, patient=False)
        outing = run_world(world, journal=folder / "journal", meanwhile=meanwhile)
        assert outing.report is not None, outing.error
        self.report = outing.report
        (self._journal,) = (folder / "journal").iterdir()

    def tell(self, *argv: str) -> str:
        self._capsys.readouterr()
        assert main(["orders", str(self._journal), *argv]) == 0
        return self._capsys.readouterr().out

    def whys(self) -> list[Mapping[str, Any]]:
        """Give why each order was placed, the oldest first."""
        names = [row["client_order_id"] for row in json.loads(self.tell("--json"))]
        return [json.loads(self.tell("--why", name, "--json"))["why"] for name in names]

    def at(self, words: str, function: str = "run") -> str:
        """Say where the line is that ends with a remark."""
        (found,) = [number for number, line in enumerate(self._lines, 1) if line.endswith(f"# {words}")]
        return f"own.py:{found} {function}"


def test_a_condition_is_told_with_names_and_its_numbers_of_orders_that_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = Played(tmp_path, capsys, WAITS)

    first, second, third, entry, left, other = played.whys()

    assert first["at"] == played.at("right after")
    assert second["at"] == played.at("and again")
    numbers = r"(\d+\.?\d*) < (\d+\.?\d*)"
    both = re.fullmatch(
        rf"\(SBER quotes\.bid < SBER quotes\.ask \({numbers}\)\) and "
        r"\(\(sma\(SBER trades, 2\) \* 2\) > 1\.5 \([\d.]+ > 1\.5\)\)",
        first["condition"],
    )
    assert both is not None, first["condition"]
    assert float(both[1]) < float(both[2])
    assert second["condition"] == first["condition"], "it is as it read when it held"
    assert (third["at"], "condition" in third) == (played.at("after another wait"), False)
    assert entry["at"] == left["at"] == played.at("a block")
    assert entry["condition"].startswith("SBER trades.price < (SBER quotes.ask + 1000) (")
    assert (left["by"], "condition" in left) == ("exit of the block", False)
    assert (other["at"], "condition" in other) == (played.at("in another task", "elsewhere"), False)
    print(json.dumps(played.whys(), indent=1))
    assert all("by" not in why for why in (first, second, third, entry, other))


def test_the_parameters_of_a_strategy_are_told_with_each_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = Played(tmp_path, capsys, WAITS, lots="2")

    assert [why["params"] for why in played.whys()] == [{"instrument": "SBER", "lots": "2"}] * 6
    table = played.tell("--why", "own-5")
    assert re.search(r"parameter lots +│ 2 ", table)
    assert re.search(r"placed by +│ exit of the block ", table)


def test_a_secret_among_the_parameters_is_hidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (secret, *_) = find_venue("alor").simulated().values()
    strategy = WAITS.replace("lots: int = 1", 'lots: int = 1\n    remark: str = ""')

    played = Played(tmp_path, capsys, strategy, remark=f"by {secret.reveal()}")

    assert [why["params"]["remark"] for why in played.whys()] == ["by ***"] * 6
    for kept in filter(Path.is_file, tmp_path.rglob("journal/**/*")):
        assert secret.reveal().encode() not in kept.read_bytes(), kept.name


EXITS = """
@define
class Exits(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")
    trades = Trades("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        async with self.long(1, stop=0.5):  # by itself
            await trio.sleep(1.5)
        async with self.long(1, within=0.5):  # by time
            await trio.sleep_forever()
        async with self.short(1, trailing=0.3) as held:  # by hand
            await trio.sleep(1.5)
            held.end("thin")
            await trio.sleep_forever()
        async with self.long(1) as held:  # by target
            held.move_target(self.quotes.last.bid * 0.9)
            await trio.sleep_forever()
        try:
            async with self.long(1):  # by an error
                raise ValueError("no")
        except ValueError:
            pass
        with trio.move_on_after(0.5):
            async with self.long(1):  # by a scope of its own
                await trio.sleep_forever()
        %s
"""


def test_what_no_line_of_a_strategy_places_says_by_what_it_is_and_for_which_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    end = """async with self.long(1):  # by the end
            await trio.sleep_forever()"""
    played = Played(tmp_path, capsys, EXITS % end, seconds=12.0)

    found = [(why["at"].removesuffix(" run"), why["by"]) for why in played.whys() if "by" in why]

    def exit_of(words: str, by: str) -> tuple[str, str]:
        return played.at(words).removesuffix(" run"), by

    assert found == [
        exit_of("by itself", "stop"),
        exit_of("by itself", "exit of the block"),
        exit_of("by time", "time stop"),
        exit_of("by hand", "trailing stop"),
        exit_of("by hand", "exit of the block: thin"),
        exit_of("by target", "target"),
        exit_of("by an error", "exit of the block: ValueError"),
        exit_of("by a scope of its own", "exit of the block: cancelled"),
        exit_of("by the end", "end of the run"),
    ]
    assert all("condition" not in why and "handler" not in why for why in played.whys() if "by" in why)


def test_what_a_kill_switch_closes_tells_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    end = """self.start(self.pull)
        async with self.long(1):  # killed
            await trio.sleep_forever()

    async def pull(self) -> None:
        await trio.sleep(0.5)
        self.kill("too hot")"""
    played = Played(tmp_path, capsys, EXITS % end, seconds=12.0)

    last = played.whys()[-1]
    assert (last["by"], last["at"]) == ("kill switch: too hot", played.at("killed"))


LEAVES = """
@define
class Leaves(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        await (await self.buy(2)).filled()
        self.kill("out of here")  # pulled
        await trio.sleep_forever()
"""


def test_the_kill_switchs_own_order_tells_who_pulled_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def flatten(run: Run, _: object) -> None:
        run.kill.flatten = True
        await trio.lowlevel.checkpoint()

    played = Played(tmp_path, capsys, LEAVES, meanwhile=flatten)

    bought, sold = played.whys()
    assert "SBER quotes.bid" in bought["condition"]
    assert (sold["by"], sold["at"]) == ("kill switch: out of here", played.at("pulled"))
    assert "condition" not in sold
    assert "positions: flat" in played.report.killed


def test_a_kill_switch_that_is_pulled_outside_has_no_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def pull(run: Run, _: object) -> None:
        run.kill.flatten = True
        await trio.sleep(2)
        run.kill.pull("by hand", "the test")

    played = Played(tmp_path, capsys, LEAVES.replace('self.kill("out of here")', "pass"), meanwhile=pull)

    _, sold = played.whys()
    assert sold["by"] == "kill switch: by hand"
    assert sold.get("at", "").startswith(Path(__file__).name), "whoever pulled it in this program"


def test_what_is_closed_for_a_strategy_that_is_away_says_so_much() -> None:
    because = Because("kill switch: too hot", "cross.py:31 run")

    assert explain_decision(None, because) == {"by": "kill switch: too hot", "at": "cross.py:31 run"}


HANDLES = """
@define
class Handles(Strategy):
    instrument: str

    quotes = Quotes("{instrument}")
    trades = Trades("{instrument}")
    placed: int = 0

    async def run(self) -> None:
        await self.when(self.quotes.bid < self.quotes.ask)
        self.quotes.watch(self.peek)
        await trio.sleep_forever()

    def peek(self, quote) -> None:
        if self.placed == 3:
            self.once()

    def on_trade(self, trade) -> None:
        if self.placed == 0 and self.quotes.last is not None:
            self.once()

    def on_fill(self, fill) -> None:
        if self.placed == 1:
            self.once()

    def on_order(self, order) -> None:
        if self.placed == 2 and order.state.terminal:
            self.once()

    def once(self) -> None:
        self.placed += 1
        self.buy_nowait(1)  # in passing
"""


def test_an_order_of_a_handler_says_what_the_handler_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = Played(tmp_path, capsys, HANDLES, seconds=5.0)

    whys = played.whys()

    assert [why["at"] for why in whys] == [played.at("in passing", "once")] * 4
    assert all("condition" not in why and "by" not in why for why in whys)
    traded, filled, ended = (why["handler"] for why in whys[:3])
    assert "handler" not in whys[3], "it is called by nobody knows what"
    assert re.match(
        r"on_trade\(Trade\(instrument='SBER', price=[\d.]+, .*event_time=\d{19}, receive_time=\d{19}", traded
    )
    assert traded == f"on_trade({whys[0]['events']['trades']})"
    assert re.match(r"on_fill\(Fill\(instrument='SBER', trade_id=", filled)
    assert re.match(r"on_order\(<Order .*-own-1 ", ended)


APART = """
@define
class Apart(Strategy):
    instrument: str

    books = Books("{instrument}")
    placed: bool = False
    over: bool = False

    async def run(self) -> None:
        await self.when(self.books.bid < self.books.ask)
        try:
            async with self.legs(within=0.3) as legs:  # two legs
                legs.buy(1)
                legs.sell(1, limit=round(self.books.last.ask_prices[0] * 1.05, 2))
        except LegsApart:
            pass
        async with self.long(1):  # it fails elsewhere
            self.over = True
            await trio.sleep_forever()

    def on_book(self, book) -> None:
        if self.over:
            raise ValueError("no")
        if not self.placed:
            self.placed = True
            sorted([2], key=self.count)

    def count(self, lots) -> int:
        self.buy_nowait(lots)  # below a library
        return lots
"""


def test_legs_that_are_undone_and_blocks_of_a_strategy_that_fails_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played = Played(tmp_path, capsys, APART, seconds=5.0)

    handled, bought, sold, undone, entry, left = played.whys()

    assert handled["at"] == played.at("below a library", "count")
    assert re.match(r"on_book\(BookSnapshot\(.*, …\), .*receive_time=", handled["handler"])
    assert bought["condition"] == sold["condition"], "both legs are placed after it"
    assert (undone["by"], undone["at"]) == ("undone: not all legs were filled", played.at("two legs"))
    assert (entry["at"], "condition" in entry) == (played.at("it fails elsewhere"), False)
    assert (left["by"], left["at"]) == ("failure of the strategy: ValueError", played.at("it fails elsewhere"))
