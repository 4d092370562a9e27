"""The shape of an entry: all that the program has to know of a venue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from strategykit.config_values import Check, WrongValue
from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints
from strategykit.net.http import token_fetcher
from strategykit.net.network import SOCKETS, Network
from strategykit.net.tokens import TokenFacts, fixed_token
from strategykit.registry.simulation import Simulation
from strategykit.secret import Secret
from strategykit.venues.dialect import Dialect, HttpRequest
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["Credential", "Login", "Option", "Shown", "TimeQuestion", "TokenService", "Venue"]


@attrs.frozen
class Option:
    """A key of the [venue] table that this venue alone has; its dialect is made from it."""

    check: Check
    default: object = None
    """What it is where nothing is said; None: the dialect's own."""


@attrs.frozen(kw_only=True)
class Credential:
    """A key of the [venue] table that says where a secret is."""

    words: str
    """What it is: ``"refresh token"``."""
    example: str
    """A reference, such as ``"env:ALOR_REFRESH_TOKEN"``."""
    simulated: str = attrs.field(repr=False)
    """What the simulated venue is born with."""


Login = Mapping[str, Credential]
"""What has to be shown, all of it, to be let in: credentials by key."""


@attrs.frozen(kw_only=True)
class TokenService:
    """A service that gives passing tokens for a lasting credential."""

    request: Callable[[], HttpRequest]
    """Words the call; it alone reveals the credential."""
    parse: Callable[[bytes], TokenFacts]
    displaces: bool = False
    """Whether the venue may end a session of the same user for it."""


@attrs.frozen(kw_only=True)
class TimeQuestion:
    """How a venue is asked for its time."""

    request: HttpRequest
    parse: Callable[[bytes], int]
    """Reads the answer: nanoseconds UTC. Raises `RemoteProtocolError` where it can't."""


@attrs.frozen(kw_only=True)
class Shown:
    """A strategy of the demonstration."""

    name: str
    file: str
    params: Mapping[str, object]


def _none(_: Mapping[str, Secret], __: Mapping[str, Any]) -> None:
    """There is nothing of the kind."""


def _lone(secrets: Mapping[str, Secret], _: Mapping[str, Any]) -> Secret | None:
    """Give the one secret that there is, if there is one."""
    return next(iter(secrets.values()), None)


@attrs.frozen(kw_only=True)
class Venue:
    """One venue."""

    name: str
    """As sessions, tapes and the command line call it."""
    title: str
    """As people do."""
    make_dialect: Callable[..., Dialect]
    """Takes the options by keyword. Imports what it needs when it is called."""
    options: Mapping[str, Option] = attrs.field(factory=dict)
    logins: Sequence[Login] = ()
    """Ways to log in, of which one is enough; none: the venue asks nobody who he is."""
    tokens: Callable[[Mapping[str, Secret], Mapping[str, Any]], TokenService | Secret | None] = _lone
    """Makes of the credentials, by key, and the options what the dialect is given as token: a service has it, or it is
    a lasting text; None: nothing is shown."""
    http_tokens: Callable[[Mapping[str, Secret], Mapping[str, Any]], TokenService | None] = _none
    """Gives what has the tokens of HTTP calls while no session is open, where these take others; None: the same."""
    oauth: bool = False
    """Whether tokens come from an address of their own; else a token service is where all other calls go."""
    places: Mapping[str, Endpoints] = attrs.field(factory=dict)
    """What is known of the venue's addresses, by the one that a session gives as ``url``."""
    home: str | None = None
    """The one of `places` where a session names none; None: it has to name one."""
    time: TimeQuestion | None = None
    simulation: Simulation
    shown: Sequence[Shown]
    """What the demonstration runs."""

    def settings(self, said: Mapping[str, object]) -> dict[str, Any]:
        """Check options by key, and fill in those of which nothing is said.

        Raises:
            ConfigError: A value can't be, or the venue has no such option.
        """
        values = {key: option.default for key, option in self.options.items() if option.default is not None}
        for key, value in said.items():
            if key not in self.options:
                known = ", ".join(self.options) or "none"
                raise ConfigError(f"{self.name} has no option {key!r}; known are {known}")
            try:
                values[key] = self.options[key].check(value, None)
            except WrongValue as exc:
                raise ConfigError(f"{key} {exc}") from None
        return values

    def dialect(self, said: Mapping[str, object]) -> Dialect:
        """Give the venue's language, as `said` wants it.

        Raises:
            ConfigError: An option can't be.
        """
        return self.make_dialect(**self.settings(said))

    @property
    def credentials(self) -> dict[str, Credential]:
        """All of all logins, by key."""
        return {key: credential for login in self.logins for key, credential in login.items()}

    @property
    def takes_orders(self) -> bool:
        return self.dialect({}).commands is not None

    @property
    def market_connections(self) -> int:
        """Over how many connections market data can be spread."""
        dialect = self.dialect({})
        return dialect.lanes[dialect.lane(Stream(kind=StreamKind.TRADES, instrument="X"))].max_connections

    def simulated(self) -> dict[str, Secret]:
        """Give the credentials that the simulated venue is born with."""
        return {key: Secret(item.simulated) for login in self.logins[:1] for key, item in login.items()}

    def fetcher(
        self,
        secrets: Mapping[str, Secret],
        said: Mapping[str, object],
        endpoints: Endpoints,
        *,
        network: Network = SOCKETS,
    ) -> Callable[[], Awaitable[TokenFacts]]:
        """Make what fetches the tokens for a run's connections."""
        tokens = self.tokens(secrets, self.settings(said))
        if isinstance(tokens, TokenService):
            return token_fetcher(
                endpoints.oauth,
                request=tokens.request,
                parse=tokens.parse,
                tls=network.tls(None),
                transport=network.transport(),
            )
        return fixed_token(tokens)
