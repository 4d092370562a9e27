"""CoinAPI's flat files as tapes: what is in them is what a strategy gets, however they are written."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError, TapeError
from strategykit.foreign.text import Reading
from strategykit.model.book import Book
from strategykit.model.events import BookDelta, BookSnapshot, Quote, Side, Trade
from strategykit.runtime.recorded import scan
from strategykit.runtime.recorded_events import market_events
from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig
from strategykit.sim.coinapi_venue import CoinApiVenue
from strategykit.sim.http_calls import HttpCall
from strategykit.tape.importers.coinapi import Imported, import_flat_files
from strategykit.tape.reader import open_tape
from strategykit.tape.verify import verify_tape
from strategykit.venues.asks import AskInstrument
from strategykit.venues.coinapi.dialect import CoinApi
from strategykit.venues.coinapi.flat_files import FlatFile, read_name
from strategykit.venues.coinapi.names import DataType, Variant
from strategykit.venues.coinapi.server_items import BookItem, QuoteItem, TradeItem
from strategykit.venues.streams import StreamKind

START = 1_714_979_280_000_000_000
SECOND = 1_000_000_000
ETH = "KRAKEN_SPOT_ETH_EUR"
DAY = "D-20240506/E-KRAKEN/IDDI-4001+SC-KRAKEN_SPOT_ETH_EUR+S-ETH__002DEUR.csv.gz"


def write(folder: Path, name: str, text: str, *, packed: bool = True) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return path


def bring_in(paths: Sequence[Path], tape: Path, **more: Any) -> Imported:
    async def main() -> Imported:
        return await import_flat_files(paths, tape, now=lambda: START, **more)

    return trio.run(main)


def events(tape: Path) -> list[Any]:
    return [event for _, event in market_events(open_tape(tape), CoinApi())]


TRADES = """\
time_exchange;time_coinapi;guid;price;base_amount;taker_side;id_exch_guid;id_exch_int_inc;order_id_maker;order_id_taker
2024-05-06T07:08:00.1000000;2024-05-06T07:08:00.2000000;AA-1;2895.41;0.5000;SELL;;1;;
2024-05-06T07:08:01.1000000;2024-05-06T07:08:01.2000000;AA-2;2895.4;0;BUY;;2;;
2024-05-06T07:08:02.1000000;2024-05-06T07:08:02.2000000;AA-3;2896;1.25;BUY_ESTIMATED;;3;;
"""
QUOTES = """\
id_site_coinapi,time_exchange,time_coinapi,ask_px,ask_sx,bid_px,bid_sx
1,2024-05-06T07:08:00.3000000,2024-05-06T07:08:00.3000000,2896,1,2895,2
1,2024-05-06T07:08:01.0000000,2024-05-06T07:08:01.0000000,,,2895,2
"""
BOOKS = """\
time_exchange;time_coinapi;update_type;is_buy;entry_px;entry_sx;order_id
07:08:00.0000000;07:08:00.0500000;SNAPSHOT;1;99;1;a
07:08:00.0000000;07:08:00.0500000;SNAPSHOT;1;99;2;b
07:08:00.0000000;07:08:00.0500000;SNAPSHOT;0;101;4;c
07:08:01.0000000;07:08:01.5000000;ADD;1;98;3;d
07:08:01.0000000;07:08:01.5000000;MATCH;0;101;1.5;c
07:08:02.0000000;07:08:02.5000000;SUB;1;99;5;b
07:08:03.0000000;07:08:03.5000000;DELETE;0;101;9;c
07:08:04.0000000;07:08:04.5000000;SET;1;99;0.25;a
"""


def test_files_of_all_kinds_become_one_tape(tmp_path: Path) -> None:
    paths = [
        write(tmp_path, f"T-{kind}/{DAY}", text)
        for kind, text in (("TRADES", TRADES), ("QUOTES", QUOTES), ("LIMITBOOK_FULL", BOOKS))
    ]

    found = bring_in(paths, tmp_path / "tape")

    assert (found.messages, found.first, found.last) == (9, START + 50_000_000, START + 4_500_000_000)
    assert {stream.kind for stream in found.streams} == {StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK}
    assert verify_tape(tmp_path / "tape").ok
    told = events(tmp_path / "tape")
    times = [event.receive_time for event in told]
    assert times == sorted(times)
    first, second = (event for event in told if isinstance(event, Trade))
    assert (first.price, first.quantity, first.side, first.trade_id) == (2895.41, 0.5, Side.SELL, "aa-1")
    assert (first.event_time, first.receive_time) == (START + 100_000_000, START + 200_000_000)
    assert second.side is None
    assert [(quote.bid, quote.ask) for quote in told if isinstance(quote, Quote)] == [(2895, 2896), (2895, None)]
    book = Book(ETH)
    shown = []
    for event in told:
        if isinstance(event, BookSnapshot | BookDelta):
            book.apply(event)
            shown.append((book.levels(Side.BUY), book.levels(Side.SELL)))
    assert shown == [
        (((99, 3),), ((101, 4),)),
        (((99, 3), (98, 3)), ((101, 2.5),)),
        (((99, 1), (98, 3)), ((101, 2.5),)),
        (((99, 1), (98, 3)), ()),
        (((99, 0.25), (98, 3)), ()),
    ]


def test_ticks_and_lots_are_as_fine_as_what_is_in_the_files(tmp_path: Path) -> None:
    bring_in([write(tmp_path, f"T-TRADES/{DAY}", TRADES)], tmp_path / "tape")

    ((ask, status, body),) = scan(open_tape(tmp_path / "tape")).answers
    (instrument,) = CoinApi().decode_answer(ask, body, receive_time=START)

    assert (ask, status) == (AskInstrument(instrument=ETH), 200)
    assert (str(instrument.tick), str(instrument.lot)) == ("0.01", "0.01")  # type: ignore[union-attr]  # asked for
    assert (instrument.currency, instrument.exchange) == ("EUR", "KRAKEN")  # type: ignore[union-attr]  # asked for


@pytest.mark.parametrize("samples", [False, True])
def test_the_simulated_venues_own_files_replay_as_its_stream_did(tmp_path: Path, samples: bool) -> None:
    """In the documentation's style, and in that of the venue's sample programs."""
    config = CoinApiVenueConfig(actions_per_second=100, sample_files=samples)
    venue, now = CoinApiVenue(Variant.V1, config, now=START), START
    for _ in range(30):
        now += SECOND // 10
        venue.advance(now)

    def get(path: str) -> bytes:
        call = HttpCall(method="GET", path=path, query={}, headers={"x-coinapi-key": SIMULATED_KEY}, body=b"")
        answer = venue.answer(call, now)
        assert answer.status == 200
        return answer.body

    paths = []
    for kind in ("TRADES", "QUOTES", "LIMITBOOK_FULL"):
        listing = get("/bucket/").decode()
        (key,) = {part for part in listing.replace("<", ">").split(">") if f"T-{kind}/" in part and ETH in part}
        path = tmp_path / key
        path.parent.mkdir(parents=True)
        path.write_bytes(get(f"/bucket/{key}"))
        paths.append(path)

    bring_in(paths, tmp_path / "tape")

    told = events(tmp_path / "tape")
    board = venue._market.boards[ETH]
    items = [board.trade_item(trade) for trade in board.trades if trade.receive_time > START]
    assert [event.trade_id for event in told if isinstance(event, Trade)][-len(items) :] == [
        item.uuid for item in items
    ]
    book = Book(ETH)
    for event in told:
        if isinstance(event, BookSnapshot | BookDelta):
            book.apply(event)
    assert book.levels(Side.BUY) == tuple((level.price, level.size) for level in board.book.bids)
    assert book.levels(Side.SELL) == tuple((level.price, level.size) for level in board.book.asks)
    quotes = [event for event in told if isinstance(event, Quote)]
    assert (quotes[-1].bid, quotes[-1].ask) == (book.best_bid, book.best_ask)


def test_two_days_are_told_one_after_the_other(tmp_path: Path) -> None:
    second = TRADES.replace("2024-05-06", "2024-05-07").replace("AA-", "BB-")
    paths = [
        write(tmp_path, f"T-TRADES/{DAY.replace('0506', '0507')}", second),
        write(tmp_path, f"T-TRADES/{DAY}", TRADES),
    ]

    bring_in(paths, tmp_path / "tape")

    assert [event.trade_id for event in events(tmp_path / "tape")] == ["aa-1", "aa-3", "bb-1", "bb-3"]


def test_a_plain_file_whose_symbol_is_said_will_do(tmp_path: Path) -> None:
    path = write(tmp_path, "mine.csv", TRADES, packed=False)

    found = bring_in([path], tmp_path / "tape", symbol=ETH)

    assert [stream.instrument for stream in found.streams] == [ETH]
    with pytest.raises(ConfigError, match="its name tells no symbol"):
        bring_in([path], tmp_path / "other")


def test_empty_lines_are_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, f"T-TRADES/{DAY}", TRADES.replace("\n", "\n\n") + "\r\n")

    assert bring_in([path], tmp_path / "tape").messages == 2


def test_times_that_go_back_are_taken_for_those_before(tmp_path: Path) -> None:
    lines = TRADES.splitlines()
    text = "\n".join([lines[0], lines[3], lines[1], ""])

    bring_in([write(tmp_path, f"T-TRADES/{DAY}", text)], tmp_path / "tape")

    assert [event.receive_time for event in events(tmp_path / "tape")] == [START + 2_200_000_000] * 2


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        (f"T-TRADES/{DAY}", "", "its columns are none of trades, quotes or books"),
        (f"T-TRADES/{DAY}", "a;b;c\n1;2;3\n", "its columns are none of trades, quotes or books"),
        (f"T-TRADES/{DAY}", TRADES.splitlines()[0] + "\n", "the files hold nothing"),
        (f"T-TRADES/{DAY}", TRADES + "1;2\n", "line 5: 2 cells under 10 columns"),
        (f"T-TRADES/{DAY}", TRADES.replace("2896;", "nan;"), "line 4: 'nan' is no number of a market"),
        (f"T-TRADES/{DAY}", TRADES.replace("2895.41;", "x;"), "line 2: could not convert string to float"),
        (f"T-TRADES/{DAY}", TRADES + "x" * 70_000, ":5: a line of more than 65536 bytes"),
        (f"T-LIMITBOOK_FULL/{DAY}", BOOKS.replace(";ADD;", ";GROW;"), "an entry of the kind 'GROW' isn't known"),
        ("x+SC-KRAKEN_SPOT_ETH_EUR+S.csv.gz", BOOKS, "'07:08:00.0500000' has no date, and the file's name has none"),
        (f"T-TRADES/{DAY}", TRADES.replace("07:08:02.2", "later"), "isn't a time"),
        (f"T-TRADES/{DAY}", TRADES + '"', "line 5: "),
        (f"T-TRADES/{DAY}", TRADES + "\n" * 100_000, ":1005: more than 1000 empty lines"),
        (f"T-TRADES/{DAY}", TRADES + '"' + f"{'x' * 60_000}\n" * 3, "field larger than field limit"),
    ],
)
def test_what_cant_be_read_is_told_with_its_line(tmp_path: Path, name: str, text: str, why: str) -> None:
    with pytest.raises(TapeError, match=why):
        bring_in([write(tmp_path, name, text)], tmp_path / "tape")


def test_files_that_are_missing_torn_or_named_twice_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"T-TRADES/{DAY}", TRADES)
    twin = write(tmp_path / "twin", f"T-TRADES/{DAY}", TRADES)
    torn = write(tmp_path / "torn", f"T-TRADES/{DAY}", TRADES)
    torn.write_bytes(torn.read_bytes()[:40])

    with pytest.raises(ConfigError, match="no flat file was named"):
        bring_in([], tmp_path / "tape")
    with pytest.raises(ConfigError, match="both hold trades KRAKEN_SPOT_ETH_EUR"):
        bring_in([path, twin], tmp_path / "tape")
    with pytest.raises(TapeError, match="ended before the end-of-stream marker"):
        bring_in([torn], tmp_path / "tape")
    with pytest.raises(TapeError, match="there is no such file"):
        bring_in([tmp_path / f"T-QUOTES/{DAY}"], tmp_path / "tape")


def test_a_plain_file_that_ends_within_a_line_is_refused_unless_it_is_said_to_be_whole(tmp_path: Path) -> None:
    path = write(tmp_path, f"T-TRADES/{DAY}", TRADES.rstrip("\n"), packed=False)

    with pytest.raises(
        TapeError, match=r"line 4: the file ends within this line, so that the rest of it may be missing"
    ):
        bring_in([path], tmp_path / "tape")
    assert bring_in([path], tmp_path / "said", reading=Reading(whole=True)).messages == 2


def test_a_long_file_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from strategykit.tape.importers import coinapi

    monkeypatch.setattr(coinapi, "_BEHIND", 1_000)
    head, line = TRADES.splitlines()[:2]
    text = "\n".join([head, *(line.replace("AA-1", f"CC-{number}") for number in range(3_000)), ""])

    found = bring_in([write(tmp_path, f"T-TRADES/{DAY}", text)], tmp_path / "tape")

    assert found.messages == 3_000
    assert len(events(tmp_path / "tape")) == 3_000


def test_names_tell_what_is_left_of_a_key() -> None:
    whole = read_name(f"/data/T-QUOTES/{DAY}")

    assert (whole.symbol, whole.date) == (ETH, "2024-05-06")
    assert read_name("C:\\T-QUOTES\\D-20240506\\E-K\\x.csv").date == "2024-05-06"
    assert (read_name("some.csv").symbol, read_name("some.csv").date) == (None, None)


cells = st.sampled_from(
    ["", "1", "2.5", "-1", "0", "1e400", "nan", "x", '"', "SNAPSHOT", "SET", "BUY", "2024-05-06T07:08:09"]
)


@given(
    head=st.sampled_from([text.splitlines()[0] for text in (TRADES, QUOTES, BOOKS)]),
    rows=st.lists(st.lists(cells, min_size=6, max_size=10), max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_near_valid_lines_give_items_or_a_value_error(head: str, rows: list[list[str]]) -> None:
    delimiter = ";" if ";" in head else ","
    width = len(head.split(delimiter))
    lines = [head, *(delimiter.join((row * 2)[:width]) for row in rows)]
    file = FlatFile([f"{line}\n" for line in lines], symbol=ETH, date="2024-05-06")

    kinds = {DataType.TRADE: TradeItem, DataType.QUOTE: QuoteItem, DataType.BOOK: BookItem}
    with suppress(ValueError):
        assert all(isinstance(told.item, kinds[file.type]) for told in file.read())
