"""One credential's access token: fetched once for everybody, renewed before it dies, given up for good when refused."""

from __future__ import annotations

import copy
import random
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn, Protocol

import attrs
import trio

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused, RemoteProtocolError
from strategykit.net.timing import Timing, TryLater, full_jitter
from strategykit.secret import Secret

__all__ = ["RENEW_AT", "Token", "TokenFacts", "TokenSource", "fixed_token"]

RENEW_AT: Final = 0.8
"""Part of a token's life after which the next one is fetched. The rest is for a token service that is down."""

_SHORTEST: Final = 1.0
"""Seconds. A service whose tokens live shorter than this would be asked without a pause."""


_FOR_EVER: Final = 10**18
"""Nanoseconds, some thirty years: the life of a key that nobody renews."""


class TokenFacts(Protocol):
    """What a token service gives, as whatever class reads its answer. Times by the service's clock, nanoseconds UTC."""

    @property
    def text(self) -> str: ...
    @property
    def issued(self) -> int: ...
    @property
    def expires(self) -> int: ...


@attrs.frozen
class Token:
    """The plainest `TokenFacts`."""

    text: str = attrs.field(repr=False)
    issued: int
    expires: int


@attrs.frozen(eq=False)
class _Held:
    text: str = attrs.field(repr=False)
    renew_at: float
    dies_at: float


class TokenSource:
    """Gives the newest token, to any number of tasks, with at most one request for it under way.

    Ages are measured on Trio's clock from the moment of asking, so steps of the wall clock change nothing. A token
    that died unseen (a suspended machine, one revoked) shows as a refusal: whoever meets it calls `invalidate`.

    Args:
        fetch: Asks the token service, once. `LoginRefused` and `ConfigError` are final; `ConnectionLost` and
            `RemoteProtocolError` are tried again, with growing delays; any other `Refused` is for who asked alone.
        protect: Told the text of each token before anybody gets it.
        rng: For the jitter of the delays.
        timing: For the delays.

    Attributes:
        fetches: Requests made.
        last_failure: Why the last one failed; empty while all is well.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[TokenFacts]],
        *,
        protect: Callable[[str], None],
        rng: random.Random,
        timing: Timing,
    ) -> None:
        self.fetches = 0
        self.last_failure = ""
        self._fetch = fetch
        self._protect = protect
        self._rng = rng
        self._timing = timing
        self._held: _Held | None = None
        self._refusal: LoginRefused | ConfigError | None = None
        self._failures = 0
        self._lock = trio.Lock()
        self._changed = trio.Event()

    def __repr__(self) -> str:
        return f"<TokenSource, {self.fetches} fetched>"

    async def get(self) -> str:
        """Give a token that is alive as far as we know, fetching one if there is none.

        Raises:
            LoginRefused: The token service refused the credential, and no token is alive any more.
            Refused: It gives none now.
            ConfigError: It can't be reached securely, and no token is alive any more.
        """
        await trio.lowlevel.checkpoint()
        return (self._usable() or await self._renew(None)).text

    def invalidate(self, token: str) -> None:
        """Note that the venue refused `token`. If a newer one is there already, nothing happens."""
        if self._held is not None and self._held.text == token:
            self._held = None
            self._tell()

    async def wait_renewed(self, token: str) -> str:
        """Wait until the newest token is another than `token`, and give it.

        Raises:
            LoginRefused: There will be none, and `token` has died: the token service refused the credential.
            ConfigError: There will be none, and `token` has died: it can't be reached securely.
        """
        await trio.lowlevel.checkpoint()
        while True:
            held = self._usable()
            if held is None:
                self._check_refused()
            elif held.text != token:
                return held.text
            with trio.move_on_at(float("inf") if held is None else held.dies_at):
                await self._changed.wait()

    async def wait_refused(self) -> LoginRefused | ConfigError:
        """Wait until it is known that no other token will be had, and say why. The last one may live on for a while."""
        await trio.lowlevel.checkpoint()
        while self._refusal is None:
            await self._changed.wait()
        return copy.copy(self._refusal)

    async def keep_fresh(self) -> NoReturn:
        """Fetch each next token when the last has lived `RENEW_AT` of its life. Ends by cancellation or refusal.

        After a refusal the last token is used until it dies: what is left of its life is for leaving in good order.

        Raises:
            LoginRefused: The token service refused the credential, and no token is alive any more.
            ConfigError: It can't be reached securely, and no token is alive any more.
        """
        while True:
            held = self._usable() or await self._renew(None)
            changed = self._changed
            with trio.move_on_at(held.renew_at):
                await changed.wait()
            if self._held is held:
                try:
                    await self._renew(held)
                except (LoginRefused, ConfigError):
                    await self._outlive(held)
                    raise

    async def _outlive(self, held: _Held) -> None:
        while self._usable() is held:
            with trio.move_on_at(held.dies_at):
                await self._changed.wait()

    def _usable(self) -> _Held | None:
        held = self._held
        return held if held is not None and trio.current_time() < held.dies_at else None

    def _check_refused(self) -> None:
        if self._refusal is not None:
            raise copy.copy(self._refusal)  # Each task its own: a shared one would collect everybody's traceback.

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _renew(self, old: _Held | None) -> _Held:
        """Get another token than `old`. Whoever has the lock fetches; if it is cancelled, the next in line goes on."""
        async with self._lock:
            while True:
                held = self._usable()
                if held is not None and held is not old:
                    return held
                self._check_refused()
                if self._failures:
                    await trio.sleep(full_jitter(self._rng, self._failures - 1, self._timing))
                await self._try_once()

    async def _try_once(self) -> None:
        asked_at = trio.current_time()
        self.fetches += 1
        try:
            token = await self._fetch()
            # Both ends are the service's word, so it doesn't matter how wrong our clock is.
            life = (token.expires - token.issued) / 1e9
            if life < _SHORTEST:
                raise RemoteProtocolError(f"the token service gave a token that lives {life:g} s")
        except (LoginRefused, ConfigError) as exc:
            self._refusal = exc
            self.last_failure = str(exc)
            self._tell()
            raise
        except (ConnectionLost, RemoteProtocolError) as exc:
            self._failures += 1
            self.last_failure = str(exc)
            if isinstance(exc, TryLater):
                await trio.sleep(exc.delay)
        else:
            if token.text:
                self._protect(token.text)
            self._failures = 0
            self.last_failure = ""
            self._held = _Held(token.text, renew_at=asked_at + RENEW_AT * life, dies_at=asked_at + life)
            self._tell()


def fixed_token(secret: Secret | None) -> Callable[[], Awaitable[TokenFacts]]:
    """Make the `fetch` of a `TokenSource` for a venue without a token service: its key, for ever; None: no key."""

    async def fetch() -> TokenFacts:
        await trio.lowlevel.checkpoint()
        return Token("" if secret is None else secret.reveal(), 0, _FOR_EVER)

    return fetch
