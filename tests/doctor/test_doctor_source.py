"""Reading a strategy's source: other clocks and unseeded randomness are found by line, whatever they are called."""

from __future__ import annotations

import pytest

from strategykit.doctor.source import read_source

UNREPEATABLE = [
    ("import time\ntime.time()", 2, "time.time"),
    ("import time as t\nt.monotonic()", 2, "time.monotonic"),
    ("from time import time_ns as now\nnow()", 2, "time.time_ns"),
    ("from datetime import datetime\nx = datetime.now()", 2, "datetime.datetime.now"),
    ("import datetime\ndatetime.datetime.utcnow()", 2, "datetime.datetime.utcnow"),
    ("import datetime as dt\ndt.date.today()", 2, "datetime.date.today"),
    ("import random\nrandom.random()", 2, "random.random"),
    ("from random import choice\nchoice([1])", 2, "random.choice"),
    ("import random\nr = random.Random()", 2, "random.Random"),
    ("import numpy as np\nnp.random.normal()", 2, "numpy.random.normal"),
    ("import numpy as np\nnp.random.default_rng()", 2, "numpy.random.default_rng"),
    ("import uuid\nuuid.uuid4()", 2, "uuid.uuid4"),
    ("import secrets\nsecrets.token_hex()", 2, "secrets.token_hex"),
    ("import time\ntime.sleep(1)", 2, "time.sleep"),
    ("import asyncio\nasyncio.sleep(1)", 2, "asyncio.sleep"),
    ("import time\nclock = time.time", 2, "time.time"),
    ("def f():\n    import os\n    os.urandom(3)", 3, "os.urandom"),
]


@pytest.mark.parametrize(("text", "line", "name"), UNREPEATABLE)
def test_what_would_make_a_replay_differ_is_found(text: str, line: int, name: str) -> None:
    (remark,) = read_source(text)

    assert (remark.line, remark.name) == (line, name)
    assert "use" in remark.words


@pytest.mark.parametrize(
    "text",
    [
        "self.now()",
        "self.random.random()",
        "import random\nrandom.Random(7)",
        "import numpy\nnumpy.random.default_rng(seed=1)",
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)",
        "import trio\ntrio.current_time()",
        "from . import time\ntime.time()",
        "time.time()",
        "rows[0].time()",
    ],
)
def test_what_repeats_is_left_alone(text: str) -> None:
    assert read_source(text) == []


def test_remarks_come_by_line_and_once() -> None:
    found = read_source("import time, random\nrandom.random()\nx = time.time() - time.time()")

    assert [(remark.line, remark.name) for remark in found] == [(2, "random.random"), (3, "time.time")]
