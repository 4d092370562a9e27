"""``parity`` and ``lookahead`` from the command line: tables, JSON, files, exit codes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from strategykit.cli import main
from strategykit.config_models import load_models
from strategykit.sim.models.latency import NONE
from tests.parity.recorded_runs import Silent, record_run, trading_run


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trading_run(tmp_path_factory.mktemp("parity") / "run", advances_per_second=100.0, seconds=5.0)


def shown(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    assert main(arguments) == code
    return capsys.readouterr().err


def test_differences_are_listed_and_fitted_models_written_for_replay(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fitted.toml"

    text = shown(capsys, 1, "parity", str(tape), "--fit", str(file))

    assert "Fills that differ" in text
    assert "fee table" in text
    assert "[models]" in text
    assert f"models: {file}" in text
    assert "with these models: " in text
    assert load_models(file).order_latency != NONE
    assert [path.name for path in tmp_path.iterdir()] == ["fitted.toml"]
    replay = ["replay", "sample:maker", "--instrument", "SBER", "--tape", str(tape), "--models", str(file)]
    assert main(replay) == 0


def test_json_has_all_of_it_and_the_tolerance_decides(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(capsys, 1, "parity", str(tape), "--json"))
    loose = ["--within-time", "1h", "--within-price", "1000", "--within-fee", "9", "--may-differ", "1"]
    wide = json.loads(shown(capsys, 0, "parity", str(tape), "--compare-only", "--json", *loose))

    assert found["different"] == len(found["differences"])
    assert all(row["why"] for row in found["differences"])
    assert found["latencies"]["order"]["middle"] > 0
    assert found["fit"]["rules"][0]["error"] <= found["fit"]["rules"][-1]["error"]
    assert found["money"][0]["currency"] == "RUB"
    assert wide["equal"] > 0
    assert wide["share_different"] < found["share_different"]
    assert "fit" not in wide


def test_models_of_a_file_are_what_is_compared(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "models.toml"
    file.write_text('order_latency = "1h"\n')

    text = shown(capsys, 1, "parity", str(tape), "--models", str(file), "--compare-only", "--within-time", "0")

    assert "parity: 0 of " in text


def test_what_is_wrong_with_a_parity_command_is_told(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = record_run(tmp_path / "silent", ("silent", Silent(instrument="SBER")), seconds=1.0)

    assert "only trades SBER" in refused(capsys, 1, "parity", str(silent))
    assert "none" in refused(capsys, 1, "parity", str(tmp_path / "none"))
    assert "--may-differ 2.0 should be a part" in refused(capsys, 2, "parity", str(tape), "--may-differ", "2")
    assert "--within-fee 'x'" in refused(capsys, 2, "parity", str(tape), "--within-fee", "x")
    assert "is a folder" in refused(capsys, 2, "parity", str(tape), "--fit", str(tmp_path))
    both = refused(capsys, 2, "parity", str(tape), "--fit", str(tmp_path / "a.toml"), "--compare-only")
    assert "nothing for --fit to write" in both


PEEKER = """
from pathlib import Path
from strategykit import Books, Strategy, define

SEEN = []

@define
class Peeker(Strategy):
    '''Reads what comes.'''

    instrument: str
    path: str
    book = Books("{instrument}", depth=10)

    def on_book(self, book):
        if not SEEN:
            SEEN.append(sum(len(file.read_bytes()) for file in Path(self.path).glob("*.tape*")))
            self.buy_nowait(1)
"""


def test_an_honest_strategy_passes(tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = tmp_path / "session.toml"
    session.write_text(
        '[venue]\nname = "alor"\nurl = "http://127.0.0.1:1"\n\n[[strategy]]\nname = "maker"\nfile = "sample:maker"\n'
        '[strategy.params]\ninstrument = "SBER"\n'
    )
    flags = ["--tape", str(tape), "--cuts", "2"]

    text = shown(capsys, 0, "lookahead", "sample:maker", "--instrument", "SBER", *flags)
    found = json.loads(shown(capsys, 0, "lookahead", str(session), *flags, "--json"))

    assert "no look-ahead found: 2 of 2 cuts equal" in text
    assert found["ok"]
    assert found["decisions"] > 0


def test_one_that_peeks_is_told_with_what_it_read_and_did(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "peeker.py"
    file.write_text(PEEKER)

    text = shown(capsys, 1, "lookahead", str(file), "--instrument", "SBER", "--path", str(tape), "--tape", str(tape))

    assert "First orders that differ" in text
    assert "CreateOrder buy 1 SBER at the market" in text
    assert f"a strategy opened {tape / '000001.tape.zst'}, a file of the recording, by itself" in text
    assert "a second run on all data decided otherwise, too" in text
    assert "look-ahead, or something else that isn't in the data: 0 of 1 cut equal" in text


@pytest.mark.skipif(sys.platform != "linux", reason="no other system tells which files are opened")
def test_one_that_has_another_process_read_for_it_is_told(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, target = tmp_path / "peeker.py", tape / "000001.tape.zst"
    reads = PEEKER.replace("from pathlib import Path", "import subprocess").replace(
        "not SEEN", "not self.open_orders()"
    )
    call = f"subprocess.run(['cat', {str(target)!r}], stdout=subprocess.DEVNULL)"
    file.write_text(re.sub(r"SEEN.append.*", call, reads))
    flags = [str(file), "--instrument", "SBER", "--path", "x", "--tape", str(tape), "--cuts", "1"]

    text = shown(capsys, 1, "lookahead", *flags)

    assert f"{target}, a file of the recording, was opened while they ran" in text
    assert "look-ahead, or something else that isn't in the data: 1 of 1 cut equal" in text
    monkeypatch.setattr("strategykit.parity.openings.sys.platform", "other")
    unseen = shown(capsys, 0, "lookahead", *flags)
    assert "libraries open without Python weren't seen: only Linux tells which files are opened" in unseen


def test_one_that_sends_nothing_or_fails_is_said_to(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "broken.py"
    file.write_text(PEEKER.replace("        if not SEEN:", "        raise ValueError('no')\n        if not SEEN:"))
    session = tmp_path / "session.toml"
    session.write_text('[venue]\nname = "alor"\nurl = "http://127.0.0.1:1"\n')

    text = shown(capsys, 1, "lookahead", str(file), "--instrument", "SBER", "--path", "x", "--tape", str(tape))

    assert "failed on all data: broken: ValueError: no" in text
    assert "it sent no orders" in text
    assert "no look-ahead found before it failed: 8 of 8 cuts equal" in text
    assert "has no [[strategy]]" in refused(capsys, 2, "lookahead", str(session), "--tape", str(tape))
