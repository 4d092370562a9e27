"""The venue's end of a relay: channels asked of the venue once, however many want them, and told as messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol

import attrs
import trio

from strategykit.errors import ConfigError, LocalProtocolError, StrategykitError
from strategykit.model.codec import make_converter
from strategykit.model.events import Bar, Event, Gap
from strategykit.model.instruments import Instrument
from strategykit.relay.channels import Channel, read_channel
from strategykit.relay.wording import BookTeller, Hole, Teller, TradeTeller, digits, hole_of, make_teller
from strategykit.runtime.outside import Answered
from strategykit.sim.http_calls import HttpAnswer, json_answer
from strategykit.venues.dialect import Ask, AskBars, AskInstrument
from strategykit.venues.stream.server_backpack import write_naive
from strategykit.venues.stream.server_variants import SERVER_VARIANTS
from strategykit.venues.streams import Stream
from strategykit.venues.subscriptions import Subscription, SubscriptionState

__all__ = ["CHANNELS", "PREFIX", "Source", "Upstream"]

PREFIX: Final = "/api/v1/"
"""What the paths of REST calls begin with."""

CHANNELS: Final = 5_000
"""The most that a venue is asked for: a client must not use up what the venue allows all of them."""

_OWNER: Final = "(relay)"
_ANSWER_WITHIN: Final = 10.0
"""Seconds for the venue's answer to a call."""

_SECOND: Final = 1_000_000_000
_MOST: Final = 1_000
_RULES: Final = SERVER_VARIANTS["backpack"]


class Upstream(Protocol):
    """What a relay asks of a run; an `Engine` is one."""

    def want(self, stream: Stream, owner: str, receive: Callable[[Event], None] | None) -> Subscription: ...
    def release(self, row: Subscription, owner: str, receive: Callable[[Event], None] | None) -> None: ...
    def ask(self, ask: Ask, answered: Answered) -> None: ...


@attrs.define(eq=False)
class _Held:
    """A channel that somebody wants."""

    channel: Channel
    teller: Teller
    receive: Callable[[Event], None]
    row: Subscription


