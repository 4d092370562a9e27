"""Results on the disk: one folder each, with ``result.json`` and a Parquet file for each table.

``orders``, ``fills``, ``prices`` and ``gaps`` are what was, and are read back. The other tables and the figures follow
from them; they are written for other programs and computed again by this one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.parquet as pq

from strategykit.disk import Disk, RealDisk, in_words, shown, sync_directory, write_file
from strategykit.errors import ResultError, TapeError
from strategykit.model.codec import from_dict, make_converter, to_dict
from strategykit.model.instruments import Instrument
from strategykit.report.facts import RunFacts
from strategykit.report.tables import TableName, as_columns
from strategykit.runtime.collector import Collected, CollectedStrategy

__all__ = ["FORMAT", "VERSION", "check_free", "load", "save", "signed", "write_text"]

FORMAT: Final = "strategykit result"
VERSION: Final = 1

MOST: Final = 1 << 30
"""Bytes of one file that is read: a result is looked at, and has to fit into memory."""

_HEAD: Final = "result.json"
_SIGNED: Final = "sha256"
_READ: Final[tuple[TableName, ...]] = ("orders", "fills", "prices", "gaps")


@attrs.frozen(kw_only=True)
class _Head:
    """What ``result.json`` holds besides what is there for other programs."""

    facts: RunFacts
    started: int
    ended: int
    strategies: tuple[CollectedStrategy, ...]
    instruments: tuple[Instrument, ...]
    begin: tuple[tuple[str, str, Decimal, Decimal], ...]
    interval: int
    marks: dict[str, Decimal]
    capital: dict[str, Decimal]


def check_free(folder: Path) -> None:
    """See that a result can be saved there, before a long run.

    Raises:
        ResultError: There is something already.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise ResultError(f"{shown(folder)}: is there already; a result gets a folder of its own, so name another one")


def save(
    folder: Path,
    facts: RunFacts,
    collected: Collected,
    summary: Mapping[str, Any],
    tables: Mapping[TableName, pa.Table],
    disk: Disk | None = None,
) -> Path:
    """Write a result's files beside `folder`, make them last, and give them its name: it is whole, or not there."""
    check_free(folder)
    disk = disk or RealDisk()
    files = {f"{name}.parquet": _parquet(table) for name, table in tables.items()}
    head = _Head(
        facts=facts,
        started=collected.started,
        ended=collected.ended,
        strategies=tuple(collected.strategies),
        instruments=tuple(collected.instruments),
        begin=tuple(zip(*collected.begin.values(), strict=True)),
        interval=collected.interval,
        marks=dict(collected.marks),
        capital=dict(collected.capital),
    )
    whole = {
        "format": FORMAT,
        "version": VERSION,
        **to_dict(make_converter(), head, _Head),
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
        },
        "summary": summary,
    }
    files[_HEAD] = text = signed(json.loads(json.dumps(whole, default=_plain)))
    # Named after what it holds: one that a killed process has left is written over, and two processes don't meet.
    unfinished = folder.parent / f".{folder.name}.{hashlib.sha256(text).hexdigest()[:12]}"
    try:
        unfinished.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            write_file(disk, unfinished / name, data)
        sync_directory(disk, unfinished)
        disk.rename(unfinished, folder)
        sync_directory(disk, folder.parent)
    except OSError as exc:
        raise ResultError(f"{shown(folder)}: can't be written: {in_words(exc, folder)}") from exc
    return folder


