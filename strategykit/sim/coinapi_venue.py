"""The simulated CoinAPI without its socket: sessions, scopes, faults. Pure: time is given.

Source: CoinAPI protocol sheet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.coinapi_access import CoinAccess
from strategykit.sim.coinapi_config import CoinApiVenueConfig, default_prices
from strategykit.sim.coinapi_figures import Figures
from strategykit.sim.coinapi_files import CoinFiles
from strategykit.sim.coinapi_market import CoinMarket
from strategykit.sim.coinapi_publisher import GapPlan, Publisher
from strategykit.sim.coinapi_rest import CoinRest
from strategykit.sim.coinapi_session import CoinSession
from strategykit.sim.coinapi_symbols import list_symbols
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.faults import FaultCommand
from strategykit.sim.fees import NO_FEES
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.matching import Match
from strategykit.sim.recorded_venue import RecordedVenueMarket
from strategykit.sim.served import Outlet
from strategykit.venues.coinapi.names import NUMBERED, DataType, Variant
from strategykit.venues.coinapi.server import INVALID_KEY, encode_error
from strategykit.venues.coinapi.server_keys import read_credentials
from strategykit.venues.coinapi.server_requests import (
    BadRequest,
    Hello,
    Limits,
    Subscribe,
    Unsubscribe,
    decode_request,
)
from strategykit.venues.coinapi.server_scope import Filters, Scope

__all__ = ["CoinApiVenue"]

_SECOND: Final = 1_000_000_000

_ELSEWHERE: Final = "ELSEWHERE_SPOT_NO_ONE$"
"""A symbol that nobody trades."""

_OWN_FAULTS: Final = frozenset(
    {
        *("sequence_gap", "reconnect", "scope_override", "error", "buffer_overflow", "update_before_snapshot"),
        *("no_heartbeat", "refuse_calls", "halt", "resume"),
    }
)


class CoinApiVenue:
    """One venue, as a server takes it.

    Args:
        variant: V1 or DS.
        config: What it is like.
        now: Nanoseconds UTC; no later call may give an earlier time.

    Raises:
        ConfigError: A symbol or venue of the configuration can't be.
    """

    def __init__(self, variant: Variant, config: CoinApiVenueConfig, *, now: int) -> None:
        self.name = f"coinapi_{variant}"
        self.variant = variant
        self.config = config
        self.refused = 0
        """Connections that ended with an error."""
        matches: dict[int, Match] = {}
        self._source = _make_market(config, matches, now)
        self._market = CoinMarket(self._source, without_orders=config.without_orders, matches=matches, now=now)
        self._figures = Figures(self._market.symbols, self._market.bars, start=now)
        self._publisher = Publisher(self._market, self._figures, now=now)
        self._access = CoinAccess(config, now=now)
        files = CoinFiles(self._market, samples=config.sample_files)
        self._rest = CoinRest(self._market, self._figures, self._access, files)
        self._no_heartbeat_until = now
        self._calls_refused_until = self._call_status = 0
        self._exchange = config.exchange.upper() or next(iter(self._figures.exchanges), "")
        if self._exchange not in self._figures.exchanges:
            raise ConfigError(
                f"no venue {config.exchange!r} here; the instruments are on: {', '.join(self._figures.exchanges)}"
            )

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Counts so far."""
        return {"sessions": len(self._publisher.sessions), "errors": self.refused, "symbols": len(self._market.symbols)}

    @property
    def market(self) -> VenueMarket:
        return self._source

    @property
    def orders(self) -> Mapping[str, object]:
        return {}

    @property
    def own_faults(self) -> Collection[str]:
        return _OWN_FAULTS

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:
        if self._find_exchange(call) is None:
            return json_answer(404, {"error": f"There's no WebSocket of {self.name} at this path"})
        return self._access.admit(call, now)

    def open_session(self, call: HttpCall, outlet: Outlet, now: int) -> CoinSession:
        """Let a connection in. Its key is looked at when the first message comes."""
        exchange = (self._find_exchange(call) or None) if self.variant is Variant.DS else None
        offered = read_credentials(call.path, call.query, call.headers).keys
        session = CoinSession(outlet, self.config, exchange, offered, now)
        session.key = self._access.find_key(offered)
        if session.key is not None:
            self._access.enter(session.key)
        self._publisher.sessions[session] = None
        return session

    def close_session(self, session: CoinSession, now: int) -> None:  # noqa: ARG002 - as served
        """A connection has ended: its scope ends with it."""
        session.ended = True
        if session in self._publisher.sessions:
            del self._publisher.sessions[session]
            if session.key is not None:
                self._access.leave(session.key)

    def lane(self, session: CoinSession) -> str:  # noqa: ARG002 - all of it is market data
        return "market"

    def subscriptions(self, session: CoinSession) -> Collection[str]:
        return [f"{kind.value} {entry}" for kind, entries in session.scope.entries.items() for entry in entries]

    def receive(self, session: CoinSession, message: str | bytes, now: int) -> None:
        """Take one message of a client, whatever it is. What is refused ends the connection."""
        if session.ended:
            return
        request = decode_request(message, self.variant)
        if isinstance(request, BadRequest):
            self._refuse(session, request.message)
            return
        why = self._find_refusal(session, request, now)
        if why:
            self._refuse(session, why)
            return
        session.greeted = True
        if request.heartbeat is not None:
            session.heartbeat = request.heartbeat
        filters = self._resolve(session, request.filters, now)
        limits = request.limits if isinstance(request, Hello) else session.merge_limits(request.limits)
        session.change_scope(_change(session.scope, request, filters), limits)
        if not isinstance(request, Unsubscribe):
            self._publisher.join(session, request.types, filters, now)

    def advance(self, now: int) -> None:
        """Let the market go on until `now`; send what has become due."""
        for session in self._publisher.sessions:
            session.check(now)
        self._publisher.publish(self._source.advance(now), now)
        heartbeats = now >= self._no_heartbeat_until
        for session in self._publisher.sessions:
            if not session.ended:
                session.flush(now, heartbeats=heartbeats)

    def feed(self, event: Event, now: int, *, shift: int) -> None:
        """Take one event of a recording; its times lie `shift` nanoseconds before the venue's."""
        if isinstance(self._source, RecordedVenueMarket):
            self._publisher.publish(self._source.feed(event, now, shift=shift), now)

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one HTTP request."""
        if now < self._calls_refused_until:
            return json_answer(self._call_status, {"error": "REST isn't available for the moment"})
        return self._rest.answer(call, now)

    def forget_orders(self, now: int) -> None:
        """There are none."""

    def heal(self) -> None:
        self._publisher.gaps.clear()
        self._publisher.late_snapshots = self._no_heartbeat_until = 0

    def fault(self, command: FaultCommand, now: int) -> int:
        """Do one of its own faults.

        - ``sequence_gap``: lose the next `count` messages of `instrument` and of the argument ``data_type``; without
          them, of whichever symbol and type come next. Their numbers are used up.
        - ``reconnect``: announce a restart to everybody, and close after `seconds`.
        - ``scope_override``: act as if another hello had replaced everybody's scope: by the trades of `instrument`,
          or without one by those of a symbol that nobody trades.
        - ``error``: send the argument ``message`` as an error to everybody, and close.
        - ``buffer_overflow``: throw everybody's queue away as if it were full: the documented error, and the close.
        - ``update_before_snapshot``: send the next `count` snapshots of books after an update.
        - ``no_heartbeat``: send none for `seconds`.
        - ``refuse_calls``: answer REST with `status`, or 503, for `seconds`.
        - ``halt``, ``resume``: let an instrument stand still.
        """
        if command.instrument and command.instrument not in self._market.symbols:
            known = ", ".join(self._market.symbols)
            raise ConfigError(f"no symbol {command.instrument!r} here; there are: {known}")
        sessions = [session for session in self._publisher.sessions if not session.ended]
        match command.fault:
            case "sequence_gap":
                if command.count:
                    plan = GapPlan(_read_type(command), command.instrument, command.count)
                    self._publisher.gaps.append(plan)
                return 0
            case "update_before_snapshot":
                self._publisher.late_snapshots += command.count
                return 0
            case "no_heartbeat":
                self._no_heartbeat_until = now + int(command.seconds * _SECOND)
                return sum(session.heartbeat for session in sessions)
            case "refuse_calls":
                self._calls_refused_until = now + int(command.seconds * _SECOND)
                self._call_status = command.status or 503
                return 0
            case "halt" | "resume":
                trading = command.fault == "resume"
                self._publisher.publish(self._source.set_trading(command.instrument, now, trading=trading), now)
                return 0
            case _:
                for session in sessions:
                    self._disturb(session, command, now)
                return len(sessions)

    def _disturb(self, session: CoinSession, command: FaultCommand, now: int) -> None:
        match command.fault:
            case "reconnect":
                session.announce_close(command.seconds, now)
            case "scope_override":
                name = f"{command.instrument}$" if command.instrument else _ELSEWHERE
                session.change_scope(Scope().hello([DataType.TRADE], Filters(frozenset({name}))), Limits())
            case "error":
                message = command.arguments.get("message", "Internal server error")
                self._refuse(session, str(message))
            case _:
                session.overflow()

    def _refuse(self, session: CoinSession, message: str) -> None:
        self.refused += 1
        session.fail(message, self.config.refusal_code)

    def _find_refusal(self, session: CoinSession, request: Hello | Subscribe | Unsubscribe, now: int) -> str:
        """Say why a message can't be taken; empty: it can. Only the first text is known to be the venue's."""
        if session.key is None:
            key = None if request.key is None else self._access.find_key([request.key])
            if key is None:
                return INVALID_KEY
            if not self._access.has_room(key):
                return "Too many concurrent connections for this API key"
            session.key = key
            self._access.enter(key)
        if isinstance(request, Unsubscribe):
            return "" if session.greeted else "The first message must be hello or subscribe"
        return "" if self._access.take_hello(session.key, now) else "Too many hello and subscribe messages"

    def _find_exchange(self, call: HttpCall) -> str | None:
        """Give the one venue of a connection, empty for all; None: there's no WebSocket at this path.

        A path or a host names it, in lower case. Source: section 1.
        """
        parts = [part for part in read_credentials(call.path, call.query, call.headers).path.split("/") if part]
        if self.variant is Variant.V1:
            return "" if parts in ([], ["v1"]) else None
        if not parts:
            host = call.headers.get("host", "").split(".")[0].upper()
            return host if host in self._figures.exchanges else self._exchange
        named = parts[1].removeprefix("ws-ds-").upper() if len(parts) == 2 and parts[0] == "md" else ""
        return named if named in self._figures.exchanges else None

    def _resolve(self, session: CoinSession, filters: Filters, now: int) -> Filters:
        """Give filters as the scope has them: in DS symbols are exact, and the venue's own names do as well.

        There the connection survives a bad symbol, though an error is sent. Source: section 2.
        """
        if session.exchange is None or filters.symbols is None:
            return filters
        known = {}
        for symbol in self._market.symbols.values():
            if symbol.exchange == session.exchange:
                known[symbol.name] = known[symbol.venue_name] = f"{symbol.name}$"
        bad = sorted(filters.symbols - known.keys())
        if bad:
            session.send(encode_error(f"Invalid symbol: {bad[0][:60]}"), now)
        return attrs.evolve(filters, symbols=frozenset(known[name] for name in filters.symbols & known.keys()))


def _change(scope: Scope, request: Hello | Subscribe | Unsubscribe, filters: Filters) -> Scope:
    match request:
        case Hello():
            return scope.hello(request.types, filters)
        case Subscribe():
            return scope.subscribe(request.types, filters)
        case _:
            return scope.unsubscribe(request.types, filters)


def _read_type(command: FaultCommand) -> DataType | None:
    name = command.arguments.get("data_type")
    if name is None:
        return None
    if name not in NUMBERED:
        raise ConfigError(f"data_type must be one of {', '.join(sorted(NUMBERED))}, not {name!r}")
    return DataType(name)


def _make_market(config: CoinApiVenueConfig, matches: dict[int, Match], now: int) -> VenueMarket:
    if config.source is not None:
        return RecordedVenueMarket(config.instruments, accounts={}, fees=NO_FEES, margin_rate=Decimal(1), now=now)
    return SimulatedExchange(
        config.instruments,
        seed=config.seed,
        start=now,
        accounts={},
        actions_per_second=config.actions_per_second,
        prices={**default_prices(list_symbols(config.instruments.values()).values()), **config.prices},
        witness=matches.__setitem__,
    )
