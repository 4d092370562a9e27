"""The program as a whole: exit codes, and one clear line for everything that goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from strategykit.cli import main
from strategykit.cli.app import explain
from strategykit.errors import ConfigError, ConnectionLost, TapeError

COMMANDS = ["demo", "new", "run", "record", "replay", "sim", "tape", "doctor"]


def ends(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def usage(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Give the one line that wrong usage gets."""
    code, out, err = ends(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("strategykit: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, _ = ends(capsys, command, "--help")

    assert code == 0
    assert "Examples:" in out
    assert f"strategykit {command}" in out


@pytest.mark.parametrize("inner", ["sim alor", "tape info", "tape verify", "tape cat", "tape recover"])
def test_commands_inside_commands_explain_themselves(capsys: pytest.CaptureFixture[str], inner: str) -> None:
    code, out, _ = ends(capsys, *inner.split(), "--help")

    assert code == 0
    assert "Examples:" in out


def test_nothing_said_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ends(capsys)

    assert code == 0
    assert all(command in out for command in COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ends(capsys, "--version")

    assert code == 0
    assert out.strip().count(".") == 2


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["rnu"], 'Did you mean "run"?'),
        (["--nope"], "Unknown command"),
        (["run"], "requires an argument"),
        (["run", "sample:cross", "--for"], "--for requires an argument"),
        (["run", "sample:cross", "--quick", "5"], "Unknown option: --quick"),
        (["run", "sample:cross", "--seed", "seven"], 'unable to convert "seven" into int'),
        (["run", "sample:cross", "--on-stop", "sell"], "--on-stop"),
        (["run", "sample:cross", "another"], "Unused"),
        (["tape", "eat"], "Unknown command"),
        (["sim", "nyse"], "Unknown command"),
    ],
)
def test_a_wrong_command_line_gets_one_line(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert words in usage(capsys, *argv)


def test_debug_shows_where_an_error_comes_from() -> None:
    with pytest.raises(ConfigError):
        main(["record", "nowhere.toml", "--debug"])


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("one\ntwo"), 2, "strategykit: one\nstrategykit: two\n"),
        (TapeError("torn"), 1, "strategykit: torn\n"),
        (ExceptionGroup("", [ExceptionGroup("", [ConnectionLost("gone")])]), 1, "strategykit: gone\n"),
        (ExceptionGroup("", [ConnectionLost("gone"), ConnectionLost("gone")]), 1, "strategykit: gone\n"),
        (ExceptionGroup("", [ConfigError("a"), TapeError("b")]), 1, "strategykit: a\nstrategykit: b\n"),
        (KeyboardInterrupt(), 1, "strategykit: interrupted\n"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), TapeError("x")]), 1, "strategykit: interrupted\n"),
        (OSError(28, "No space left on device", "/tape"), 1, "strategykit: /tape: No space left on device\n"),
        (OSError("odd"), 1, "strategykit: odd\n"),
        (TapeError(), 1, "strategykit: TapeError\n"),
        (ValueError("x\ny"), 1, "strategykit: a bug of strategykit: ValueError: x; --debug shows where\n"),
    ],
)
def test_every_error_has_its_line_and_its_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    assert explain(error) == code
    assert capsys.readouterr().err == words


def test_it_runs_as_a_module_and_leaves_a_closed_pipe_in_silence(tmp_path: Path) -> None:
    script = "import sys; from strategykit.cli import main; sys.exit(main(['--help']))"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=30) in (0, 1)

    done = subprocess.run(
        [sys.executable, "-m", "strategykit", "--version"], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout
