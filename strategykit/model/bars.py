"""Bars from trades: by time, by number of trades, by volume."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Final

from strategykit.errors import ConfigError
from strategykit.model.events import Bar, Trade

__all__ = ["BarBuilder", "TickBars", "VolumeBars", "interval"]

_SECOND: Final = 1_000_000_000
_UNITS: Final = {"s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND, "d": 86_400 * _SECOND}
_TEXT: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)


def interval(text: str) -> int:
    """Give the nanoseconds that ``"15s"``, ``"5m"``, ``"1h"`` or ``"1d"`` mean.

    Raises:
        ConfigError: It isn't a whole number above 0 with one of the units s, m, h and d.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ConfigError(
            f"interval {text!r} isn't understood; give a whole number and s, m (minutes), h or d, "
            "such as '1s', '15s', '1m', '5m', '1h' or '1d'"
        )
    return int(found[1]) * _UNITS[found[2]]


class _Forming:
    """The bar that trades are being added to."""

    __slots__ = ("close", "first", "guid", "high", "last", "low", "open", "snapshot", "trades", "volume")

    def __init__(self, trade: Trade, time: int) -> None:
        self.first = self.last = time
        self.open = self.high = self.low = self.close = trade.price
        self.volume = trade.quantity
        self.trades = 1
        self.snapshot = trade.snapshot
        self.guid = trade.guid

    def add(self, trade: Trade, time: int) -> None:
        price = trade.price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        self.close = price
        self.volume += trade.quantity
        self.trades += 1
        self.last = max(self.last, time)
        self.snapshot = self.snapshot and trade.snapshot

    def bar(self, instrument: str, open_time: int, length: int, receive_time: int, *, closed: bool) -> Bar:
        return Bar(
            instrument,
            open_time,
            length,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
            closed,
            self.last,
            receive_time,
            self.guid,
            self.snapshot,
        )


def _time(trade: Trade) -> int:
    return trade.receive_time if trade.event_time is None else trade.event_time


class BarBuilder:
    """Build bars of one length from trades; they begin at multiples of it since 1970, UTC.

    An interval without trades gives no bar. A bar closes with the first trade of a later interval, or by `close`.
    Its `event_time` is that of its last trade; it is marked as a snapshot if all of its trades are.

    Args:
        instrument: Symbol that the bars carry.
        length: Nanoseconds a bar, as `interval` gives them.
        show_forming: Whether `apply` also gives the bar that is still forming, after those that closed.

    Raises:
        ConfigError: `length` isn't above 0.
    """

    def __init__(self, instrument: str, length: int, *, show_forming: bool = False) -> None:
        if length < 1:
            raise ConfigError(f"a bar's interval must be above 0 ns, not {length}")
        self.instrument = instrument
        self.length = length
        self.late = 0
        """Trades that belonged to a bar which was closed already; they are in no bar."""
        self._show_forming = show_forming
        self._forming: _Forming | None = None
        self._open_time = 0
        self._closed_until: int | None = None
        self._missed = False
        self._whole_from: int | None = None
        """When the first interval after a hole begins of which everything is known."""

    def apply(self, trade: Trade) -> list[Bar]:
        """Add a trade; give the bar that it closed, if any, then the forming one if asked for."""
        time = _time(trade)
        bars: list[Bar] = []
        if self._missed:
            if trade.snapshot:
                return bars
            self._missed = False
            self._whole_from = time - time % self.length + self.length
        if self._whole_from is not None and time < self._whole_from:
            return bars
        forming = self._forming
        if forming is not None and time >= self._open_time + self.length:
            bars.append(self._finish(forming, trade.receive_time))
            forming = None
        if forming is None:
            if self._closed_until is not None and time < self._closed_until:
                self.late += 1
                return bars
            self._forming = forming = _Forming(trade, time)
            self._open_time = time - time % self.length
        elif time < self._open_time:
            self.late += 1
            return bars
        else:
            forming.add(trade, time)
        if self._show_forming:
            bars.append(forming.bar(self.instrument, self._open_time, self.length, trade.receive_time, closed=False))
        return bars

    def close(self, now: int) -> list[Bar]:
        """Close the bar whose interval is over at `now`, nanoseconds UTC; give it, if there is one.

        Trades that come for it later are counted as `late`.
        """
        forming = self._forming
        if forming is None or now < self._open_time + self.length:
            return []
        return [self._finish(forming, now)]

    def missed(self) -> None:
        """Trades were missed since the last one: no bar is made of its interval, nor of the next new trade's.

        Past trades that come before that one are left out: what is told afterwards may have holes, too.
        """
        self._forming = None
        self._missed = True

    def _finish(self, forming: _Forming, receive_time: int) -> Bar:
        self._forming = None
        self._closed_until = self._open_time + self.length
        return forming.bar(self.instrument, self._open_time, self.length, receive_time, closed=True)


class _Counted(ABC):
    """Bars that close when enough has been traded; `open_time` is the first trade's, `interval` what it took."""

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self._forming: _Forming | None = None

    @abstractmethod
    def _full(self, forming: _Forming) -> bool: ...

    def apply(self, trade: Trade) -> list[Bar]:
        """Add a trade; give the bar that it completed, if it did."""
        forming, time = self._forming, _time(trade)
        if forming is None:
            self._forming = forming = _Forming(trade, time)
        else:
            forming.add(trade, time)
        if not self._full(forming):
            return []
        self._forming = None
        took = forming.last - forming.first
        return [forming.bar(self.instrument, forming.first, took, trade.receive_time, closed=True)]


class TickBars(_Counted):
    """Bars of `count` trades each.

    Raises:
        ConfigError: `count` is below 1.
    """

    def __init__(self, instrument: str, count: int) -> None:
        if count < 1:
            raise ConfigError(f"a tick bar needs at least 1 trade, not {count}")
        super().__init__(instrument)
        self._count = count

    def _full(self, forming: _Forming) -> bool:
        return forming.trades >= self._count


class VolumeBars(_Counted):
    """Bars of at least `volume` lots each; the trade that passes the mark belongs whole to the bar that it closes.

    Raises:
        ConfigError: `volume` isn't above 0.
    """

    def __init__(self, instrument: str, volume: float) -> None:
        if not volume > 0:
            raise ConfigError(f"a volume bar needs more than 0 lots, not {volume}")
        super().__init__(instrument)
        self._volume = volume

    def _full(self, forming: _Forming) -> bool:
        return forming.volume >= self._volume
