"""Tokens for HTTP calls that a venue gives over a session: asked for over whichever is open, when one is wanted."""

from __future__ import annotations

from typing import Final

import trio

from strategykit.errors import ConnectionLost, Refused
from strategykit.net.link import Session
from strategykit.net.timing import Timing
from strategykit.net.tokens import RENEW_AT, Token, TokenFacts
from strategykit.venues.dialect import Frame
from strategykit.venues.http_tokens import AsksForTokens, TokenReply

__all__ = ["TOKEN", "SessionTokens"]

TOKEN: Final = "token-"  # noqa: S105 - no password: the beginning of a name
"""How the guids of requests for tokens begin: no order command or subscription has one like it."""

_TRIES: Final = 3
"""Requests for which an HTTP ask's whole time lasts, where all of them are left without an answer."""


class SessionTokens:
    """Asks for one token at a time.

    Args:
        dialect: Words the requests.
        timing: For how long an answer is waited for.
    """

    def __init__(self, dialect: AsksForTokens, timing: Timing) -> None:
        self._dialect = dialect
        self._within = timing.answer_within / _TRIES
        self._sessions: list[Session] = []
        """Those that are open, oldest first."""
        self._asked = 0
        self._guid = ""
        """Of the request that waits for its answer."""
        self._reply: TokenReply | None = None
        self._changed = trio.Event()

    def opened(self, session: Session) -> None:
        """Note a session that can be asked from now on."""
        self._sessions.append(session)
        self._tell()

    def closed(self, session: Session) -> None:
        """Note that a session is over: it answers nothing any more."""
        self._sessions.remove(session)
        self._tell()

    def look(self, frame: Frame) -> tuple[str, ...]:
        """Take our request's answer, if a frame is that; give the texts in it that nobody may see, whoever asked."""
        reply = self._dialect.token_reply(frame)
        if reply is None:
            return ()
        if reply.guid == self._guid:
            self._reply = reply
            self._tell()
        return reply.secrets

    async def fetch(self) -> TokenFacts:
        """Ask once: the `fetch` of a `TokenSource`, which keeps the others waiting meanwhile.

        Nobody fetches a next token before one is wanted, so each counts as dead when `RENEW_AT` of its life is over.

        Raises:
            Refused: The venue gives none. The session goes on all the same, and the next call may ask again.
            ConnectionLost: No session is open, or it ended, or there was no answer in time.
        """
        what = "no session is open"
        try:
            with trio.move_on_after(self._within):
                while not self._sessions:
                    await self._changed.wait()
                what = "the venue gives no token for HTTP calls"
                return _shortened(await self._ask(self._sessions[0]))
        finally:
            self._guid, self._reply = "", None
        raise ConnectionLost(f"{what} within {self._within:g} s")

    async def _ask(self, session: Session) -> TokenReply:
        self._asked += 1
        self._guid = f"{TOKEN}{self._asked}"
        session.send_nowait(self._dialect.token_request(self._guid))
        while self._reply is None:
            if session not in self._sessions:
                raise ConnectionLost("the session ended before it gave a token for HTTP calls")
            await self._changed.wait()
        return self._reply

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def _shortened(reply: TokenReply) -> Token:
    if reply.refusal:
        words = f"the venue refuses a token for HTTP calls: {reply.refusal}"
        raise Refused(words, words=reply.refusal)
    return Token(reply.text, reply.issued, reply.issued + int((reply.expires - reply.issued) * RENEW_AT))
