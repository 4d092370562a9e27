"""The simulated ALOR venue without its socket: sessions, rights, limits, streams, orders. Pure: time is given."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from strategykit.model.events import Event, Fill, OrderUpdate
from strategykit.sim.access import Access
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.alor_desk import Desk, LogEntry
from strategykit.sim.alor_encoding import Encoder
from strategykit.sim.alor_http import HttpDesk
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.alor_publisher import Publisher
from strategykit.sim.alor_session import Session
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.faults import AnswerFault, AnswerPlan, FaultCommand, Mishap
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.recorded_venue import RecordedVenueMarket
from strategykit.sim.served import Outlet
from strategykit.venues.alor.server import (
    HANDLED,
    INITIALIZED,
    INVALID_TOKEN,
    Authorize,
    BadRequest,
    OrderCommand,
    Ping,
    Subscribe,
    Unsubscribe,
    decode_request,
    encode_reply,
)
from strategykit.venues.streams import StreamKind

__all__ = ["AlorVenue", "LogEntry"]

_NUMBERS_AN_ERA: Final = 10_000_000
"""Numbers of orders and trades that are left free for what was given out before the venue forgot it."""

_EXCHANGES = frozenset({"MOEX", "SPBX", "UNITED"})

_PATHS: Final = frozenset({"/ws", "/cws"})

_MISHAPS: Final = {
    f"{mishap.value}_{answer}": (mishap, answer) for mishap in Mishap for answer in ("acknowledgement", "reply")
}

_NEWS: Final = {"late_fill": Fill, "late_order_update": OrderUpdate}

_OWN_FAULTS: Final = frozenset(
    {*_MISHAPS, *_NEWS, "duplicate_fill", "ignored_request", "ignored_command", "revoke_tokens", "halt", "resume"}
    | {"withdraw_orders"}
)


class AlorVenue:
    """One venue, as a server takes it.

    Args:
        config: What it is like.
        now: Nanoseconds UTC; no later call may give an earlier time.
    """

    def __init__(self, config: AlorVenueConfig, *, now: int) -> None:
        self.name = "alor"
        self.config = config
        self.access = Access(
            login=config.login,
            agreements=config.agreements,
            portfolios=config.portfolios,
            refresh_token=config.refresh_token,
            life=config.token_life,
        )
        self.acknowledgements = AnswerPlan()
        """What happens to the next answers on /ws."""
        self.replies = AnswerPlan()
        """What happens to the next answers to order commands on /cws."""
        self.ignored = {"/ws": 0, "/cws": 0}
        """How many of the next messages there are neither carried out nor answered; logins aren't among them."""
        self.events = 0
        self._sessions: dict[Session, None] = {}
        self._late: list[tuple[int, int, Session, bytes]] = []
        self._number = count()
        self._eras = count()
        self._open_market(now, log=deque(maxlen=config.log_size))

    @property
    def log(self) -> Sequence[LogEntry]:
        return self._desk.log

    @property
    def statistics(self) -> dict[str, Any]:
        """Counts so far."""
        return {
            "events": self.events,
            "topics": self.publisher.topics,
            "tokens": self.access.issued,
            "commands": self._desk.executed,
            "repeated_commands": self._desk.repeated,
        }

    @property
    def orders(self) -> Mapping[str, object]:
        return self._http.report()

    @property
    def own_faults(self) -> Collection[str]:
        return _OWN_FAULTS

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:  # noqa: ARG002 - as served
        if call.path.lower() not in _PATHS:
            return json_answer(404, {"message": "WebSockets are at /ws and /cws"})
        return None

    def open_session(self, call: HttpCall, outlet: Outlet, now: int) -> Session:  # noqa: ARG002 - as served
        """Let a connection in, to ``/ws`` or ``/cws``."""
        session = Session(path=call.path.lower(), send=outlet.send_encoded, send_block=outlet.send_encoded_block)
        self._sessions[session] = None
        return session

    def close_session(self, session: Session, now: int) -> None:  # noqa: ARG002 - as served
        """A connection has ended: its subscriptions end with it."""
        session.closed = True
        self._sessions.pop(session, None)
        self.publisher.leave(session)

    def lane(self, session: Session) -> str:
        return session.lane

    def subscriptions(self, session: Session) -> Collection[str]:
        return session.subscriptions

    def receive(self, session: Session, message: str | bytes, now: int) -> None:
        """Take one message of a client, whatever it is."""
        if session.closed:
            return  # It was cut off in the middle of what it had sent.
        request = decode_request(message)
        if self.ignored[session.path] and not isinstance(request, Authorize):
            self.ignored[session.path] -= 1
            return
        if isinstance(request, BadRequest):
            self._reply(session, request.guid, request.code, request.message)
        elif session.path == "/cws":
            self._receive_command(session, request, now)
        else:
            self._receive_data_request(session, request, now)

    def advance(self, now: int) -> None:
        """Let the market go on until `now`; send what has become due."""
        events = self.market.advance(now)
        self._desk.note(events, now)
        self._publish(events, now)
        late = self._late
        while late and late[0][0] <= now:
            _, _, session, payload = heappop(late)
            if not session.closed:
                session.send(payload)

    def feed(self, event: Event, now: int, *, shift: int) -> None:
        """Take one event of a recording; its times lie `shift` nanoseconds before the venue's."""
        if isinstance(self.market, RecordedVenueMarket):
            events = self.market.feed(event, now, shift=shift)
            self._desk.note(events, now)
            self._publish(events, now)

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        """Answer one HTTP request."""
        return self._http.answer(call, now)

    def set_trading(self, symbol: str, now: int, *, trading: bool) -> None:
        """Halt or resume an instrument.

        Raises:
            ConfigError: There's no such instrument.
        """
        self._publish(self.market.set_trading(symbol, now, trading=trading), now)

    def forget_orders(self, now: int) -> None:
        """Begin again with untouched accounts, as after a restart that lost them. The log goes on."""
        for session in list(self._sessions):
            self.close_session(session, now)
        self._open_market(now, log=self._desk.log)

    def heal(self) -> None:
        self.acknowledgements.clear()
        self.replies.clear()
        self.ignored = dict.fromkeys(self.ignored, 0)
        self.publisher.heal()

    def fault(self, command: FaultCommand, now: int) -> int:
        """Do one of its own faults; they hit no connections, but what comes next."""
        count = command.count
        match command.fault:
            case "duplicate_fill":
                self.publisher.duplicate_fills += count
            case "late_fill" | "late_order_update":
                self.publisher.put_off(_NEWS[command.fault], count, int(command.seconds * 1e9))
            case "ignored_request" | "ignored_command":
                self.ignored["/ws" if command.fault == "ignored_request" else "/cws"] += count
            case "revoke_tokens":
                self.access.revoke()
            case "withdraw_orders":
                for account in self.config.portfolios:
                    self._desk.withdraw(account, now)
            case "halt" | "resume":
                self.set_trading(command.instrument, now, trading=command.fault == "resume")
            case _:
                mishap, answer = _MISHAPS[command.fault]
                plan = self.replies if answer == "reply" else self.acknowledgements
                plan.add(AnswerFault(mishap, command.seconds), count)
        return 0

    def _open_market(self, now: int, *, log: deque[LogEntry]) -> None:
        self.market = _make_market(self.config, now, numbered_from=_NUMBERS_AN_ERA * next(self._eras))
        encoder = Encoder(self.market)
        self.publisher = Publisher(self.market, encoder)
        self._desk = Desk(self.market, self._publish, remembered=self.config.commands_remembered, log=log)
        self._http = HttpDesk(self.market, self.access, self._desk, encoder, self.config)

    def _publish(self, events: Sequence[Event], now: int) -> None:
        self.events += len(events)
        self.publisher.publish(events, now)

    def _receive_data_request(self, session: Session, request: Any, now: int) -> None:
        if isinstance(request, Subscribe):
            self._subscribe(session, request, now)
        elif isinstance(request, Unsubscribe):
            code, words = self._check_token(request.token, now)
            if code == 200 and not self.publisher.unsubscribe(session, request.guid):
                code = self.config.unknown_guid_code
                words = HANDLED if code == 200 else "Subscription not found"
            self._acknowledge(session, request.guid, code, words, now)
        elif isinstance(request, Ping):
            self._reply(session, request.guid, *self._check_token(request.token, now))
        else:
            self._reply(session, request.guid, 400, "This opcode belongs to /cws")

    def _subscribe(self, session: Session, asked: Subscribe, now: int) -> None:
        code, words = self._check_subscribe(session, asked, now)
        if code != 200:
            self._acknowledge(session, asked.guid, code, words, now)
            return
        if self.config.acknowledge_first:
            self._acknowledge(session, asked.guid, code, words, now)
            session.send_block(self.publisher.subscribe(session, asked, now))
        else:
            session.send_block(self.publisher.subscribe(session, asked, now))
            self._acknowledge(session, asked.guid, code, words, now)

    def _check_subscribe(self, session: Session, asked: Subscribe, now: int) -> tuple[int, str]:
        """Say what a subscription is answered. Codes: ALOR protocol sheet, section 2.4; most texts aren't known."""
        stream = asked.stream
        claims = self.access.check(asked.token, now)
        if claims is None:
            return 401, INVALID_TOKEN
        if stream.exchange not in _EXCHANGES:
            return 404, f"Exchange {stream.exchange!r} not found"
        if stream.account is not None and stream.account not in claims.portfolios:
            return 403, f"Portfolio {stream.account!r} isn't available"
        if stream.instrument is not None and stream.instrument not in self.market.instruments:
            return 404, f"Instrument {stream.instrument!r} not found"
        if stream.kind is StreamKind.CLUSTERS:
            return 400, "Clusters aren't simulated"
        most = self.config.max_subscriptions
        if len(session.subscriptions) >= most and asked.guid not in session.subscriptions:
            return 429, f"A connection has at most {most} subscriptions"
        return 200, HANDLED

    def _receive_command(self, session: Session, request: Any, now: int) -> None:
        if isinstance(request, Authorize):
            session.claims = self.access.check(request.token, now)
            code, words = (401, INVALID_TOKEN) if session.claims is None else (200, INITIALIZED)
            self._reply(session, request.guid, code, words)
        elif isinstance(request, Ping):
            self._reply(session, request.guid, *self._check_session(session, now))
        elif isinstance(request, OrderCommand):
            self._execute(session, request, now)
        else:
            self._reply(session, request.guid, 400, "This opcode belongs to /ws")

    def _execute(self, session: Session, request: OrderCommand, now: int) -> None:
        code, words = self._check_session(session, now)
        account = request.command.request.account
        if code == 200 and session.claims is not None and account not in session.claims.portfolios:
            code, words = 403, f"Portfolio {account!r} isn't available"
        number = None
        if code == 200:
            result, _ = self._desk.execute(request.command, now, check_duplicates=request.check_duplicates)
            code, words, number = result.code, result.message, result.venue_order_id
        payload = encode_reply(request.guid, code, words, number).encode()
        self._send_by_plan(session, self.replies, payload, now)

    def _check_token(self, token: str, now: int) -> tuple[int, str]:
        return (401, INVALID_TOKEN) if self.access.check(token, now) is None else (200, HANDLED)

    def _check_session(self, session: Session, now: int) -> tuple[int, str]:
        """An authorisation dies with its token; the connection stays. Source: ALOR protocol sheet, section 1.3."""
        if session.claims is None or not self.access.alive(session.claims, now):
            return 401, INVALID_TOKEN
        return 200, HANDLED

    def _reply(self, session: Session, guid: str, code: int, words: str) -> None:
        session.send(encode_reply(guid, code, words).encode())

    def _acknowledge(self, session: Session, guid: str, code: int, words: str, now: int) -> None:
        self._send_by_plan(session, self.acknowledgements, encode_reply(guid, code, words).encode(), now)

    def _send_by_plan(self, session: Session, plan: AnswerPlan, payload: bytes, now: int) -> None:
        fault = plan.take()
        if fault is None:
            session.send(payload)
        elif fault.mishap is Mishap.LATE:
            heappush(self._late, (now + int(fault.seconds * 1e9), next(self._number), session, payload))
        elif fault.mishap is Mishap.DUPLICATE:
            session.send(payload)
            session.send(payload)


def _make_market(config: AlorVenueConfig, now: int, *, numbered_from: int) -> VenueMarket:
    accounts = dict.fromkeys(config.portfolios, config.cash)
    if config.source is not None:
        return RecordedVenueMarket(
            config.instruments, accounts=accounts, fees=config.fees, margin_rate=config.margin_rate, now=now
        )
    return SimulatedExchange(
        config.instruments,
        seed=config.seed,
        start=now,
        accounts=accounts,
        actions_per_second=config.actions_per_second,
        fees=config.fees,
        prices=config.prices,
        margin_rate=config.margin_rate,
        numbered_from=numbered_from,
    )
