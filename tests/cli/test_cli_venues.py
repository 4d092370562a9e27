"""Every venue by the command line: the table of features, the simulated venue, a run on it, its tape, the doctor."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from strategykit.cli import main
from strategykit.cli._session import read_options
from strategykit.errors import ConfigError
from strategykit.model.orders import OrderType
from strategykit.registry.features import features_of, features_page
from strategykit.registry.simulation import SimPlan
from strategykit.registry.table import VENUES, find_venue
from strategykit.runtime.run import recorded_dialect
from strategykit.tape.reader import open_tape
from strategykit.venues.streams import StreamKind

PAGE: Final = Path(__file__).parents[2] / "docs" / "venues" / "README.md"

LIVE: Final = [name for name in VENUES if name != "relay"]
"""A relay is simulated by what it speaks like, which is tried under its own name; true relays are tried elsewhere."""

WITHIN: Final = 60.0
"""Seconds for one demonstration, as promised."""

SESSION: Final = """
[venue]
name = "{name}"
url = "{url}"
[run]
for = "1500ms"
tape = "tapes"
[[strategy]]
file = "sample:maker"
params = {{ instrument = "{symbol}", refresh = 0.2, edge = 1 }}
[[record]]
kind = "trades"
instrument = "{symbol}"
"""


def traded(name: str) -> str:
    """Give a symbol that the demonstration's market maker trades."""
    return next(str(item.params["instrument"]) for item in find_venue(name).shown if item.file == "sample:maker")


@contextmanager
def open_venue(name: str) -> Generator[str]:
    """Run a simulated venue in a thread; yield its address."""
    told: list[Any] = []
    ready = threading.Event()

    async def run() -> None:
        simulation = find_venue(name).simulation
        with trio.CancelScope() as scope:
            async with simulation.open(SimPlan(rate=simulation.rate, instruments=[traded(name)])) as server:
                told.extend((server.url, scope, trio.lowlevel.current_trio_token()))
                ready.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,), name="venue")
    thread.start()
    try:
        assert ready.wait(20), "the venue didn't start"
        url, scope, token = told
        try:
            yield url
        finally:
            token.run_sync_soon(scope.cancel)
    finally:
        thread.join(10)


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


# What there is


def test_the_page_of_features_is_what_the_dialects_say() -> None:
    page = features_page(VENUES.values())

    assert PAGE.read_text(encoding="utf-8") == page, "strategykit venues --markdown > docs/venues/README.md"


def test_the_command_prints_table_json_and_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venues", "--json"]) == 0
    rows = printed(capsys)
    assert [row["name"] for row in rows] == [*VENUES]
    assert main(["venues", "--markdown"]) == 0
    assert capsys.readouterr().out == features_page(VENUES.values())
    assert main(["venues"]) == 0
    out = capsys.readouterr().out
    assert all(title in out for title in (venue.title for venue in VENUES.values()))
    assert "on paper" in out
    assert main(["venues", "--json", "--markdown"]) == 2
    assert "print one of them" in capsys.readouterr().err


def test_features_are_the_dialects_offers() -> None:
    alor, binance = features_of(find_venue("alor")), features_of(find_venue("binance"))

    assert (alor.orders, alor.credentials, alor.confirms) == ([kind.value for kind in OrderType], ["token"], True)
    assert (binance.orders, binance.account, binance.credentials) == ([], [], [])
    assert binance.market_data == [
        kind.value for kind in StreamKind if kind in find_venue("binance").dialect({}).offers.streams
    ]
    assert binance.life == 86_400.0


# Each of them, simulated


@pytest.mark.parametrize("name", VENUES)
def test_each_venue_is_served(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", name, "--for", "20ms", "--seed", "3", "--instruments", traded(name), "--json"]) == 0

    facts = printed(capsys)
    assert facts["url"].startswith("http://127.0.0.1:")
    assert (facts["instruments"], facts["seed"]) == ([traded(name)], 3)
    assert main(["sim", name, "--instruments", "NOPE"]) == 2
    assert "--instruments 'NOPE': the simulated venue knows" in capsys.readouterr().err


def test_a_flag_that_means_nothing_to_a_venue_is_none_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "binance", "--cash", "1"]) == 2
    assert "--cash" in capsys.readouterr().err
    assert main(["sim", "binance", "--help"]) == 0
    help_ = capsys.readouterr().out
    assert "--token-life" not in help_
    assert "It takes no orders." in help_
    assert "strategykit sim binance --port 8900" in help_


