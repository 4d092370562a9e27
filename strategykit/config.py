"""Session files: what to run, where, and how; TOML in, checked values out.

Every mistake in a file is told at once, one line each: the file, the key, the value and what would be right.
Secrets are named by reference only, and what might be one is never repeated in an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import attrs

from strategykit.config_tables import Mistakes, RecordTable, StrategyTable, VenueTable, read_tables
from strategykit.config_values import is_loopback
from strategykit.errors import ConfigError
from strategykit.net.endpoints import Endpoints
from strategykit.secret import Secret, read_secret
from strategykit.venues.streams import Stream, StreamKind

__all__ = [
    "SIMULATED_ACCOUNT",
    "SIMULATED_TOKEN",
    "RunPlan",
    "Session",
    "StrategySpec",
    "VenuePlan",
    "load_session",
    "make_session",
]

SIMULATED_TOKEN: Final = "simulated-refresh-token"  # noqa: S105 - no secret: the simulated venue is born with it
"""Refresh token of the simulated venue on the loopback."""

SIMULATED_ACCOUNT: Final = "D12345"
"""Share account of the simulated venue."""

_TOKEN_SERVICES: Final = {
    "https://api.alor.ru": "https://oauth.alor.ru",
    "https://apidev.alor.ru": "https://oauthdev.alor.ru",
}
"""Token service of each known address. Source: ALOR protocol sheet, section 1.1."""


@attrs.frozen(kw_only=True)
class VenuePlan:
    """Which venue, and as whom."""

    name: str
    """Its dialect."""
    endpoints: Endpoints
    account: str
    exchange: str = "MOEX"
    token: str | None = None
    """Reference to the refresh token, ``env:NAME`` or ``file:PATH``; None: the simulated venue's own."""
    market_connections: int = 2
    format: str = "Slim"

    @property
    def loopback(self) -> bool:
        """Whether every address is on this machine, so that no order can cost money."""
        return _all_loopback(self.endpoints)

    def secret(self) -> Secret:
        """Fetch the refresh token.

        Raises:
            ConfigError: The variable isn't set, or the file is missing, empty or open to others.
        """
        return Secret(SIMULATED_TOKEN) if self.token is None else read_secret(self.token)


@attrs.frozen(kw_only=True)
class RunPlan:
    """How to run."""

    live: bool = False
    """Real money: needs this and ``--live``. The loopback needs neither."""
    duration: int | None = None
    """Nanoseconds; None: until stopped. The file calls it ``for``."""
    seed: int | None = None
    """Of ids, jitter and `Strategy.random`; None: drawn afresh."""
    tape: Path | None = Path("tapes")
    """Folder for recordings; None: nothing is recorded."""
    on_stop: Literal["cancel", "keep"] = "cancel"
    """What happens to working orders at the end."""


@attrs.frozen(kw_only=True)
class StrategySpec:
    """One strategy of a session."""

    name: str
    """Unique in the session."""
    file: str
    """Path of its file, or ``sample:NAME``."""
    params: Mapping[str, object] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Session:
    """One session file, checked."""

    venue: VenuePlan
    run: RunPlan = RunPlan()
    strategies: tuple[StrategySpec, ...] = ()
    record: tuple[Stream, ...] = ()
    """Streams to record whether or not a strategy wants them."""


