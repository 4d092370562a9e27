"""What importers into archives share: rows in order, checked, and what they tell of their instruments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Final

import attrs

from strategykit.archive.manifest import Source, digest_of
from strategykit.archive.reader import Archive
from strategykit.archive.writer import open_archive_writer
from strategykit.disk import in_words, shown
from strategykit.errors import TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.model.events import Event
from strategykit.model.instruments import Instrument
from strategykit.venues.streams import Stream

__all__ = ["Facts", "Row", "import_rows", "number", "places", "price", "size"]

_MOST_PLACES: Final = 8

_QUOTES: Final = ("USDT", "USDC", "BUSD", "USD", "EUR", "GBP", "JPY", "RUB", "BTC", "ETH")


@attrs.frozen
class Row:
    """One event of a file."""

    stream: Stream
    event: Event
    place: Place
    fine: tuple[str, str] = ("", "")
    """A price and a size as they are written there, for how fine they are."""


@attrs.frozen(kw_only=True)
class Facts:
    """What is said of all instruments of an import."""

    exchange: str
    currency: str | None = None
    """None: what the symbol ends with."""
    time_zone: str = "UTC"
    multiplier: Decimal = Decimal(1)
    """Money that one unit moves by for one whole point of price."""


def number(text: str, what: str) -> float:
    """Read a number.

    Raises:
        RowRefused: It is none.
    """
    try:
        value = float(text)
    except ValueError as exc:
        raise RowRefused(f"{what} is no number:", text) from exc
    if not isfinite(value) or "_" in text:
        raise RowRefused(f"{what} is no number to compute with:", text)
    return value


def price(text: str, what: str) -> float:
    """Read a price.

    Raises:
        RowRefused: It isn't above 0.
    """
    value = number(text, what)
    if value <= 0:
        raise RowRefused(f"{what} can't be", text, right="a price above 0")
    return value


def size(text: str, what: str, *, least: float = 0.0) -> float:
    """Read a size.

    Raises:
        RowRefused: It is below `least`.
    """
    value = number(text, what)
    if value < least or value < 0:
        raise RowRefused(f"{what} can't be", text, right="a size of 0 or more")
    return value


@attrs.define
class _Fineness:
    prices: int = 0
    sizes: int = 0

    def see(self, fine: tuple[str, str]) -> None:
        self.prices = max(self.prices, places(fine[0]))
        self.sizes = max(self.sizes, places(fine[1]))


def places(text: str) -> int:
    """Give how many decimal places a number has as it is written, 8 at the most; so many of what is none."""
    shift = 0
    if "e" in text or "E" in text:
        try:
            text, _, exponent = repr(float(text)).partition("e")  # So that neither part is endless.
        except ValueError:
            return _MOST_PLACES
        shift = int(exponent or 0)
    fraction = text.partition(".")[2].rstrip("0")
    found = len(fraction) if fraction.isdigit() or not fraction else _MOST_PLACES
    return max(0, min(found - shift, _MOST_PLACES))


def import_rows(
    rows: Iterable[Row],
    to: Path,
    *,
    format: str,  # noqa: A002 - what it is called everywhere
    venue: str,
    paths: Sequence[Path],
    facts: Facts,
    refusals: Refusals,
) -> Archive:
    """Make an archive of rows; those of one stream have to be in the order of time, and one that isn't is refused.

    Args:
        rows: What is in the files, of one after the other.
        to: Folder to be made.
        format: Of the files.
        venue: Whose data they are.
        paths: The files.
        facts: Of the instruments; they get ticks and lots as fine as the finest price and size that was seen.
        refusals: Told of rows that can't be taken.

    Raises:
        ConfigError: `to` is there.
        TapeError: A file can't be read or holds nothing, too many rows can't be taken, or the archive not be written.
    """
    digests = [_digest(path) for path in paths]
    seen: dict[str, _Fineness] = {}
    latest: dict[Stream, int] = {}
    stream: Stream | None = None
    before = 0
    with open_archive_writer(to, source=Source(format=format, names=[]), venue=venue) as writer:
        orderly = without_leaps(rows, _time, lambda row, why: refusals.add(row.place, why), kind=_stream)
        for row in orderly:
            event = row.event
            time = event.receive_time
            if row.stream is not stream:
                if stream is not None:
                    latest[stream] = before
                stream, before = row.stream, latest.get(row.stream, 0)
            if time < before:
                refusals.add(row.place, "stands behind a row of a later time; rows in the order of time would be right")
                continue
            before = time
            writer.add_all(row.stream, (event,))
            seen.setdefault(row.stream.instrument or "", _Fineness()).see(row.fine)
        if not writer.rows:
            raise TapeError(f"{', '.join(map(shown, paths))}: no row could be taken")
        for symbol, fine in seen.items():
            writer.instruments[symbol] = _instrument(symbol, fine, facts)
        writer.source = Source(
            format=format, names=[path.name for path in paths], sha256=digests, refused=refusals.count
        )
    return Archive.open(to)


def _time(row: Row) -> int:
    return row.event.receive_time


def _stream(row: Row) -> Stream:
    return row.stream


def _digest(path: Path) -> str:
    try:
        return digest_of(path)
    except OSError as exc:
        raise TapeError(f"{shown(path)} can't be read: {in_words(exc, path)}") from exc


def _instrument(symbol: str, fine: _Fineness, facts: Facts) -> Instrument:
    quote = next((name for name in _QUOTES if symbol.upper().endswith(name)), "USD")
    return Instrument(
        symbol,
        tick=Decimal(1).scaleb(-fine.prices),
        lot=Decimal(1).scaleb(-fine.sizes),
        multiplier=facts.multiplier,
        currency=facts.currency or quote,
        exchange=facts.exchange,
        time_zone=facts.time_zone,
        counts_units=True,
    )
