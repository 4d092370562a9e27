"""The main job by the command line, on real sockets: run, look into the tape, replay, run again, interrupt."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from strategykit.cli import main
from strategykit.report import Result
from strategykit.runtime.demo import open_venue_process
from strategykit.tape.reader import open_tape

CROSS = ["sample:cross", "--instrument", "SBER", "--fast", "2", "--slow", "3", "--interval", "1s"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with open_venue_process(seed=5) as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def _begun(demonstration: object, run_of_a_dead_venue: object) -> None:
    """Let what later tests wait for go on beside these: the suite needn't stand still for it."""


def json_of(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    capsys.readouterr()
    assert main([*argv, "--json"]) == 0
    return printed(capsys)


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_run_leaves_a_tape_that_can_be_read_replayed_and_run_again(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ["--out", str(tmp_path / "kept"), "--json"]
    assert main(["run", *CROSS, "--url", url, "--for", "1.5s", "--tape", str(tmp_path), *kept]) == 0
    report = printed(capsys)
    result = Result.load(tmp_path / "kept")
    assert (result.facts.kind, result.facts.digest) == ("simulated venue", report["digest"])
    assert result.metrics()["orders"] == len(report["orders"])
    tape = report["tape"]
    assert report["ok"]
    assert {row["state"] for row in report["subscriptions"]} == {"active"}
    assert [row["name"] for row in report["strategies"]] == ["cross"]

    assert main(["tape", "verify", tape]) == 0
    capsys.readouterr()
    assert main(["tape", "info", tape, "--json"]) == 0
    assert printed(capsys)["connections"]

    replay = ["replay", *CROSS, "--tape", tape, "--fee-rate", "0.0005", "--rule", "trade_through", "--latency", "10ms"]
    models = tmp_path / "models.toml"
    fees = "fees = { maker_rate = 0.0005, taker_rate = 0.0005 }"
    models.write_text(f'rule = "trade_through"\norder_latency = "10ms"\n{fees}\n', encoding="utf-8")
    digests = []
    for again in (replay, replay, [*replay[:-6], "--models", str(models)]):
        assert main([*again, "--json"]) == 0
        digests.append(printed(capsys)["digest"])
    assert digests[0] == digests[1] == digests[2]

    assert main(["replay", "--rerun", tape, "--json"]) == 0
    again = printed(capsys)
    assert (again["ok"], again["equal"]) == (True, again["recorded"])


def test_a_session_file_runs_several_strategies_side_by_side(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.toml"
    path.write_text(
        f"""
        [venue]
        name = "alor"
        url = "{url}"
        [run]
        for = "1s"
        tape = false
        [[strategy]]
        file = "sample:maker"
        name = "left"
        params = {{ instrument = "SBER" }}
        [[strategy]]
        file = "sample:maker"
        name = "right"
        params = {{ instrument = "GAZP" }}
        """,
        encoding="utf-8",
    )

    assert main(["run", str(path)]) == 0

    out = capsys.readouterr().out
    assert "left (Maker)" in out
    assert "right (Maker)" in out
    assert sorted(item.name for item in tmp_path.iterdir()) == ["session.toml"]


def test_recording_takes_what_is_named_and_what_strategies_declare(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.toml"
    path.write_text(
        f"""
        [venue]
        name = "alor"
        url = "{url}"
        [[record]]
        kind = "trades"
        instrument = "SBER"
        [[strategy]]
        file = "sample:maker"
        params = {{ instrument = "GAZP" }}
        """,
        encoding="utf-8",
    )

    assert main(["record", str(path), "--for", "1s", "--json"]) == 0

    report = printed(capsys)
    assert [row["stream"] for row in report["subscriptions"]] == ["trades SBER", "book GAZP"]
    assert (report["strategies"], report["orders"]) == ([], [])
    assert main(["tape", "verify", report["tape"]]) == 0


def test_a_strategy_can_trade_on_what_was_recorded_without_it(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody traded while this was recorded, so nobody but the recording could ask for tick and lot."""
    (tmp_path / "session.toml").write_text(
        f"""
        [venue]
        name = "alor"
        url = "{url}"
        [[record]]
        kind = "trades"
        instrument = "SBER"
        """,
        encoding="utf-8",
    )
    (tmp_path / "buyer.py").write_text(
        "from strategykit import Strategy, Trades, define\n\n\n"
        "@define\n"
        "class Buyer(Strategy):\n"
        '    trades = Trades("SBER")\n\n'
        "    async def run(self) -> None:\n"
        "        async for _ in self.trades:\n"
        "            order = await self.buy(1)\n"
        "            await order.filled()\n"
        "            return\n",
        encoding="utf-8",
    )
    record = ["record", str(tmp_path / "session.toml"), "--for", "1.5s", "--tape", str(tmp_path / "tapes")]
    tape = json_of(capsys, *record)["tape"]

    report = json_of(capsys, "replay", str(tmp_path / "buyer.py"), "--tape", tape)

    assert report["notes"] == []
    (row,) = report["strategies"]
    assert (row["state"], row["fills"]) == ("ended", 1)


def test_a_demonstration_needs_some_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--for", "1s"]) == 2
    assert "no time to break wires" in capsys.readouterr().err


def test_the_tape_of_a_killed_run_is_recovered_and_run_again_up_to_its_end(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maker = ["sample:maker", "--instrument", "GAZP", "--refresh", "0.2", "--url", url]
    assert main(["run", *maker, "--for", "1s", "--tape", str(tmp_path), "--orders"]) == 0
    out = capsys.readouterr().out
    assert "Orders (times in UTC)" in out
    (tape,) = tmp_path.iterdir()
    commands = json_of(capsys, "tape", "info", str(tape))["commands"]
    (packed,) = tape.glob("*.zst")
    with packed.open("rb") as file:
        whole = zstandard.ZstdDecompressor().stream_reader(file).read()
    (tape / "000001.tape.part").write_bytes(whole[: len(whole) * 2 // 3])
    packed.unlink()
    for command in (["replay", "--rerun", str(tape)], ["replay", *maker[:-2], "--tape", str(tape)]):
        assert main([*command, "--json"]) == 0
        report = printed(capsys)
        assert "torn tail" in str(report.get("run", report)["notes"]), "who runs on a part of a tape is told"

    assert main(["tape", "recover", str(tape)]) == 0
    capsys.readouterr()
    assert main(["replay", "--rerun", str(tape), "--orders"]) == 0

    out = capsys.readouterr().out
    assert "the tape ends before its run did" in out
    again = json_of(capsys, "replay", "--rerun", str(tape))
    assert again["cut"]
    assert 0 < again["equal"] == again["recorded"] < commands
    assert f"re-run: {again['equal']} of {again['equal']} outgoing order commands equal" in out


@pytest.mark.parametrize(("signals", "within"), [(1, 5.0), (2, 1.0)])
def test_ctrl_c_ends_a_run_in_time_with_the_tape_sealed(
    url: str, tmp_path: Path, signals: int, within: float, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "strategykit", "run", "sample:maker", "--url", url, "--instrument", "LKOH"]
    command += ["--tape", str(tmp_path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 20
        while b"create:limit" not in b"".join(part.read_bytes() for part in tmp_path.glob("*/*.part")):
            assert process.poll() is None
            assert time.monotonic() < deadline, "no order within 20 s"
            time.sleep(0.05)
        for _ in range(signals):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        began = time.monotonic()
        out, err = process.communicate(timeout=30)
        took = time.monotonic() - began

    assert took < within
    assert "Traceback" not in err
    (tape,) = tmp_path.iterdir()
    assert main(["tape", "verify", str(tape)]) == 0
    if signals == 1:
        assert process.returncode == 0, err
        assert {order["state"] for order in json.loads(out)["orders"]} <= {"cancelled", "filled"}


BUYER = """
from strategykit import Strategy, Trades, define


@define
class Buyer(Strategy):
    trades = Trades("SBER")

    async def run(self):
        async for _ in self.trades:
            order = await self.buy(1)
            await order.filled()
            return
"""


def test_a_rerun_of_paper_trading_fills_by_the_models_of_the_run(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "buyer.py").write_text(BUYER, encoding="utf-8")
    session = tmp_path / "session.toml"
    session.write_text(
        f"""
        [venue]
        name = "alor"
        url = "{url}"
        [run]
        for = "20s"
        [models]
        order_latency = "50ms"
        answer_latency = "30ms"
        fees = {{ taker_rate = 0.001 }}
        [[strategy]]
        file = "buyer.py"
        """,
        encoding="utf-8",
    )

    assert main(["run", str(session), "--paper", "--json"]) == 0
    report = printed(capsys)

    assert open_tape(report["tape"]).header.session["models"] == {
        "order_latency": {"type": "Constant", "span": 50_000_000},
        "answer_latency": {"type": "Constant", "span": 30_000_000},
        "fees": {
            "maker_rate": "0",
            "taker_rate": "0.001",
            "maker_per_lot": "0",
            "taker_per_lot": "0",
            "order_minimum": "0",
            "most_rate": None,
            "tiers": [],
            "step": "0.01",
            "rounding": "ROUND_HALF_EVEN",
        },
    }
    assert main(["replay", "--rerun", report["tape"], "--json"]) == 0
    again = printed(capsys)
    assert (again["ok"], again["digest_equal"]) == (True, True)
    assert again["equal"] == again["recorded"] >= 1