def load_session(path: Path | str) -> Session:
    """Read a session file. Paths in it are relative to its folder.

    Raises:
        ConfigError: It can't be read, or something in it is wrong; one line a mistake.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file; a session is a TOML file with a [venue] table and [[strategy]] tables, "
            "`strategykit doctor --example` prints one"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{path}: is a directory; name the session file in it") from None
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: isn't UTF-8 text (byte {exc.start}); a session is a TOML file") from None
    except OSError as exc:
        raise ConfigError(f"{path}: can't be read: {exc.strerror}") from exc
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ConfigError(f"{path}: isn't TOML: {exc}") from None
    return make_session(document, folder=path.parent, source=str(path))


def make_session(document: Mapping[str, object], *, folder: Path, source: str) -> Session:
    """Check a session that is given as TOML's values.

    Args:
        folder: What paths in it are relative to.
        source: Where it comes from, for messages.

    Raises:
        ConfigError: Something in it is wrong; one line a mistake.
    """
    try:
        tables = read_tables(document)
        venue = _venue(tables.venue)
        return Session(
            venue=venue,
            run=RunPlan(
                live=tables.run.live,
                duration=tables.run.duration,
                seed=tables.run.seed,
                tape=None if tables.run.tape is None else folder / tables.run.tape,
                on_stop=tables.run.on_stop,
            ),
            strategies=_strategies(tables.strategy, folder),
            record=tuple(_stream(row, venue.exchange, f"record #{n}") for n, row in enumerate(tables.record, 1)),
        )
    except Mistakes as exc:
        raise ConfigError("\n".join(f"{source}: {line}" for line in exc.lines)) from None


def _venue(table: VenueTable) -> VenuePlan:
    endpoints = _endpoints(table)
    token, account = table.token, table.account
    wrong = []
    if not _all_loopback(endpoints):
        if token is None:
            wrong.append("venue.token is missing; name where the refresh token is, as env:ALOR_REFRESH_TOKEN")
        if account is None:
            wrong.append("venue.account is missing; name the account to trade, such as D12345")
    if wrong:
        raise Mistakes(*wrong)
    return VenuePlan(
        name=table.name,
        endpoints=endpoints,
        account=account or SIMULATED_ACCOUNT,
        exchange=table.exchange,
        token=token,
        market_connections=table.market_connections,
        format=table.format,
    )


def _endpoints(table: VenueTable) -> Endpoints:
    given = {"http": table.http, "ws": table.ws, "oauth": table.oauth}
    if table.url is None:
        missing = [key for key, value in given.items() if value is None]
        if len(missing) == len(given):
            raise Mistakes("venue.url is missing; for a simulated venue it is http://127.0.0.1:8900")
        if missing:
            raise Mistakes(*(f"venue.{key} is missing; give http, ws and oauth, or url alone" for key in missing))
        return Endpoints(http=str(table.http), ws=str(table.ws), oauth=str(table.oauth))
    try:
        base = Endpoints.at(table.url)
    except ConfigError as exc:
        raise Mistakes(f"venue.url: {exc}") from None
    oauth = table.oauth or (base.oauth if is_loopback(base.http) else _TOKEN_SERVICES.get(base.http))
    if oauth is None:
        raise Mistakes(f"venue.oauth is missing; the token service of {base.http} has an address of its own")
    return Endpoints(http=table.http or base.http, ws=table.ws or base.ws, oauth=oauth)


def _all_loopback(endpoints: Endpoints) -> bool:
    return all(is_loopback(url) for url in (endpoints.http, endpoints.ws, endpoints.oauth))


def _strategies(tables: tuple[StrategyTable, ...], folder: Path) -> tuple[StrategySpec, ...]:
    specs: dict[str, StrategySpec] = {}
    for number, table in enumerate(tables, 1):
        is_sample = table.file.startswith("sample:")
        name = table.name or (table.file.removeprefix("sample:") if is_sample else Path(table.file).stem)
        if name in specs:
            other = [*specs].index(name) + 1
            raise Mistakes(f'strategy #{number}.name = "{name}" is that of strategy #{other}; each needs its own')
        file = table.file if is_sample else str(folder / Path(table.file).expanduser())
        specs[name] = StrategySpec(name=name, file=file, params=dict(table.params))
    return tuple(specs.values())


def _stream(table: RecordTable, exchange: str, key: str) -> Stream:
    if table.kind is StreamKind.BARS and table.interval is None:
        raise Mistakes(f'{key}.interval is missing; bars need a length, such as "1m"')
    return Stream(
        kind=table.kind, instrument=table.instrument, exchange=exchange, interval=table.interval, depth=table.depth
    )
