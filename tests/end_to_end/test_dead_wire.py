"""A host that says nothing, and one that lets us in and then says nothing: a run without an end ends all the same."""

from __future__ import annotations

from typing import Any

import pytest

from strategykit.net.timing import Timing
from strategykit.runtime.assembly import READY_WITHIN
from strategykit.runtime.live_session import REACH_WITHIN
from strategykit.tape.verify import verify_tape

SLACK = 12.0
"""Seconds for a program to load, on a machine that has other things to do."""


@pytest.mark.slow
def test_a_host_that_says_nothing_is_found_when_its_token_is_overdue(run_of_a_dead_venue: Any) -> None:
    program = run_of_a_dead_venue("silent").ended()

    assert program.process.returncode == 1
    assert program.err.splitlines()[-1] == (
        "strategykit: the venue isn't there: the token service didn't answer within 10 s"
    )
    assert REACH_WITHIN < Timing().fetch_within <= program.seconds < Timing().fetch_within + SLACK


@pytest.mark.slow
def test_a_half_open_venue_is_found_when_it_should_be_ready(run_of_a_dead_venue: Any) -> None:
    """It gives a token and lets every socket in; no login, ask or ping is answered."""
    program = run_of_a_dead_venue("deaf").ended()

    assert program.process.returncode == 1
    assert program.err.splitlines()[-1] == (
        "strategykit: the venue wasn't ready within 30 s: connection commands-0 is missing; "
        "`strategykit doctor` says why"
    )
    assert "1 of 2 connections open, commands-0 connecting" in program.err
    assert READY_WITHIN <= program.seconds < READY_WITHIN + SLACK


@pytest.mark.slow
@pytest.mark.parametrize("which", ["silent", "deaf"])
def test_what_was_recorded_of_it_is_sealed(run_of_a_dead_venue: Any, which: str) -> None:
    program = run_of_a_dead_venue(which).ended()

    assert "Traceback" not in program.err
    (tape,) = (program.folder / which).iterdir()
    report = verify_tape(tape)
    assert report.ok, report.findings
