"""A strategy that holds the thread is interrupted and fails alone; real sockets, the real clock, the main thread."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from strategykit import Order, OrderState, Quote, Quotes, Strategy, define
from strategykit.cli import main
from strategykit.config import SIMULATED_ACCOUNT
from strategykit.errors import StrategyBlocked
from strategykit.net.endpoints import Endpoints
from strategykit.net.http import token_fetcher
from strategykit.net.venue import connect_venue
from strategykit.runtime.assembly import Run
from strategykit.runtime.live import LivePlan, run_live
from strategykit.runtime.report import RunReport, StrategyReport
from strategykit.runtime.rerun import RerunPlan, rerun
from strategykit.runtime.watchdog import INTERRUPT, Watchdog, watched
from strategykit.secret import Secret
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.instruments import default_instruments
from strategykit.sim.server_alor import open_simulated_alor
from strategykit.tape.reader import open_tape
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.tokens import read_refresh, refresh_request

LIMIT: Final = 0.5
"""Seconds: enough for a machine that is busy with other tests."""

CONFIG: Final = AlorVenueConfig(
    instruments={symbol: each for symbol, each in default_instruments().items() if symbol in ("SBER", "GAZP")}
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A venue in another thread: the main one is the strategies'."""
    told: queue.Queue[tuple[str, Callable[[], None]]] = queue.Queue()

    async def serve() -> None:
        with trio.CancelScope() as scope:
            async with open_simulated_alor(CONFIG) as venue:
                token = trio.lowlevel.current_trio_token()
                told.put((venue.url, lambda: token.run_sync_soon(scope.cancel)))
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(serve,))
    thread.start()
    address, stop = told.get(timeout=10)
    yield address
    stop()
    thread.join(10)


def pause(seconds: float) -> None:
    """Hold the thread, where linters would see `time.sleep`."""
    time.sleep(seconds)


def forever() -> None:
    while True:
        pass


def stubbornly() -> None:
    """As a strategy that catches whatever comes, and tries again."""
    for _ in range(3):
        try:
            time.sleep(30)
        except Exception:  # noqa: BLE001 - the mistake that is tested
            continue
    forever()


WAYS: Final[dict[str, Callable[[], None]]] = {
    "sleeps": lambda: time.sleep(30),
    "loops": forever,
    "catches": stubbornly,
}


@define
class Blocking(Strategy):
    """Holds the thread, once, in the place that it is told."""

    place: str
    way: str = "sleeps"

    quotes = Quotes("SBER")

    def hold(self, place: str) -> None:
        if place == self.place:
            self.place = ""
            WAYS[self.way]()

    def on_quote(self, quote: Quote) -> None:
        self.hold("on_quote")

    def on_order(self, order: Order) -> None:
        if order.state is OrderState.WORKING:
            self.hold("on_order")
        elif order.state is OrderState.REJECTED:
            self.hold("on_refusal")

    async def job(self) -> None:
        await trio.sleep(0.05)
        self.hold("task")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        await self.buy(1, limit=250.0)
        if self.place == "on_refusal":
            self.buy_nowait(1, limit=1.0)
        self.start(self.job)
        await trio.sleep(0.05)
        self.hold("run")


@define
class Steady(Strategy):
    """Places an order and withdraws it, over and over."""

    quotes = Quotes("SBER")

    async def run(self) -> None:
        await self.when(self.quotes.bid > 0)
        while True:
            order = await self.buy(1, limit=250.0)
            await order.cancel()
            await trio.sleep(0.05)


async def wait_seen(run: Run) -> None:
    """Return when one has failed and the other has placed orders since."""
    seats = {seat.name: seat for seat in run.supervisor.seats}
    while seats["blocking"].state != "failed":  # noqa: ASYNC110 - a strategy's state has no event
        await trio.sleep(0.02)
    orders = len(seats["steady"].desk.orders)
    while len(seats["steady"].desk.orders) < orders + 3:  # noqa: ASYNC110 - nor has the number of its orders
        await trio.sleep(0.02)


async def stop_when_seen(run: Run) -> None:
    await wait_seen(run)
    run.supervisor.stop()


async def interrupt_when_seen(run: Run) -> None:
    """As Ctrl-C: its place among the inputs is on the tape."""
    await wait_seen(run)
    signal.raise_signal(signal.SIGINT)


def play(
    url: str,
    *strategies: tuple[str, Strategy],
    meanwhile: Callable[[Run], Awaitable[None]] | None = None,
    tape: Path | None = None,
) -> RunReport:
    dialect = Alor()

    def connect(inbox: Any, recorder: Any, stamp: Callable[[], int], rng: Any) -> Any:
        return connect_venue(
            dialect,
            Endpoints.at(url),
            fetch_token=token_fetcher(
                url, request=lambda: refresh_request(Secret(CONFIG.refresh_token)), parse=read_refresh
            ),
            inbox=inbox,
            recorder=recorder,
            rng=rng,
            stamp=stamp,
        )

    return run_live(
        LivePlan(
            dialect=dialect,
            connect=connect,
            account=SIMULATED_ACCOUNT,
            exchange="MOEX",
            market_connections=1,
            strategies=strategies,
            duration=10_000_000_000,
            tape=tape,
            meanwhile=meanwhile,
            hold_limit=LIMIT,
        )
    )


def row(report: RunReport, name: str) -> StrategyReport:
    (found,) = (item for item in report.strategies if item.name == name)
    return found


