"""Files of others, brought in: frames of venues that are spoken here become tapes, all else archives."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs
import trio

from strategykit.disk import in_words, new_folder, shown
from strategykit.errors import ConfigError, TapeError
from strategykit.foreign.cryptofeed import host_of
from strategykit.foreign.progress import ReadProgress
from strategykit.foreign.refusals import MOST_REFUSED, Refusals
from strategykit.foreign.text import Reading, open_lines
from strategykit.tape.importers.binance import COINM, Read, import_frames, variant_of
from strategykit.tape.importers.coinapi import import_flat_files
from strategykit.tape.importers.cryptofeed import is_binance, read_cryptofeed, read_listed
from strategykit.tape.importers.hftbacktest import read_hftbacktest
from strategykit.venues.streams import Stream

if TYPE_CHECKING:
    from strategykit.archive.importers.rows import Facts, Row

__all__ = ["FORMATS", "ImportPlan", "ImportReport", "import_files"]

_PEEKED: Final = 1_000
"""Lines among which one has to tell whose they are."""

_NAMED: Final = ("coinapi", "lean")
"""Formats whose files say by their names whose they are."""


@attrs.frozen(kw_only=True)
class ImportPlan:
    """What is to be brought in."""

    format: str
    paths: Sequence[Path]
    to: Path
    """Folder to be made."""
    symbol: str | None = None
    """Whose the data are, where files don't tell; where they do, the only one that is meant."""
    interval: int | None = None
    """Nanoseconds a bar, where its file doesn't tell."""
    time_zone: str = "UTC"
    """Of times that don't say theirs."""
    adjusted: bool = False
    """Whether those columns of bars are meant that are adjusted for splits and dividends."""
    factors: Path | None = None
    """LEAN's file of what prices of shares are multiplied by."""
    currency: str | None = None
    """Of prices; None: what the format or the symbol says."""
    multiplier: Decimal = Decimal(1)
    """Of futures: money that one contract moves by for one whole point of price."""
    whole: bool = False
    """Whether the last line of a plain text is all there though it has no end; else it is refused."""
    most_refused: int = MOST_REFUSED
    now: Callable[[], int] = time.time_ns
    tell: Callable[[str], None] = lambda _: None
    """Takes a line for each row that can't be taken."""
    on_progress: Callable[[float, int], None] = lambda _, __: None
    """Told the part of the files' bytes that has been read, and how many lines that is."""

    def refusals(self) -> Refusals:
        return Refusals(self.tell, self.most_refused)

    def reading(self, *, times: int = 1) -> Reading:
        """Say how files are read, that many times."""
        return Reading(whole=self.whole, on_read=ReadProgress(self.paths, self.on_progress, times=times).on_read)

    def unheard(self) -> Refusals:
        """Give those of a reading before the one that tells them: too many end that one, too."""
        return Refusals(most=self.most_refused)


@attrs.frozen(kw_only=True)
class ImportReport:
    """What has been brought in."""

    made: Literal["tape", "archive"]
    path: Path
    messages: int
    """Frames, or rows."""
    refused: int
    """Rows that weren't taken."""
    first: int
    """Nanoseconds UTC."""
    last: int
    streams: Sequence[Stream]


def import_files(plan: ImportPlan) -> ImportReport:
    """Bring files in. They get the name that is wanted when all is there; after an error nothing is left.

    Raises:
        ConfigError: There is no such format; a file or an option that it needs is missing; or the folder is there.
        TapeError: A file is damaged or of another format, too many rows can't be taken, or the disk fails.
    """
    take = FORMATS.get(plan.format)
    if take is None:
        raise ConfigError(f"no format {plan.format!r}; there are: {', '.join(FORMATS)}")
    if not plan.paths:
        raise ConfigError("no file was named")
    if plan.symbol is not None and (not plan.symbol.strip() or not plan.symbol.isprintable()):
        raise ConfigError(f"symbol {plan.symbol!r} should be a name in one line, such as BTCUSDT")
    if plan.most_refused < 0:
        raise ConfigError(f"{plan.most_refused} rows can't be refused; 0 or more would be right")
    for path in plan.paths:
        if path.is_dir():
            raise ConfigError(f"{shown(path)}: there is no such file, but a folder; name the files in it")
        if not path.is_file():
            raise ConfigError(f"{shown(path)}: there is no such file")
    _check_distinct(plan)
    return take(plan)


def _check_distinct(plan: ImportPlan) -> None:
    """See that no file is there twice, by whatever names: what it holds would be told twice.

    LEAN's and CoinAPI's files say by their names whose they are: other ones may well hold the same.
    """
    named: dict[Path, Path] = {}
    for path in plan.paths:
        if (other := named.setdefault(path.resolve(), path)) is not path:
            raise ConfigError(f"{shown(path)} is named twice" + ("" if other == path else f", as {shown(other)}, too"))
    if plan.format in _NAMED:
        return
    sizes = Counter(path.stat().st_size for path in plan.paths)
    held: dict[bytes, Path] = {}
    for path in plan.paths:
        if (
            (size := path.stat().st_size)
            and sizes[size] > 1
            and (other := held.setdefault(_digest(path), path)) is not path
        ):
            raise ConfigError(f"{shown(other)} and {shown(path)} hold the same; name one of them")


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as exc:
        raise TapeError(f"{shown(path)} can't be read: {in_words(exc, path)}") from exc


