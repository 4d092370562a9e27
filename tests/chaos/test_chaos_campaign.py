"""Campaigns that have nothing to do prove nothing, and say so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import chaos, defects, kills


@pytest.mark.parametrize(
    ("campaign", "arguments", "words"),
    [
        (chaos.main, ["--schedules", "0"], "nothing was done"),
        (chaos.main, ["--schedules", "-3", "--only", "schedules"], "nothing was done"),
        (kills.main, ["-n", "0"], "too few"),
        (defects.main, ["--only", "nothing of the kind"], "no defect has"),
    ],
)
def test_a_campaign_with_nothing_to_try_ends_red(
    campaign: Callable[[], Any],
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["campaign", *arguments])

    with pytest.raises(SystemExit) as told:
        campaign()

    assert told.value.code not in (0, None)
    assert words in f"{told.value.code} {capsys.readouterr().err}"


def test_a_campaign_in_which_no_fault_strikes_ends_red(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Venues without orders have no edges."""
    monkeypatch.setattr(sys, "argv", ["campaign", "--only", "edges", "--venue", "coinapi", "--jobs", "1"])

    assert chaos.main() == 1
    *_, words, line = capsys.readouterr().out.splitlines()
    assert "nothing was done" in words
    assert line == "chaos: 0 schedules, 0 faults, 0 violations"
