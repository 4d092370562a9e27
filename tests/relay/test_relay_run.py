"""A relay as the command line runs it, in this process: before a simulated venue, on a bus, and without a venue."""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import open_websocket_url

from strategykit.cli.app import main
from strategykit.config import Session, make_session
from strategykit.errors import ConfigError
from strategykit.relay.run import relay_session, serve_only
from strategykit.relay.server import RelayPlan, RelayServer
from strategykit.runtime.assembly import Run
from strategykit.runtime.run import run_session
from strategykit.sim.server_stream import open_simulated_stream
from strategykit.sim.server_t4 import open_simulated_t4
from strategykit.sim.stream_config import StreamVenueConfig
from strategykit.sim.t4_config import T4VenueConfig, default_markets
from tests.relay.conftest import Reader
from tests.relay.in_process import answered, meanwhile, simulated
from tests.relay.redis_station import free_port, reachable, running

ES = "CME_Eq/ES/XCME_Eq ES (Z26)"
NOWHERE = "redis://127.0.0.1:1"
"""A bus that is away."""
PLENTY = 10_000
"""Messages that wait to be read: with the usual one, nobody who waits for a pong gets past two that come before it."""

pytestmark = [
    pytest.mark.usefixtures("leftovers"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def quiet() -> Generator[str]:
    """Serve a simulated Backpack on which nothing happens."""
    config = StreamVenueConfig(actions_per_second=0.0, advances_per_second=5.0)
    with simulated(lambda: open_simulated_stream("backpack", config)) as url:
        yield url


def one_market() -> AbstractAsyncContextManager[Any]:
    markets = {key: market for key, market in default_markets().items() if ES.endswith(key)}
    return open_simulated_t4(T4VenueConfig(markets=markets))


def session(name: str, url: str, *record: str, **run: Any) -> Session:
    """Give a session without strategies; trades and quotes of `record` are recorded."""
    tables = [{"instrument": symbol, "kind": kind} for symbol in record for kind in ("trades", "quotes")]
    document = {"venue": {"name": name, "url": url}, "run": {"tape": False, **run}, "record": tables}
    return make_session(document, folder=Path(), source="test")


def test_clients_and_strategies_hear_a_venue_whose_symbols_hold_more_than_letters() -> None:
    addresses = list[str]()

    async def listen(url: str) -> None:
        async with open_websocket_url(url.replace("http", "ws"), message_queue_size=PLENTY) as websocket:
            client, heard = Reader(websocket), set[str]()
            wanted = {f"trade.{ES}", f"depth.{ES}", f"ticker.{ES}"}
            await client.subscribe(*wanted)
            while heard != wanted:
                heard.add((await client.next())["stream"])

    async def until_all_came(run: Run) -> None:
        with trio.fail_after(20):
            while not all(row.data for row in run.engine.table):  # noqa: ASYNC110 - a run tells nobody of its insides
                await trio.sleep(0.005)
        run.supervisor.stop()

    def job() -> None:
        url = addresses[0]
        markets = httpx.get(f"{url}/api/v1/markets", timeout=60).json()
        assert [(row["symbol"], row["quoteSymbol"]) for row in markets] == [(ES, "USD")]
        trio.run(listen, url)
        report = run_session(session("relay", url, ES), meanwhile=until_all_came, handle_signals=False)
        assert [row.data > 0 for row in report.subscriptions] == [True, True]

    with simulated(one_market) as t4, meanwhile(job) as start:

        def ready(server: RelayServer) -> None:
            addresses.append(server.url)
            start()

        report = relay_session(session("t4", t4, ES), RelayPlan(), on_ready=ready)

    assert report.ok
    assert len(report.connections) == 1


@pytest.mark.parametrize("bus", [None, NOWHERE])
def test_who_runs_a_relay_is_told_of_what_clients_can_t_see(quiet: str, bus: str | None) -> None:
    """A channel that the venue refuses, or a bus that is away."""
    addresses, notes, told = list[str](), list[str](), threading.Event()

    def note(words: str) -> None:
        notes.append(words)
        told.set()

    async def ask() -> None:
        async with open_websocket_url(addresses[0].replace("http", "ws"), message_queue_size=PLENTY) as websocket:
            await Reader(websocket).subscribe("trade.NONE_USDC")
            assert await trio.to_thread.run_sync(told.wait, 60)

    with meanwhile(lambda: trio.run(ask)) as start:

        def ready(server: RelayServer) -> None:
            addresses.append(server.url)
            start()

        relay_session(session("backpack", quiet), RelayPlan(), bus_url=bus, on_ready=ready, on_note=note)

    expected = "the venue doesn't give trade.NONE_USDC: Invalid stream" if bus is None else "the bus is away"
    assert notes[0].startswith(expected)


async def test_a_relay_without_a_venue_serves_what_is_on_the_bus(nursery: trio.Nursery) -> None:
    with running() as redis, trio.fail_after(20):
        await reachable(redis)
        servers, ready = list[RelayServer](), trio.Event()

        def started(server: RelayServer) -> None:
            servers.append(server)
            ready.set()

        async def serve() -> None:
            await serve_only(redis.url, RelayPlan(), on_ready=started)

        nursery.start_soon(serve)
        await ready.wait()
        async with open_websocket_url(servers[0].url.replace("http", "ws"), message_queue_size=PLENTY) as websocket:
            client = Reader(websocket)
            await client.subscribe("trade.SBER")
            await redis.listened("trade.SBER", by_somebody=True)
            await redis.command("PUBLISH", "trade.SBER", '{"stream":"trade.SBER","data":{"p":"1"}}')

            assert (await client.next())["data"] == {"p": "1"}
        nursery.cancel_scope.cancel()


def test_a_bus_without_the_library_for_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("redis_bus", "redis_trouble"):
        monkeypatch.delitem(sys.modules, f"strategykit.relay.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "coredis", None)

    with pytest.raises(ConfigError, match=r"pip install 'strategykit\[redis\]'"):
        trio.run(serve_only, NOWHERE, RelayPlan())


def test_the_command_serves_a_session_until_it_is_interrupted(
    quiet: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.toml").write_text(f'[venue]\nname = "backpack"\nurl = "{quiet}"\n[run]\ntape = "tapes"\n', "utf-8")
    port = free_port()

    with meanwhile(lambda: answered(port)) as start:
        start()
        code = main(["relay", str(tmp_path / "s.toml"), "--port", str(port), "--json"])

    assert code == 0
    assert f'"url": "http://127.0.0.1:{port}"' in capsys.readouterr().out
    assert len(list((tmp_path / "tapes").iterdir())) == 1


@pytest.mark.parametrize("words", [["--for", "300ms"], []])
def test_the_command_serves_without_a_venue_until_its_time_is_over_or_it_is_interrupted(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUS", NOWHERE)
    port = free_port()
    command = ["relay", "--bus", "env:BUS", "--port", str(port), *words]

    if words:
        code = main(command)
    else:
        with meanwhile(lambda: answered(port)) as start:
            start()
            code = main(command)

    told = capsys.readouterr()
    assert code == 0
    assert f"The relay serves http://127.0.0.1:{port}; Ctrl-C ends it." in told.out
    assert "the bus is away" in told.err
    assert "Traceback" not in told.err
