"""What one strategy can't have is that strategy's trouble alone."""

from __future__ import annotations

import attrs
import trio

from strategykit import Books, Strategy, Trades, define
from strategykit.errors import LocalProtocolError
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.assembly import Identity, Run, assemble
from strategykit.runtime.clock import ReplayClock
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.runtime.waking import Wakes
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Ask
from strategykit.venues.subscriptions import Subscription


@define
class Deep(Strategy):
    """Wants a book that ALOR doesn't have."""

    book = Books("SBER", depth=100)


@define
class Plain(Strategy):
    """Wants what there is."""

    trades = Trades("SBER")


@attrs.define(eq=False)
class Wires:
    """The outside of a run: keeps what it is asked for."""

    asks: list[Ask] = attrs.field(factory=list)
    requests: list[str] = attrs.field(factory=list)

    def open(self, connection: str, lane: str) -> None: ...
    def close(self, connection: str) -> None: ...
    def refuse(self, reason: str) -> None: ...
    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None: ...
    def drop(self, connection: str, reason: str) -> None: ...
    def refresh_token(self) -> None: ...
    def refresh_login(self, connection: str) -> None: ...

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.requests.extend(Alor().subscribe([row], (), token="t"))

    def ask(self, ask: Ask) -> None:
        self.asks.append(ask)


class Port:
    """Nobody trades here."""

    def command(self, strategy: str, command: object) -> bool:
        return False

    def suspect(self, reason: str) -> None: ...


async def _play(clock: ReplayClock, wires: Wires) -> Run:
    done = trio.Event()
    async with trio.open_nursery() as nursery:
        run = assemble(
            identity=Identity(1, clock.start),
            clock=clock,
            wakes=Wakes(clock.poke),
            dialect=Alor(),
            market_connections=1,
            wires=wires,
            port=Port(),
            ledger=NullLedger(Notes(), lambda: clock.reading),
            strategies=[("deep", Deep()), ("plain", Plain())],
            instruments={},
            account="D1",
            exchange=None,
            nursery=nursery,
            paper=None,
            trades_at_venue=False,
            live=True,
            require_history=True,
            keep_orders=False,
        )
        nursery.start_soon(run.play_and_tell, done)
        await run.driver.quiet()
        for ask in wires.asks:
            await run.driver.dispatch(Input(InputKind.ANSWER, "http", clock.reading, b"no", ask, 404))
        await run.driver.dispatch(Input(InputKind.OPENED, "market-0", clock.reading, "market", status=1))
        states = [seat.state for seat in run.supervisor.seats]
        assert states == ["failed", "running"]
        run.supervisor.stop()
        await run.driver.finish(done)
        nursery.cancel_scope.cancel()
    return run


def test_a_stream_that_the_venue_does_not_have_fails_the_strategy_that_wants_it() -> None:
    """It used to fail where requests are sent, and took the connections of the whole run with it."""
    clock, wires = ReplayClock(10**18), Wires()
    run = trio.run(_play, clock, wires, clock=clock, instruments=[clock])

    deep, plain = run.supervisor.seats
    assert isinstance(deep.failure, LocalProtocolError)
    assert "100 levels" in str(deep.failure)
    assert plain.failure is None
    assert len(wires.requests) == 1
    assert [row.stream.kind.value for row in run.engine.table] == ["trades"]
