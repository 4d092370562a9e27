"""Session files: what to run, where, and how; TOML in, checked values out.

Every mistake in a file is told at once, one line each: the file, the key, the value and what would be right.
Secrets are named by reference only, and what might be one is never repeated in an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from strategykit.config_risk import make_plan
from strategykit.config_tables import LimitsTable, RecordTable, StrategyTable, read_tables
from strategykit.config_values import Mistakes, is_loopback
from strategykit.config_venue import VenueTable
from strategykit.errors import ConfigError
from strategykit.model.risk_limits import DEFAULT_PLAN, RiskPlan
from strategykit.net.endpoints import Endpoints
from strategykit.registry.alor import SIMULATED_ACCOUNT, SIMULATED_TOKEN
from strategykit.registry.table import find_venue
from strategykit.registry.venue import Venue
from strategykit.secret import Secret, read_secret
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.venues.dialect import Dialect
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

_MILLISECOND: Final = 1_000_000

PAPER_ACCOUNT: Final = "PAPER"
"""What the account of strategies is called where the venue has none."""


def _default_options(plan: VenuePlan) -> Mapping[str, object]:
    return find_venue(plan.name).settings({})


@attrs.frozen(kw_only=True)
class VenuePlan:
    """Which venue, and as whom."""

    name: str
    """As the registry has it."""
    endpoints: Endpoints
    account: str = PAPER_ACCOUNT
    options: Mapping[str, object] = attrs.field(default=attrs.Factory(_default_options, takes_self=True))
    """What its dialect is made from."""
    credentials: Mapping[str, str] = attrs.field(factory=dict)
    """References to what has to be shown, ``env:NAME`` or ``file:PATH``, by key; none: the simulated venue's own."""
    market_connections: int = 2

    @property
    def known(self) -> Venue:
        """What is known of the venue."""
        return find_venue(self.name)

    def dialect(self) -> Dialect:
        """Make the venue's language."""
        return self.known.dialect(self.options)

    @property
    def exchange(self) -> str | None:
        """Where streams and orders name none; None: the venue is but one."""
        exchange = self.options.get("exchange")
        return None if exchange is None else str(exchange)

    @property
    def loopback(self) -> bool:
        """Whether every address is on this machine, so that no order can cost money."""
        return _all_loopback(self.endpoints)

    def secrets(self) -> dict[str, Secret]:
        """Fetch what has to be shown, by key.

        Raises:
            ConfigError: A variable isn't set, or a file is missing, empty or open to others.
        """
        if not self.credentials:
            return self.known.simulated()
        found: dict[str, Secret] = {}
        for key, place in self.credentials.items():
            try:
                found[key] = read_secret(place)
            except ConfigError as exc:
                raise ConfigError(f"venue.{key}: {exc}") from exc
        return found


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
    on_kill: Literal["cancel", "flatten"] = "cancel"
    """What the kill switch does: withdraw all orders, or close positions at the market, too."""
    guard: bool | None = None
    """Whether a process of its own watches the run, and withdraws its orders if it hangs or dies; None: where they are
    real and leave this machine."""
    guard_after: int = 10_000_000_000
    """Nanoseconds of silence after which a run counts as hung."""
    journal: Path | None = None
    """Folder for the journals of accounts; None: what is known of orders ends with the run."""
    on_stop: Literal["cancel", "keep"] = "cancel"
    """What happens to working orders at the end, and to those that a run which was killed has left."""


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
    risk: RiskPlan = DEFAULT_PLAN
    models: FillModels = DEFAULT_MODELS
    """What paper trading assumes of fills."""
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
        venue, strategies, risk = _together(
            lambda: _venue(tables.venue, live=tables.run.live),
            lambda: _strategies(tables.strategy, folder),
            lambda: make_plan(tables.risk, _own_limits(tables.strategy)),
        )
        return Session(
            venue=venue,
            run=RunPlan(
                live=tables.run.live,
                duration=tables.run.duration,
                seed=tables.run.seed,
                tape=None if tables.run.tape is None else folder / tables.run.tape,
                journal=None if tables.run.journal is None else folder / tables.run.journal,
                on_stop=tables.run.on_stop,
                on_kill=tables.run.on_kill,
                guard=tables.run.guard,
                guard_after=tables.run.guard_after,
            ),
            risk=risk,
            models=tables.models,
            strategies=strategies,
            record=tuple(_stream(row, venue, f"record #{n}") for n, row in enumerate(tables.record, 1)),
        )
    except Mistakes as exc:
        raise ConfigError("\n".join(f"{source}: {line}" for line in exc.lines)) from None


