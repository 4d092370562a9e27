"""Who is in the simulated T4 venue: logins, displaced sessions, heartbeats, silence and backlog.

Source: T4 protocol sheet, sections 1.2 to 1.5.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Literal

import attrs

from strategykit.sim.faults import FaultCommand
from strategykit.sim.served import Outlet
from strategykit.sim.t4_access import T4Access
from strategykit.sim.t4_config import T4User, T4VenueConfig
from strategykit.sim.t4_session import T4Session
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server import (
    encode,
    encode_heartbeat,
    encode_login_refusal,
    encode_token,
    make_token_message,
)
from strategykit.venues.t4.server_login import login_response
from strategykit.venues.t4.server_requests import Login, TokenRequest

__all__ = ["Doors", "TokenFault", "lane_of"]


@attrs.frozen
class TokenFault:
    """What happens to a request for a token."""

    kind: Literal["refuse_token", "short_token", "lost_token"]
    life: float
    """Seconds, of a short one."""


class Doors:
    """All connections.

    Args:
        config: The venue's.
        access: Who may.
        leave: Told of each session that is no longer in; all it held is to be let go.
    """

    def __init__(self, config: T4VenueConfig, access: T4Access, leave: Callable[[T4Session], None]) -> None:
        self.inside: dict[T4Session, None] = {}
        """Logged in, in their order."""
        self.refusals: deque[enums.LoginResult] = deque()
        """What the next logins are refused with, whoever they are."""
        self.token_faults: deque[TokenFault] = deque()
        """What happens to the next requests for tokens."""
        self._config = config
        self._access = access
        self._leave = leave
        self._open: dict[T4Session, None] = {}
        self._number = count(1).__next__

    def open(self, outlet: Outlet, now: int) -> T4Session:
        session = T4Session(outlet=outlet, heard=now, spoken=now)
        self._open[session] = None
        return session

    def close(self, session: T4Session) -> None:
        """A connection is gone."""
        session.closed = True
        self._open.pop(session, None)
        self._drop(session)

    def close_all(self) -> None:
        for session in list(self._open):
            self.close(session)

    def login(self, session: T4Session, request: Login, now: int) -> None:
        """Let a client in, in place of an older session of the same user and application, or refuse it and close."""
        found = self._refusal() or self._access.check(request)
        if isinstance(found, T4User) and request.price_format not in enums.PriceFormat.values():
            found = enums.LOGIN_RESULT_FAILED, f"price format {request.price_format} is unknown"
        if not isinstance(found, T4User):
            self.end(session, *found)
            return
        app = request.app_name or found.app_name
        for other in list(self.inside):
            if other is not session and (other.user, other.app) == (found, app):
                words = "the same user and application logged in again"
                self.end(other, enums.LOGIN_RESULT_LOGGED_IN_ELSEWHERE, words)
        session.user, session.app, session.format = found, app, request.price_format
        session.session_id = session.session_id or f"S{self._number():08d}"
        self.inside[session] = None
        token, expires = self._access.issue(found, session.format, now)
        welcome = login_response(
            session_id=session.session_id,
            firm=found.firm,
            username=found.username,
            user_id=found.user_id,
            exchanges=dict.fromkeys(market.exchange_id for market in self._config.markets.values()),
            accounts=found.accounts,
            token=make_token_message("", token, expires),
        )
        session.send(encode(login_response=welcome), now)

    def give_token(self, session: T4Session, request: TokenRequest, now: int) -> None:
        """Answer a request for a REST token, unless it is to be lost."""
        assert session.user is not None
        fault = self.token_faults.popleft() if self.token_faults else None
        if fault is not None and fault.kind == "refuse_token":
            session.send(encode_token(request.request_id, failure="refused on command"), now)
        elif fault is None or fault.kind == "short_token":
            life = None if fault is None else fault.life
            token, expires = self._access.issue(session.user, session.format, now, life=life)
            session.send(encode_token(request.request_id, token=token, expires=expires), now)

    def end(self, session: T4Session, result: enums.LoginResult | None, words: str) -> None:
        """Say why, if there is a result for it, and close. What the session held ends at once."""
        session.end(None if result is None else encode_login_refusal(result, words), words)
        self._drop(session)

    def look_after(self, now: int) -> None:
        """Send heartbeats; end the sessions of clients that are silent or too slow."""
        config = self._config
        for session in list(self._open):
            if session.closed:
                continue
            if now - session.heard >= config.gone_after * 1e9:
                self.end(session, None, f"nothing was heard for {config.gone_after:g} s")
            elif session.outlet.waiting > config.max_backlog:
                self.end(session, enums.LOGIN_RESULT_API_MESSAGE_BACKLOG, "the client reads too slowly")
            elif now - session.spoken >= config.heartbeat_every * 1e9 and now >= session.silent_until:
                session.send(encode_heartbeat(now), now)

    def chosen(self, command: FaultCommand) -> list[T4Session]:
        """Give the logged-in sessions that a fault's lane names."""
        everyone = command.lane in ("all", "ws")
        return [session for session in self.inside if everyone or lane_of(session) == command.lane]

    def _refusal(self) -> tuple[enums.LoginResult, str] | None:
        return (self.refusals.popleft(), "refused on command") if self.refusals else None

    def _drop(self, session: T4Session) -> None:
        self.inside.pop(session, None)
        self._leave(session)
        session.accounts.clear()


def lane_of(session: T4Session) -> str:
    """Name what a session is used for: T4 has one kind of connection."""
    return "orders" if session.accounts else "market"
