"""Frames of Binance's that others recorded, as tapes.

They are read twice: first for what has to be known before the first one is written, and for rows that can't be taken;
then to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from strategykit.errors import ConfigError, RemoteProtocolError, TapeError
from strategykit.foreign.refusals import Place, Refusals, RowRefused
from strategykit.foreign.repeats import Repeats
from strategykit.foreign.text import AS_IT_IS, Reading
from strategykit.foreign.whose import whose
from strategykit.tape.importers.session import Imported, Item, Session, write_tape
from strategykit.venues.asks import AskBook
from strategykit.venues.dialect import Need
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.stream.names import read_stream_name
from strategykit.venues.stream.rows import UNREADABLE
from strategykit.venues.streams import Stream, StreamKind

__all__ = ["COINM", "SPOT", "USDM", "Read", "Refuse", "import_frames", "variant_of"]

SPOT: Final = "binance"
USDM: Final = "binance_usdm"
COINM: Final = "binance_coinm"
_REGISTERED: Final[Mapping[str, str]] = {SPOT: "binance", USDM: "binance-usdm"}
"""Names in the registry, by those of variants."""

_PEEKED: Final = 20_000
"""Frames among which it should become plain by which stream trades come."""

Refuse = Callable[[Place, object], None]
"""Takes a row that can't be taken, and why."""

Read = Callable[[Sequence[Path], Refuse, Reading], Iterator[Item]]
"""Gives what is in files, in the order of time; an answer may leave its symbol to be found out."""


class _Frame(msgspec.Struct, gc=False):
    stream: str
    data: msgspec.Raw


class _Telling(msgspec.Struct, gc=False):
    """What one of Binance's markets sends, and others don't."""

    e: str | None = None
    ps: str | None = None
    pu: int | None = None
    M: bool | None = None


_FRAME: Final = msgspec.json.Decoder(_Frame)
_TELLING: Final = msgspec.json.Decoder(_Telling)


def variant_of(text: str) -> str | None:
    """Say of which of Binance's markets a frame is; None: that can't be told."""
    try:
        frame = _FRAME.decode(text)
        data = _TELLING.decode(frame.data)
    except UNREADABLE:
        return None
    word = frame.stream.partition("@")[2].partition("@")[0]
    if data.ps is not None:
        return COINM
    telling = {"bookTicker": data.e is None, "depth": data.pu is None, "trade": data.M is not None}
    telling["aggTrade"] = telling["trade"]
    return (SPOT if telling[word] else USDM) if word in telling else None


async def import_frames(
    paths: Sequence[Path],
    tape: Path,
    *,
    read: Read,
    refusals: Refusals,
    now: Callable[[], int],
    symbol: str | None = None,
    listed: Mapping[str, bytes] | None = None,
    reading: Reading = AS_IT_IS,
) -> Imported:
    """Put frames on a tape; replaying it gives the books that the venue had.

    Args:
        paths: The files of one recording.
        tape: Folder to be made.
        read: Knows the format.
        refusals: Told of rows that can't be taken.
        now: Nanoseconds UTC.
        symbol: The only one that is meant; None: all.
        listed: What the venue's list says of instruments, by symbol. Of others ticks and lots are taken to be as fine
            as the finest price and size in the files.
        reading: How files are read; they are twice.

    Raises:
        ConfigError: They are of a market that no tape can be made for.
        TapeError: A file can't be read or holds no frames, too many rows can't be taken, or the tape not be written.
    """
    family = _family(paths, read, refusals.most)
    survey = _Survey(family=family, refusals=refusals, symbol=symbol)
    for item in read(paths, survey.refuse, reading):
        survey.take(item)
    session = survey.session(listed or {})
    taken = (item for item in read(paths, lambda *_: None, reading) if item.place not in survey.refused)
    return await write_tape(tape, session, _placed(taken, survey), names=[path.name for path in paths], now=now)


def _family(paths: Sequence[Path], read: Read, most: int) -> StreamFamily:
    name, trades, count = None, None, 0
    wrong: list[str] = []
    for item in read(paths, Refusals(wrong.append, most).add, AS_IT_IS):
        if item.answer:
            continue
        name = name or variant_of(item.text)
        word = item.name.partition("@")[2]
        trades = word if word in ("trade", "aggTrade") else trades
        count += 1
        if name is not None and (trades is not None or count >= _PEEKED):
            break
    if name is None:
        example = f" ({wrong[0]})" if wrong else ""
        raise TapeError(
            f"no frame tells of which of Binance's markets it is; these files are of another format{example}"
        )
    if name not in _REGISTERED:
        raise ConfigError(f"frames of {name} make no tape, but an archive: its venue isn't among those that run")
    return StreamFamily(name) if trades is None else StreamFamily(name, trades=trades)


