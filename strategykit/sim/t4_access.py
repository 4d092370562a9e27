"""Logins and REST tokens of the simulated T4 venue."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import attrs

from strategykit.secret import Secret
from strategykit.sim.t4_config import T4User
from strategykit.sim.tokens import Claims, make_token
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_requests import Login

__all__ = ["Grant", "T4Access"]

_SECOND: Final = 1_000_000_000

_WORDS: Final = {
    enums.LOGIN_RESULT_FAILED: "Unknown user, or a wrong password",
    enums.LOGIN_RESULT_APPLICATION_NOT_VALID: "The application's name or licence isn't valid",
    enums.LOGIN_RESULT_UNAUTHORIZED: "Not authorized",
}


@attrs.frozen
class Grant:
    """What a REST token, or a key, allows."""

    user: T4User
    format: enums.PriceFormat
    expires: int
    """Nanoseconds UTC."""


class T4Access:
    """Who may.

    Args:
        users: All there are.
        life: Of a token, seconds.
    """

    def __init__(self, users: tuple[T4User, ...], life: float) -> None:
        self.issued = 0
        """Tokens given out so far."""
        self._users = users
        self._life = int(life * _SECOND)
        self._grants: dict[str, Grant] = {}
        self._key = hashlib.sha256(repr(users).encode()).digest()

    def check(self, login: Login) -> T4User | tuple[enums.LoginResult, str]:
        """Give the user, or the result and words of a refusal. A key alone is enough (sheet, section 1.2)."""
        if login.api_key:
            user = self._find_by_key(login.api_key)
            return user if user is not None else _refusal(enums.LOGIN_RESULT_UNAUTHORIZED)
        for user in self._users:
            if (user.firm, user.username) == (login.firm, login.username):
                if not _same(user.password, login.password):
                    break
                if user.app_name != login.app_name or not _same(user.app_license, login.app_license):
                    return _refusal(enums.LOGIN_RESULT_APPLICATION_NOT_VALID)
                return user
        return _refusal(enums.LOGIN_RESULT_FAILED)

    def issue(
        self, user: T4User, price_format: enums.PriceFormat, now: int, *, life: float | None = None
    ) -> tuple[str, int]:
        """Give a token and when it ends, nanoseconds UTC, in whole seconds; `life` is in seconds, None: the usual."""
        self._forget(now)
        expires = -(-(now + (self._life if life is None else int(life * _SECOND))) // _SECOND)
        self.issued += 1
        claims = Claims(
            login=user.username,
            agreements=(user.firm,),
            portfolios=user.accounts,
            issued=now // _SECOND,
            expires=expires,
            generation=self.issued,
        )
        token = make_token(claims, self._key)
        self._grants[token] = Grant(user, price_format, expires * _SECOND)
        return token, expires * _SECOND

    def read(self, headers: Mapping[str, str], now: int) -> Grant | None:
        """Give what ``Authorization: Bearer`` or ``APIKey`` allows; None if it is wrong, or too late."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        value = value.strip()
        if scheme.lower() == "apikey":
            user = self._find_by_key(value)
            return None if user is None else Grant(user, enums.PRICE_FORMAT_DECIMAL, now + 1)
        grant = self._grants.get(value) if scheme.lower() == "bearer" else None
        return grant if grant is not None and now < grant.expires else None

    def revoke(self) -> int:
        """Make every token given out so far worthless; give how many there were."""
        count = len(self._grants)
        self._grants.clear()
        return count

    def _forget(self, now: int) -> None:
        for token in [token for token, grant in self._grants.items() if grant.expires <= now]:
            del self._grants[token]

    def _find_by_key(self, key: str) -> T4User | None:
        return next((user for user in self._users if _same(user.api_key, key)), None)


def _same(wanted: str, given: str) -> bool:
    """Compare without telling by time taken; an empty one never fits."""
    return bool(wanted and given) and Secret(wanted) == Secret(given)


def _refusal(result: enums.LoginResult) -> tuple[enums.LoginResult, str]:
    return result, _WORDS[result]
