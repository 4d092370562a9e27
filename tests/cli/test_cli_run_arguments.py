"""``run``, ``record`` and ``replay``: what a command line means, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from strategykit.cli import main
from strategykit.cli._session import check_live, session_from
from strategykit.config import Session
from strategykit.errors import ConfigError

URL = ["--url", "http://127.0.0.1:9"]
NO_VENUE: dict[str, str | None] = {"name": None, "url": None}

TWO = """
from strategykit import Strategy, define

@define
class A(Strategy):
    pass

@define
class B(Strategy):
    pass
"""

FILE = """
[venue]
name = "alor"
url = "{url}"
token = "env:NOT_SET_IN_TESTS"
account = "D1"
[run]
live = {live}
tape = {tape}
[[strategy]]
file = "sample:cross"
[strategy.params]
instrument = "SBER"
"""


def written(folder: Path, *, url: str = "http://127.0.0.1:9", live: str = "false", tape: str = '"tapes"') -> str:
    path = folder / "session.toml"
    path.write_text(FILE.format(url=url, live=live, tape=tape), encoding="utf-8")
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> list[str]:
    code = main(argv)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    return [line.removeprefix("strategykit: ") for line in err.splitlines()]


def test_a_strategy_shows_its_own_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "sample:cross", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())

    assert "Parameters of Cross" in out
    assert "--fast INT bars in the fast average; a whole number from 2 to 50" in out
    assert "Cross: Long while the fast average" in out


def test_a_strategy_on_the_command_line_becomes_a_session() -> None:
    session = session_from(
        "sample:cross",
        venue={"name": "alor", "url": "http://127.0.0.1:9", "token": None},
        run={"for": "2m", "seed": 3, "tape": False, "on_stop": None},
        params={"instrument": "SBER"},
    )

    assert session.venue.loopback
    assert (session.run.duration, session.run.seed, session.run.tape) == (120 * 10**9, 3, None)
    assert [(spec.name, spec.file, spec.params) for spec in session.strategies] == [
        ("cross", "sample:cross", {"instrument": "SBER"})
    ]


def test_what_is_said_goes_before_the_file(tmp_path: Path) -> None:
    file = written(tmp_path)

    plain = session_from(file, venue=NO_VENUE, run={}, params={})
    said = session_from(
        file, venue=NO_VENUE, run={"for": "1s", "seed": 5, "tape": "else", "on_stop": "keep"}, params={}
    )
    silent = session_from(file, venue=NO_VENUE, run={"tape": False}, params={})

    assert (plain.run.duration, plain.run.seed, plain.run.tape) == (None, None, tmp_path / "tapes")
    assert (said.run.duration, said.run.seed, said.run.tape, said.run.on_stop) == (10**9, 5, Path("else"), "keep")
    assert silent.run.tape is None


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], "command line: venue.url is missing"),
        (["--url", "http://api.alor.ru"], "command line: venue.url: address 'http://api.alor.ru' isn't encrypted"),
        ([*URL, "--venue", "nyse"], 'command line: venue.name = "nyse" should be "alor"'),
        ([*URL, "--token", "abcdefgh"], "command line: venue.token should name where the token is"),
        ([*URL, "--for", "soon"], 'command line: run.for = "soon" should look like 20s, 2m or 1h30m'),
        (URL, "Cross: parameter instrument is missing; give text"),
        ([*URL, "--instrument", "SBER", "--fast", "x"], "Cross: parameter fast = 'x' should be a whole number from 2"),
        ([*URL, "--instrument", "SBER", "--fast", "1"], "Cross: parameter fast = 1 is below its least value 2"),
        ([*URL, "--instrument", "SBER", "--live"], None),
    ],
)
def test_what_is_wrong_with_a_run_is_told_before_it_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: list[str],
    line: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    if line is None:  # The loopback needs no --live, and takes it.
        argv = [*argv, "--slow", "none"]
        line = "Cross: parameter slow = 'none' should be"

    (told,) = refused(capsys, "run", "sample:cross", *argv)

    assert told.startswith(line)
    assert list(tmp_path.iterdir()) == [], "nothing was recorded of a run that never was"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no such file"),
        ("import nowhere_at_all\n", "line 1: doesn't import"),
        ("x = 1\n", "holds no strategy"),
        (TWO, "holds 2 strategies (A, B)"),
    ],
)
@pytest.mark.parametrize("command", ["run", "replay"])
def test_a_bad_strategy_file_is_told_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str | None, words: str
) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    (told,) = refused(capsys, command, str(path), "--help")

    assert told.startswith(str(path))
    assert words in told


def test_parameters_that_bear_a_flags_name_get_a_prefix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from strategykit import Strategy, define\n\n\n@define\nclass Mine(Strategy):\n"
        "    seed: int = 1\n    loud: bool = False\n    two_words: str = 'a'\n",
        encoding="utf-8",
    )

    assert main(["run", str(path), "--help"]) == 0
    out = capsys.readouterr().out

    assert "--strategy-seed INT" in out
    assert "--loud --no-loud" in out
    assert "--two-words TEXT" in out
    assert "--empty-option" not in out, "a flag that nobody needs"


def test_a_missing_secret_is_told_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (told,) = refused(capsys, "run", written(tmp_path, tape="false"))

    assert told.startswith("venue.token: environment variable NOT_SET_IN_TESTS is not set")


def test_a_venue_flag_beside_a_session_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags in (URL, ["--venue", "alor"]):
        (told,) = refused(capsys, "run", written(tmp_path), *flags)
        assert told.startswith(f"{flags[0]}: ")


def test_a_seed_below_0_is_refused_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path)
    for argv in (
        ["run", file],
        ["run", "sample:cross", *URL],
        ["replay", "sample:cross", "--tape", "x"],
        ["sim", "alor"],
        ["demo"],
    ):
        (told,) = refused(capsys, *argv, "--seed", "-1")
        assert "at least 0" in told
        assert "seed" in told


def session(tmp_path: Path, *, url: str, live: str) -> Session:
    return session_from(written(tmp_path, url=url, live=live), venue=NO_VENUE, run={}, params={})


def test_real_money_has_to_be_meant_twice(tmp_path: Path) -> None:
    real = "https://api.alor.ru"

    check_live(session(tmp_path, url=real, live="true"), live=True)
    check_live(session(tmp_path, url=real, live="false"), live=False)
    check_live(session(tmp_path, url="http://127.0.0.1:9", live="true"), live=False)
    check_live(session(tmp_path, url="http://127.0.0.1:9", live="false"), live=True)
    with pytest.raises(ConfigError, match="say --live"):
        check_live(session(tmp_path, url=real, live="true"), live=False)
    with pytest.raises(ConfigError, match="live = true in its"):
        check_live(session(tmp_path, url=real, live="false"), live=True)


@pytest.mark.parametrize("command", ["run", "record", "doctor"])
@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[venue]\nnam = 'alor'\nurl = 'http://127.0.0.1'", 2),
        ("[venue]\nname = 'alor'\nurl = 'http://127.0.0.1'\n[run]\nlive = 'yes'\nseed = 'x'", 2),
        ("[venue", 1),
    ],
)
def test_a_bad_session_file_is_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, text: str, lines: int
) -> None:
    path = tmp_path / "session.toml"
    path.write_text(text, encoding="utf-8")
    if command == "doctor":
        assert main([command, str(path), "--json"]) == 1
        assert capsys.readouterr().out.count('"fail"') == lines
    else:
        told = refused(capsys, command, str(path))
        assert len(told) == lines
        assert all(line.startswith(f"{path}: ") for line in told)


def test_a_session_without_strategies_can_only_be_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "session.toml"
    path.write_text("[venue]\nname = 'alor'\nurl = 'http://127.0.0.1:9'\n", encoding="utf-8")

    assert "has no [[strategy]] to run" in refused(capsys, "run", str(path))[0]
    assert "has no [[strategy]] to replay" in refused(capsys, "replay", str(path), "--tape", "t")[0]
    assert "names nothing to record" in refused(capsys, "record", str(path))[0]
    assert "a recording takes a session file" in refused(capsys, "record", "sample:cross")[0]


def test_recording_needs_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "leaves nothing to do" in refused(capsys, "record", written(tmp_path, tape="false"))[0]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "name a strategy to replay"),
        (["sample:cross"], "--tape is missing"),
        (["sample:cross", "--rerun", "x"], "leave the strategy and --tape out"),
        (["--tape", "y", "--rerun", "x"], "leave the strategy and --tape out"),
        (["sample:cross", "--tape", "x", "--cash", "much"], "--cash 'much' should be a number"),
        (["sample:cross", "--tape", "x", "--cash=-1"], "--cash '-1' should be a number, 0 or above"),
        (["sample:cross", "--tape", "x", "--fee-rate", "5"], "--fee-rate '5' should be a part of the traded value"),
        (["sample:cross", "--tape", "x", "--fee-rate", "nan"], "--fee-rate 'nan' should be a number"),
        (["sample:cross", "--tape", "x", "--latency", "5"], "duration '5' should look like"),
        (["sample:cross", "--tape", "x", "--models", "none.toml"], "none.toml: can't be read"),
        (["sample:cross", "--tape", "x", "--fast", "many"], "parameter fast = 'many'"),
    ],
)
def test_what_is_wrong_with_a_replay_is_told(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert words in "\n".join(refused(capsys, "replay", *argv))
