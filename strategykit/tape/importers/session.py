"""Frames that somebody else recorded, as a tape: what all such importers share."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from strategykit.foreign.refusals import Place
from strategykit.model.codec import make_converter
from strategykit.tape.format import TapeHeader, encode_json
from strategykit.tape.writer import TapeWriter, open_tape_writer
from strategykit.venues.asks import Ask, AskBook, AskInstrument
from strategykit.venues.streams import Stream

__all__ = ["Imported", "Item", "Session", "write_tape"]

_BEHIND: Final = 8 << 20
"""Bytes that may wait for the disk before it is waited for."""

_BREATH: Final = 500
"""Frames after which the disk gets its turn."""

_CONNECTION: Final = "market-0"
_QUOTES: Final = ("USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USD", "EUR", "TRY", "BTC", "ETH", "BNB")


@attrs.frozen(kw_only=True)
class Imported:
    """What has been put on a tape."""

    messages: int
    first: int
    """Nanoseconds UTC."""
    last: int
    streams: Sequence[Stream]
    refused: int
    """Rows that weren't taken."""


@attrs.frozen
class Item:
    """A frame, or the answer to a question about a book."""

    time: int
    """When it came, nanoseconds UTC."""
    text: str
    name: str
    """The stream that a frame is of; the symbol, of an answer."""
    place: Place
    answer: bool = False
    ask: AskBook | None = None
    """What an answer is to; filled in once it is known."""


@attrs.frozen(kw_only=True)
class Session:
    """What has to be known before the first frame is written."""

    venue: str
    """Name in the registry."""
    options: dict[str, Any]
    """Of its dialect."""
    streams: Sequence[Stream]
    first: int
    """When the first frame came, nanoseconds UTC."""
    last: int
    listed: Mapping[str, bytes]
    """What the venue's list says of instruments, by symbol, as far as it was recorded."""
    ticks: Mapping[str, int]
    """Decimal places of the finest price, by symbol."""
    lots: Mapping[str, int]
    refused: int
    """Rows that weren't taken."""


async def write_tape(
    tape: Path,
    session: Session,
    items: Iterable[Item],
    *,
    names: Sequence[str],
    now: Callable[[], int],
) -> Imported:
    """Write a tape; `items` are in the order of time.

    Raises:
        TapeError: It can't be written.
    """
    header = TapeHeader(
        created=now(),
        venue=session.venue,
        seed=1,
        clock_origin=session.first,
        strategykit_version=version("strategykit"),
        python_version=platform.python_version(),
        session={"venue": session.venue, "options": session.options, "imported": list(names)},
    )
    async with open_tape_writer(tape, header, now=now, required=True) as writer:
        _begin(writer, session)
        converter, count = make_converter(), 0
        for item in items:
            if item.ask is not None:
                writer.answer(_plain(converter, item.ask), item.time, 200, item.text)
            else:
                writer.frame_in(_CONNECTION, item.time, item.text)
                count += 1
            if not count % _BREATH:
                await trio.lowlevel.checkpoint()
                while writer.waiting > _BEHIND:  # noqa: ASYNC110 - a disk tells nobody how far it is
                    await trio.sleep(0.01)
        writer.closed(_CONNECTION, session.last, "closed by us")
    return Imported(
        messages=count,
        first=session.first,
        last=session.last,
        streams=session.streams,
        refused=session.refused,
    )


def _begin(writer: TapeWriter, session: Session) -> None:
    converter, time = make_converter(), session.first
    for number, stream in enumerate(session.streams, 1):
        facts = {"guid": f"import-{number}", "connection": _CONNECTION, "owners": []}
        writer.subscription(time, {**facts, "stream": converter.unstructure(stream)})
    writer.opened(_CONNECTION, time, "market", "imported", 1)
    for symbol in dict.fromkeys(stream.instrument for stream in session.streams):
        if symbol is not None:
            ask = _plain(converter, AskInstrument(instrument=symbol))
            writer.answer(ask, time, 200, session.listed.get(symbol) or _listed(session, symbol))


def _plain(converter: Any, ask: Ask) -> Mapping[str, Any]:
    plain: Mapping[str, Any] = converter.unstructure(ask, unstructure_as=Ask)
    return plain


def _listed(session: Session, symbol: str) -> bytes:
    """Give what Binance's list would say of a symbol: ticks and lots as fine as the finest price and size seen."""
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": _step(session.ticks.get(symbol, 8))},
        {"filterType": "LOT_SIZE", "stepSize": _step(session.lots.get(symbol, 8))},
    ]
    bare = symbol.partition("_")[0]
    quote = next((name for name in _QUOTES if bare.endswith(name)), "")
    return encode_json({"symbols": [{"symbol": symbol, "quoteAsset": quote, "filters": filters}]})


def _step(places: int) -> str:
    return f"{Decimal(1).scaleb(-places):f}"
