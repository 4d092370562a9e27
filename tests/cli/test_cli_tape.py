"""``strategykit tape``: what is in a recording, whether it is whole, and all of it as lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from strategykit.cli import main
from strategykit.tape.format import TapeHeader
from strategykit.tape.writer import open_tape_writer

NOON = 1_773_000_000_000_000_000

HEADER = TapeHeader(
    created=NOON,
    venue="alor",
    seed=7,
    clock_origin=NOON,
    strategykit_version="0.1.0",
    python_version="3.11.7",
    session={"strategies": []},
)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "tape"

    async def record() -> None:
        async with open_tape_writer(path, HEADER, now=lambda: NOON, compress=False) as writer:
            writer.opened("market-0", NOON, "market", "ws://127.0.0.1/ws", 1)
            writer.subscription(NOON + 1, {"guid": "g-1", "stream": STREAM, "connection": "market-0", "owners": ["a"]})
            writer.subscription(NOON + 1, {"guid": "g-2", "stream": "other", "connection": "market-0", "owners": []})
            writer.subscription(NOON + 1, {"guid": "g-3", "stream": ODD, "connection": "market-0", "owners": []})
            writer.frame_out("market-0", NOON + 2, '{"opcode":"AllTradesGetAndSubscribe"}')
            writer.frame_in("market-0", NOON + 3, '{"data":{"price":101.5},"guid":"g-1"}')
            writer.gap(NOON + 4, {"guid": "g-1", "since": NOON, "until": NOON + 4, "reason": "reset [by peer]"})
            writer.mark(NOON + 2_500_000_000, 1)

    trio.run(record)
    return path


STREAM = {"kind": "bars", "instrument": "SBER", "interval": 60_000_000_000}
ODD = {"kind": "greeks", "instrument": 7, "interval": "long"}
"""Of a version to come."""


def test_info_says_what_it_holds(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "info", str(tape)]) == 0

    out = capsys.readouterr().out
    assert "alor" in out
    assert "bars SBER 1m" in out
    assert "greeks 7 " in out
    assert "reset [by peer]" in out, "words in brackets are no markup"
    assert "2026-03-08 20:00:00.000" in out
    assert "sealed" in out


def test_info_of_a_tape_without_market_data_is_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def record() -> None:
        async with open_tape_writer(tmp_path / "empty", HEADER, now=lambda: NOON):
            pass

    trio.run(record)

    assert main(["tape", "info", str(tmp_path / "empty")]) == 0
    out = capsys.readouterr().out
    assert "Gaps" not in out
    assert "Subscriptions" not in out


def test_info_as_json(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "info", str(tape), "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    assert facts["header"]["venue"] == "alor"
    assert facts["sealed"] is True
    assert facts["torn"] is None
    assert facts["connections"][0]["frames_in"] == 1
    assert facts["connections"][0]["reconnects"] == 0


def test_a_whole_tape_is_verified(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "verify", str(tape)]) == 0
    assert capsys.readouterr().out.startswith("whole: ")

    assert main(["tape", "verify", str(tape), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_a_torn_tape_is_told_and_what_is_before_stays_readable(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    segment = next(tape.glob("*.tape"))
    segment.rename(segment.with_name("000001.tape.part"))
    segment = tape / "000001.tape.part"
    segment.write_bytes(segment.read_bytes()[:-40])

    assert main(["tape", "verify", str(tape)]) == 1
    assert "damage: " in capsys.readouterr().out
    assert main(["tape", "verify", str(tape), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    assert main(["tape", "cat", str(tape)]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) >= 5
    assert "000001.tape.part: torn tail, " in told.err
    assert main(["tape", "info", str(tape), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["torn"]


def test_cat_prints_one_json_object_a_line(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "cat", str(tape)]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["opened", *["subscription"] * 3, "out", "in", "gap", "mark"]
    assert lines[5]["frame"] == {"data": {"price": 101.5}, "guid": "g-1"}


def test_cat_ends_quietly_with_its_reader(tmp_path: Path) -> None:
    """It used to read a tape of gigabytes to its end for the first line."""

    async def record() -> None:
        async with open_tape_writer(tmp_path / "long", HEADER, now=lambda: NOON, compress=False) as writer:
            for _ in range(20_000):
                writer.frame_in("market-0", NOON, "x" * 100)

    trio.run(record)

    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m strategykit tape cat long | head -1; echo "${{PIPESTATUS[@]}}"'],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    line, codes = done.stdout.splitlines()
    assert json.loads(line)["frame"] == "x" * 100
    assert codes == "141 0"  # As of `cat`: 128 and the number of SIGPIPE.
    assert done.stderr == ""


def killed(tape: Path, *, cut: int) -> Path:
    """Make of a sealed tape what a killed writer leaves."""
    sealed, part = tape / "000001.tape", tape / "000001.tape.part"
    part.write_bytes(sealed.read_bytes()[:-cut])
    sealed.unlink()
    return tape


def test_a_torn_tape_is_sealed_and_the_torn_end_put_aside(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed(tape, cut=250)
    assert main(["tape", "info", str(tape)]) == 0
    assert "tape recover" in capsys.readouterr().out

    assert main(["tape", "recover", str(tape)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"put aside in {tape / '000001.torn-1'}: ")
    assert second == f"sealed: {tape / '000001.tape'}"
    assert main(["tape", "verify", str(tape)]) == 0
    assert "the writer was killed" in capsys.readouterr().out

    assert main(["tape", "recover", str(tape)]) == 0
    assert "is sealed; there is nothing to recover" in capsys.readouterr().out
    assert main(["tape", "recover", str(tape), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"recovered": False}


def test_a_recovery_is_told_as_json(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed(tape, cut=250)

    assert main(["tape", "recover", str(tape), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {
        "recovered": True,
        "segment": str(tape / "000001.tape"),
        "cut": (tape / "000001.torn-1").stat().st_size,
        "aside": str(tape / "000001.torn-1"),
    }


def test_a_tape_that_only_lacks_its_seal_gets_it(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tape / "000001.tape").rename(tape / "000001.tape.part")

    assert main(["tape", "recover", str(tape)]) == 0
    assert capsys.readouterr().out == f"sealed: {tape / '000001.tape'}\n"


def test_one_thing_is_told_in_the_singular(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "verify", str(tape)]) == 0
    assert "records in 1 segment\n" in capsys.readouterr().out
    assert main(["tape", "info", str(tape)]) == 0
    assert "1 segment, " in capsys.readouterr().out


@pytest.mark.parametrize("command", ["info", "cat", "recover"])
@pytest.mark.parametrize("what", ["missing", "empty", "directory", "noise", "newer"])
def test_what_is_no_tape_gets_one_line(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, what: str
) -> None:
    path = tmp_path / what
    if what == "directory":
        path.mkdir()
    elif what == "empty":
        path.touch()
    elif what == "noise":
        path.write_bytes(bytes(range(256)) * 40)
    elif what == "newer":
        whole = bytearray(next(tape.glob("*.tape")).read_bytes())
        whole[8] = 99
        path.write_bytes(whole)

    assert main(["tape", command, str(path)]) == 1

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("strategykit: ")
    assert err.count("\n") == 1
    assert "bug" not in err


def test_files_of_others_become_a_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        "time_exchange;time_coinapi;guid;price;base_amount;taker_side\n"
        "2024-05-06T07:08:00.1000000;2024-05-06T07:08:00.2000000;A;2895.41;0.5;SELL\n"
    )

    assert main(["tape", "import", str(file), "--to", str(tmp_path / "t"), "--symbol", "KRAKEN_SPOT_ETH_EUR"]) == 0
    assert "1 message from 2024-05-06 07:08:00.200" in capsys.readouterr().out
    assert main(["tape", "verify", str(tmp_path / "t")]) == 0
    again = ["tape", "import", str(file), "--to", str(tmp_path / "t2"), "--symbol", "KRAKEN_SPOT_ETH_EUR", "--json"]
    capsys.readouterr()
    assert main(again) == 0
    assert json.loads(capsys.readouterr().out)["messages"] == 1
    assert main(["tape", "import", str(file), "--to", str(tmp_path / "t3")]) != 0
    assert "tells no symbol" in capsys.readouterr().err
