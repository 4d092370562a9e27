"""The simulated token service: refresh tokens in, JWTs out, and what a JWT still allows."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from strategykit.secret import Secret
from strategykit.sim.tokens import Claims, make_token, read_token

__all__ = ["Access"]

_SECOND = 1_000_000_000


class Access:
    """One login's.

    Args:
        login: Such as ``"P12345"``.
        agreements: Its agreements.
        portfolios: All it may trade.
        refresh_token: What `issue` wants to see.
        life: Of a JWT, seconds.
    """

    def __init__(
        self,
        *,
        login: str,
        agreements: tuple[str, ...],
        portfolios: tuple[str, ...],
        refresh_token: str,
        life: float,
    ) -> None:
        self.issued = 0
        """JWTs given out so far."""
        self._login = login
        self._agreements = agreements
        self._portfolios = portfolios
        self._refresh_token = Secret(refresh_token)
        self._life = life
        self._generation = 0
        self._key = hashlib.sha256(f"{login}/{refresh_token}".encode()).digest()

    def issue(self, refresh_token: str, now: int, *, allowed: Collection[str] | None = None) -> str | None:
        """Give a new JWT, for the `allowed` portfolios or all; None if the refresh token is wrong."""
        if not refresh_token or Secret(refresh_token) != self._refresh_token:
            return None
        self.issued += 1
        seconds = now // _SECOND
        claims = Claims(
            login=self._login,
            agreements=self._agreements,
            portfolios=tuple(name for name in self._portfolios if allowed is None or name in allowed),
            issued=seconds,
            # Whole seconds, rounded up: a token mustn't be born dead.
            expires=-int(-(now + self._life * _SECOND) // _SECOND),
            generation=self._generation,
        )
        return make_token(claims, self._key)

    def check(self, token: str | None, now: int) -> Claims | None:
        """Give what a JWT says; None if it isn't ours, has expired or was revoked."""
        claims = read_token(token, self._key) if token else None
        if claims is None or not self.alive(claims, now):
            return None
        return claims

    def alive(self, claims: Claims, now: int) -> bool:
        """Whether a token that was good once still is."""
        return claims.generation == self._generation and now < claims.expires * _SECOND

    def revoke(self) -> None:
        """Make every JWT given out so far worthless. The refresh token stays good."""
        self._generation += 1
