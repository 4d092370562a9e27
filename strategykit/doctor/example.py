"""A session file to begin with: every key that most need, and what it means."""

from __future__ import annotations

from typing import Final

__all__ = ["EXAMPLE"]

EXAMPLE: Final = """\
# A session: which venue, how to run, and what.
# Times look like 20s, 2m or 1h30m; paths are relative to this file.

[venue]
name = "alor"
# What `strategykit sim alor --port 8900` listens on; ALOR's own is
# https://api.alor.ru.
url = "http://127.0.0.1:8900"
# Off this machine two more are needed: the account to trade, and where the
# refresh token is, as env:NAME or file:PATH.
# account = "D12345"
# token = "env:ALOR_REFRESH_TOKEN"

[run]
for = "2m"            # without it: until Ctrl-C
tape = "tapes"        # folder for the recording; false records nothing
on_stop = "cancel"    # working orders at the end: "cancel" or "keep"
# seed = 7            # of ids and random numbers; else another each time
# live = true         # real orders, if the command line says --live, too

# As many strategies as you like run side by side.
[[strategy]]
file = "sample:cross"    # or the path of your own, such as "my_strategy.py"
params = { instrument = "SBER", interval = "1s", fast = 2, slow = 5 }

[[strategy]]
file = "sample:maker"
name = "maker-gazp"      # without it: the file's name
params = { instrument = "GAZP" }

# Streams that go on the tape whether or not a strategy wants them.
[[record]]
kind = "trades"
instrument = "SBER"
"""
