"""The simulated T4 venue without its socket: it ties sessions, feeds and orders together. Pure: time is given.

Source: T4 protocol sheet, sections 1 and 3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import Any, Final

from strategykit.model.events import Event
from strategykit.sim.alor_market import VenueMarket
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.matching import Match
from strategykit.sim.served import Outlet
from strategykit.sim.t4_access import T4Access
from strategykit.sim.t4_accounts import AccountFeed
from strategykit.sim.t4_boards import Boards
from strategykit.sim.t4_by_order import ByOrderPublisher
from strategykit.sim.t4_config import T4VenueConfig
from strategykit.sim.t4_depth import DepthPublisher
from strategykit.sim.t4_doors import Doors, lane_of
from strategykit.sim.t4_faults import OWN_FAULTS, VenueFaults
from strategykit.sim.t4_http import RestDesk
from strategykit.sim.t4_intake import OrderIntake
from strategykit.sim.t4_links import Links
from strategykit.sim.t4_orders import OrderDesk
from strategykit.sim.t4_report import make_report
from strategykit.sim.t4_session import T4Session
from strategykit.sim.t4_updates import OrderLogEntry, UpdateTeller
from strategykit.sim.t4_waiting import Waiting
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto import orderrouting_pb2 as routing
from strategykit.venues.t4.server import decode_request, encode
from strategykit.venues.t4.server_requests import (
    BadRequest,
    Batch,
    CreateStrategy,
    Heartbeat,
    Login,
    PullOrders,
    Request,
    ReviseOrders,
    Submission,
    SubscribeAccounts,
    SubscribeByOrder,
    SubscribeDepth,
    TokenRequest,
)

__all__ = ["T4Venue"]

_NUMBERS_AN_ERA: Final = 10_000_000
"""Numbers of orders and trades that are left free for what was given out before the venue forgot it."""


class T4Venue:
    """One venue.

    Args:
        config: What it is like.
        now: Nanoseconds UTC; no later call may give an earlier time.
    """

    name: Final = "t4"

    def __init__(self, config: T4VenueConfig, *, now: int) -> None:
        self.config = config
        self.bad_requests = 0
        """Frames that couldn't be read."""
        self._events = 0
        self._access = T4Access(config.users, config.token_life)
        self._doors = Doors(config, self._access, self._leave)
        self._eras = count()
        self._log: deque[OrderLogEntry] = deque(maxlen=config.log_size)
        self._open_market(now)

    @property
    def log(self) -> Sequence[OrderLogEntry]:
        """What happened to orders, oldest first."""
        return self._log

    @property
    def market(self) -> VenueMarket:
        return self.exchange

    @property
    def orders(self) -> Mapping[str, object]:
        return make_report(self._log, self.exchange, self.config.accounts)

    @property
    def statistics(self) -> Mapping[str, Any]:
        return {
            "events": self._events,
            "bad_requests": self.bad_requests,
            "logged_in": len(self._doors.inside),
            "tokens": self._access.issued,
            "order_updates": self._teller.told,
        }

    @property
    def own_faults(self) -> Collection[str]:
        return OWN_FAULTS

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:  # noqa: ARG002 - as served
        return None if call.path.rstrip("/") == "/v1" else json_answer(404, {"message": "WebSockets are at /v1"})

    def open_session(self, call: HttpCall, outlet: Outlet, now: int) -> T4Session:  # noqa: ARG002 - as served
        return self._doors.open(outlet, now)

    def close_session(self, session: T4Session, now: int) -> None:  # noqa: ARG002 - as served
        self._doors.close(session)

    def lane(self, session: T4Session) -> str:
        return lane_of(session)

    def subscriptions(self, session: T4Session) -> Collection[str]:
        held = {"depth": session.depth, "by_order": session.by_order, "account": session.accounts}
        return [f"{kind} {name}" for kind, names in held.items() for name in names]

    def receive(self, session: T4Session, message: str | bytes, now: int) -> None:
        """Take one message of a client, whatever it is. Before the login only a login and heartbeats will do."""
        if session.closed:
            return
        session.heard = now
        request = decode_request(message)
        self.bad_requests += isinstance(request, BadRequest)
        if isinstance(request, Heartbeat):
            return
        if isinstance(request, Login):
            self._doors.login(session, request, now)
        elif session.user is None:
            self._doors.end(session, enums.LOGIN_RESULT_UNAUTHORIZED, "the first message must be a login")
        elif not isinstance(request, BadRequest):  # Those are ignored: sheet, section 7, point 9.
            self._catch_up(now)
            self._serve(session, request, now)
            self._settle(now)

    def advance(self, now: int) -> None:
        """Let the market go on until `now`; send what has become due."""
        self._catch_up(now)
        self._settle(now)
        self._depth.run(now)
        self._accounts.run(now)
        self._teller.run(now)
        self._doors.look_after(now)

    def answer(self, call: HttpCall, now: int) -> HttpAnswer:
        return self._rest.answer(call, now)

    def forget_orders(self, now: int) -> None:
        self._doors.close_all()
        self._open_market(now)

    def heal(self) -> None:
        self._faults.heal()

    def fault(self, command: FaultCommand, now: int) -> int:
        """Do one of the venue's own faults.

        Raises:
            ConfigError: It can't be done as asked.
        """
        self._catch_up(now)
        hit = self._faults.carry_out(command, now)
        self._settle(now)
        return hit

    def _open_market(self, now: int) -> None:
        config, era = self.config, next(self._eras)
        self.exchange = exchange = SimulatedExchange(
            {name: market.instrument for name, market in config.markets.items()},
            seed=config.seed,
            start=now,
            accounts=dict.fromkeys(config.accounts, config.cash),
            actions_per_second=config.actions_per_second,
            fees=config.fees,
            prices=config.opening,
            currency="USD",
            margin_rate=config.margin_rate,
            witness=self._witness,
            numbered_from=_NUMBERS_AN_ERA * era,
        )
        boards = Boards(exchange, config.markets)
        self._teller = UpdateTeller(boards, lambda: self._doors.inside, log=self._log)
        self._desk = OrderDesk(exchange, boards, self._teller, self._publish, seed=f"{config.seed}/{era}/orders")
        self._links = Links(self._desk)
        self._waiting = Waiting(self._desk, boards)
        self._intake = OrderIntake(self._desk, self._waiting, self._teller, boards, exchange, most_lots=config.max_clip)
        smart, slow = int(config.smart_interval * 1e9), int(config.slow_interval * 1e9)
        self._depth = DepthPublisher(boards, smart=smart, slow=slow)
        self._by_order = ByOrderPublisher(boards)
        self._accounts = AccountFeed(exchange, boards, self._desk, config, self._doors.inside)
        self._rest = RestDesk(self._access, boards, exchange)
        self._faults = VenueFaults(
            self._doors, self._access, self._teller, self._desk, self._depth, self._by_order, exchange, self._publish
        )

    def _witness(self, number: int, match: Match) -> None:
        self._by_order.witness(number, match)

    def _serve(self, session: T4Session, request: Request, now: int) -> None:
        if self._faults.ignored:
            self._faults.ignored -= 1
            return
        match request:
            case TokenRequest():
                self._doors.give_token(session, request, now)
            case SubscribeDepth():
                self._depth.subscribe(session, request, now)
            case SubscribeByOrder():
                self._by_order.subscribe(session, request, now)
            case SubscribeAccounts():
                self._accounts.subscribe(session, request, now)
            case Submission():
                self._intake.submit(session, request, now)
            case Batch():
                self._intake.batch(session, request, now)
            case ReviseOrders():
                self._intake.revise(session, request, now)
            case PullOrders():
                self._intake.pull(session, request, now)
            case CreateStrategy():
                answer = routing.CreateUDSResponse(
                    request_id=request.request_id,
                    status_detail="strategies of one's own aren't simulated",
                    uds_status=enums.UDS_STATUS_FAILED,
                )
                session.send(encode(create_uds_response=answer), now)
            case _:  # pragma: no cover - `receive` keeps all others
                pass

    def _catch_up(self, now: int) -> None:
        """Let the market come to where it is now: a request meets it as it is."""
        self._publish(self.exchange.advance(now), now)

    def _publish(self, events: Sequence[Event], now: int) -> None:
        self._events += len(events)
        self._desk.apply(events, now)
        self._accounts.apply(events)
        self._depth.publish(events, now)
        self._by_order.publish(events, now)

    def _settle(self, now: int) -> None:
        """Do what follows from what happened until nothing does, then tell how accounts stand."""
        self._waiting.run(now)
        while self._links.settle(now):
            self._waiting.run(now)
        self._accounts.flush(now)

    def _leave(self, session: T4Session) -> None:
        """End all that a session held."""
        self._depth.leave(session)
        self._by_order.leave(session)
        self._accounts.forget(session)
