"""Reading journals: files that are verified whole before a record of them is believed."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final, overload

import attrs

from strategykit.disk import in_words, shown
from strategykit.errors import JournalDamaged, JournalError
from strategykit.journal.facts import decode_facts
from strategykit.journal.format import KINDS, LETTERS, FileHead, Record, RecordKind
from strategykit.journal.frames import Frame, FrameReader, Torn

__all__ = ["Journal", "Records", "check_link", "journal_files", "number_of", "read_journal"]

_NAME: Final = re.compile(r"([0-9]{6,12})\.journal")

_LOOKS: Final = 20
"""How often a file is read in which each time something else is wrong."""


class Records(Sequence[Record]):
    """Records of one file or of several, in order, read when they are asked for: a day's may be millions."""

    def __init__(self, *journals: Journal) -> None:
        self._journals = tuple(journal for journal in journals if journal.offsets)
        self._ends = list(accumulate(len(journal.offsets) for journal in self._journals))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Record]:
        for journal in self._journals:
            with FrameReader(journal.path) as reader:
                for frame in reader.frames(until=journal.end):
                    yield _record(journal.path, frame)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        place = bisect_right(self._ends, number)
        journal = self._journals[place]
        number -= self._ends[place - 1] if place else 0
        offsets = journal.offsets
        with FrameReader(journal.path) as reader:
            reader.skip_to(offsets[number], journal.head.first + number, offsets[number - 1] if number else None)
            return _record(journal.path, next(reader.frames(until=journal.end)))


@attrs.frozen(kw_only=True, eq=False)
class Journal:
    """One file of a journal, verified."""

    path: Path
    head: FileHead
    torn: str | None
    """What is wrong with its end, in words: it is being written just now, or its writer was killed."""
    tear: Torn | None
    end: int
    """Where its last whole record ends."""
    chain: int
    next_seq: int
    """Number of the record that would follow."""
    offsets: array[int] = attrs.field(repr=False)
    """Where its records begin."""
    takes_over: bool
    """Whether it holds all that is needed of older files."""
    damage: JournalDamaged | None = None
    """Why it couldn't be read further; only where that was asked for."""

    @property
    def records(self) -> Records:
        return Records(self)


def read_journal(path: str | Path, *, damaged: bool = False) -> Journal:
    """Read one file and verify it whole, while it is written, too. Blocks.

    Args:
        path: Such as ``journal/alor-D1/000001.journal``.
        damaged: True gives what is whole before the first damage instead of raising; the head has to be readable.

    Raises:
        JournalDamaged: A record isn't what was written: a bad one before good ones, or a whole one at the end with a
            wrong check. What was cut off in the middle is no damage, but `Journal.torn`.
        JournalError: There is no such file, it can't be read, or a newer version wrote it.
    """
    path, said = Path(path), ""
    journal, damage = _look(path)
    for _ in range(_LOOKS):
        # A record that was half there, and whole when it was looked at again, is being written. Damage stays.
        if damage is None or str(damage) == said:
            break
        said = str(damage)
        journal, damage = _look(path)
    if damage is not None and not damaged:
        raise damage
    return journal


def _look(path: Path) -> tuple[Journal, JournalDamaged | None]:
    offsets, takes_over, damage = array("Q"), False, None
    carried = LETTERS[RecordKind.CARRIED]
    with FrameReader(path) as reader:
        try:
            _check_name(path, reader.head)
            for offset, letter, *_ in reader.frames():
                offsets.append(offset)
                takes_over = takes_over or letter == carried
        except JournalDamaged as exc:
            damage = exc
        journal = Journal(
            path=path,
            head=reader.head,
            torn=None if reader.torn is None else str(reader.torn),
            tear=reader.torn,
            end=reader.end,
            chain=reader.chain,
            next_seq=reader.next_seq,
            offsets=offsets,
            takes_over=takes_over,
            damage=damage,
        )
    return journal, damage


def journal_files(folder: str | Path) -> dict[int, Path]:
    """Give the files in a journal's folder by number, oldest first.

    Raises:
        JournalError: It is no folder, can't be read, or one number stands twice.
    """
    folder = Path(folder)
    found: dict[int, Path] = {}
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as exc:
        raise JournalError(f"{shown(folder)} can't be read: {in_words(exc, folder)}") from exc
    for name in names:
        if match := _NAME.fullmatch(name):
            number = int(match[1])
            if number in found:
                raise JournalError(f"{shown(folder)} has file {number} twice: {found[number].name} and {name}")
            found[number] = folder / name
    return dict(sorted(found.items()))


def number_of(path: Path) -> int:
    """Give the number in a file's name; 1 if it has none."""
    found = _NAME.fullmatch(path.name)
    return int(found[1]) if found else 1


def _check_name(path: Path, head: FileHead) -> None:
    # A copy may be called as one likes.
    if _NAME.fullmatch(path.name) and number_of(path) != head.number:
        raise JournalDamaged(f"by its head it is file {head.number} and was renamed", path=shown(path), offset=0)


def check_link(older: Journal, newer: Journal) -> None:
    """See whether `newer` was begun where `older` ends.

    Raises:
        JournalDamaged: It wasn't: one of them was changed, or is of another journal.
    """
    said = (newer.head.number, newer.head.first, newer.head.before)
    found = (older.head.number + 1, older.next_seq, older.chain)
    if said != found:
        raise JournalDamaged(
            f"it was begun as file {said[0]} with record {said[1]} after chain {said[2]:08x}; {older.path.name} ends "
            f"so that file {found[0]} begins with record {found[1]} after chain {found[2]:08x}. "
            "One of them was changed, cut, or belongs to another journal",
            path=shown(newer.path),
            offset=0,
        )


def _record(path: Path, frame: Frame) -> Record:
    offset, letter, seq, monotonic, wall, body = frame
    try:
        facts = decode_facts(body)
    except ValueError as exc:
        raise JournalDamaged(f"record {seq} isn't a JSON object: {exc}", path=shown(path), offset=offset) from exc
    return Record(seq, wall, KINDS[letter], facts, monotonic)