def _coinapi(plan: ImportPlan) -> ImportReport:
    return _tape(
        plan, lambda to: import_flat_files(plan.paths, to, now=plan.now, symbol=plan.symbol, reading=plan.reading())
    )


def _hftbacktest(plan: ImportPlan) -> ImportReport:
    whose = _whose(plan.paths[0])
    if whose in (COINM, "hyperliquid"):
        from strategykit.archive.importers.frames import read_coinm, read_hyperliquid
        from strategykit.archive.importers.rows import Facts

        refusals = plan.refusals()
        read = read_coinm if whose == COINM else read_hyperliquid
        currency = "USD" if whose == COINM else "USDC"
        rows = read(plan.paths, refusals, symbol=plan.symbol, reading=plan.reading())
        return _archive(plan, rows, whose, Facts(exchange=whose.upper(), currency=currency), refusals)
    return _frames(plan, read_hftbacktest, {}, plan.reading(times=2))


def _whose(path: Path) -> str | None:
    """Say whose frames a file of the hftbacktest collector holds; None: Binance's, of spot or USD-M."""
    with open_lines(path) as lines:
        for line, _ in zip(lines, range(_PEEKED), strict=False):
            text = line.partition(" ")[2]
            if text.startswith('{"channel"'):
                return "hyperliquid"
            if variant_of(text) is not None:
                return COINM if variant_of(text) == COINM else None
    return None


def _cryptofeed(plan: ImportPlan) -> ImportReport:
    host = host_of(plan.paths, plan.unheard().add)
    if is_binance(host):
        reading = plan.reading(times=3)
        return _frames(plan, read_cryptofeed, read_listed(plan.paths, plan.unheard().add, reading), reading)
    from strategykit.archive.importers.rows import Facts
    from strategykit.archive.importers.sessions import HOSTS, read_sessions

    if host not in HOSTS:
        raise ConfigError(f"sessions of {host} aren't read; those of stream.binance.com, {', '.join(HOSTS)} are")
    refusals = plan.refusals()
    rows = read_sessions(plan.paths, host, refusals, symbol=plan.symbol, reading=plan.reading())
    return _archive(plan, rows, host, Facts(exchange=host), refusals)


def _tardis(plan: ImportPlan) -> ImportReport:
    from strategykit.archive.importers.rows import Facts
    from strategykit.archive.importers.tardis import read_tardis

    refusals = plan.refusals()
    rows = read_tardis(plan.paths, refusals, symbol=plan.symbol, reading=plan.reading())
    return _archive(plan, rows, "tardis", Facts(exchange="TARDIS"), refusals)


def _lean(plan: ImportPlan) -> ImportReport:
    from strategykit.archive.importers.factors import read_factors
    from strategykit.archive.importers.lean import lean_facts, read_lean

    refusals = plan.refusals()
    facts = lean_facts(plan.paths)
    factors = None if plan.factors is None else read_factors(plan.factors, plan.reading())
    rows = read_lean(plan.paths, refusals, symbol=plan.symbol, factors=factors, tell=plan.tell, reading=plan.reading())
    return _archive(plan, rows, facts.exchange.lower(), facts, refusals)


def _ohlcv(plan: ImportPlan) -> ImportReport:
    from strategykit.archive.importers.ohlcv import BarTable, read_ohlcv
    from strategykit.archive.importers.rows import Facts

    refusals = plan.refusals()
    table = BarTable(symbol=plan.symbol, interval=plan.interval, time_zone=plan.time_zone, adjusted=plan.adjusted)
    facts = Facts(exchange="", time_zone=plan.time_zone)
    return _archive(plan, read_ohlcv(plan.paths, table, refusals, plan.reading()), "ohlcv", facts, refusals)


def _frames(plan: ImportPlan, read: Read, listed: Mapping[str, bytes], reading: Reading) -> ImportReport:
    return _tape(
        plan,
        lambda to: import_frames(
            plan.paths,
            to,
            read=read,
            refusals=plan.refusals(),
            now=plan.now,
            symbol=plan.symbol,
            listed=listed,
            reading=reading,
        ),
    )


def _tape(plan: ImportPlan, make: Callable[[Path], Any]) -> ImportReport:
    with new_folder(plan.to) as folder:
        found = trio.run(partial(make, folder))
    return ImportReport(
        made="tape",
        path=plan.to,
        messages=found.messages,
        refused=getattr(found, "refused", 0),
        first=found.first,
        last=found.last,
        streams=found.streams,
    )


def _archive(plan: ImportPlan, rows: Iterable[Row], venue: str, facts: Facts, refusals: Refusals) -> ImportReport:
    from strategykit.archive.importers.rows import import_rows

    facts = attrs.evolve(facts, currency=plan.currency or facts.currency, multiplier=plan.multiplier)
    archive = import_rows(
        rows,
        plan.to,
        format=plan.format,
        venue=venue,
        paths=plan.paths,
        facts=facts,
        refusals=refusals,
    )
    return ImportReport(
        made="archive",
        path=plan.to,
        messages=archive.rows,
        refused=refusals.count,
        first=archive.first,
        last=archive.last,
        streams=archive.streams,
    )


FORMATS: Final[Mapping[str, Callable[[ImportPlan], ImportReport]]] = {
    "coinapi": _coinapi,
    "hftbacktest": _hftbacktest,
    "cryptofeed": _cryptofeed,
    "tardis": _tardis,
    "lean": _lean,
    "ohlcv": _ohlcv,
}
"""By the name that they are asked for by."""