def _venue(table: VenueTable, *, live: bool) -> VenuePlan:
    venue = table.venue
    try:
        options = venue.settings(table.options)
        venue.make_dialect(**options)
    except ConfigError as exc:
        raise Mistakes(f"venue: {exc}") from None
    endpoints = _endpoints(table)
    wrong = []
    if table.credentials or not _all_loopback(endpoints):
        wrong += _missing_credentials(table)
    if not _all_loopback(endpoints) and venue.takes_orders and table.account is None:
        wrong.append(f"venue.account is missing; name the account to trade, such as {venue.simulation.account}")
    if live and not venue.takes_orders:
        wrong.append(
            f"run.live = true can't be: {venue.title} takes no orders, strategies trade on paper there; leave it out"
        )
    if wrong:
        raise Mistakes(*wrong)
    return VenuePlan(
        name=venue.name,
        endpoints=endpoints,
        account=table.account or venue.simulation.account or PAPER_ACCOUNT,
        options=options,
        credentials=table.credentials,
        market_connections=table.market_connections or min(2, venue.market_connections),
    )


def _missing_credentials(table: VenueTable) -> list[str]:
    """Say what is missing to be let in; nothing if one way is whole, or there's no door."""
    logins, given = table.venue.logins, table.credentials.keys()
    if not logins or any(login.keys() <= given for login in logins):
        return []
    # The way that somebody has begun to go, if any.
    meant = max(logins, key=lambda login: len(login.keys() & given))
    lines = [
        f"venue.{key} is missing; name where the {item.words} is, as {item.example}"
        for key, item in meant.items()
        if key not in given
    ]
    others = [" and ".join(login) for login in logins if login is not meant]
    return [f"{line}; or give {' or '.join(others)}" if others else line for line in lines]


def _endpoints(table: VenueTable) -> Endpoints:
    venue = table.venue
    given = {"http": table.http, "ws": table.ws}
    if venue.oauth:
        given["oauth"] = table.oauth
    at = table.url
    if at is None:
        missing = [key for key, value in given.items() if value is None]
        if not missing:
            return Endpoints(http=str(table.http), ws=str(table.ws), oauth=str(table.oauth or table.http))
        if venue.home is None or len(missing) < len(given):
            if len(missing) == len(given):
                raise Mistakes("venue.url is missing; for a simulated venue it is http://127.0.0.1:8900")
            every = f"{', '.join(list(given)[:-1])} and {list(given)[-1]}"
            raise Mistakes(*(f"venue.{key} is missing; give {every}, or url alone" for key in missing))
        at = venue.home
    base = venue.places.get(at) or _derived(at)
    oauth = table.oauth or base.oauth
    if venue.oauth and table.oauth is None and at not in venue.places and not is_loopback(base.http):
        raise Mistakes(f"venue.oauth is missing; the token service of {base.http} has an address of its own")
    return Endpoints(http=table.http or base.http, ws=table.ws or base.ws, oauth=oauth)


def _derived(url: str) -> Endpoints:
    try:
        return Endpoints.at(url)
    except ConfigError as exc:
        raise Mistakes(f"venue.url: {exc}") from None


def _all_loopback(endpoints: Endpoints) -> bool:
    return all(is_loopback(url) for url in (endpoints.http, endpoints.ws, endpoints.oauth))


def _together(
    venue: Callable[[], VenuePlan], strategies: Callable[[], tuple[StrategySpec, ...]], risk: Callable[[], RiskPlan]
) -> tuple[VenuePlan, tuple[StrategySpec, ...], RiskPlan]:
    """Make all parts of a session, or tell the mistakes of all of them."""
    found: list[Any] = []
    lines: list[str] = []
    for make in (venue, strategies, risk):
        try:
            found.append(make())
        except Mistakes as exc:
            lines += exc.lines
    if lines:
        raise Mistakes(*lines)
    return found[0], found[1], found[2]


def _own_limits(tables: tuple[StrategyTable, ...]) -> Iterator[tuple[str, str, LimitsTable]]:
    yield from ((_name(table), f"strategy #{number}.risk", table.risk) for number, table in enumerate(tables, 1))


def _name(table: StrategyTable) -> str:
    sample = table.file.removeprefix("sample:")
    return table.name or (sample if sample != table.file else Path(table.file).stem)


def _strategies(tables: tuple[StrategyTable, ...], folder: Path) -> tuple[StrategySpec, ...]:
    specs: dict[str, StrategySpec] = {}
    for number, table in enumerate(tables, 1):
        is_sample, name = table.file.startswith("sample:"), _name(table)
        if name in specs:
            other = [*specs].index(name) + 1
            raise Mistakes(f'strategy #{number}.name = "{name}" is that of strategy #{other}; each needs its own')
        file = table.file if is_sample else str(folder / Path(table.file).expanduser())
        specs[name] = StrategySpec(name=name, file=file, params=dict(table.params))
    return tuple(specs.values())


def _stream(table: RecordTable, venue: VenuePlan, key: str) -> Stream:
    offers = venue.dialect().offers
    if table.kind not in offers.streams:
        has = ", ".join(offers.market_data)
        raise Mistakes(f'{key}.kind = "{table.kind.value}": {venue.known.title} has none; it has {has}')
    if table.kind is StreamKind.BARS and table.interval is None:
        raise Mistakes(f'{key}.interval is missing; bars need a length, such as "1m"')
    return Stream(
        kind=table.kind,
        instrument=table.instrument,
        exchange=venue.exchange,
        interval=table.interval,
        depth=table.depth,
        frequency=None if table.every is None else table.every * _MILLISECOND,
    )
