"""What a tape says of the instruments that it holds market data of: what they can be served by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import trio

from strategykit.errors import TapeError
from strategykit.model.codec import make_converter
from strategykit.runtime.recorded_events import recorded_instruments
from strategykit.tape.format import TapeHeader
from strategykit.tape.reader import Tape, open_tape
from strategykit.tape.writer import open_tape_writer
from strategykit.venues.asks import Ask, AskBook, AskInstrument
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.streams import Stream, StreamKind

NOW = 1_748_000_000_000_000_000
BINANCE = StreamFamily("binance")


def info(symbol: str) -> str:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.05"}, {"filterType": "LOT_SIZE", "stepSize": "0.1"}]
    return json.dumps({"symbols": [{"symbol": symbol, "quoteAsset": "USDT", "filters": filters}]})


def write(path: Path, symbols: Sequence[str], answers: Sequence[tuple[Any, int, str]]) -> Tape:
    """Write a tape with subscriptions to trades and with answers."""
    converter = make_converter()
    header = TapeHeader(
        created=NOW,
        venue="binance",
        seed=1,
        clock_origin=NOW,
        strategykit_version="0",
        python_version="3",
        session={},
    )

    async def record() -> None:
        async with open_tape_writer(path, header, now=lambda: NOW, compress=False) as writer:
            for symbol in symbols:
                stream = converter.unstructure(Stream(kind=StreamKind.TRADES, instrument=symbol))
                writer.subscription(NOW, {"guid": symbol, "stream": stream, "connection": "market-0"})
            for ask, status, body in answers:
                writer.answer(converter.unstructure(ask, unstructure_as=Ask), NOW, status, body)

    trio.run(record)
    return open_tape(path)


def test_instruments_are_those_of_the_market_data_as_the_venue_described_them(tmp_path: Path) -> None:
    tape = write(
        tmp_path / "tape",
        ["BTCUSDT", "ETHUSDT"],
        [
            (AskInstrument(instrument="BTCUSDT"), 200, info("BTCUSDT")),
            (AskInstrument(instrument="SOLUSDT"), 200, info("SOLUSDT")),
            (AskInstrument(instrument="ETHUSDT"), 500, "down"),
            (AskBook(instrument="ETHUSDT", depth=5), 200, info("ETHUSDT")),
            (AskInstrument(instrument="ETHUSDT"), 200, "no JSON"),
        ],
    )

    (known,) = recorded_instruments(tape, BINANCE).values()

    assert (known.symbol, known.tick, known.lot) == ("BTCUSDT", Decimal("0.05"), Decimal("0.1"))
    assert known.counts_units


def test_a_tape_without_reference_data_cannot_be_served(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="market data of BTCUSDT, ETHUSDT, but no reference data"):
        recorded_instruments(write(tmp_path / "tape", ["ETHUSDT", "BTCUSDT"], []), BINANCE)
    with pytest.raises(TapeError, match="market data of nothing"):
        recorded_instruments(write(tmp_path / "empty", [], []), BINANCE)
