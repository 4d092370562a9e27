"""Files of the hftbacktest collector: lines of a time in nanoseconds and the frame as it came.

The one line a file without a stream's name is the book that was asked for over HTTP after connecting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from strategykit.disk import shown
from strategykit.errors import TapeError
from strategykit.foreign.leaps import without_leaps
from strategykit.foreign.refusals import Place
from strategykit.foreign.text import AS_IT_IS, Reading, open_lines
from strategykit.foreign.times import split_time
from strategykit.tape.importers.binance import Refuse
from strategykit.tape.importers.session import Item
from strategykit.venues.stream.rows import UNREADABLE

__all__ = ["read_hftbacktest"]


class _Head(msgspec.Struct, gc=False):
    stream: str | None = None
    number: int | None = msgspec.field(name="lastUpdateId", default=None)
    symbol: str = ""


_HEAD: Final = msgspec.json.Decoder(_Head)


def read_hftbacktest(paths: Sequence[Path], refuse: Refuse, reading: Reading = AS_IT_IS) -> Iterator[Item]:
    """Give what is in files that follow each other.

    Raises:
        TapeError: One can't be read, or is empty.
    """
    items = _items(paths, refuse, reading)
    yield from without_leaps(items, lambda item: item.time, lambda item, why: refuse(item.place, why))


def _items(paths: Sequence[Path], refuse: Refuse, reading: Reading) -> Iterator[Item]:
    for path in paths:
        with open_lines(path, reading) as lines:
            for line in lines:
                if (item := _read(line, lines.place, refuse)) is not None:
                    yield item
            if lines.empty:
                raise TapeError(f"{shown(path)} is empty")


def _read(line: str, place: Place, refuse: Refuse) -> Item | None:
    try:
        time, text = split_time(line)
        head = _HEAD.decode(text)
    except UNREADABLE as exc:
        refuse(place, exc)
        return None
    if head.stream is not None:
        return Item(time, text, head.stream, place)
    if head.number is None:
        refuse(place, "neither a frame of a stream nor a book")
        return None
    return Item(time, text, head.symbol, place, answer=True)