class _Wrong(Exception):
    """A call that can't be answered."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Source:
    """All that one venue is asked for.

    Args:
        upstream: The run that holds the venue's connections.
        publish: Takes a channel's name and a message.
        exchange: Where channels name none.
        now: The time, nanoseconds UTC.
    """

    def __init__(
        self,
        upstream: Upstream,
        publish: Callable[[str, bytes], None],
        *,
        exchange: str | None,
        now: Callable[[], int],
    ) -> None:
        self.published = 0
        """Messages."""
        self.lags: deque[int] = deque(maxlen=1_000)
        """Nanoseconds from an event, as the venue dates it, to its message; the newest."""
        self._upstream = upstream
        self._publish = publish
        self._exchange = exchange
        self._now = now
        self._held: dict[str, _Held] = {}
        self._instruments: dict[str, Instrument] = {}
        self._converter = make_converter()

    @property
    def channels(self) -> list[str]:
        return list(self._held)

    @property
    def refused(self) -> list[str]:
        """Give the first channels that the venue doesn't have, each with why."""
        rows = ((name, held.row) for name, held in self._held.items())
        found = (f"{name}: {row.refusal}" for name, row in rows if row.state is SubscriptionState.REFUSED)
        return list(islice(found, 20))

    @property
    def statistics(self) -> dict[str, Any]:
        lags = sorted(self.lags)
        return {
            "upstream_channels": len(self._held),
            "upstream_refused": self.refused,
            "published": self.published,
            "upstream_lag_p50": lags[len(lags) // 2] / 1e9 if lags else None,
            "upstream_lag_p99": lags[len(lags) * 99 // 100] / 1e9 if lags else None,
        }

    def want(self, name: str) -> str:
        """Have a channel told from now on; give why that can't be, or nothing."""
        if name in self._held:
            return ""
        channel = read_channel(name)
        if channel is None:
            return "no such channel"
        if len(self._held) >= CHANNELS:
            return f"{CHANNELS} channels are told already"
        teller = make_teller(channel, self._now())
        # Who heard it before may have missed something: another relay may have told it, or this one an hour ago.
        teller.missed(Hole("told from now on"))

        def receive(event: Event) -> None:
            self._take(name, teller, event)

        try:
            row = self._upstream.want(channel.stream(self._exchange), _OWNER, receive)
        except (ConfigError, LocalProtocolError) as exc:  # Also a limit of the venue's.
            return str(exc)
        self._held[name] = _Held(channel, teller, receive, row)
        return ""

    def release(self, name: str) -> None:
        """Stop telling a channel; the venue is told if it isn't needed for another one."""
        held = self._held.pop(name, None)
        if held is not None:
            self._upstream.release(held.row, _OWNER, held.receive)

    def release_all(self) -> None:
        for name in list(self._held):
            self.release(name)

    def missed(self, reason: str) -> None:
        """Note that messages of all channels may have been lost on their way."""
        for held in self._held.values():
            held.teller.missed(Hole(reason))

    def _take(self, name: str, teller: Teller, event: Event) -> None:
        if isinstance(event, Gap):
            teller.missed(hole_of(event))
            return
        message = teller.tell(event)
        if message is not None:
            self.published += 1
            if event.event_time is not None:
                self.lags.append(event.receive_time - event.event_time)
            self._publish(name, message)

    # Calls

    async def answer(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """Answer a REST call; whatever it is, there is an answer."""
        call = self._calls().get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        if call is None:
            return json_answer(404, {"code": "RESOURCE_NOT_FOUND", "message": f"no {path[:100]} here"})
        try:
            return json_answer(200, await call(query))
        except _Wrong as exc:
            return json_answer(exc.status, {"code": "INVALID_CLIENT_REQUEST", "message": str(exc)})

    def _calls(self) -> dict[str, Callable[[Mapping[str, str]], Awaitable[Any]]]:
        return {
            "depth": self._depth,
            "trades": self._trades,
            "klines": self._klines,
            "market": self._market,
            "markets": self._markets,
            "time": self._time,
        }

    async def _depth(self, query: Mapping[str, str]) -> Any:
        await trio.lowlevel.checkpoint()
        limit = _number(query, "limit", _MOST, most=_MOST)
        symbol = _symbol(query)
        tellers = [held.teller for held in self._held.values() if held.channel.symbol == symbol]
        books = [teller for teller in tellers if isinstance(teller, BookTeller)]
        if not books:
            raise _Wrong(404, f"subscribe to depth.{symbol} first: books are kept while somebody listens")
        # Another pace is another book, with numbers of its own.
        wanted = next((book for book in books if book.channel.frequency is None), books[0])
        if not wanted.whole:
            raise _Wrong(503, f"the book of {symbol} isn't known yet, or has a hole")
        return wanted.snapshot(limit)

    async def _trades(self, query: Mapping[str, str]) -> Any:
        await trio.lowlevel.checkpoint()
        limit, symbol = _number(query, "limit", 100, most=_MOST), _symbol(query)
        held = self._held.get(f"trade.{symbol}")
        kept = list(held.teller.kept) if held is not None and isinstance(held.teller, TradeTeller) else []
        return kept[: -limit - 1 : -1]

    async def _klines(self, query: Mapping[str, str]) -> Any:
        name = query.get("interval", "")
        interval = _RULES.intervals.get(name)
        if interval is None:
            raise _Wrong(400, f"interval is one of {', '.join(_RULES.intervals)}")
        now = self._now()
        since = _number(query, "startTime", (now - 100 * interval) // _SECOND, most=now // _SECOND) * _SECOND
        until = _number(query, "endTime", now // _SECOND, most=1 << 40) * _SECOND + 1
        count = min(max((until - since) // interval + 1, 1), _MOST)
        ask = AskBars(instrument=_symbol(query), interval=interval, count=count, until=until, exchange=self._exchange)
        bars = [row for row in await self._asked(ask) if isinstance(row, Bar) and since <= row.open_time < until]
        return [_bar_row(bar) for bar in bars[:_MOST]]

    async def _market(self, query: Mapping[str, str]) -> Any:
        return self._market_row(await self._known(_symbol(query)))

    async def _markets(self, _: Mapping[str, str]) -> Any:
        for symbol in dict.fromkeys(held.channel.symbol for held in list(self._held.values())):
            try:
                await self._known(symbol)
            except _Wrong:
                continue
        await trio.lowlevel.checkpoint()
        return [self._market_row(instrument) for instrument in self._instruments.values()]

    async def _time(self, _: Mapping[str, str]) -> Any:
        await trio.lowlevel.checkpoint()
        return self._now() // 1_000_000

    def _market_row(self, instrument: Instrument) -> dict[str, object]:
        """Word an instrument as Backpack does, and add all that is known of it."""
        # Sizes pass as the venue counts them: in lots, or in units.
        tick, lot = f"{instrument.tick:f}", f"{instrument.lot:f}" if instrument.counts_units else "1"
        return {
            "symbol": instrument.symbol,
            "baseSymbol": instrument.symbol.partition("_")[0],
            "quoteSymbol": instrument.currency,
            "marketType": "SPOT",
            "filters": {
                "price": {"minPrice": tick, "maxPrice": None, "tickSize": tick},
                "quantity": {"minQuantity": lot, "maxQuantity": None, "stepSize": lot},
            },
            "orderBookState": "Open",
            "visible": True,
            "instrument": self._converter.unstructure(instrument),
        }

    async def _known(self, symbol: str) -> Instrument:
        await trio.lowlevel.checkpoint()
        if symbol not in self._instruments:
            rows = await self._asked(AskInstrument(instrument=symbol, exchange=self._exchange))
            found = [row for row in rows if isinstance(row, Instrument) and row.symbol == symbol]
            if not found:
                raise _Wrong(404, f"the venue doesn't know {symbol}")
            if len(self._instruments) >= CHANNELS:
                del self._instruments[next(iter(self._instruments))]
            self._instruments[symbol] = found[0]
        return self._instruments[symbol]

    async def _asked(self, ask: Ask) -> Sequence[Event | Instrument]:
        came = trio.Event()
        found: list[tuple[Sequence[Event | Instrument] | None, str]] = []

        def take(rows: Sequence[Event | Instrument] | None, reason: str) -> None:
            found.append((rows, reason))
            came.set()

        try:
            self._upstream.ask(ask, take)
        except StrategykitError as exc:
            raise _Wrong(400, str(exc)) from exc
        with trio.move_on_after(_ANSWER_WITHIN):
            await came.wait()
        rows, reason = found[0] if found else (None, f"no answer within {_ANSWER_WITHIN:g} s")
        if rows is None:
            raise _Wrong(503, f"the venue gave no answer: {reason}")
        return rows


def _symbol(query: Mapping[str, str]) -> str:
    channel = read_channel(f"trade.{query.get('symbol', '')}")
    if channel is None:
        raise _Wrong(400, "symbol is missing or can't be one")
    return channel.symbol


def _number(query: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise _Wrong(400, f"{name} should be a whole number")
    return min(int(text), most)


def _bar_row(bar: Bar) -> dict[str, object]:
    """Source: stream protocol sheet, section 4."""
    return {
        "start": write_naive(bar.open_time, between=" "),
        "end": write_naive(bar.open_time + bar.interval, between=" "),
        "open": digits(bar.open),
        "high": digits(bar.high),
        "low": digits(bar.low),
        "close": digits(bar.close),
        "volume": digits(bar.volume),
        "quoteVolume": None,
        "trades": None,
    }