@pytest.mark.parametrize(
    ("place", "way"),
    [
        ("on_quote", "sleeps"),
        ("on_order", "sleeps"),
        ("on_refusal", "sleeps"),
        ("run", "loops"),
        ("task", "sleeps"),
        ("on_quote", "catches"),
    ],
)
def test_who_holds_the_thread_is_interrupted_and_fails_alone(url: str, place: str, way: str) -> None:
    report = play(url, ("blocking", Blocking(place=place, way=way)), ("steady", Steady()), meanwhile=stop_when_seen)

    blocking, steady = row(report, "blocking"), row(report, "steady")
    assert blocking.state == "failed"
    assert f"held the thread for over {LIMIT} s" in blocking.error
    assert (steady.state, steady.error) == ("ended", "")
    assert not report.ok
    assert not report.unaccounted
    assert {item.state for item in report.orders if item.strategy == "blocking"} <= {"cancelled", "rejected"}
    last = max(item.placed for item in report.orders if item.strategy == "steady")
    noted = [time for time, source, text in report.notes if source == "blocking" and "failed: StrategyBlocked" in text]
    assert len(noted) == 1
    assert last > noted[0]


@pytest.mark.parametrize(("place", "way"), [("on_quote", "sleeps"), ("run", "loops"), ("task", "sleeps")])
def test_who_held_the_thread_is_interrupted_in_the_rerun_too(url: str, tmp_path: Path, place: str, way: str) -> None:
    def strategies() -> list[tuple[str, Strategy]]:
        return [("blocking", Blocking(place=place, way=way)), ("steady", Steady())]

    live = play(url, *strategies(), meanwhile=interrupt_when_seen, tape=tmp_path / "tape")
    again = rerun(
        RerunPlan(
            tape=open_tape(tmp_path / "tape"),
            dialect=Alor(),
            strategies=strategies(),
            account=SIMULATED_ACCOUNT,
            exchange="MOEX",
            market_connections=1,
            hold_limit=LIMIT,
        )
    )

    assert row(live, "blocking").state == row(again.run, "blocking").state == "failed"
    assert row(again.run, "steady").state == "ended"
    assert not again.differences
    assert again.digest_equal


@pytest.mark.parametrize(
    ("pauses", "interrupts"),
    [
        pytest.param([0.1, 60.0, 0.1], 0, id="the machine stands still"),
        pytest.param([0.1, 5.0, 0.1, 0.1], 1, id="C code keeps all threads waiting"),
        pytest.param([0.1] * 6, 1, id="code holds the thread"),
        pytest.param([0.1] * 5, 0, id="code holds it for less"),
    ],
)
def test_a_machine_that_stands_still_is_no_strategy_that_holds_the_thread(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], interrupts: int
) -> None:
    """The watching thread stands still with it, and meets the same step once when both go on."""
    sent: list[int] = []
    now = [0.0]
    left = iter(pauses)

    class Looks(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pause = next(left, None)
            now[0] += pause or 0.0
            return pause is None

    monkeypatch.setattr(signal, "pthread_kill", lambda _, number: sent.append(number))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watchdog = Watchdog(LIMIT - 0.05)
    watchdog.enter("a strategy")

    watchdog._look(Looks())

    assert sent == [INTERRUPT] * interrupts


def test_who_gives_the_thread_back_in_time_is_left_alone(url: str) -> None:
    @define
    class Slow(Strategy):
        quotes = Quotes("SBER")

        async def run(self) -> None:
            for _ in range(4):
                pause(LIMIT / 3)
                await trio.sleep(0.001)
            self.log("done")

    report = play(url, ("slow", Slow()))

    assert report.ok
    assert any(text == "done" for _, _, text in report.notes)
    assert signal.getsignal(INTERRUPT) is signal.SIG_DFL


def test_the_program_ends_with_a_red_exit_and_says_who_it_was(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "blocker.py"
    file.write_text(
        '"""Blocks."""\n'
        "import time\n\n"
        "from strategykit import Quote, Quotes, Strategy, define\n\n\n"
        "@define\n"
        "class Blocker(Strategy):\n"
        '    quotes = Quotes("SBER")\n\n'
        "    def on_quote(self, quote: Quote) -> None:\n"
        "        time.sleep(30)\n",
        encoding="utf-8",
    )

    code = main(["run", str(file), "--url", url, "--for", "3s", "--no-tape"])

    told = capsys.readouterr()
    assert code != 0
    assert "held the thread for over 1 s" in told.out + told.err


def test_outside_the_main_thread_nothing_is_watched() -> None:
    """No signal arrives there; the watchdog says so by doing nothing."""
    seen: list[object] = []

    def elsewhere() -> None:
        watchdog = Watchdog(0.01)
        with watchdog.watching():
            seen.append(signal.getsignal(INTERRUPT))
            with watched(watchdog, "what"):
                seen.append(watchdog.running)
            seen.append(watchdog.running)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()

    assert seen == [signal.SIG_DFL, "what", None]


def test_a_signal_that_comes_late_interrupts_nobody() -> None:
    """Between the second thread's look and the signal, the strategy may have given the thread back."""
    watchdog = Watchdog(30.0)

    async def late() -> None:
        watchdog.enter("slow")
        watchdog.leave()
        signal.raise_signal(INTERRUPT)
        watchdog.enter("another")
        signal.raise_signal(INTERRUPT)
        watchdog.leave()
        await trio.lowlevel.checkpoint()

    with watchdog.watching():
        trio.run(late)


def test_what_is_told_names_the_task_or_says_that_it_was_a_handler() -> None:
    watchdog = Watchdog(0.01)

    async def hold() -> None:
        for what in (trio.lowlevel.current_task(), print):
            with watched(watchdog, what):
                try:
                    pause(5)
                except StrategyBlocked as exc:
                    told.append(str(exc).partition(" held ")[0].rpartition(".")[2])
        await trio.lowlevel.checkpoint()

    told: list[str] = []
    with watchdog.watching():
        trio.run(hold)

    assert told == ["hold", "a handler"]
