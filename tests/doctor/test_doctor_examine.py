"""What the doctor finds in a session without the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strategykit.cli import main
from strategykit.config import load_session
from strategykit.doctor.examine import examine_file, examine_session
from strategykit.doctor.findings import Finding, Verdict

CLOCKED = """
import time
from strategykit import Strategy, define


@define
class Clocked(Strategy):
    async def run(self) -> None:
        self.log(str(time.time()))
"""


def written(folder: Path, *, venue: str = "", run: str = "", more: str = "") -> Path:
    path = folder / "session.toml"
    url = "" if "http" in venue else 'url = "http://127.0.0.1:9"'
    path.write_text(f'[venue]\nname = "alor"\n{url}\n{venue}\n[run]\n{run}\n{more}', encoding="utf-8")
    return path


def found(path: Path, what: str) -> list[Finding]:
    return [finding for finding in examine_session(load_session(path)) if finding.what == what]


def one(path: Path, what: str) -> Finding:
    (finding,) = found(path, what)
    return finding


GOOD = '[[strategy]]\nfile = "sample:cross"\n[strategy.params]\ninstrument = "SBER"\n'


def test_a_good_session_is_well_but_for_the_network(tmp_path: Path) -> None:
    path = written(tmp_path, more=GOOD)
    session, findings = examine_file(path)

    assert session is not None
    findings += examine_session(session)
    assert [finding.what for finding in findings] == ["file", "money", "key", "strategy cross", "tape"]
    assert {finding.verdict for finding in findings} == {Verdict.OK}


def test_each_mistake_of_a_file_is_a_finding(tmp_path: Path) -> None:
    session, findings = examine_file(written(tmp_path, run="live = 1\nseed = 'x'"))

    assert session is None
    assert [finding.words.split()[0] for finding in findings] == ["run.live", "run.seed"]
    assert {finding.verdict for finding in findings} == {Verdict.FAIL}


def test_real_money_is_pointed_out(tmp_path: Path) -> None:
    real = 'url = "https://a.example"\noauth = "https://a.example"\naccount = "D1"\ntoken = "env:X"'

    assert one(written(tmp_path, venue=real, run="live = true"), "money").verdict is Verdict.WARN
    assert "paper" in one(written(tmp_path, venue=real), "money").words


def test_a_key_that_is_not_there_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, venue='token = "env:KEY_IN_TESTS"')

    monkeypatch.delenv("KEY_IN_TESTS", raising=False)
    assert one(path, "key").verdict is Verdict.FAIL
    monkeypatch.setenv("KEY_IN_TESTS", "abcdefgh")
    assert one(path, "key") == Finding("key", Verdict.OK, "found in env:KEY_IN_TESTS")


def test_no_strategies_are_pointed_out(tmp_path: Path) -> None:
    assert one(written(tmp_path), "strategies").verdict is Verdict.WARN


def test_a_strategy_that_cannot_be_made_is_found_with_every_reason(tmp_path: Path) -> None:
    bad = '[[strategy]]\nfile = "sample:cross"\n[strategy.params]\nfast = 1.5\nquick = 2\n'

    findings = found(written(tmp_path, more=bad), "strategy cross")

    assert [finding.verdict for finding in findings] == [Verdict.FAIL] * 3
    assert "quick" in findings[0].words


def test_a_strategy_that_reads_the_wall_clock_is_found_by_line(tmp_path: Path) -> None:
    (tmp_path / "clocked.py").write_text(CLOCKED, encoding="utf-8")

    made, clock = found(written(tmp_path, more='[[strategy]]\nfile = "clocked.py"\n'), "strategy clocked")

    assert made.verdict is Verdict.OK
    assert clock.verdict is Verdict.WARN
    assert clock.words.endswith("clocked.py, line 9: time.time")
    assert "use self.now()" in clock.advice


def test_where_the_tape_goes_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()

    assert "GiB free" in one(written(tmp_path), "tape").words
    assert one(written(tmp_path, run="tape = false"), "tape").verdict is Verdict.WARN
    assert one(written(tmp_path, run='tape = "file"'), "tape").verdict is Verdict.FAIL
    monkeypatch.setattr("strategykit.doctor.examine.ROOM", 1 << 62)
    assert "make room" in one(written(tmp_path), "tape").advice


def test_the_command_ends_red_if_something_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(written(tmp_path, more=GOOD)), "--offline"]) == 0
    assert "what to do" in capsys.readouterr().out

    assert main(["doctor", str(written(tmp_path, more=GOOD, venue='token = "env:KEY_IN_TESTS"')), "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)
    assert [row["what"] for row in rows if row["verdict"] == "fail"] == ["key"], "without a key nothing is knocked at"
