"""Tables, JSON and progress: on terminals and elsewhere."""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest

from strategykit.cli._launch import in_words
from strategykit.cli._progress import show_progress
from strategykit.cli._report import print_run
from strategykit.cli._screen import print_json, print_table, tell
from strategykit.cli.replay import print_rerun
from strategykit.runtime import live
from strategykit.runtime.report import (
    ConnectionReport,
    GapReport,
    OrderReport,
    RunReport,
    StrategyReport,
    SubscriptionReport,
)
from strategykit.runtime.rerun import CommandDifference, RerunReport

NOON = 1_773_000_000_000_000_000


def strategy(*, error: str = "", left: tuple[str, ...] = ()) -> StrategyReport:
    return StrategyReport(
        name="cross-sber",
        strategy="Cross",
        state="failed" if error else "ended",
        error=error,
        orders=4,
        fills=3,
        positions={"SBER": Decimal(-2)},
        realised={"RUB": Decimal("12.5")},
        open_pnl={},
        fees={"RUB": Decimal("0.25")},
        pnl={"RUB": Decimal("1234.25")},
        left=left,
    )


def report(*rows: StrategyReport, unaccounted: tuple[str, ...] = (), tape_failure: str = "") -> RunReport:
    gaps = [GapReport(since=NOON, until=NOON + 10**9, reason="reset by peer")]
    return RunReport(
        started=NOON,
        ended=NOON + 2 * 10**9,
        strategies=rows,
        connections=[
            ConnectionReport(
                name="market-0",
                lane="market",
                state="open",
                frames_in=12_345,
                frames_out=2,
                reconnects=1,
                lag_p50=-0.25,
                lag_p99=None,
            )
        ],
        subscriptions=[
            SubscriptionReport(
                guid="g-1",
                stream="trades SBER",
                connection="market-0",
                owners=["cross-sber"],
                state="active",
                data=7,
                gaps=gaps,
            )
        ],
        orders=list[OrderReport](),
        notes=[],
        unaccounted=unaccounted,
        unreadable=0,
        late=0,
        events=99,
        digest="abc",
        tape="tapes/x" if rows else None,
        tape_failure=tape_failure,
    )


def test_a_run_is_shown_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_run(report(strategy()), json=False) == 0

    out, err = capsys.readouterr()
    assert err == ""
    for text in ["cross-sber (Cross)", "-2 SBER", "1,234.25 RUB", "12,345", "-0.2", "trades SBER", "g-1", "tapes/x"]:
        assert text in out
    assert "2026-03-08 20:00:00.000 to 20:00:01.000: reset by peer" in out


def test_a_recording_has_no_table_of_strategies(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_run(report(), json=False) == 0
    assert "Strategies" not in capsys.readouterr().out


def test_what_went_wrong_is_told_line_by_line_and_ends_red(capsys: pytest.CaptureFixture[str]) -> None:
    bad = report(strategy(error="ValueError: x", left=("order 1",)), unaccounted=("order 2",), tape_failure="disk full")

    assert print_run(bad, json=True) == 1

    out, err = capsys.readouterr()
    assert json.loads(out)["ok"] is False
    assert json.loads(out)["strategies"][0]["pnl"] == {"RUB": "1234.25"}
    assert err.splitlines() == [
        "strategykit: strategy cross-sber failed: ValueError: x",
        "strategykit: strategy cross-sber left order 1",
        "strategykit: unaccounted for: order 2",
        "strategykit: recording failed: disk full",
    ]


def test_a_rerun_says_how_many_commands_were_equal(capsys: pytest.CaptureFixture[str]) -> None:
    equal = RerunReport(recorded=3, equal=3, differences=(), run=report(strategy()))
    differs = RerunReport(
        recorded=2,
        equal=0,
        differences=[
            CommandDifference("cross", 1, {"command": {"price": "1"}}, {"command": {"price": "2"}}),
            CommandDifference("cross", 2, {"command": {"price": "1"}}, None),
            CommandDifference("cross", 3, None, {"command": {"price": "1"}}),
        ],
        run=report(strategy()),
    )

    assert print_rerun(equal, json=False) == 0
    assert capsys.readouterr().out.endswith("re-run: 3 of 3 outgoing order commands equal\n")
    assert print_rerun(differs, json=False) == 1
    assert "Differences" in capsys.readouterr().out
    assert print_rerun(differs, json=True) == 1
    assert json.loads(capsys.readouterr().out)["equal"] == 0


def test_names_in_brackets_are_no_markup_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("T", ["a", "#b"], [("[red]x[/red]", 1), (None, "y" * 200)])

    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert out.count("y") == 200


def test_json_keeps_money_exact(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": Decimal("0.10"), "b": Path("x"), "c": MappingProxyType({"d": 1}), "e": ValueError("f")})

    assert json.loads(capsys.readouterr().out) == {"a": "0.10", "b": "x", "c": {"d": 1}, "e": "ValueError('f')"}


def test_every_line_of_an_error_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell("one\ntwo")

    assert capsys.readouterr().err == "strategykit: one\nstrategykit: two\n"


def test_without_a_terminal_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress() as progress:
        for second in range(12):
            progress.show(second, f"at {second}")
        progress.tell("a turn")

    assert [line.split("at ")[-1] for line in capsys.readouterr().err.splitlines()] == ["0", "5", "10", "a turn"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_changes_and_turns_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with show_progress() as progress:
        progress.show(1.0, "at one")
        progress.tell("a turn")

    assert "at one" in screen.getvalue()
    assert "a turn" in screen.getvalue()


def test_progress_is_told_in_one_line() -> None:
    now = live.Progress(
        elapsed=1, events=1_234, orders=2, fills=1, connections={"market-0": "open", "commands-0": "lost"}, waiting=0
    )

    assert in_words(now) == "1,234 events, 2 orders, 1 fills; market-0 open, commands-0 lost"
