"""The REST half of the simulated stream venues: snapshots, past trades and bars, what is listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from strategykit.sim.http_calls import HttpAnswer, HttpCall
from strategykit.sim.stream_market import StreamMarket, Symbol
from strategykit.venues.stream.server_values import BookState, Candle, Print
from strategykit.venues.stream.server_variants import ServerVariant
from strategykit.venues.stream.server_wording import encode_row

__all__ = ["Call", "CallError", "StreamDesk", "answer_call"]

_OPEN: Final = {"access-control-allow-origin": "*"}
_FAR: Final = 1 << 62


class CallError(Exception):
    """A call that is answered with a refusal."""

    def __init__(self, row: object, *, status: int = 400) -> None:
        super().__init__(str(row))
        self.row = row
        self.status = status


Call = Callable[["StreamDesk", int], Any]
"""Gives the rows that answer one path."""


class StreamDesk:
    """Reads one call against the market.

    Args:
        market: What is shown.
        variant: Whose symbols and intervals.
        query: Of the call.
        refuse: Makes the refusal of a parameter: its name, and whether it was missing or wrong.
        book: Gives the snapshot of a symbol, which may be stale by a fault.
    """

    def __init__(
        self,
        market: StreamMarket,
        variant: ServerVariant,
        query: Mapping[str, str],
        refuse: Callable[[str], CallError],
        book: Callable[[Symbol], BookState],
    ) -> None:
        self.market = market
        self.variant = variant
        self._query = query
        self._refuse = refuse
        self._book = book

    @property
    def all_or_one(self) -> bool:
        """True: the call names no symbol, and so means all of them."""
        return "symbol" not in self._query

    @property
    def symbol(self) -> Symbol:
        found = self.market.symbols.get(self._query.get("symbol", ""))
        return found if found is not None else self._fail("symbol")

    @property
    def symbols(self) -> list[Symbol]:
        """The one that is named, else all."""
        return list(self.market.symbols.values()) if self.all_or_one else [self.symbol]

    def book(self, *, default: int, most: int) -> BookState:
        return self._book(self.symbol).cut(self._number("limit", default, most=most))

    def trades(self, *, default: int) -> list[Print]:
        """Give the latest, oldest first."""
        kept = list(self.symbol.trades)
        return kept[max(0, len(kept) - self._number("limit", default, most=1_000)) :]

    def candles(self, now: int, *, unit: int, default: int = 500, most: int = 1_000) -> list[Candle]:
        """Give bars, oldest first: from ``startTime`` on, or the latest; times are counted in `unit` nanoseconds."""
        name = self._query.get("interval", "")
        interval = self.variant.intervals.get(name)
        if interval is None:
            return self._fail("interval")
        limit = self._number("limit", default, most=most)
        since = self._number("startTime", 0, most=_FAR // unit) * unit
        until = min(self._number("endTime", now // unit, most=_FAR // unit) * unit, now) + 1
        found = self.symbol.candles(name, interval, since, until, now)
        return found[:limit] if "startTime" in self._query else found[max(0, len(found) - limit) :]

    def _number(self, name: str, default: int, *, most: int) -> int:
        text = self._query.get(name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) > most:
            self._fail(name)
        return int(text)

    def _fail(self, name: str) -> NoReturn:
        raise self._refuse(name)


def answer_call(
    call: HttpCall, calls: Mapping[str, Call], desk: StreamDesk, now: int, *, prefix: str, missing: object
) -> HttpAnswer:
    """Answer one call by a table of what there is.

    Args:
        call: What is asked.
        calls: By path, below `prefix`.
        desk: The call's own.
        now: Nanoseconds UTC.
        prefix: As ``"/api/v3"``.
        missing: The answer to what isn't there.
    """
    found = calls.get(call.path.removeprefix(prefix).strip("/")) if call.path.startswith(prefix) else None
    if found is None:
        return _made(404, missing)
    if call.method not in ("GET", "HEAD"):
        return _made(405, missing)
    try:
        return _made(200, found(desk, now))
    except CallError as exc:
        return _made(exc.status, exc.row)


def _made(status: int, value: Any) -> HttpAnswer:
    return HttpAnswer(status=status, body=encode_row(value), headers=_OPEN)
