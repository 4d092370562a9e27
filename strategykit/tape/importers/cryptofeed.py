"""Sessions of Binance's that the recorder of cryptofeed wrote, as what `import_frames` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from strategykit.foreign.cryptofeed import EntryKind, read_session
from strategykit.foreign.text import AS_IT_IS, Reading
from strategykit.tape.importers.binance import Refuse
from strategykit.tape.importers.session import Item
from strategykit.venues.stream.rows import UNREADABLE

__all__ = ["is_binance", "read_cryptofeed", "read_listed"]

_HOSTS: Final = ("binance.com", "binance.vision")


class _Head(msgspec.Struct, gc=False):
    stream: str | None = None


class _Symbol(msgspec.Struct, gc=False):
    symbol: str


class _Info(msgspec.Struct, gc=False):
    symbols: list[msgspec.Raw]


_HEAD: Final = msgspec.json.Decoder(_Head)
_INFO: Final = msgspec.json.Decoder(_Info)
_SYMBOL: Final = msgspec.json.Decoder(_Symbol)


def is_binance(host: str) -> bool:
    """Whether a host is one of Binance's."""
    return any(host == name or host.endswith(f".{name}") for name in _HOSTS)


def read_listed(paths: Sequence[Path], refuse: Refuse, reading: Reading = AS_IT_IS) -> dict[str, bytes]:
    """Give what the venue's list, if it was recorded, says of each instrument, as the answer to a question about it."""
    found: dict[str, bytes] = {}
    for entry in read_session(paths, refuse, reading):
        if entry.kind is EntryKind.ANSWER and urlsplit(entry.url).path.endswith("/exchangeInfo"):
            try:
                rows = _INFO.decode(entry.text).symbols
                found.update({_SYMBOL.decode(row).symbol: b'{"symbols":[%s]}' % bytes(row) for row in rows})
            except UNREADABLE:
                continue  # Ticks are as fine as the finest price then.
    return found


def read_cryptofeed(paths: Sequence[Path], refuse: Refuse, reading: Reading = AS_IT_IS) -> Iterator[Item]:
    """Give the frames and books of a session.

    Raises:
        TapeError: A file can't be read, or isn't of such a session.
    """
    for entry in read_session(paths, refuse, reading):
        if entry.kind is EntryKind.RECEIVED:
            try:
                head = _HEAD.decode(entry.text)
            except UNREADABLE as exc:
                refuse(entry.place, f"no frame of Binance's: {exc}")
                continue
            if head.stream is not None:  # Else it answers a request.
                yield Item(entry.time, entry.text, head.stream, entry.place)
        elif entry.kind is EntryKind.ANSWER:
            url = urlsplit(entry.url)
            symbol = parse_qs(url.query).get("symbol", [""])[0]
            if url.path.endswith("/depth") and symbol:
                yield Item(entry.time, entry.text, symbol, entry.place, answer=True)
