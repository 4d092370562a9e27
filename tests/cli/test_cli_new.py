"""``strategykit new``: what it writes works, and it never writes over anything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from strategykit.cli import main
from strategykit.runtime.load import load_strategy, strategy_parameters


def test_the_strategy_and_its_test_both_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "my_strategy", "--into", str(tmp_path / "mine")]) == 0
    assert "pytest" in capsys.readouterr().out

    cls = load_strategy(str(tmp_path / "mine" / "my_strategy.py"))
    assert cls.__name__ == "MyStrategy"
    assert [item.name for item in strategy_parameters(cls)] == ["instrument", "window", "stop", "quantity"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_my_strategy.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path / "mine",
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a", "tidy_one", "a_strategy_with_a_name_as_long_as_is"])
def test_what_it_writes_is_formatted_and_clean_for_tools_that_nobody_told_anything(tmp_path: Path, name: str) -> None:
    assert main(["new", name, "--into", str(tmp_path)]) == 0

    for arguments in (["format", "--check"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", "--no-cache", "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_files_are_told_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["new", "drift", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"strategy": "drift.py", "test": "test_drift.py"}


@pytest.mark.parametrize("name", ["drift.py", "test_drift.py"])
def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")

    assert main(["new", "drift", "--into", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()

    assert main(["new", "drift", "--into", str(tmp_path / "file")]) == 2
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "My",
        "my-strategy",
        "2fast",
        "a b",
        "../up",
        "",
        "a" * 37,
        "_x",
        "x_",
        "a__b",
        "class",
        "match",
        "random",
        "trio",
        "test_x",
        "ж",
    ],
)
def test_a_bad_name_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["new", name, "--into", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
