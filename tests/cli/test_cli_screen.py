"""Tables, JSON and progress: on terminals and elsewhere."""

from __future__ import annotations

import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from strategykit.cli._launch import in_words
from strategykit.cli._progress import show_progress
from strategykit.cli._report import cautions, hints, print_run
from strategykit.cli._screen import print_json, tell
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import amounts, counted, duration, seconds_only, short_id, when, when_within
from strategykit.cli.replay import print_rerun
from strategykit.model.event_class import altered
from strategykit.runtime import live
from strategykit.runtime.report import (
    ConnectionReport,
    ForeignOrderReport,
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
    for text in [
        "cross-sber",
        "-2 SBER",
        "money in RUB",
        "1,234.25",
        "12,345",
        "-0.2",
        "trades SBER",
        "g-1",
        "tapes/x",
    ]:
        assert text in out
    assert "20:00:00.000 to 20:00:01.000: reset by peer" in out


def test_money_that_is_not_known_is_not_taken_for_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(report(attrs.evolve(strategy(), fees_unknown=3, unpriced=["SBER"])), json=False)

    out, _ = capsys.readouterr()
    assert "no fee of 3 fills of cross-sber; its fees and PnL are without them" in out
    assert "no price of SBER is known; the PnL of cross-sber is without open positions" in out


@pytest.mark.parametrize(
    ("stops", "words"),
    [
        ({"venue": 1_200}, "the stops of cross-sber rested at the venue (1,200 of 1,200 positions)"),
        (
            {"here": 3},
            "the stops of cross-sber were watched by the program, only as long as it runs (3 of 3 positions)",
        ),
        ({"venue": 4, "here": 1}, "the stops of cross-sber were watched by the program, at times (1 of 5 positions)"),
    ],
)
def test_a_report_says_where_stops_were(stops: dict[str, int], words: str) -> None:
    assert cautions(report(attrs.evolve(strategy(), stops=stops))) == [f"note: {words}"]
    assert cautions(report(strategy())) == []


def test_what_the_data_dont_tell_is_told_however_many_notes_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    notes = [(NOON + n, "cross-sber", f"note {n}") for n in range(100)]

    print_run(attrs.evolve(report(strategy()), notes=notes, warnings=["SBER: who knows"]), json=False)
    assert "warning: SBER: who knows\n" in capsys.readouterr().out
    print_run(attrs.evolve(report(strategy()), warnings=["SBER: who knows"]), json=True)
    assert json.loads(capsys.readouterr().out)["warnings"] == ["SBER: who knows"]


def test_money_of_several_currencies_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(report(attrs.evolve(strategy(), fees={"RUB": Decimal(1), "USD": Decimal("-1234.5")})), json=False)

    out = capsys.readouterr().out
    assert "12.50 RUB" in out
    assert "-1,234.50 USD" in out


def order(**changes: Any) -> OrderReport:
    facts = OrderReport(
        client_order_id="a-cross-1",
        strategy="cross",
        instrument="SBER",
        side="buy",
        type="limit",
        quantity=Decimal(3),
        price=Decimal("304.50"),
        state="filled",
        filled=Decimal(2),
        average_price=Decimal("304.4666666666666666666666667"),
        venue_order_ids=["1"],
        reason="",
        placed=NOON + 1_500_000_000,
    )
    return altered(facts, **changes)


def test_orders_are_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    refused = order(type="market", price=None, average_price=None, state="rejected", reason="Not enough money (400)")
    some = attrs.evolve(report(strategy()), orders=[order(), refused])

    print_run(some, json=False)
    assert "304.50" not in capsys.readouterr().out
    print_run(some, json=False, orders=True)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()]

    time, words = "20:00:01.500", "Not enough money (400)"
    assert [time, "cross", "SBER", "buy", "3", "304.50", "filled", "2", "304.4666667", ""] in rows
    assert [time, "cross", "SBER", "buy", "3", "market", "rejected", "2", "", words] in rows

    print_run(report(strategy()), json=False, orders=True)
    assert "Orders: none" in capsys.readouterr().out


def test_columns_in_which_nothing_stands_take_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(attrs.evolve(report(strategy()), orders=[order(average_price=None)]), json=False, orders=True)

    out = capsys.readouterr().out
    assert "average" not in out
    assert "reason" not in out


def foreign(number: str, *, state: str = "working", time: int = NOON + 1) -> ForeignOrderReport:
    return ForeignOrderReport(
        venue_order_id=number,
        client_order_id=None,
        instrument="GAZP",
        side="sell",
        quantity=Decimal(7),
        price=None,
        state=state,
        filled=Decimal(0),
        time=time,
    )


