"""A simulated venue of the stream family without its socket: sessions, limits, streams, faults. Pure: time is given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.faults import FaultCommand
from strategykit.sim.fees import NO_FEES
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.recorded_venue import RecordedVenueMarket
from strategykit.sim.served import Outlet
from strategykit.sim.stream_config import StreamVenueConfig, default_stream_instruments, opening_prices
from strategykit.sim.stream_market import StreamMarket
from strategykit.sim.stream_rest import StreamRest
from strategykit.sim.stream_session import StreamSession
from strategykit.sim.stream_topics import StreamPublisher
from strategykit.venues.stream.server_backpack import BackpackWording, ReferenceWording
from strategykit.venues.stream.server_binance import BinanceWording
from strategykit.venues.stream.server_requests import (
    INVALID_STREAM,
    BadRequest,
    ListSubscriptions,
    Request,
    SetProperty,
    Subscribe,
    Unsubscribe,
    decode_request,
    encode_error,
    encode_result,
)
from strategykit.venues.stream.server_streams import Channel, read_stream_name
from strategykit.venues.stream.server_variants import ServerVariant
from strategykit.venues.stream.server_wording import Wording, encode_row, wrap

__all__ = ["StreamVenue"]

_SECOND: Final = 1_000_000_000
_SPOT_PLACES: Final = 8
"""Digits after the point that Binance spot writes, whatever tick and lot are."""

_OWN_FAULTS: Final = frozenset({"skip", "silent", "shutdown", "stale_snapshot", "halt", "resume"})


class StreamVenue:
    """One venue, as a server takes it.

    Args:
        variant: What its server is like.
        config: What is chosen about it.
        now: Nanoseconds UTC; no later call may give an earlier time.
    """

    def __init__(self, variant: ServerVariant, config: StreamVenueConfig, *, now: int) -> None:
        self.name = variant.name
        self.variant = config.apply(variant)
        self.instruments = dict(config.instruments or default_stream_instruments(variant))
        self.ignored = 0
        """Messages of clients that couldn't be carried out."""
        self._quirks = config.reference_quirks and variant.language == "seed"
        self._market = _make_market(config, self.instruments, now)
        spot = variant.language == "binance" and not variant.futures
        self._streams = StreamMarket(
            self._market,
            places=_SPOT_PLACES if spot else None,
            zero="0" if variant.language == "seed" else None,
            book_interval=int(config.book_interval * _SECOND),
        )
        self._publisher = StreamPublisher(
            self._streams,
            self.variant,
            {unit: self._make_wording(microseconds=unit) for unit in (False, True)},
            single_ids=config.single_ids,
        )
        self._rest = StreamRest(self._streams, self.variant)
        self._sessions: dict[StreamSession, None] = {}
        self._channels: dict[str, None] = {}
        self._overlooked: dict[str, int] = {}
        """How many of the next requests to subscribe are ignored, by symbol; ``""``: whichever comes."""

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Counts so far."""
        return {"topics": self._publisher.topics, "channels": len(self._channels), "ignored": self.ignored}

    @property
    def market(self) -> VenueMarket:
        return self._market

    @property
    def orders(self) -> Mapping[str, object]:
        return {}

    @property
    def own_faults(self) -> Collection[str]:
        return _OWN_FAULTS | {"panic"} if self.variant.language == "seed" else _OWN_FAULTS

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:  # noqa: ARG002 - as served
        """Refuse paths that aren't there; only Binance looks at them at all."""
        if self.variant.language == "binance" and not {"ws", "stream"} & set(call.path.split("/")):
            return json_answer(404, {"code": -1, "msg": "WebSockets are at /ws and /stream"})
        return None

    def open_session(self, call: HttpCall, outlet: Outlet, now: int) -> StreamSession:
        """Let a connection in, with the streams that its URL names."""
        session = StreamSession(outlet=outlet, opened=now, microseconds=self.variant.microseconds)
        self._sessions[session] = None
        if self.variant.language == "binance":
            parts = call.path.split("/")
            session.combined = "stream" in parts
            session.microseconds = call.query.get("timeUnit", "").upper() == "MICROSECOND"
            tail = call.query.get("streams", "").split("/") if session.combined else parts[parts.index("ws") + 1 :]
            # A plus sign in a query means a blank.
            names = [name.replace(" ", "+") for name in tail if name]
            if 0 < self.variant.max_streams < len(names):
                session.end(1008, f"more than {self.variant.max_streams} streams")
            else:
                self._subscribe(session, names, now)
        return session

    def close_session(self, session: StreamSession, now: int) -> None:  # noqa: ARG002 - as served
        """A connection has ended: its streams end with it."""
        session.ended = True
        self._sessions.pop(session, None)
        for name in list(session.names):
            # The reference server forgets the user, and goes on listening for him.
            self._leave(session, name, keep_channel=self._quirks)

    def lane(self, session: StreamSession) -> str:  # noqa: ARG002 - all of it is market data
        return "market"

    def subscriptions(self, session: StreamSession) -> Collection[str]:
        return session.names

    def receive(self, session: StreamSession, message: str | bytes, now: int) -> None:
        """Take one message of a client, whatever it is."""
        session.check(self.variant, now)
        if session.ended:
            return
        request = decode_request(message, self.variant, quirks=self._quirks)
        if isinstance(request, Subscribe) and self._overlooks(request):
            return
        refused = self._find_refusal(session, request)
        if refused is None:
            self._carry_out(session, request, now)
            return
        self.ignored += 1
        answer = encode_error(refused, self.variant)
        if answer is not None:
            session.outlet.send_encoded(answer)

    def advance(self, now: int) -> None:
        """Let the market go on until `now`; send what has become due."""
        self._take(self._market.advance(now), now)
        for session in self._sessions:
            session.check(self.variant, now)

    def feed(self, event: Event, now: int, *, shift: int) -> None:
        """Take one event of a recording; its times lie `shift` nanoseconds before the venue's."""
        if isinstance(self._market, RecordedVenueMarket) and event.instrument in self.instruments:
            self._take(self._market.feed(event, now, shift=shift), now)

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one HTTP request."""
        return self._rest.answer(call, now)

    def forget_orders(self, now: int) -> None:
        """There are none."""

    def heal(self) -> None:
        self._publisher.skips.clear()
        self._overlooked.clear()
        self._rest.stale_snapshots = self._publisher.silent_until = 0

    def fault(self, command: FaultCommand, now: int) -> int:
        """Do one of its own faults.

        - ``skip``: lose the next `count` depth updates of `instrument`, so that a number is missing.
        - ``silent``: ignore the next `count` requests to subscribe, if `instrument` is named those to streams of it.
        - ``shutdown``: say that the server goes, and close everything after `seconds`.
        - ``stale_snapshot``: answer the next `count` snapshots over REST with the oldest book there was.
        - ``panic``: send no data for `seconds`, as when the reference server's one fan-out task died.
        - ``halt``, ``resume``: let an instrument stand still.
        """
        if command.instrument and command.instrument not in self.instruments:
            raise ConfigError(f"no instrument {command.instrument!r} here; there are: {', '.join(self.instruments)}")
        match command.fault:
            case "skip":
                skips = self._publisher.skips
                skips[command.instrument] = skips.get(command.instrument, 0) + command.count
            case "silent":
                self._overlooked[command.instrument] = self._overlooked.get(command.instrument, 0) + command.count
            case "stale_snapshot":
                self._rest.stale_snapshots += command.count
            case "panic":
                self._publisher.silent_until = now + int(command.seconds * _SECOND)
            case "shutdown":
                return self._shut_down(command, now)
            case _:
                trading = command.fault == "resume"
                self._take(self._market.set_trading(command.instrument, now, trading=trading), now)
        return 0

    def _make_wording(self, *, microseconds: bool) -> Wording:
        if self.variant.language == "binance":
            return BinanceWording(microseconds=microseconds, futures=self.variant.futures)
        return ReferenceWording() if self._quirks else BackpackWording()

    def _take(self, events: Sequence[Event], now: int) -> None:
        self._publisher.publish(self._streams.take(events, now), now)

    def _shut_down(self, command: FaultCommand, now: int) -> int:
        """Binance says so in a message and closes later; Backpack's notice is the close frame itself."""
        for session in self._sessions:
            wording = self._publisher.wording(session)
            if isinstance(wording, BinanceWording):
                payload = encode_row(wording.shutdown(now))
                session.outlet.send_encoded(wrap("!serverShutdown", payload) if session.combined else payload)
                session.closes = now + int(command.seconds * _SECOND)
            else:
                session.end(1001, "the server restarts")
        return len(self._sessions)

    def _find_refusal(self, session: StreamSession, request: Request) -> BadRequest | None:
        """Give what is wrong with a request, as far as it is told or ignored as a whole."""
        if isinstance(request, BadRequest):
            return request
        if not isinstance(request, Subscribe):
            return None
        if self.variant.language == "backpack" and not all(self._channel(name) for name in request.names):
            return BadRequest(*INVALID_STREAM, request.request_id)
        if self.variant.language == "seed" and not any(self._channel(name) for name in request.names):
            return BadRequest(0, "no such stream")
        most = self.variant.max_streams
        if most and len({*session.names, *request.names}) > most:
            return BadRequest(2, f"Invalid request: more than {most} streams", request.request_id)
        return None

    def _overlooks(self, request: Subscribe) -> bool:
        """Say whether a request falls to a fault."""
        channels = [self._channel(name) for name in request.names]
        for symbol in (*(channel.symbol for channel in channels if channel is not None), ""):
            if self._overlooked.get(symbol):
                self._overlooked[symbol] -= 1
                return True
        return False

    def _carry_out(self, session: StreamSession, request: Request, now: int) -> None:
        """Do what was asked, once it is known to be possible."""
        result: object = None
        match request:
            case Subscribe():
                self._acknowledge(session, request, result)
                self._subscribe(session, request.names, now)
                return
            case Unsubscribe():
                for name in request.names:
                    self._leave(session, name, keep_channel=False)
            case ListSubscriptions():
                result = list(session.names)
            case SetProperty():
                session.combined = request.value
            case _:
                result = session.combined
        self._acknowledge(session, request, result)

    def _acknowledge(self, session: StreamSession, request: Any, result: object) -> None:
        if self.variant.language == "binance":
            session.outlet.send_encoded(encode_result(result, request.request_id))

    def _subscribe(self, session: StreamSession, names: Collection[str], now: int) -> None:
        for name in names:
            channel = self._channel(name)
            if channel is None and self.variant.language != "binance":
                continue
            copies = session.names.get(name, 0)
            if not copies or self._quirks:
                self._channels[name] = None
                self._publisher.join(session, name, channel, now, copies=copies + 1)

    def _leave(self, session: StreamSession, name: str, *, keep_channel: bool) -> None:
        held = self._publisher.leave(session, name)
        if held and not keep_channel and not any(name in each.names for each in self._sessions):
            self._channels.pop(name, None)

    def _channel(self, name: str) -> Channel | None:
        return read_stream_name(name, self.variant, self.instruments)


def _make_market(config: StreamVenueConfig, instruments: Mapping[str, Instrument], now: int) -> VenueMarket:
    if config.source is not None:
        return RecordedVenueMarket(instruments, accounts={}, fees=NO_FEES, margin_rate=Decimal(1), now=now)
    return SimulatedExchange(
        instruments,
        seed=config.seed,
        start=now,
        accounts={},
        actions_per_second=config.actions_per_second,
        prices=opening_prices(instruments, config.prices),
    )
