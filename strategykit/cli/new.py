"""``strategykit new``: a strategy to begin with, and its test."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from strategykit.cli._screen import OK, print_json, print_line
from strategykit.errors import ConfigError

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit new my_strategy
  strategykit new my_strategy --into strategies"""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,35}")
"""As long as lines with it stay below 88 characters, to which formatters fold by default."""

_STRATEGY: Final = '''\
"""{title}: say here what it trades on, and why that should work."""

from strategykit import Bars, Strategy, define, param, sma


@define
class {cls}(Strategy):
    """Long while the price is above its average; out below it, or at the stop."""

    instrument: str
    window: int = param(20, low=2, high=200, help="bars in the average")
    stop: float = param(0.02, low=0.001, high=0.2, help="part of the price to lose")
    quantity: int = param(1, low=1, help="lots")

    bars = Bars("{{instrument}}", "1m", history=200)

    async def run(self) -> None:
        price, average = sma(self.bars, 1), sma(self.bars, self.window)
        while True:
            await self.when(price > average)
            async with self.long(self.quantity, stop=self.stop):
                await self.when(price < average)
'''

_TEST: Final = '''\
"""What {cls} does in made-up markets.

Run with: pytest {test}
"""

from strategykit import Side
from strategykit.testing import make_bars, run_strategy

from {module} import {cls}


def test_it_buys_above_the_average_and_leaves_below() -> None:
    bars = make_bars("SBER", [100, 100, 100, 104, 106, 108, 101, 100, 100])

    strategy = {cls}(
        instrument="SBER",
        window=3,
        stop=0.2,
    )
    outcome = run_strategy(strategy, bars).check()

    assert [fill.side for fill in outcome.fills] == [Side.BUY, Side.SELL]
    assert outcome.positions["SBER"] == 0


def test_it_stays_out_of_a_falling_market() -> None:
    bars = make_bars("SBER", [110, 108, 106, 104, 102, 100])

    strategy = {cls}(instrument="SBER", window=3)
    outcome = run_strategy(strategy, bars).check()

    assert not outcome.orders
'''


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_new, name="new", help_epilogue=_EXAMPLES)


def _new(
    name: Annotated[str, Parameter(help="of the file, such as my_strategy", metavar="NAME")],
    /,
    *,
    into: Annotated[Path, Parameter(help="folder for both files")] = Path(),
    json: Annotated[bool, Parameter(negative="", show_default=False, help="say what was written as JSON")] = False,
) -> int:
    """Write a strategy and its test; both work as they are."""
    _check_name(name)
    files = {into / f"{name}.py": _STRATEGY, into / f"test_{name}.py": _TEST}
    if into.exists() and not into.is_dir():
        raise ConfigError(f"--into {into}: is no folder; both files go into one")
    for path in files:
        if path.exists():
            raise ConfigError(f"{path} exists already; choose another name, or move it away")
    cls = "".join(word.capitalize() for word in name.split("_"))
    facts = {"cls": cls, "title": cls, "module": name, "test": f"test_{name}.py"}
    into.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        with path.open("x", encoding="utf-8") as file:
            file.write(text.format_map(facts))
    strategy, test = files
    if json:
        print_json({"strategy": strategy, "test": test})
    else:
        print_line(f"wrote {strategy} and {test}")
        print_line(f"try:  pytest {test}")
        print_line("      strategykit sim alor --port 8900    (in another terminal: a venue to run it on)")
        print_line(f"      strategykit run {strategy} --url http://127.0.0.1:8900 --instrument SBER")
    return OK


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.endswith("_") or "__" in name:
        raise ConfigError(
            f"{name!r} should be at most 36 lower-case letters, digits and single underscores, such as my_strategy"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise ConfigError(f"{name!r} is a word of Python; choose another, such as my_{name}")
    if name in sys.stdlib_module_names or name in {"strategykit", "trio", "test", "conftest"}:
        raise ConfigError(f"{name!r} is the name of a module that is needed; choose another, such as my_{name}")
    if name.startswith("test_"):
        raise ConfigError(f"{name!r} would be taken for a test; choose another, such as {name.removeprefix('test_')}")
