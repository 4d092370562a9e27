"""What one strategy can't have is that strategy's trouble alone."""

from __future__ import annotations

from typing import Any

from strategykit import Books, Strategy, Tickers, Trades, define
from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.runtime.assembly import Run


@define
class Deep(Strategy):
    """Wants a book that ALOR doesn't have."""

    book = Books("SBER", depth=100)


@define
class Plain(Strategy):
    """Wants what there is."""

    trades = Trades("SBER")


def test_a_stream_that_the_venue_does_not_have_fails_the_strategy_that_wants_it(play: Any) -> None:
    """It used to fail where requests are sent, and took the connections of the whole run with it."""

    async def script(run: Run, wires: Any) -> None:
        assert [seat.state for seat in run.supervisor.seats] == ["failed", "running"]

    run, wires = play([("deep", Deep()), ("plain", Plain())], script)

    deep, plain = run.supervisor.seats
    assert isinstance(deep.failure, LocalProtocolError)
    assert "100 levels" in str(deep.failure)
    assert plain.failure is None
    assert len(wires.requests) == 1
    assert [row.stream.kind.value for row in run.engine.table] == ["trades"]


@define
class Summing(Strategy):
    """Wants figures of the day, which ALOR has with its quotes only."""

    day = Tickers("SBER")


def test_a_kind_of_stream_that_the_venue_does_not_have_is_a_mistake_of_who_wants_it(play: Any) -> None:
    async def script(run: Run, wires: Any) -> None:
        assert [seat.state for seat in run.supervisor.seats] == ["failed", "running"]

    run, wires = play([("summing", Summing()), ("plain", Plain())], script)

    summing, plain = run.supervisor.seats
    assert isinstance(summing.failure, ConfigError)
    assert str(summing.failure).startswith("ticker SBER: alor has no ticker; of market data it has trades, quotes, ")
    assert plain.failure is None
    assert len(wires.requests) == 1
