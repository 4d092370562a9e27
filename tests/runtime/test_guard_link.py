"""A run's end of the pipe to its guard: what a guard is told, and when it is let go."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import trio

from strategykit.config import RunPlan, Session, StrategySpec, VenuePlan
from strategykit.errors import ConfigError, ConnectionLost
from strategykit.net.endpoints import Endpoints
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.guard_link import BEAT_EVERY, GuardLink
from strategykit.runtime.guard_plan import GuardPlan, decode_plan
from strategykit.runtime.run import plan_session

VENUE = VenuePlan(name="alor", endpoints=Endpoints.at("http://127.0.0.1:8900"), account="D1")


@pytest.fixture
def heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the guard hears: it is one that only writes it down."""
    file, script = tmp_path / "heard", tmp_path / "guard"
    script.write_text(f"#!/bin/sh\nexec cat > {file}\n")
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    return file


def written(heard: Path) -> bytes:
    return heard.read_bytes() if heard.exists() else b""


def link(folder: Path) -> GuardLink:
    plan = GuardPlan(folder=folder, venue=VENUE, after=10.0, keep=False)
    return GuardLink(plan, Alarms(lambda *_: None))


async def test_it_hears_that_the_loop_turns_until_the_goodbye(tmp_path: Path, heard: Path) -> None:
    guarded = link(tmp_path)
    with trio.fail_after(30):
        async with guarded.open():
            await trio.sleep(BEAT_EVERY)
            guarded.confirm()
            guarded.leave()

    plan, _, rest = written(heard).partition(b"\n")
    assert decode_plan(plan) == (guarded.plan, os.getpid())
    assert rest.strip(b".") == b"ke"
    assert rest.startswith(b".")
    assert guarded.alarms.lines == []


async def test_a_run_that_can_not_begin_says_goodbye(tmp_path: Path, heard: Path) -> None:
    with trio.fail_after(30), pytest.RaisesGroup(ConnectionLost, flatten_subgroups=True):
        async with link(tmp_path).open():
            await trio.lowlevel.checkpoint()
            raise ConnectionLost("nobody there")

    assert written(heard).endswith(b"e")


async def test_a_run_that_fails_says_none(tmp_path: Path, heard: Path) -> None:
    with trio.fail_after(30), pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with link(tmp_path).open():
            while not written(heard).endswith(b"."):  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.01)
            raise ZeroDivisionError

    assert not written(heard).endswith(b"e")


async def test_a_guard_that_has_gone_is_an_alarm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    guarded = link(tmp_path)
    with trio.fail_after(30):
        async with guarded.open():
            while not guarded.alarms.lines:  # noqa: ASYNC110 - it tells nobody
                await trio.sleep(0.05)
            guarded.confirm()

    assert guarded.alarms.lines == ["guard: it has gone; nobody sees to the orders of this run should it hang"]


async def test_without_a_plan_there_is_none() -> None:
    guarded = GuardLink(None, Alarms(lambda *_: None))

    async with guarded.open():
        guarded.confirm()

    assert guarded.alarms.lines == []


def session(*, url: str = "http://127.0.0.1:8900", **plan: object) -> Session:
    reference = {} if "127" in url else {"token": "env:TOKEN_FOR_TESTS"}
    venue = VenuePlan(name="alor", endpoints=Endpoints.at(url), account="D1", credentials=reference)
    run = RunPlan(tape=None, live=True, **plan)  # type: ignore[arg-type]  # each by its name
    own = StrategySpec(name="cross", file="sample:cross", params={"instrument": "SBER"})
    return Session(venue=venue, run=run, strategies=(own,))


def test_orders_that_leave_the_machine_are_guarded_unless_nobody_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_FOR_TESTS", "secret")
    real = session(url="https://api.alor.ru", journal=tmp_path, on_stop="keep")

    guard = plan_session(real, live=True).guard

    assert guard == GuardPlan(folder=tmp_path / "alor-D1", venue=real.venue, after=10.0, keep=True)
    assert plan_session(session(url="https://api.alor.ru", guard=False), live=True).guard is None
    assert plan_session(session(url="https://api.alor.ru", guard=True), live=True, paper=True).guard is None
    assert plan_session(session(journal=tmp_path)).guard is None
    assert plan_session(session(journal=tmp_path, guard=True)).guard is not None
    with pytest.raises(ConfigError, match="guard = true needs a journal"):
        plan_session(session(guard=True))