@pytest.mark.parametrize("name", LIVE)
def test_each_venue_is_examined_run_on_replayed_and_run_again(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.toml"
    with open_venue(name) as url:
        path.write_text(SESSION.format(name=name, url=url, symbol=traded(name)), encoding="utf-8")
        assert main(["doctor", str(path), "--json"]) == 0
        assert {row["verdict"] for row in printed(capsys)} <= {"ok", "warn"}
        assert main(["run", str(path), "--json"]) == 0
    report = printed(capsys)

    assert report["ok"]
    assert report["orders"]
    assert {row["state"] for row in report["subscriptions"]} == {"active"}
    assert bool(report["paper"]) is not find_venue(name).takes_orders
    tape = report["tape"]
    assert recorded_dialect(open_tape(tape)) == find_venue(name).dialect({})
    assert main(["replay", "--rerun", tape, "--json"]) == 0
    again = printed(capsys)
    assert (again["ok"], again["digest_equal"]) == (True, True)
    assert main(["replay", "sample:maker", "--instrument", traded(name), "--tape", tape, "--json"]) == 0
    assert printed(capsys)["orders"]


def test_a_venue_without_orders_is_recorded_and_says_that_orders_stay_on_paper(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "session.toml"
    with open_venue("binance") as url:
        path.write_text(SESSION.format(name="binance", url=url, symbol=traded("binance")), encoding="utf-8")
        assert main(["record", str(path), "--for", "500ms", "--json"]) == 0
        recorded = printed(capsys)
        flags = ["--venue", "binance", "--url", url, "--option", "trades=aggTrade", "--instrument", traded("binance")]
        assert main(["run", "sample:maker", *flags, "--for", "500ms", "--no-tape"]) == 0
    out = capsys.readouterr().out

    assert recorded["paper"] == "", "nothing was ordered, on paper or otherwise"
    assert [row["stream"] for row in recorded["subscriptions"]] == ["trades ETHUSDT", "book ETHUSDT"]
    assert "note: Binance spot takes no orders here: orders stayed on paper, a fill model answered them" in out


def test_real_orders_where_none_are_taken_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["run", "sample:maker", "--venue", "binance", "--url", "http://127.0.0.1:9", "--instrument", "X", "--live"]

    assert main(argv) == 2
    assert "--live: Binance spot takes no orders here" in capsys.readouterr().err


def test_further_keys_of_a_venue_are_read_as_toml_would() -> None:
    assert read_options(["market_connections=3", "trades=aggTrade", "x=true", "tick=0.5", "y=a=b"]) == {
        "market_connections": 3,
        "trades": "aggTrade",
        "x": True,
        "tick": "0.5",
        "y": "a=b",
    }
    for wrong in ("hush", "=hush"):
        with pytest.raises(ConfigError) as caught:
            read_options([wrong])
        assert "hush" not in str(caught.value)


# Demonstrations, most in processes of their own, a few at a time

APART: Final = [name for name in LIVE if name not in ("alor", "t4")]
"""ALOR's is shown with the wheel."""


@pytest.fixture(scope="module", autouse=True)
def demonstrations(tmp_path_factory: pytest.TempPathFactory) -> Generator[Mapping[str, Future[Any]]]:
    """Begin the demonstrations; they go on beside the other tests."""
    folder = tmp_path_factory.mktemp("demonstrations")

    def show(name: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "strategykit", "demo", "--venue", name, "--for", "5s", "--seed", "7"]
        command += ["--tapes", str(folder / name), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=False)
        return done.returncode, done.stdout, done.stderr

    pool = ThreadPoolExecutor(max_workers=3)
    yield {name: pool.submit(show, name) for name in APART}
    pool.shutdown(cancel_futures=True)  # Nobody may have asked for them.


@pytest.mark.slow
@pytest.mark.parametrize("name", APART)
def test_the_demonstration_of_each_venue_keeps_its_promises(
    name: str, demonstrations: Mapping[str, Future[Any]]
) -> None:
    code, out, err = demonstrations[name].result()

    assert code == 0, err
    report = json.loads(out)
    assert (report["problems"], report["rerun"]["ok"], report["rerun"]["digest_equal"]) == ([], True, True)
    assert report["run"]["orders"]
    assert sum(row["reconnects"] for row in report["run"]["connections"]) >= 2
    assert {row["state"] for row in report["run"]["subscriptions"]} == {"active"}


@pytest.mark.slow
def test_a_demonstration_with_orders_compares_books_with_the_venue(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--venue", "t4", "--for", "4s", "--seed", "7", "--tapes", str(tmp_path)]) == 0

    out, err = capsys.readouterr()
    assert "orders in the venue's own log: " in out
    assert "re-run: digest equal" in out
    assert err.count("the venue cut the wire") == 2


def test_a_demonstration_of_a_venue_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--venue", "nyse"]) == 2
    assert "no venue is called 'nyse'; there are alor, " in capsys.readouterr().err
