"""Trades, quotes, books and the state of markets, client side: one cursor a subscription makes events of T4's data.

Source: T4 protocol sheet, sections 3.3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from strategykit.errors import LocalProtocolError
from strategykit.model.events import BookSnapshot, Event, InstrumentUpdate, Quote, Trade, VenueStatus
from strategykit.venues.streams import Stream
from strategykit.venues.t4.market import Bounds, Depth, Figures, Half, Mode, Part, Print, Settled
from strategykit.venues.t4.names import word
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = [
    "NORMAL_DEPTH",
    "BookCursor",
    "QuoteCursor",
    "StatusCursor",
    "TradeCursor",
    "TradeMemory",
    "instrument_of",
    "trade_of",
]

NORMAL_DEPTH: Final = 10
"""Levels a side where a stream names none: what exchanges usually publish."""

_MATCHING: Final[Mapping[int, bool | None]] = {
    enums.MARKET_MODE_OPEN: True,
    enums.MARKET_MODE_UNDEFINED: None,
    enums.MARKET_MODE_RESTRICTED_OPEN: None,
    enums.MARKET_MODE_PRE_CROSS: None,
    enums.MARKET_MODE_CROSS: None,
}
"""Whether orders are matched; all other modes say no. What T4 doesn't explain says nothing."""


def instrument_of(stream: Stream) -> str:
    """Give the instrument of a stream of market data.

    Raises:
        LocalProtocolError: It names none.
    """
    if not stream.instrument:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} needs an instrument")
    return stream.instrument


class TradeMemory:
    """Tells new trades from repeats, by how much was traded in the session so far; they have no numbers.

    The time is that of the trade, so a repeat has the same one. Source: T4 protocol sheet, section 2.2.
    """

    __slots__ = ("_time", "_total")

    def __init__(self) -> None:
        self._total: int | None = None
        self._time = 0

    def add(self, trade: Print) -> bool:
        """Note a trade; say whether it is new. Less than before, and no earlier, is the next session's."""
        known, time = self._total, trade.time or 0
        if known is not None and trade.total <= known:
            # As much as before was traded, too, where a session of one trade is followed by one that opens with as many
            # lots. Without times nothing tells these from a repeat.
            opens = trade.total == trade.volume and self._time > 0
            if time <= self._time or (trade.total == known and not opens):
                return False
        self._total, self._time = trade.total, max(self._time, time)
        return True


def trade_of(part: Part) -> Print | None:
    """Give the trade that a part of a frame tells.

    A book repeats the last one, as a state; only where all books come without conflation it says of each.
    """
    if type(part) is Print:
        return part
    return part.last if type(part) is Depth and part.buffer == enums.DEPTH_BUFFER_ALL else None


class TradeCursor:
    """Public trades. Blocks and other trades off the book aren't told."""

    __slots__ = ("_guid", "_instrument", "_memory", "_skips")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._instrument = instrument_of(stream)
        self._skips = stream.skip_history
        self._memory = TradeMemory()

    def take(self, datum: tuple[Part, ...], now: int) -> Sequence[Event]:
        events = []
        for part in datum:
            found = trade_of(part)
            if found is None or not self._memory.add(found) or (found.snapshot and self._skips):
                continue
            events.append(
                Trade(
                    self._instrument,
                    found.price,
                    found.volume,
                    found.side,
                    None,
                    found.time,
                    now,
                    self._guid,
                    found.snapshot,
                )
            )
        return events

    def follows(self, _: object) -> bool:
        return True

    def reconnected(self) -> None:
        """What was traded so far stays: the snapshot's trade may have been told before."""


class QuoteCursor:
    """Best bid and ask, with the session so far."""

    __slots__ = ("_depth", "_figures", "_guid", "_implied", "_instrument", "_last", "_settled", "_volume")

    def __init__(self, guid: str, stream: Stream, *, implied: bool) -> None:
        self._guid = guid
        self._instrument = instrument_of(stream)
        self._implied = implied
        self.reconnected()

    def reconnected(self) -> None:
        """The snapshot says all again."""
        self._depth: Depth | None = None
        self._figures = Figures(None, None, None, None)
        self._settled = Settled(None, None, None, None, None)
        self._last: float | None = None
        self._volume: float | None = None

    def take(self, datum: tuple[Part, ...], now: int) -> Sequence[Event]:
        told = False
        for part in datum:
            match part:
                case Depth():
                    self._depth, told = part, True
                    self._note(part.last)
                case Print():
                    told |= self._last != part.price
                    self._note(part)
                case Figures():
                    told, self._figures = True, part
                case Settled():
                    told, self._settled = True, part
                case _:
                    pass
        depth = self._depth
        if not told or depth is None:
            return ()
        bid, bid_size = _best(depth.bids, depth.implied_bids if self._implied else _NONE, 1)
        ask, ask_size = _best(depth.asks, depth.implied_asks if self._implied else _NONE, -1)
        figures, settled = self._figures, self._settled
        return (
            Quote(
                self._instrument,
                bid,
                bid_size,
                ask,
                ask_size,
                self._last,
                depth.time,
                now,
                self._guid,
                any(isinstance(part, Depth) and part.snapshot for part in datum),
                figures.open,
                figures.high,
                figures.low,
                settled.price,
                self._volume,
                settled.open_interest,
            ),
        )

    def follows(self, _: object) -> bool:
        return True

    def _note(self, trade: Print | None) -> None:
        if trade is not None:
            self._last, self._volume = trade.price, float(trade.total)


