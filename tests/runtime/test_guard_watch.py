"""When a guard acts: silence, a death, a kill switch that nobody confirms; and when it doesn't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strategykit.config import VenuePlan
from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.guard_plan import GuardPlan, decode_plan, encode_plan
from strategykit.runtime.guard_watch import BEAT, CONFIRMED, GOODBYE, KILLED_WITHIN, Verdict, Watch


@pytest.fixture
def watch() -> Watch:
    return Watch(after=10.0, heard_at=100.0)


def test_while_the_loop_turns_there_is_nothing_to_do(watch: Watch) -> None:
    for now in range(100, 200, 9):
        watch.hear(BEAT, now)
        assert watch.verdict(now + 9.9, pulled=False) is None
    assert watch.verdict(watch.heard_at + 10.0, pulled=False) is Verdict.SILENT


def test_the_end_of_the_pipe_is_a_death_unless_there_was_a_goodbye(watch: Watch) -> None:
    watch.hear(BEAT + GOODBYE, 101.0)
    watch.hear(b"", 101.0)
    other = Watch(after=10.0, heard_at=100.0)
    other.hear(b"", 101.0)

    assert watch.verdict(200.0, pulled=True) is Verdict.OVER
    assert other.verdict(101.0, pulled=False) is Verdict.DIED


def test_a_kill_switch_has_to_be_confirmed_in_time(watch: Watch) -> None:
    watch.after = 1000.0
    assert watch.verdict(110.0, pulled=True) is None
    assert watch.verdict(111.0, pulled=False) is None, "it was released"
    assert watch.verdict(112.0, pulled=True) is None
    assert watch.verdict(112.0 + KILLED_WITHIN - 0.1, pulled=True) is None
    assert watch.verdict(112.0 + KILLED_WITHIN, pulled=True) is Verdict.UNCONFIRMED

    watch.hear(CONFIRMED, 140.0)

    assert watch.verdict(300.0, pulled=True) is None


def test_a_plan_arrives_as_it_was_and_holds_no_secret() -> None:
    venue = VenuePlan(
        name="alor",
        endpoints=Endpoints.at("http://127.0.0.1:8900"),
        account="D1",
        credentials={"token": "env:TOKEN_FOR_TESTS"},
    )
    plan = GuardPlan(folder=Path("/journal/alor-D1"), venue=venue, after=2.5, keep=True)

    line = encode_plan(plan, 7)

    assert decode_plan(line) == (plan, 7)
    assert json.loads(line)["venue"]["credentials"] == {"token": "env:TOKEN_FOR_TESTS"}


@pytest.mark.parametrize("line", [b"", b"no JSON", b"[]", b"{}", b'{"pid": "x"}', b'{"pid": 1, "venue": {}}'])
def test_what_is_no_plan_is_refused(line: bytes) -> None:
    with pytest.raises(ConfigError, match="this is no plan of a guard"):
        decode_plan(line)
