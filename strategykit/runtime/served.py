"""Which recorded stream serves what a strategy wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from strategykit.errors import StrategyError
from strategykit.model.events import Event
from strategykit.runtime.built_bars import BarsFromTrades, trades_for
from strategykit.strategy import Strategy
from strategykit.venues.streams import PRIVATE, Stream, StreamKind

__all__ = ["find_served", "refuse_missing", "wanted_streams"]


def wanted_streams(strategies: Sequence[tuple[str, Strategy]], now: int) -> list[Stream]:
    """Give what strategies declare, `now` being nanoseconds UTC."""
    return [item.stream(strategy, now=now) for _, strategy in strategies for item in strategy.declarations()]


def refuse_missing(
    recorded: Sequence[Stream], strategies: Sequence[tuple[str, Strategy]], now: int, *, where: str
) -> None:
    """See, before a run, that all market data that strategies declare are there.

    Raises:
        StrategyError: Nothing serves one of them; says what there is.
    """
    for name, strategy in strategies:
        for wanted in wanted_streams([(name, strategy)], now):
            if wanted.kind in PRIVATE:
                continue
            try:
                find_served(recorded, wanted, lambda _: None, where=where)
            except StrategyError as exc:
                raise StrategyError(f"strategy {name}: {exc}") from None


def find_served(
    recorded: Sequence[Stream], wanted: Stream, receive: Callable[[Event], None] | None, *, where: str
) -> tuple[Stream, Callable[[Event], None] | None]:
    """Give the recorded stream that serves `wanted`, and who should get its events.

    Bars that weren't recorded are built from trades that were.

    Args:
        recorded: What there is.
        wanted: What a strategy wants.
        receive: Who wants it.
        where: What it was recorded on, for the message: ``"the tape"``.

    Raises:
        StrategyError: Nothing serves it; says what there is.
    """
    same = [stream for stream in recorded if _serves(stream, wanted)]
    if same:
        return same[0], receive
    trades = [stream for stream in recorded if _serves(stream, trades_for(wanted))]
    if wanted.kind is StreamKind.BARS and trades and receive is not None:
        return trades[0], BarsFromTrades(wanted, receive)
    have = ", ".join(sorted({stream.label for stream in recorded})) or "no market data"
    raise StrategyError(f"{where} has no {wanted.label}; it has {have}")


def _serves(recorded: Stream, wanted: Stream) -> bool:
    return (
        recorded.kind is wanted.kind
        and recorded.instrument == wanted.instrument
        and recorded.interval == wanted.interval
        and (wanted.exchange is None or recorded.exchange is None or recorded.exchange == wanted.exchange)
    )