class BookCursor:
    """Order books by price; each is whole, and replaces what was known."""

    __slots__ = ("_guid", "_implied", "_instrument", "_levels")

    def __init__(self, guid: str, stream: Stream, *, implied: bool) -> None:
        self._guid = guid
        self._instrument = instrument_of(stream)
        self._levels = NORMAL_DEPTH if stream.depth is None else stream.depth
        self._implied = implied

    def take(self, datum: tuple[Part, ...], now: int) -> Sequence[Event]:
        levels, events = self._levels, []
        for part in datum:
            if type(part) is not Depth:
                continue
            bids, asks = part.bids, part.asks
            if self._implied:
                bids = _merged(bids, part.implied_bids, descending=True)
                asks = _merged(asks, part.implied_asks, descending=False)
            events.append(
                BookSnapshot(
                    self._instrument,
                    bids[0][:levels],
                    bids[1][:levels],
                    asks[0][:levels],
                    asks[1][:levels],
                    part.time,
                    now,
                    self._guid,
                    part.snapshot,
                )
            )
        return events

    def follows(self, _: object) -> bool:
        return True

    def reconnected(self) -> None:
        """Nothing is kept between frames."""


class StatusCursor:
    """Whether a market trades, between which prices, and how it settled."""

    __slots__ = ("_bounds", "_delayed", "_flags", "_guid", "_instrument", "_mode", "_settled", "_stream", "_told")

    def __init__(self, guid: str, stream: Stream) -> None:
        self._guid = guid
        self._instrument = instrument_of(stream)
        self._stream = stream
        self.reconnected()

    def reconnected(self) -> None:
        """It may have changed meanwhile: the snapshot is told whatever it says."""
        self._mode: int = enums.MARKET_MODE_UNDEFINED
        self._flags = 0
        self._delayed = False
        self._bounds = Bounds(None, None, None)
        self._settled: Settled | None = None
        self._told: tuple[object, ...] | None = None

    def take(self, datum: tuple[Part, ...], now: int) -> Sequence[Event]:
        events: list[Event] = []
        time: int | None = None
        for part in datum:
            match part:
                case Depth(mode=mode):
                    self._mode, self._flags, self._delayed, time = mode, part.flags, part.delayed, part.time
                case Mode(mode=mode):
                    self._mode = mode
                case Bounds():
                    self._bounds, time = part, part.time
                case Settled() if part != self._settled:
                    self._settled = part
                    events.append(VenueStatus(self._instrument, _settlement(part), part.time, now, self._guid))
                case _:
                    pass
        text = word("MarketMode", self._mode)
        text += ", fast" * bool(self._flags & enums.MARKET_FLAGS2_FAST) + ", delayed data" * self._delayed
        told = (self._mode, text, self._bounds.low, self._bounds.high)
        if told != self._told:
            self._told = told
            events.insert(0, self._update(text, time, now))
        return events

    def follows(self, _: object) -> bool:
        return True

    def _update(self, text: str, time: int | None, now: int) -> InstrumentUpdate:
        mode, bounds = self._mode, self._bounds
        return InstrumentUpdate(
            self._instrument,
            mode,
            _MATCHING.get(mode, False),
            text,
            bounds.low,
            bounds.high,
            None,
            None,
            time,
            now,
            self._guid,
            self._stream.exchange,
            self._stream.board,
        )


_NONE: Final[Half] = ((), ())


def _merged(half: Half, implied: Half, *, descending: bool) -> Half:
    """Add implied lots to what rests in the book itself."""
    if not implied[0]:
        return half
    levels = dict(zip(*half, strict=True))
    for price, size in zip(*implied, strict=True):
        levels[price] = levels.get(price, 0.0) + size
    prices = sorted(levels, reverse=descending)
    return tuple(prices), tuple([levels[price] for price in prices])


def _best(half: Half, implied: Half, sign: int) -> tuple[float | None, float | None]:
    prices, sizes = _merged(half, implied, descending=sign > 0)
    return (prices[0], sizes[0]) if prices else (None, None)


def _settlement(settled: Settled) -> str:
    """Say it in words; what is missing isn't mentioned."""
    named = (
        ("settlement", settled.price),
        ("held settlement", settled.held),
        ("open interest", settled.open_interest),
        ("average price", settled.vwap),
    )
    return ", ".join(f"{name} {value:.15g}" for name, value in named if value is not None) or "settlement unknown"
