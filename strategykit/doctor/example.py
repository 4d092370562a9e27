"""A session file to begin with: every key that most need, and what it means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from strategykit.registry.venue import Shown, Venue

__all__ = ["example_session"]

_HEAD: Final = """\
# A session: which venue, how to run, and what.
# Times look like 20s, 2m or 1h30m; paths are relative to this file.
"""

_RUN: Final = """
[run]
for = "2m"            # without it: until Ctrl-C
tape = "tapes"        # folder for the recording; false records nothing
on_stop = "cancel"    # working orders at the end: "cancel" or "keep"
# seed = 7            # of ids and random numbers; else another each time
"""

_LIVE: Final = "# live = true         # real orders, if the command line says --live, too\n"

_RISK: Final = """
# Limits of all strategies together; there are more, and each has a default: docs/orders.md.
# [risk]
# max_order_quantity = 1_000    # lots in one order
# max_daily_loss = 100_000      # beyond it, nothing is opened until the next day
# [risk.strategy]               # of each strategy; one of them may have narrower ones as risk = { ... }
# max_position = 5_000          # lots of one instrument
"""

_RECORD: Final = """
# Streams that go on the tape whether or not a strategy wants them.
[[record]]
kind = "trades"
instrument = "{instrument}"
"""


def example_session(venue: Venue) -> str:
    """Write a session on the simulated `venue`, with what its real one needs besides as comments."""
    first, *others = venue.shown
    return "".join(
        [
            _HEAD,
            *_venue(venue),
            _RUN,
            _LIVE if venue.takes_orders else "",
            _RISK,
            "\n# As many strategies as you like run side by side.\n",
            _strategy(first, name=None, hint='    # or the path of your own, such as "my_strategy.py"'),
            *("\n" + _strategy(item, name=_name(item), hint="") for item in others),
            _RECORD.format(instrument=first.params["instrument"]),
        ]
    )


def _venue(venue: Venue) -> Iterator[str]:
    real = "" if venue.home is None and not venue.places else f"; {venue.title}'s own is\n# {next(iter(venue.places))}"
    yield f'\n[venue]\nname = "{venue.name}"\n# What `strategykit sim {venue.name} --port 8900` listens on{real}.\n'
    yield 'url = "http://127.0.0.1:8900"\n'
    needed = [f'# account = "{venue.simulation.account}"\n'] if venue.takes_orders else []
    needed += [f'# {key} = "{item.example}"\n' for login in venue.logins[:1] for key, item in login.items()]
    if needed:
        what = ["the account to trade"] if venue.takes_orders else []
        what += [f"where the\n# {item.words} is" for login in venue.logins[:1] for item in login.values()]
        more = {1: "one more is", 2: "two more are"}.get(len(needed), "more are")
        yield f"# Off this machine {more} needed: {', and '.join(what)}, as env:NAME or file:PATH.\n"
        yield from needed


def _name(item: Shown) -> str:
    symbol = re.sub(r"[^a-z0-9]+", "-", str(item.params["instrument"]).lower())
    return f"{item.file.removeprefix('sample:')}-{symbol}"[:40]


def _strategy(item: Shown, *, name: str | None, hint: str) -> str:
    named = "" if name is None else f'name = "{name}"    # without it: the file\'s name\n'
    return f'[[strategy]]\nfile = "{item.file}"{hint}\n{named}params = {_inline(item.params)}\n'


def _inline(params: Mapping[str, object]) -> str:
    parts = [f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}" for key, value in params.items()]
    return f"{{ {', '.join(parts)} }}"