def test_orders_of_others_are_shown_if_they_work_or_changed_during_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    before = NOON - 10**9
    theirs = [
        foreign("1001", state="filled", time=before),
        foreign("1002", time=before),
        foreign("1003", state="filled"),
    ]

    print_run(attrs.evolve(report(strategy()), foreign=theirs), json=False)
    out = capsys.readouterr().out
    assert "aren't this run's" in out
    assert [number for number in ("1001", "1002", "1003") if number in out] == ["1002", "1003"]

    print_run(attrs.evolve(report(strategy()), foreign=theirs[:1]), json=False)
    assert "aren't this run's" not in capsys.readouterr().out
    print_run(attrs.evolve(report(strategy()), foreign=theirs[:1]), json=True)
    assert json.loads(capsys.readouterr().out)["foreign"][0]["venue_order_id"] == "1001"


def test_notes_are_shown_once_each_and_not_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    many = [(NOON + n, "cross", f"remark {n}") for n in range(30)]
    notes = [(NOON, "market-0", "unreadable frame: [x]"), (NOON + 1, "market-0", "unreadable frame: [x]"), *many]

    print_run(attrs.evolve(report(strategy()), notes=notes), json=False)

    out = capsys.readouterr().out
    assert out.count("unreadable frame: [x] (2 times)") == 1
    assert "remark 18" in out
    assert "remark 19" not in out
    assert "… and 11 more in --json" in out


def test_a_strategy_that_did_nothing_gets_a_hint_why() -> None:
    idle = attrs.evolve(strategy(), orders=0, silent=["bars SBER 1m", "quotes SBER"])

    assert hints(report(idle)) == [
        "hint: cross-sber placed no order; no bar of 1m closed for SBER within the 2 s of this run",
        "hint: cross-sber placed no order; no event of quotes SBER came within the 2 s of this run",
    ]
    assert hints(report(attrs.evolve(idle, orders=1))) == []
    assert hints(report(attrs.evolve(idle, error="ValueError: x"))) == []
    assert hints(report(attrs.evolve(idle, silent=[]))) == []


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


def test_a_rerun_says_whether_all_else_was_equal_too(capsys: pytest.CaptureFixture[str]) -> None:
    run = report(strategy())
    equal = RerunReport(recorded=3, equal=3, differences=(), run=run, recorded_digest=run.digest)
    differs = attrs.evolve(equal, recorded_digest="another")
    unknown = attrs.evolve(equal, recorded_digest=None)

    assert print_rerun(equal, json=False) == 0
    assert "re-run: digest equal\n" in capsys.readouterr().out
    assert print_rerun(differs, json=False) == 1
    assert "re-run: digest differs, events, orders or fills came out otherwise: recorded another\n" in (
        capsys.readouterr().out
    )
    assert print_rerun(unknown, json=False) == 0
    assert "re-run: no digest of this version on the tape to compare with\n" in capsys.readouterr().out
    for rerun, same in ((equal, True), (differs, False), (unknown, None)):
        assert print_rerun(rerun, json=True) == (1 if same is False else 0)
        facts = json.loads(capsys.readouterr().out)
        assert (facts["digest_equal"], facts["recorded_digest"]) == (same, rerun.recorded_digest)


def test_differences_say_what_each_command_was_and_where_they_part(capsys: pytest.CaptureFixture[str]) -> None:
    request = {"side": "buy", "quantity": "1", "instrument": "SBER", "price": "304.5", "type": "limit", "board": "TQBR"}
    one = {"command": {"type": "CreateOrder", "guid": "g-1", "request": request}}
    two = {"command": {"type": "CreateOrder", "guid": "g-1", "request": {**request, "price": None, "board": "X"}}}
    differs = [CommandDifference("cross", 1, one, two), CommandDifference("cross", 2, one, None)]

    print_rerun(RerunReport(recorded=2, equal=0, differences=differs, run=report(strategy())), json=False)

    out = " ".join(capsys.readouterr().out.split())
    assert "CreateOrder: buy 1 SBER at 304.5, board = TQBR │" in out
    assert "CreateOrder: buy 1 SBER at the market, board = X │" in out
    assert "│ 2 │ CreateOrder: buy 1 SBER at 304.5 │ none │" in out


def test_names_in_brackets_are_no_markup_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("T", ["a", Column("b", right=True)], [("[red]x[/red]", 1), (None, "y" * 200)])

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