def signed(facts: Mapping[str, Any]) -> bytes:
    """Give what ``result.json`` says, with the SHA-256 that it is known by."""
    whole = {**facts, _SIGNED: _sum(facts)}
    return json.dumps(whole, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")


def _sum(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_text(path: Path, text: str, disk: Disk | None = None) -> Path:
    """Write a text file, whole or not at all; one that is there is replaced.

    Raises:
        ResultError: It can't be written.
    """
    disk = disk or RealDisk()
    unfinished = path.parent / f".{path.name}.unfinished"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(disk, unfinished, text.encode("utf-8", "backslashreplace"))
        disk.rename(unfinished, path)
    except OSError as exc:
        raise ResultError(f"{shown(path)}: can't be written: {in_words(exc, path)}") from exc
    return path


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else repr(value)


def load(folder: Path) -> tuple[RunFacts, Collected]:
    """Read a result.

    Raises:
        ResultError: There is none, it isn't whole, or it is of another version.
    """
    path = folder / _HEAD
    if not path.is_file():
        what = "no such folder" if not folder.is_dir() else f"holds no {_HEAD}, so it is no result"
        raise ResultError(f"{shown(folder)}: {what}; `strategykit replay … --out DIR` makes one")
    try:
        facts = json.loads(_bytes(path))
    except ValueError as exc:  # Not JSON, or not UTF-8.
        raise ResultError(f"{shown(path)}: is damaged: {exc}") from exc
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ResultError(f"{shown(path)}: isn't a result of strategykit")
    if facts.get("version") != VERSION:
        raise ResultError(
            f"{shown(path)}: is of version {facts.get('version')!r}, and this strategykit reads version {VERSION}"
        )
    if facts.pop(_SIGNED, None) != _sum(facts):
        raise ResultError(f"{shown(path)}: isn't what was written: its own SHA-256 is another one")
    own = {field.name: facts.get(field.name) for field in attrs.fields(_Head)}
    try:
        head = from_dict(make_converter(), own, _Head)
    except TapeError as exc:
        raise ResultError(f"{shown(path)}: {exc}") from exc
    tables = {name: _table(folder, name, facts.get("files")) for name in _READ}
    times, prices = _prices(folder / "prices.parquet", tables["prices"])
    names = ("strategy", "instrument", "quantity", "cost")
    collected = Collected(
        started=head.started,
        ended=head.ended,
        strategies=head.strategies,
        instruments=head.instruments,
        orders=tables["orders"],
        fills=tables["fills"],
        begin={name: [row[n] for row in head.begin] for n, name in enumerate(names)},
        gaps=tables["gaps"],
        times=times,
        prices=prices,
        interval=head.interval,
        marks=head.marks,
        capital=head.capital,
    )
    known = {item.symbol for item in collected.instruments}
    strange = {*collected.fills["instrument"], *collected.begin["instrument"]} - known
    if strange:
        raise ResultError(f"{shown(path)}: says nothing of {', '.join(sorted(strange))}, which was traded")
    return head.facts, collected


def _table(folder: Path, name: TableName, files: object) -> dict[str, list[Any]]:
    path = folder / f"{name}.parquet"
    said = files.get(path.name) if isinstance(files, dict) else None
    digest = said.get("sha256") if isinstance(said, dict) else None
    if not path.is_file():
        raise ResultError(f"{shown(path)}: is missing")
    data = _bytes(path)
    if hashlib.sha256(data).hexdigest() != digest:
        raise ResultError(f"{shown(path)}: isn't what was written ({len(data):,} bytes, and another SHA-256)")
    try:
        return as_columns(name, pq.read_table(pa.BufferReader(data)))
    except (pa.ArrowException, KeyError, TypeError, ValueError) as exc:
        raise ResultError(f"{shown(path)}: can't be read: {exc}") from exc


def _bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MOST:
            raise ResultError(f"{shown(path)}: has {size:,} bytes, and {MOST:,} are the most that are read")
        return path.read_bytes()
    except OSError as exc:
        raise ResultError(f"{shown(path)}: can't be read: {in_words(exc, path)}") from exc


def _prices(path: Path, columns: Mapping[str, list[Any]]) -> tuple[list[int], dict[str, list[float]]]:
    """Give times and prices by instrument of the long table; all have the same times."""
    times: dict[str, list[int]] = {}
    prices: dict[str, list[float]] = {}
    for time, symbol, price in zip(*(columns[name] for name in ("time", "instrument", "price")), strict=True):
        times.setdefault(symbol, []).append(time)
        prices.setdefault(symbol, []).append(price)
    first = next(iter(times.values()), [])
    if any(other != first for other in times.values()):
        raise ResultError(f"{shown(path)}: its instruments weren't sampled at the same times")
    return first, prices
