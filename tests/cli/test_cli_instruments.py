"""Asking a venue by the command line how it calls what it lists."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit.cli import main
from strategykit.registry.simulation import SimPlan
from strategykit.registry.table import find_venue


@pytest.fixture(scope="module")
def t4() -> Generator[str]:
    """Run a simulated T4 in a thread; give its address."""
    told: list[Any] = []
    ready = threading.Event()

    async def run() -> None:
        with trio.CancelScope() as scope:
            async with find_venue("t4").simulation.open(SimPlan(rate=1.0)) as venue:
                told.extend((venue.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,), name="venue")
    thread.start()
    assert ready.wait(30), "the venue didn't start"
    url, scope, token = told
    yield url
    token.run_sync_soon(scope.cancel)
    thread.join(30)


def typed(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(["instruments", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_markets_are_found_step_by_step(t4: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "session.toml"
    file.write_text(f'[venue]\nname = "t4"\nurl = "{t4}"\n', encoding="utf-8")

    code, top, _ = typed(capsys, str(file))
    assert code == 0
    assert "CME_Ny" in top
    assert "look below it" in top
    code, found, _ = typed(capsys, str(file), "crude")
    assert (code, "CME_Ny/CL" in found) == (0, True)
    code, markets, _ = typed(capsys, "t4", "CME_Ny/CL", "--url", t4, "--json")
    assert json.loads(markets) == [
        {
            "symbol": "CME_Ny/CL/XCME_Ny CL (Z26)",
            "description": "Crude oil 202612",
            "expires": "20261200",
            "is_market": True,
        }
    ]


def test_what_isnt_listed_is_a_failure_and_no_mistake(t4: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(capsys, "t4", "tulips", "--url", t4) == (1, "", "strategykit: t4 lists nothing called 'tulips'\n")
    code, out, _ = typed(capsys, "t4", "tulips", "--url", t4, "--json")
    assert (code, json.loads(out)) == (1, [])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["t4"], "venue.url is missing"),
        (["nowhere.toml"], "nowhere.toml"),
        (["session.toml", "--url", "http://127.0.0.1:1"], "names its venue itself"),
    ],
)
def test_a_wrong_question_gets_one_line(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    code, out, err = typed(capsys, *argv)

    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = typed(capsys, "--help")

    assert code == 0
    assert "strategykit instruments session.toml crude" in out


def test_the_doctor_logs_in_over_the_network_or_not_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "session.toml", "--login", "--offline"]) == 2
    assert "a login needs the network" in capsys.readouterr().err