@attrs.define(kw_only=True)
class _Survey:
    """The first reading."""

    family: StreamFamily
    refusals: Refusals
    symbol: str | None
    refused: set[Place] = attrs.field(factory=set)
    streams: dict[str, Stream] = attrs.field(factory=dict)
    """By the name that frames carry."""
    asks: dict[str, AskBook] = attrs.field(factory=dict)
    """What is asked when a book begins, by symbol."""
    unnamed: list[Place] = attrs.field(factory=list)
    """Answers that don't say whose book they are."""
    ticks: dict[str, int] = attrs.field(factory=dict)
    lots: dict[str, int] = attrs.field(factory=dict)
    first: int | None = None
    last: int = 0
    _cursors: dict[str, Any] = attrs.field(factory=dict)
    _repeats: Repeats = attrs.field(factory=Repeats)

    def refuse(self, place: Place, why: object) -> None:
        self.refused.add(place)
        self.refusals.add(place, why)

    def take(self, item: Item) -> None:
        if item.time < self.last:
            self.refuse(item.place, f"came {self.last - item.time} ns before the row above it")
            return
        try:
            self._repeats.check(item.time, item.text)
        except RowRefused as exc:
            self.refuse(item.place, exc)
            return
        if item.answer:
            self._answer(item)
        else:
            self._frame(item)

    def _answer(self, item: Item) -> None:
        try:
            self.family.decode_answer(
                AskBook(instrument=item.name, depth=0), item.text.encode(), receive_time=item.time
            )
        except RemoteProtocolError as exc:
            self.refuse(item.place, exc)
            return
        if not item.name:
            self.unnamed.append(item.place)
        self.last = item.time

    def _frame(self, item: Item) -> None:
        cursor = self._cursors.get(item.name) or self._begin(item)
        if cursor is None:
            return
        stream = self.streams[item.name]
        symbol = stream.instrument or ""
        try:
            datum = cursor.read(item.text).data
            said = whose(item.text)
        except UNREADABLE as exc:
            self.refuse(item.place, f"a frame of {item.name} that can't be read: {exc}")
            return
        if said not in ("", symbol):
            self.refuse(item.place, RowRefused(f"a frame of {item.name} is of another symbol:", said, right=symbol))
            return
        if stream.kind is StreamKind.TRADES:
            _finest(self.ticks, symbol, datum.p)
            _finest(self.lots, symbol, datum.q)
        elif stream.kind is StreamKind.QUOTES:
            _finest(self.ticks, symbol, datum.b or 0.0)
            _finest(self.lots, symbol, datum.B or 0.0)
        elif stream.kind is StreamKind.BOOK and symbol not in self.asks:
            for thing in cursor.take(datum, item.time):
                if isinstance(thing, Need) and isinstance(thing.ask, AskBook):
                    self.asks[symbol] = thing.ask
        self.first = item.time if self.first is None else self.first
        self.last = item.time

    def _begin(self, item: Item) -> Any:
        found = read_stream_name(self.family.variant, item.name)
        if found is None:
            self.refuse(item.place, f"no stream that is known here is called {item.name!r}")
            return None
        stream, word = found
        if self.symbol is not None and stream.instrument != self.symbol:
            self.refuse(item.place, f"is of {stream.instrument}, not of {self.symbol}")
            return None
        if word not in ("", self.family.trades):
            self.refuse(item.place, f"trades come by {self.family.trades}, and here by {word}, too")
            return None
        self.streams[item.name] = stream
        cursor = self._cursors[item.name] = self.family.cursor("", stream)
        return cursor

    def session(self, listed: Mapping[str, bytes]) -> Session:
        """Give what has been found out."""
        if self.first is None:
            raise TapeError("the files hold no frame that can be taken")
        if self.unnamed and len(self.asks) != 1:
            raise TapeError(
                f"{self.unnamed[0]}: an answer doesn't say whose book it is, and there are {len(self.asks)}"
            )
        return Session(
            venue=_REGISTERED[self.family.variant.name],
            options={"trades": self.family.trades},
            streams=list(self.streams.values()),
            first=self.first,
            last=self.last,
            listed=listed,
            ticks=self.ticks,
            lots=self.lots,
            refused=len(self.refused),
        )


def _placed(items: Iterable[Item], survey: _Survey) -> Iterator[Item]:
    """Give items with each answer behind the first change of its book: only then it is asked for."""
    early: dict[str, list[Item]] = {}
    begun: set[str] = set()
    asks, asked = survey.asks, dict.fromkeys(survey.asks, 0)
    for item in items:
        if item.answer:
            symbol = item.name or next(iter(asks))
            if symbol in asks:
                asked[symbol] += 1
                answer = attrs.evolve(item, name=symbol, ask=attrs.evolve(asks[symbol], number=asked[symbol]))
                if symbol in begun:
                    yield answer
                else:
                    early.setdefault(symbol, []).append(answer)
            continue
        yield item
        stream = survey.streams[item.name]
        if stream.kind is StreamKind.BOOK and stream.instrument in asks and stream.instrument not in begun:
            begun.add(stream.instrument)
            yield from (attrs.evolve(answer, time=item.time) for answer in early.pop(stream.instrument, ()))


def _finest(seen: dict[str, int], symbol: str, number: float) -> None:
    text = repr(number)
    places = -int(Decimal(text).as_tuple().exponent) if "e" in text else len(text.partition(".")[2].rstrip("0"))
    if places > seen.get(symbol, -1):
        seen[symbol] = places
