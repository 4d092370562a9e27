"""What the doctor finds in a session without the network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strategykit.cli import main
from strategykit.config import load_session
from strategykit.doctor.examine import examine_file, examine_session
from strategykit.doctor.findings import Finding, Verdict
from strategykit.errors import ConfigError
from strategykit.registry.table import VENUES
from strategykit.runtime.run import plan_session

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
    kinds = ["file", "money", "risk", "risk", "key", "strategy cross", "tape"]
    assert [finding.what for finding in findings] == kinds
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


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ("", "orders_api_key"),
        ('api_key = "env:A"', "orders_api_key"),
        ('firm = "f"\nusername = "u"\npassword = "env:P"\napp_license = "env:L"', "orders_app_license"),
    ],
)
def test_a_second_application_without_a_key_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, missing: str
) -> None:
    for name in "APL":
        monkeypatch.setenv(name, "a secret")
    path = tmp_path / "session.toml"
    url = 'url = "http://127.0.0.1:9"'
    path.write_text(f'[venue]\nname = "t4"\n{url}\nsecond_app = "orders"\n{keys}\n', encoding="utf-8")

    finding = one(path, "key")

    assert finding.verdict is Verdict.FAIL
    assert f"venue.{missing} is missing: `second_app` is an application of its own" in finding.words
    with pytest.raises(ConfigError, match=f"venue.{missing} is missing"):
        plan_session(load_session(path), paper=False, tape=None)


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


def test_a_strategy_that_wants_what_the_venue_does_not_have_is_found(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("""
from strategykit import Bars, Books, Strategy, Tickers, define

@define
class Own(Strategy):
    day = Tickers("SBER")
    book = Books("SBER")
    bars = Bars("{symbol}", "1m")
""")

    fine, lacking, wrong = found(written(tmp_path, more='[[strategy]]\nfile = "own.py"'), "strategy own")

    assert [finding.verdict for finding in (fine, lacking, wrong)] == [Verdict.OK, Verdict.FAIL, Verdict.FAIL]
    assert lacking.words.startswith("ticker SBER: alor has no ticker; of market data it has trades, quotes, ")
    assert "names 'symbol', which is no parameter of the strategy" in wrong.words


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


def test_the_example_is_a_session_that_can_be_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--example"]) == 0
    path = tmp_path / "session.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")

    session, (finding,) = examine_file(path)

    assert session is not None
    assert finding.words == "2 strategies on alor, account D12345"
    assert [spec.name for spec in session.strategies] == ["cross", "maker-gazp"]
    assert {item.verdict for item in examine_session(session)} <= {Verdict.OK, Verdict.WARN}
    # What is commented out can be used, too, and is what the text says.
    path.write_text(
        path.read_text(encoding="utf-8")
        .replace("http://127.0.0.1:8900", "https://api.alor.ru")
        .replace("# account", "account")
        .replace("# token", "token")
        .replace("# seed", "seed")
        .replace("# live", "live"),
        encoding="utf-8",
    )
    real = load_session(path)
    assert (real.venue.credentials["token"], real.run.seed, real.run.live) == ("env:ALOR_REFRESH_TOKEN", 7, True)


@pytest.mark.parametrize("name", VENUES)
def test_each_venue_has_an_example_that_can_be_run_there(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--example", "--venue", name]) == 0
    text = capsys.readouterr().out
    path = tmp_path / "session.toml"
    path.write_text(text, encoding="utf-8")

    session, (finding,) = examine_file(path)

    assert session is not None
    assert finding.words.startswith(f"2 strategies on {name}")
    assert {item.verdict for item in examine_session(session)} <= {Verdict.OK, Verdict.WARN}
    assert all(line in text for line in (f'{key} = "env:' for key in (VENUES[name].logins or [{}])[0]))
    assert ("# live = true" in text) is VENUES[name].takes_orders


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "name a session file; `strategykit doctor --example` prints one"),
        (["session.toml", "--example"], "--example looks at no file"),
        (["--example", "--json"], "--example prints TOML"),
        (["session.toml", "--venue", "binance"], "--venue chooses an example"),
        (["--example", "--venue", "nyse"], "no venue is called 'nyse'; there are alor, "),
    ],
)
def test_what_is_wrong_with_the_doctors_own_arguments_is_told(
    capsys: pytest.CaptureFixture[str], argv: list[str], words: str
) -> None:
    assert main(["doctor", *argv]) == 2
    assert words in capsys.readouterr().err


def test_one_strategy_is_told_in_the_singular(tmp_path: Path) -> None:
    _, (finding,) = examine_file(written(tmp_path, more=GOOD))

    assert finding.words.startswith("1 strategy on alor")


@pytest.mark.parametrize("command", ["run", "record", "doctor", "replay"])
def test_a_missing_session_file_is_told_with_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    more = ["--tape", "t"] if command == "replay" else []
    main([command, str(tmp_path / "none.toml"), *more])

    out, err = capsys.readouterr()
    words = " ".join((out + err).replace("│", " ").split())
    assert "no such file; a session is a TOML file with a [venue] table" in words
    assert "strategykit doctor --example" in words
