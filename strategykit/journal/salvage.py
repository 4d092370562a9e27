"""Looking a journal through to its last byte, and making a new one of what is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs

from strategykit.disk import Disk, RealDisk, in_words, shown
from strategykit.errors import JournalDamaged, JournalError, JournalLocked
from strategykit.journal.facts import encode_facts
from strategykit.journal.file import JournalFile
from strategykit.journal.folder import holder_of, make_folder, pid_of
from strategykit.journal.format import LETTERS, FileHead, RecordKind
from strategykit.journal.frames import FrameReader
from strategykit.journal.reader import Journal, check_link, journal_files, number_of, read_journal

__all__ = ["Checked", "Salvaged", "check_journal", "list_files", "salvage_journal"]


@attrs.frozen(kw_only=True)
class Checked:
    """What was found in one file."""

    path: Path
    records: int
    """That are whole, before the first damage."""
    torn: str | None
    """What is wrong with its end, in words, where that is no damage: it is being written, or its writer was killed."""
    damage: JournalError | None
    """What isn't as it was written; or why it can't be read, such as that a newer version wrote it."""
    journal: Journal | None
    """None where not even the head can be read."""

    @property
    def ok(self) -> bool:
        return self.damage is None


@attrs.frozen(kw_only=True)
class Salvaged:
    """What was taken over from one file."""

    path: Path
    """The new file."""
    records: int
    lost: int
    """Bytes of the old file that weren't."""
    why: str | None
    """In words, where any weren't."""


def check_journal(path: str | Path) -> Iterator[Checked]:
    """Look through one file, or all files of a folder and whether each goes on where the one before ends. Blocks.

    Raises:
        JournalError: There is nothing there that could be a journal.
    """
    older: Journal | None = None
    for file in list_files(path):
        try:
            journal = read_journal(file, damaged=True)
        except JournalError as exc:
            yield Checked(path=file, records=0, torn=None, damage=exc, journal=None)
            older = None
            continue
        damage = journal.damage
        if older is not None and damage is None:
            damage = _link(older, journal)
        yield Checked(path=file, records=len(journal.offsets), torn=journal.torn, damage=damage, journal=journal)
        older = journal if journal.damage is None else None


def list_files(path: str | Path) -> list[Path]:
    """Give the file, or the files of the folder, oldest first.

    Raises:
        JournalError: There is nothing there that could be a journal.
    """
    path = Path(path)
    if "\0" in str(path):
        raise JournalError(f"{shown(path)} is no path")
    if not path.is_dir():
        if not path.exists():
            raise JournalError(f"{shown(path)}: there is no such journal; give an account's folder, or a file in it")
        return [path]
    files = list(journal_files(path).values())
    if not files:
        inside = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        hint = f"; give one of the folders in it: {', '.join(map(shown, inside[:_HINTS]))}" if inside else ""
        raise JournalError(f"{shown(path)} has no files such as 000001.journal in it{hint}")
    return files


_HINTS: Final = 5


def _link(older: Journal, newer: Journal) -> JournalDamaged | None:
    try:
        check_link(older, newer)
    except JournalDamaged as exc:
        return exc
    return None


def salvage_journal(
    path: str | Path, target: str | Path, *, now: Callable[[], int], disk: Disk | None = None
) -> list[Salvaged]:
    """Make a new journal of all that is whole in an old one, which stays as it is. Blocks.

    Of each file it takes the records before the first damage. Where something was left out, a RECOVERED record says so.

    Args:
        path: A journal's folder.
        target: A folder that isn't there yet, or is empty.
        now: Nanoseconds UTC.
        disk: How files are reached.

    Raises:
        JournalLocked: A run is writing the journal.
        JournalError: There is nothing to take, a file can't be read or was written by a newer version, `target` holds
            something, or can't be written.
    """
    source, folder, disk = Path(path), Path(target), disk or RealDisk()
    if not source.is_dir():
        raise JournalError(f"{shown(source)} is no folder; a journal is salvaged as a whole: give its folder")
    if holder := holder_of(source):
        raise JournalLocked(f"{shown(source)} is being written ({holder}); stop that run first", pid=pid_of(holder))
    done: list[Salvaged] = []
    files = list(check_journal(source))
    for checked in files:
        if checked.damage is not None and not isinstance(checked.damage, JournalDamaged):
            raise checked.damage
    try:
        make_folder(folder, disk)
        if any(folder.iterdir()):
            raise JournalError(f"{shown(folder)} isn't empty; give a new folder")
        chain, seq = 0, 1
        first = number_of(files[0].path)
        for number, checked in enumerate(files, first):
            taking = _Taking(checked, now)
            file = JournalFile.create(disk, folder, FileHead(number, seq, chain), taking.write)
            file.close()
            chain, seq = file.chain, file.seq + 1
            done.append(Salvaged(path=file.path, records=checked.records, lost=taking.lost, why=taking.why))
    except OSError as exc:
        raise JournalError(f"{shown(folder)} can't be written: {in_words(exc, folder)}") from exc
    return done


class _Taking:
    """What is taken over from one file."""

    def __init__(self, checked: Checked, now: Callable[[], int]) -> None:
        self._checked = checked
        self._now = now
        journal = checked.journal
        self.why = checked.torn if checked.damage is None else str(checked.damage)
        self.lost = 0 if self.why is None else checked.path.lstat().st_size - (0 if journal is None else journal.end)

    def write(self, file: JournalFile) -> None:
        journal = self._checked.journal
        if journal is not None:
            with FrameReader(journal.path) as reader:
                for _, letter, _, monotonic, wall, body in reader.frames(until=journal.end):
                    file.append(letter, file.seq, monotonic, wall, body)
        if self.lost:
            facts = {"file": self._checked.path.name, "bytes": self.lost, "why": self.why}
            file.append(LETTERS[RecordKind.RECOVERED], file.seq, 0, self._now(), encode_facts(facts, str))
