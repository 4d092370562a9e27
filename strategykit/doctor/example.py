"""A session file to begin with: every key that most need, and what it means."""

from __future__ import annotations

from typing import Final

__all__ = ["EXAMPLE"]

EXAMPLE: Final = """\
# A session: which venue, how to run, and what. Times look like 20s, 2m or 1h30m; paths are relative to this file.

[venue]
name = "alor"
url = "http://127.0.0.1:8900"          # what `strategykit sim alor --port 8900` listens on; ALOR's is https://api.alor.ru
# account = "D12345"                   # needed off this machine: the account to trade
# token = "env:ALOR_REFRESH_TOKEN"     # needed off this machine: where the refresh token is, env:NAME or file:PATH

[run]
for = "2m"                             # without it: until Ctrl-C
tape = "tapes"                         # folder for the recording; false records nothing
on_stop = "cancel"                     # what happens to working orders at the end: "cancel" or "keep"
# seed = 7                             # of ids and random numbers; without it: another each time
# live = true                          # real orders, if the command line says --live, too; else they stay on paper

[[strategy]]
file = "sample:cross"                  # or the path of your own, such as "my_strategy.py"
params = { instrument = "SBER", interval = "1s", fast = 2, slow = 5 }

[[strategy]]                           # as many as you like, side by side
file = "sample:maker"
name = "maker-gazp"                    # without it: the file's name
params = { instrument = "GAZP" }

[[record]]                             # streams that go on the tape whether or not a strategy wants them
kind = "trades"
instrument = "SBER"
"""