def narrow(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make standard output a terminal of 80 columns."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    return screen


GUID = "643994b6-e987-4281-898f-a74136d6b01d"


def test_a_whole_report_can_be_read_on_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = narrow(monkeypatch)
    whole = report(strategy())
    rows = [attrs.evolve(row, guid=GUID, stream="stop_orders D12345") for row in whole.subscriptions]
    print_run(
        attrs.evolve(whole, subscriptions=rows, orders=[order()], foreign=[foreign("58120004224")]),
        json=False,
        orders=True,
    )

    lines = screen.getvalue().splitlines()
    tables = [line for line in lines if not line.startswith("events: ")]
    assert max(map(len, tables)) <= 80
    for words in [
        "cross-sber",
        "1,234.25",
        "643994b6…",
        "stop_orders D12345",
        "304.50",
        "58120004224",
        "12,345",
    ]:
        assert any(words in line for line in lines), words


def test_where_nothing_fits_everything_is_folded_and_nothing_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = narrow(monkeypatch)
    print_table("T", ["a", Column("b", words=True), Column("c", spare=True)], [("x" * 70, "y" * 70, "z")])

    text = screen.getvalue()
    assert (text.count("x"), text.count("y"), text.count("z")) == (70, 70, 0)
    assert max(map(len, text.splitlines())) <= 80


def test_a_table_without_rows_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("T", ["a"], [])

    assert capsys.readouterr().out == ""


def test_times_are_written_for_people_whatever_they_are() -> None:
    assert when(NOON + 2_500_000) == "2026-03-08 20:00:00.002"
    assert when(None) == ""
    assert when(10**30) == f"{10**30} ns"
    assert when_within(NOON, NOON + 10**9)(NOON) == "20:00:00.000"
    assert [seconds_only(when(NOON)), seconds_only("")] == ["2026-03-08 20:00:00", ""]
    assert [short_id(GUID), short_id("g-1")] == ["643994b6…", "g-1"]
    assert when_within(NOON, NOON + 86_400 * 10**9)(NOON) == "2026-03-08 20:00:00.000"


def test_lengths_counts_and_amounts_are_written_for_people() -> None:
    lengths = [40_000_000, 1_500_000_000, 20 * 10**9, 3_600 * 10**9, 36 * 3_600 * 10**9]
    assert [duration(length) for length in lengths] == ["0 s", "1.5 s", "20 s", "60 min", "36 h"]
    assert [counted(n, "byte") for n in (0, 1, 1_419)] == ["0 bytes", "1 byte", "1,419 bytes"]
    assert counted(2, "strategy", "strategies") == "2 strategies"
    assert amounts({"B": Decimal("0.10"), "A": Decimal(1)}, plain=True) == "1 A\n0.10 B"
    assert amounts({"RUB": Decimal("1234.5")}, unit="RUB") == "1,234.50"


def test_nothing_is_written_without_a_minus(capsys: pytest.CaptureFixture[str]) -> None:
    """Profits that round to 0, or come out as -0, are neither gains nor losses."""
    nothing = {"A": Decimal("-0.004"), "B": Decimal("-0.00"), "C": Decimal("-0.006")}

    assert amounts(nothing) == "0.00 A\n0.00 B\n-0.01 C"
    assert amounts({"A": Decimal("-0")}, plain=True) == "0 A"
    print_json({"pnl": nothing, "curve": (-0.0, -1.5, Decimal("-0")), "lots": MappingProxyType({"X": -0.0})})
    assert json.loads(capsys.readouterr().out) == {
        "pnl": {"A": "-0.004", "B": "0.00", "C": "-0.006"},
        "curve": [0.0, -1.5, "0"],
        "lots": {"X": 0.0},
    }
    print_json({"pnl": [-0.0, Decimal("-0.0")]})
    assert "-" not in capsys.readouterr().out


def test_on_a_terminal_one_line_changes_and_turns_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with show_progress() as progress:
        progress.show(1.0, "at one")
        progress.tell("a turn")

    assert "at one" in screen.getvalue()
    assert "a turn" in screen.getvalue()


def test_progress_is_told_in_one_line() -> None:
    wires = {"market-0": "open", "commands-0": "lost", "orders-0": "open"}
    now = live.Progress(elapsed=1, events=1_234, orders=2, doubtful=0, fills=1, connections=wires, waiting=0)

    assert in_words(now) == "1,234 events, 2 orders, 1 fill; 2 of 3 connections open, commands-0 lost"
    one = attrs.evolve(now, connections={"market-0": "open"})
    assert in_words(one) == "1,234 events, 2 orders, 1 fill; 1 connection open"
    unsure = attrs.evolve(one, doubtful=1)
    assert in_words(unsure) == "1,234 events, 2 orders (1 in doubt), 1 fill; 1 connection open"
    wires["commands-0"] = "open"
    assert in_words(now) == "1,234 events, 2 orders, 1 fill; 3 connections open"
