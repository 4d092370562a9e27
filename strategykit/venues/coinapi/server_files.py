"""Flat files: their keys, their lines, and how a bucket lists them.

Source: CoinAPI protocol sheet, section 9. Documentation and sample programs of the venue differ in the delimiter, in an
order of columns and in how times are written; both are offered.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import escape

import attrs

__all__ = ["FileKind", "FileStyle", "encode_file", "encode_listing", "name_file"]

FileKind = str
"""``"TRADES"``, ``"QUOTES"`` or ``"LIMITBOOK_FULL"``."""

_TRADES: Final = (
    *("time_exchange", "time_coinapi", "guid", "price", "base_amount", "taker_side"),
    *("id_exch_guid", "id_exch_int_inc", "order_id_maker", "order_id_taker"),
)
_QUOTES: Final = ("time_exchange", "time_coinapi", "ask_px", "ask_sx", "bid_px", "bid_sx")
_BOOKS: Final = ("time_exchange", "time_coinapi", "is_buy", "update_type", "entry_px", "entry_sx")


@attrs.frozen
class FileStyle:
    """One of the two ways."""

    samples: bool
    """As the sample programs read them; else as documented."""

    def columns(self, kind: FileKind) -> tuple[str, ...]:
        names = {"TRADES": _TRADES, "QUOTES": _QUOTES, "LIMITBOOK_FULL": _BOOKS}[kind]
        if kind == "LIMITBOOK_FULL" and self.samples:
            return (*names[:2], "update_type", "is_buy", *names[4:])
        return names

    def delimiter(self, kind: FileKind) -> str:
        return ";" if self.samples or kind == "TRADES" else ","

    def time(self, kind: FileKind, text: str) -> str:
        """Write a time that the stream writes in full."""
        text = text.removesuffix("Z")
        return text[11:] if self.samples and kind != "TRADES" else text


def name_file(kind: FileKind, *, day: str, exchange: str, number: int, symbol: str, venue_symbol: str) -> str:
    """Give the key of a file.

    Args:
        kind: What is in it.
        day: Such as ``"2024-05-06"``.
        exchange: Of the symbol.
        number: Of the symbol.
        symbol: Its id.
        venue_symbol: What the venue calls it.
    """
    shown = "".join(each if each.isalnum() else f"__{ord(each):04X}" for each in venue_symbol)
    return f"T-{kind}/D-{day.replace('-', '')}/E-{exchange}/IDDI-{number}+SC-{symbol}+S-{shown}.csv.gz"


def encode_file(kind: FileKind, rows: Iterable[dict[str, object]], style: FileStyle) -> bytes:
    """Make a compressed file; the same rows give the same bytes.

    Args:
        kind: What is in it.
        rows: By column; what a row lacks stays empty, and times are as in the stream.
        style: How it is written.
    """
    names, delimiter = style.columns(kind), style.delimiter(kind)

    def cell(name: str, value: object) -> str:
        return style.time(kind, str(value)) if name.startswith("time_") else "" if value is None else str(value)

    lines = [delimiter.join(names)]
    lines += [delimiter.join(cell(name, row.get(name)) for name in names) for row in rows]
    return gzip.compress("\n".join([*lines, ""]).encode(), compresslevel=1, mtime=0)


def encode_listing(
    bucket: str, files: Sequence[tuple[str, int]], *, prefix: str, delimiter: str, after: str, most: int, modified: str
) -> bytes:
    """Answer a ListObjectsV2.

    Args:
        bucket: Its name.
        files: Key and size of all that begin with `prefix`.
        prefix: What was asked for.
        delimiter: Up to where keys are shown as one common prefix; empty: they aren't.
        after: The key or common prefix that was shown last.
        most: Entries of an answer.
        modified: When the files were changed last, as the stream writes it.
    """
    entries: dict[str, int | None] = {}
    for key, size in sorted(files):
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        entries[prefix + head + found if found else key] = None if found else size
    left = [(name, size) for name, size in entries.items() if name > after]
    shown = left[:most]
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
        f"<Name>{escape(bucket)}</Name><Prefix>{escape(prefix)}</Prefix>",
        f"<KeyCount>{len(shown)}</KeyCount><MaxKeys>{most}</MaxKeys>",
        f"<IsTruncated>{'true' if len(left) > most else 'false'}</IsTruncated>",
    ]
    if len(left) > most and shown:
        parts.append(f"<NextContinuationToken>{escape(shown[-1][0])}</NextContinuationToken>")
    for name, length in shown:
        if length is None:
            parts.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
        else:
            when = f"<LastModified>{modified}</LastModified><Size>{length}</Size>"
            parts.append(f"<Contents><Key>{escape(name)}</Key>{when}</Contents>")
    return "".join([*parts, "</ListBucketResult>"]).encode()
