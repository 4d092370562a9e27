"""What `strategykit tape info`, `verify` and `cat` are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from strategykit.errors import TapeError
from strategykit.tape.format import TapeHeader
from strategykit.tape.info import ConnectionInfo, GapInfo, tape_info
from strategykit.tape.lines import tape_lines
from strategykit.tape.reader import open_tape
from strategykit.tape.spool import TapeLimits
from strategykit.tape.verify import verify_tape
from strategykit.tape.writer import TapeWriter

Make = Callable[..., Path]
Fill = Callable[[TapeWriter], None]


def test_info_counts_what_is_there(make: Make, small: Fill, header: TapeHeader, tmp_path: Path) -> None:
    info = tape_info(make(tmp_path / "t", small))
    assert info.header == header
    assert (info.segments, info.sealed, info.torn) == (1, True, None)
    assert info.file_bytes == (tmp_path / "t" / "000001.tape").stat().st_size
    assert tape_info(tmp_path / "t" / "000001.tape").file_bytes == info.file_bytes
    assert info.records == {
        "in": 1,
        "out": 1,
        "in_binary": 1,
        "out_binary": 1,
        "opened": 2,
        "closed": 1,
        "answer": 1,
        "subscription": 1,
        "command": 1,
        "mark": 1,
        "gap": 1,
        "note": 1,
        "summary": 1,
    }
    assert (info.first_time, info.last_time) == (1_001, 5_000)
    market, http = info.connections
    assert market == ConnectionInfo("market-0", frames_in=2, frames_out=2, bytes=75, opened=2, closed=1)
    assert market.reconnects == 1
    assert (http.name, http.reconnects) == ("http", 0)
    assert [row["guid"] for row in info.subscriptions] == ["g-1"]
    assert info.gaps == [GapInfo(1_003, 1_010, "reset", "g-1")]
    assert (info.commands, info.notes, info.summary) == (1, ["a remark"], {"orders": 1})


def test_info_of_a_torn_tape_tells_the_tail(unsealed_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "000001.tape.part").write_bytes(unsealed_bytes[:-3])
    info = tape_info(tmp_path)
    assert not info.sealed
    assert info.torn is not None
    assert info.summary is None


def test_info_takes_the_latest_word_on_a_subscription_and_gaps_without_times(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        writer.subscription(1, {"guid": "g", "owners": ["a"]})
        writer.subscription(2, {"guid": "g", "owners": ["a", "b"]})
        writer.gap(3, {"since": None, "until": "soon"})

    info = tape_info(make(tmp_path / "t", fill))
    assert [row["owners"] for row in info.subscriptions] == [["a", "b"]]
    assert info.gaps == [GapInfo(None, None, "", "")]


def test_lines_are_json_with_frames_parsed_where_they_can_be(make: Make, small: Fill, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        small(writer)
        for frame in ("no json", '"just a text"', "[" * 100_000, "\ud800", ""):
            writer.frame_in("market-0", 6_000, frame)

    lines = list(tape_lines(open_tape(make(tmp_path / "t", fill))))
    assert [json.loads(json.dumps(line)) for line in lines] == lines
    first = lines[1]
    assert first == {
        "seq": 3,
        "time": 1_002,
        "kind": "out",
        "connection": "market-0",
        "frame": {"opcode": "TradesSubscribe"},
    }
    content = [{key: line[key] for key in list(line)[4:]} for line in lines[3:14]]
    assert content[0] == {"base64": "AP8gYmluYXJ5"}
    assert content[3] == {"reading": 1_007, "count": 2}
    assert content[5] == {"ask": {"kind": "bars"}, "status": 200, "body": '{"history":[]}\nmore'}
    assert content[7] == {"facts": {"reason": "code 1006"}}
    assert [line["frame"] for line in lines[14:]] == [
        "no json",
        '"just a text"',
        "[" * 100_000,
        "\\xed\\xa0\\x80",
        "",
    ]


def test_lines_before_damage_are_given(unsealed_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tape").write_bytes(unsealed_bytes)
    lines = tape_lines(open_tape(tmp_path / "a.tape"))
    assert next(lines)["kind"] == "opened"
    with pytest.raises(TapeError, match="without its footer"):
        list(lines)


def test_a_whole_tape_verifies_without_findings(make: Make, small: Fill, tmp_path: Path) -> None:
    report = verify_tape(make(tmp_path / "t", small, compress=True))
    assert (report.ok, report.findings, report.segments, report.records) == (True, (), 1, 14)


def test_verifying_goes_on_behind_damage(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(60):
            writer.frame_in("c", index, "x" * 50)

    path = make(tmp_path / "t", fill, limits=TapeLimits(segment_bytes=1_500))
    for number in (2, 4):
        file = path / f"{number:06d}.tape"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    report = verify_tape(path)
    assert not report.ok
    assert len(report.findings) == 2
    assert "000002.tape, byte" in report.findings[0].words
    assert "000004.tape, byte" in report.findings[1].words
    assert report.records > 40


def test_verifying_an_unsealed_tape_says_so(unsealed_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "000001.tape.part").write_bytes(unsealed_bytes)
    report = verify_tape(tmp_path)
    assert report.ok
    assert "isn't sealed" in report.findings[0].words
    (tmp_path / "000001.tape.part").write_bytes(unsealed_bytes[:-1])
    report = verify_tape(tmp_path)
    assert not report.ok
    assert "torn tail" in report.findings[0].words


def test_verifying_tells_of_a_last_segment_that_cant_be_read(unsealed_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "000001.tape.part").write_bytes(unsealed_bytes[:700] + b"\xff" + unsealed_bytes[701:])
    report = verify_tape(tmp_path)
    assert not report.ok
    assert len(report.findings) == 1
