"""``strategykit orders``: orders from a journal, why one was placed, and what to do with a damaged journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from strategykit.cli import main
from strategykit.journal.format import RecordKind
from strategykit.journal.writer import JournalWriter, open_journal

K = RecordKind
NOON = 1_773_000_000_000_000_000
WHY = {
    "at": "cross.py:31 run",
    "condition": "fast > slow (101.2 > 100.9)",
    "events": {"trades SBER": "Trade(price=318.2)"},
    "params": {"fast": 5},
}


def place(writer: JournalWriter, number: int, strategy: str, state: str, **request: Any) -> str:
    name = f"a1-{strategy}-{number}"
    order = {"instrument": "SBER", "side": "buy", "quantity": "2", "price": None, "stop_price": None, **request}
    command = {"type": "CreateOrder", "guid": name, "request": order}
    facts = {
        "guid": name,
        "client_order_id": name,
        "strategy": strategy,
        "command": command,
        "placed": NOON,
        "why": WHY if strategy == "cross" else {},
    }
    writer.write(K.INTENT, facts)
    news = {
        "type": "Reply",
        "guid": name,
        "code": 200,
        "message": "\x1b[31mred",
        "ok": True,
        "venue_order_id": f"9{number}",
    }
    writer.write(K.HEARD, {"client_order_id": name, "news": {**news, "empty": None}})
    writer.write(K.LEARNT, {"client_order_id": name, "state": state, "evidence": "accepted", "reason": ""})
    return name


def begin(folder: Path) -> JournalWriter:
    clock = iter(range(NOON, NOON + 10**12, 1_500_000))
    return open_journal(folder, now=lambda: next(clock), run={"tag": "a1"}, reserve=0)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    folder = tmp_path / "alor-D1"
    with begin(folder) as writer:
        place(writer, 1, "cross", "cancel_unknown", price="318.21")
        place(writer, 2, "cross", "filled", stop_price="320")
        fill = {"type": "Fill", "trade_id": "t1", "side": "buy", "quantity": "2", "price": "320.1"}
        writer.write(K.HEARD, {"client_order_id": "a1-cross-2", "news": fill})
        place(writer, 3, "maker", "working", side="sell")
        writer.write(K.CLOSED, {"reason": "its time is over"})
    return folder


def out_of(capsys: pytest.CaptureFixture[str], *argv: object, code: int = 0) -> str:
    assert main([str(arg) for arg in argv]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "\x1b[31m" not in out + err, "what a venue writes isn't shown to a terminal as it is"
    return out if code == 0 else err


def test_orders_are_listed_with_what_is_known_of_each(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = out_of(capsys, "orders", journal).splitlines()

    (first,) = [line for line in lines if "a1-cross-1 " in line]
    cells = [cell.strip() for cell in first.strip("│").split("│")]
    assert cells == [
        *("a1-cross-1", "cross", "SBER", "buy", "2", "318.21", "0", "cancel unknown", "20:00:00.000"),
        "cancel unknown",
    ]
    assert any("stop 320" in line and "fill t1: 2 at 320.1" in line for line in lines)
    assert any("market" in line and "a1-maker-3" in line for line in lines)
    assert lines[-1] == "3 orders, 2 open; the last run ended: its time is over"


def test_open_ones_or_those_of_one_strategy_can_be_asked_for(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(out_of(capsys, "orders", journal, "--open", "--strategy", "cross", "--json"))

    assert [row["client_order_id"] for row in rows] == ["a1-cross-1"]
    assert rows[0]["open"] is True
    assert (rows[0]["quantity"], rows[0]["price"], rows[0]["placed"]) == ("2", "318.21", NOON)
    assert not {"numbers", "_fills"} & rows[0].keys()
    words = out_of(capsys, "orders", journal, "--strategy", "crss", code=1)
    assert "no orders of a strategy 'crss' are in" in words
    assert "it has those of cross, maker" in words


def test_one_file_can_be_read_alone(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(json.loads(out_of(capsys, "orders", journal / "000001.journal", "--json"))) == 3


def test_it_says_how_the_last_run_ended(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = begin(journal)
    assert "a run is going on (process " in out_of(capsys, "orders", journal)
    writer.close()
    assert "the last run didn't end in order" in out_of(capsys, "orders", journal)
    data = bytearray(writer.path.read_bytes())
    data[20] ^= 1
    writer.path.chmod(0o600)
    writer.path.write_bytes(data)
    assert main(["orders", str(journal)]) == 1
    told = capsys.readouterr()
    assert "3 orders, 2 open; how the last run ended can't be read" in told.out
    assert "000002.journal, byte 0: the head's check is" in told.err


def test_one_orders_life_is_told(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(capsys, "orders", journal, "--why", "91")

    flat = " ".join(out.replace("│", " ").split())
    for words in (
        "Order a1-cross-1",
        "order buy 2 SBER, 318.21",
        "state cancel unknown, 0 filled",
        "source line cross.py:31 run",
        "condition fast > slow (101.2 > 100.9)",
        "saw trades SBER Trade(price=318.2)",
        "parameter fast 5",
        "0.000000 about to buy 2 SBER at 318.21",
        r"0.001500 'answer: yes, as 91: \x1b[31mred (200)' cancel unknown",
        "0.003000 cancel unknown",
    ):
        assert words in flat, out
    assert '"venue_order_id":' in out
    assert '"empty"' not in out
    life = json.loads(out_of(capsys, "orders", journal, "--why", "a1-cross-1", "--json"))
    assert life["why"] == WHY
    assert [step["kind"] for step in life["steps"]] == ["intent", "heard", "learnt", "closed"]
    assert life["steps"][1]["facts"]["news"]["message"] == "\x1b[31mred"
    assert life["order"]["state"] == "cancel_unknown"
    assert "Why it was placed" not in out_of(capsys, "orders", journal, "--why", "a1-maker-3")


def test_an_unknown_id_is_told_and_damage_too(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no order 'a1-cross-9' is in this journal" in out_of(
        capsys, "orders", journal, "--why", "a1-cross-9", code=1
    )
    damage(journal)
    words = out_of(capsys, "orders", journal, "--why", "a1-cross-9", code=1)
    assert "no order 'a1-cross-9'" in words
    assert "isn't what was written" in words


def damage(journal: Path) -> None:
    path = journal / "000001.journal"
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_a_journal_is_verified_and_salvaged(journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert out_of(capsys, "orders", journal, "--verify") == "whole: 12 records in 1 file\n"
    assert json.loads(out_of(capsys, "orders", journal, "--verify", "--json"))["ok"] is True
    damage(journal)
    assert main(["orders", str(journal), "--verify"]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"damage: {journal}/000001.journal, byte ")
    assert last.startswith("damaged: ")
    assert main(["orders", str(journal), "--verify", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert "isn't what was written" in found["files"][0]["damage"]
    assert "--salvage copies what is whole" in out_of(capsys, "orders", journal, code=1)

    out = out_of(capsys, "orders", journal, "--salvage", tmp_path / "whole")
    assert f"{tmp_path}/whole/000001.journal: " in out
    assert "bytes left out: " in out
    assert "compare with the venue's own list before the next run" in out
    assert out_of(capsys, "orders", tmp_path / "whole", "--verify").startswith("whole: ")
    rows = json.loads(out_of(capsys, "orders", tmp_path / "whole", "--salvage", tmp_path / "again", "--json"))
    assert [row["lost"] for row in rows] == [0]
    assert out_of(capsys, "orders", tmp_path / "again", "--salvage", tmp_path / "third").count("\n") == 1


def test_a_torn_end_is_no_damage_and_said_to_be_whose(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = journal / "000001.journal"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-3])
    assert "its writer was killed; the next run puts them aside" in out_of(capsys, "orders", journal, "--verify")
    assert json.loads(out_of(capsys, "orders", path, "--verify", "--json"))["files"][0]["torn"]


@pytest.mark.parametrize(
    ("argv", "words", "code"),
    [
        (["--why", "x", "--verify"], "--why and --verify were given; one thing at a time", 2),
        (["--open", "--salvage", "x"], "--salvage and --open or --strategy were given", 2),
    ],
)
def test_one_thing_at_a_time(
    argv: list[str], words: str, code: int, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in out_of(capsys, "orders", journal, *argv, code=code)


def test_what_is_no_journal_is_told(journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no such journal" in out_of(capsys, "orders", tmp_path / "nowhere", code=1)
    assert "give one of the folders in it: alor-D1" in out_of(capsys, "orders", tmp_path, code=1)


def test_an_empty_journal_has_no_orders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(tmp_path / "empty").close()
    assert out_of(capsys, "orders", tmp_path / "empty").startswith("0 orders, 0 open; ")
    assert json.loads(out_of(capsys, "orders", tmp_path / "empty", "--json")) == []


def test_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(capsys, "orders", "--help")
    assert "Examples:" in out
    assert "strategykit orders journal/alor-D1 --why" in out
