"""Lines of files that may be packed, and of any size: none of them, and no archive bomb, fills memory or disk."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

import attrs

from strategykit.disk import in_words, shown
from strategykit.errors import TapeError
from strategykit.foreign.refusals import Place, RowRefused

__all__ = ["AS_IT_IS", "LONGEST", "TOLD_EVERY", "Lines", "Member", "Reading", "open_lines", "open_members"]

LONGEST: Final = 32 << 20
"""Bytes of a line, at the most, where nobody says less: the largest frames of venues have half of it."""

TOLD_EVERY: Final = 1_000
"""Lines between two tellings of how far a file has been read."""

_FREE: Final = 64 << 20
"""Bytes that any file may unpack to."""

_RATIO: Final = 250
"""Times its own size that a file may unpack to beyond that. Market data shrink to a tenth; a bomb is a thousandth."""

_BLANK: Final = 1_000
"""Empty lines one after the other: they shrink to nothing, so that a small file may have hours of them."""

_MEMBERS: Final = 10_000
_DAMAGED: Final = (EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeDecodeError)
"""What reading a damaged file raises, besides `OSError`."""

_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"


@attrs.frozen(kw_only=True)
class Reading:
    """How files are read."""

    whole: bool = False
    """Whether the last line of a plain file is all there though it has no end."""
    on_read: Callable[[Path, int, int], None] = lambda *_: None
    """Told how many bytes of a file have been read, packed as they are, and how many lines since the last time."""


AS_IT_IS: Final = Reading()


class Lines:
    """Lines of one file, in UTF-8, without their ends; a byte order mark is passed over.

    Attributes:
        place: Of the line that was given last.
    """

    def __init__(
        self,
        file: IO[bytes],
        path: Path,
        *,
        most: int,
        longest: int,
        member: str = "",
        ended: bool = True,
        on_read: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._file = file
        self._left = most
        self._most = most
        self._longest = longest
        self._blank = 0
        self._proven = ended
        self._on_read = on_read
        self._ended = True
        self.place = Place(path, 0, member)

    @property
    def empty(self) -> bool:
        """Whether there was no byte."""
        return self._left == self._most

    def check_ended(self) -> None:
        """See that the line that was given last may be taken: that no writing was cut short within it.

        Only formats need that of which a line that is cut reads as one: with a number that has lost its last digits.

        Raises:
            RowRefused: It is the last one, has no end, and nothing else proves that it is whole.
        """
        if not self._ended:
            raise RowRefused(
                "the file ends within this line, so that the rest of it may be missing",
                right="a line end behind it, or --whole if nothing is missing,",
            )

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        last = self.place
        self.place = Place(last.path, last.line + 1, last.member)
        if not self.place.line % TOLD_EVERY:
            self._on_read(TOLD_EVERY)
        try:
            line = self._file.readline(min(self._longest, self._left) + 1)
            self._left -= len(line)
            if self._left < 0:
                raise TapeError(f"{self.place}: unpacks to more than {self._most} bytes; no file of market data does")
            if len(line) > self._longest:
                raise TapeError(f"{self.place}: a line of more than {self._longest} bytes")
            if not line:
                self.place = last
                raise StopIteration
            self._ended = self._proven or line.endswith(b"\n")
            self._blank = self._blank + 1 if line.isspace() else 0
            if self._blank > _BLANK:
                raise TapeError(f"{self.place}: more than {_BLANK} empty lines; no file of market data has as many")
            return line.decode("utf-8-sig" if last.line == 0 else "utf-8").rstrip("\r\n")
        except _DAMAGED as exc:
            raise TapeError(f"{self.place}: {_words(exc)}") from exc
        except OSError as exc:
            raise TapeError(f"{self.place}: {in_words(exc)}") from exc


@contextmanager
def open_lines(path: Path, reading: Reading = AS_IT_IS, *, longest: int = LONGEST) -> Generator[Lines]:
    """Open a text file, packed by gzip or not; what is packed ends with a sum of all of it, and is whole.

    Raises:
        TapeError: It can't be read. Reading raises it, too, where the file is damaged, or no text.
    """
    with ExitStack() as stack:
        raw = _open(path, stack)
        size = path.stat().st_size
        head = raw.peek(4)[:4]
        if head == _ZIP:
            raise TapeError(f"{shown(path)} is a zip; a text file, packed by gzip or not, would be right")
        packed = head[:2] == _GZIP
        plain: IO[bytes] = raw
        if packed:
            plain = io.BufferedReader(stack.enter_context(gzip.GzipFile(fileobj=raw)), 1 << 18)
        most = _FREE + _RATIO * size if packed else max(size, 1)
        yield Lines(
            plain,
            path,
            most=most,
            longest=longest,
            ended=packed or reading.whole,
            on_read=lambda count: reading.on_read(path, raw.tell(), count),
        )


class Member:
    """A file in a zip."""

    def __init__(
        self,
        archive: zipfile.ZipFile,
        info: zipfile.ZipInfo,
        path: Path,
        longest: int,
        on_read: Callable[[int], None],
    ) -> None:
        self._archive, self._info, self._path, self._longest, self._on_read = archive, info, path, longest, on_read
        self.name = info.filename

    @contextmanager
    def open(self) -> Generator[Lines]:
        """Open it.

        Raises:
            TapeError: It can't be unpacked. Reading raises it, too.
        """
        info, path = self._info, self._path
        most = _FREE + _RATIO * info.compress_size
        if info.file_size > most:
            raise TapeError(f"{shown(path)}: {shown(info.filename)} says that it unpacks to {info.file_size} bytes")
        try:
            file = self._archive.open(info)
        except (*_DAMAGED, OSError) as exc:
            raise TapeError(f"{shown(path)}: {shown(info.filename)}: {_words(exc)}") from exc
        with file:
            yield Lines(file, path, most=most, longest=self._longest, member=info.filename, on_read=self._on_read)


@contextmanager
def open_members(path: Path, reading: Reading = AS_IT_IS, *, longest: int = LONGEST) -> Generator[list[Member]]:
    """Open a zip; give the files in it, in their order there.

    Raises:
        TapeError: It is no zip, damaged, or has none, or thousands.
    """
    with ExitStack() as stack:
        raw = _open(path, stack)
        try:
            archive = stack.enter_context(zipfile.ZipFile(raw))
        except (*_DAMAGED, OSError) as exc:
            raise TapeError(f"{shown(path)} can't be read as a zip: {_words(exc)}") from exc
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if not 0 < len(infos) <= _MEMBERS:
            raise TapeError(f"{shown(path)} holds {len(infos)} files; 1 to {_MEMBERS} would be right")

        def told(count: int) -> None:
            reading.on_read(path, raw.tell(), count)

        yield [Member(archive, info, path, longest, told) for info in infos]


def _open(path: Path, stack: ExitStack) -> io.BufferedReader:
    try:
        if not path.is_file():
            raise TapeError(f"{shown(path)}: there is no such file")
        return stack.enter_context(path.open("rb"))
    except OSError as exc:
        raise TapeError(f"{shown(path)} can't be read: {in_words(exc, path)}") from exc


def _words(exc: BaseException) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return f"isn't UTF-8: {exc.reason}"
    return str(exc) or "is cut short"
