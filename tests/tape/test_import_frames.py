"""Frames that others recorded, as tapes: replaying gives the books that the venue had, and wrong rows are told."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError, TapeError
from strategykit.foreign.text import Lines
from strategykit.model.book import Book
from strategykit.model.events import Bar, BookDelta, BookSnapshot, Gap, Quote, Side, Trade
from strategykit.runtime.export import export_tapes
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files
from strategykit.runtime.recorded import scan
from strategykit.runtime.recorded_events import recorded_instruments, stream_events
from strategykit.runtime.recorded_venue import recorded_venue
from strategykit.tape.reader import open_tape
from strategykit.tape.verify import verify_tape

DATA = Path(os.environ.get("STRATEGYKIT_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
recorded = pytest.mark.skipif(
    not (DATA / "hftbacktest").is_dir(),
    reason=f"recordings are absent: no {DATA}; set STRATEGYKIT_DATA to their folder",
)

START = 1_723_161_255_000_000_000
MS = 1_000_000


def bring_in(paths: Sequence[Path], to: Path, format: str = "hftbacktest", **more: Any) -> ImportReport:  # noqa: A002
    return import_files(ImportPlan(format=format, paths=paths, to=to, now=lambda: START, **more))


def told(tape: Path) -> list[Any]:
    opened = open_tape(tape)
    return [event for _, _, event in stream_events(opened, recorded_venue(opened)[0], scan(opened))]


def rows_of(archive: Path) -> dict[str, int]:
    entries = Archive.open(archive).manifest.streams
    return {kind: sum(file.rows for file in files) for entry in entries for kind, files in entry.files.items()}


def frame(name: str, **data: Any) -> str:
    return json.dumps({"stream": f"btcusdt@{name}", "data": data}, separators=(",", ":"))


def depth(first: int, last: int, *bids: tuple[str, str]) -> str:
    return frame("depth@100ms", e="depthUpdate", E=1_723_161_256_000, s="BTCUSDT", U=first, u=last, b=bids, a=[])


def trade(number: int, price: str = "61800.10", size: str = "0.5") -> str:
    return frame("trade", e="trade", E=1, s="BTCUSDT", t=number, p=price, q=size, T=1_723_161_256_000, m=True, M=True)


def quote(number: int, bid: str = "61800.1") -> str:
    return frame("bookTicker", u=number, s="BTCUSDT", b=bid, B="1.0", a="61800.25", A="2.000")


SNAPSHOT = '{"lastUpdateId":11,"bids":[["61800.0","1"],["61799.5","2"]],"asks":[["61801.0","3"]]}'


def write(path: Path, lines: Sequence[str], *, start: int = START) -> Path:
    text = "".join(f"{start + place * MS} {line}\n" for place, line in enumerate(lines))
    path.write_bytes(gzip.compress(text.encode()))
    return path


SESSION = [
    depth(9, 10),
    quote(3),
    depth(11, 12, ("61799.5", "0")),
    SNAPSHOT,
    trade(1),
    trade(2),
    depth(13, 13, ("5", "1")),
]


def test_frames_and_the_book_between_them_become_a_tape(tmp_path: Path) -> None:
    report = bring_in([write(tmp_path / "a.gz", SESSION)], tmp_path / "tape")

    assert (report.made, report.messages, report.refused) == ("tape", 6, 0)
    assert (report.first, report.last) == (START, START + 6 * MS)
    assert [stream.label for stream in report.streams] == ["book BTCUSDT", "quotes BTCUSDT", "trades BTCUSDT"]
    assert verify_tape(tmp_path / "tape").ok
    events = told(tmp_path / "tape")
    assert [type(event) for event in events] == [Quote, BookSnapshot, BookDelta, Trade, Trade, BookDelta]
    book = Book("BTCUSDT")
    for event in events:
        if isinstance(event, BookSnapshot | BookDelta):
            book.apply(event)
    assert book.levels(Side.BUY) == ((61800.0, 1.0), (5.0, 1.0))


def test_an_answer_that_stands_before_its_books_first_change_is_put_behind_it(tmp_path: Path) -> None:
    bring_in([write(tmp_path / "a.gz", [SNAPSHOT, quote(3), depth(11, 12, ("61799.5", "0"))])], tmp_path / "tape")

    events = told(tmp_path / "tape")
    assert [type(event) for event in events] == [Quote, BookSnapshot, BookDelta]


def test_ticks_and_lots_are_as_fine_as_what_is_in_the_files(tmp_path: Path) -> None:
    bring_in([write(tmp_path / "a.gz", [*SESSION, trade(3, "61800.10", "0.00001")])], tmp_path / "tape")

    tape = open_tape(tmp_path / "tape")
    (instrument,) = recorded_instruments(tape, recorded_venue(tape)[0]).values()
    assert (str(instrument.tick), str(instrument.lot), instrument.currency) == ("0.1", "0.00001", "USDT")


def test_files_that_follow_each_other_are_one_session(tmp_path: Path) -> None:
    paths = [write(tmp_path / "a.gz", SESSION), write(tmp_path / "b.gz", [depth(14, 15)], start=START + 10**9)]

    bring_in(paths, tmp_path / "tape")

    events = told(tmp_path / "tape")
    assert not [event for event in events if isinstance(event, Gap)]
    assert events[-1].sequence == 15


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not a line", "no space stands|isn't a whole number"),
        ('1723161255 {"stream":"a"}', "the time looks like seconds: '1723161255'; nanoseconds since 1970 UTC would be"),
        ('1723161255000 {"stream":"a"}', "looks like milliseconds"),
        ('1723161255000000 {"stream":"a"}', "looks like microseconds"),
        ("-1 {}", "isn't a whole number"),
        ('1 {"stream":"a"}', "lies in no year"),
        (f"{START - 1} {quote(9)}", "came [0-9]+ ns before the row above it"),
        (f'{START + 10**9} {{"stream":"btcusdt@trade"', "truncated|expected"),
        (f"{START + 10**9} []", "Expected `object`"),
        (f'{START + 10**9} {{"a":1}}', "neither a frame of a stream nor a book"),
        (f"{START + 10**9} {trade(3, size='-1')}", "a frame of btcusdt@trade that can't be read: Expected `float` > 0"),
        (f"{START + 10**9} {trade(3, price='NaN')}", "a frame of btcusdt@trade that can't be read"),
        (f"{START + 10**9} {frame('forceOrder', a=1)}", "no stream that is known here is called 'btcusdt@forceOrder'"),
        (f"{START + 10**9} {frame('aggTrade', a=1)}", "trades come by trade, and here by aggTrade, too"),
        (f'{START + 10**9} {{"lastUpdateId":1,"bids":[["-1","1"]],"asks":[]}}', "what can't be read"),
    ],
)
def test_a_row_that_cant_be_taken_is_told_with_its_place(line: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", SESSION)
    path.write_bytes(path.read_bytes() + gzip.compress(f"{line}\n".encode()))
    lines: list[str] = []

    report = bring_in([path], tmp_path / "tape", tell=lines.append)

    assert report.refused == 1
    assert re.fullmatch(rf"{re.escape(str(path))}:8: .*({words}).*", "".join(lines))
    assert len(told(tmp_path / "tape")) == 6


def test_frames_of_another_symbol_are_refused(tmp_path: Path) -> None:
    lines: list[str] = []
    other = json.dumps({"stream": "ethusdt@trade", "data": json.loads(trade(1))["data"]})

    bring_in([write(tmp_path / "a.gz", [*SESSION, other])], tmp_path / "t", symbol="BTCUSDT", tell=lines.append)

    assert [line.partition(": ")[2] for line in lines] == ["is of ETHUSDT, not of BTCUSDT"]


@pytest.mark.parametrize("name", ["trade", "depth@100ms", "bookTicker"])
def test_data_of_another_symbol_than_their_stream_are_refused(name: str, tmp_path: Path) -> None:
    strange = next(line for line in SESSION if f"btcusdt@{name}" in line).replace('"BTCUSDT"', '"ETHUSDT"')
    path = write(tmp_path / "a.gz", [*SESSION, strange])
    lines: list[str] = []

    report = bring_in([path], tmp_path / "tape", tell=lines.append)

    assert report.refused == 1
    (line,) = lines
    assert f"a.gz:{len(SESSION) + 1}: a frame of btcusdt@{name} is of another symbol: 'ETHUSDT'; BTCUSDT" in line


def test_files_whose_times_have_another_unit_are_told_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", SESSION, start=START // MS)

    with pytest.raises(TapeError, match=r"another format \(.*a\.gz:1: the time looks like milliseconds"):
        bring_in([path], tmp_path / "tape")


def test_one_row_too_many_ends_an_import_and_nothing_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", [*SESSION, "no", "frames", "these"])

    with pytest.raises(
        TapeError, match=r"a\.gz:10: .*; with this, more than 2 rows can't be taken, and nothing is kept"
    ):
        bring_in([path], tmp_path / "tape", most_refused=2)
    assert [each.name for each in tmp_path.iterdir()] == ["a.gz"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda path: path.write_bytes(gzip.compress(b"")),
            "no frame tells of which of Binance's markets it is|is empty",
        ),
        (lambda path: path.write_bytes(b""), "no frame tells|is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:-30]), "a.gz:[0-9]+: "),
        (lambda path: path.write_bytes(b"\x1f\x8b" + b"x" * 100), "a.gz:1: "),
        (lambda path: path.write_bytes(b"PK\x03\x04" + b"x" * 100), "is a zip"),
        (lambda path: path.write_bytes(b"\xff\xfe" * 50), "a.gz:1: isn't UTF-8"),
        (
            lambda path: path.write_bytes(gzip.compress(b"0" * (70 << 20))),
            "unpacks to more than [0-9]+ bytes|a line of",
        ),
        (lambda path: path.write_text("a,b,c\n1,2,3\n"), "no frame tells of which"),
    ],
)
def test_a_damaged_file_or_one_of_another_format_leaves_nothing(make: Any, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", SESSION * 20)
    make(path)

    with pytest.raises(TapeError, match=words):
        bring_in([path], tmp_path / "tape")
    assert [each.name for each in tmp_path.iterdir()] == ["a.gz"]


def test_a_bomb_isnt_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strategykit.foreign.text._FREE", 1_000)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"0\n" * (1 << 18)))
    read = []
    whole = Lines.__next__

    def counted(self: Lines) -> str:
        read.append(1)
        return whole(self)

    monkeypatch.setattr(Lines, "__next__", counted)
    with pytest.raises(TapeError, match=r"a\.gz:[0-9]+: unpacks to more than"):
        bring_in([path], tmp_path / "tape", most_refused=10**9)
    assert len(read) < 1 << 18


def test_what_cant_be_is_said_before_anything_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", SESSION)

    with pytest.raises(
        ConfigError, match="no format 'csv'; there are: coinapi, hftbacktest, cryptofeed, tardis, lean, ohlcv"
    ):
        bring_in([path], tmp_path / "tape", "csv")
    with pytest.raises(ConfigError, match="no file was named"):
        bring_in([], tmp_path / "tape")
    with pytest.raises(ConfigError, match="there is no such file"):
        bring_in([tmp_path / "b.gz"], tmp_path / "tape")
    with pytest.raises(ConfigError, match="is there already"):
        bring_in([path], tmp_path)


CRYPTOFEED = """\
wss://stream.binance.com:9443/stream?streams=a <-> 1633998511.1594982
wss://stream.binance.com:9443/stream?streams=a <- 1633998511.2: {"method":"SUBSCRIBE"}
1633998511.3: {"result":null,"id":1}
1633998512.0633569: %s
https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000 -> 1633998512.320639: %s header: {'a': 'b'}

1633998513.5: %s
"""


def session(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "BINANCE.ws.1.0"
    path.write_text(CRYPTOFEED % (depth(9, 10), SNAPSHOT, depth(11, 12)) + "".join(lines))
    return path


def test_a_session_of_cryptofeed_becomes_a_tape(tmp_path: Path) -> None:
    listing = {
        "symbols": [
            {
                "symbol": "BTCUSDT",
                "quoteAsset": "USDT",
                "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": "0.50"},
                    {"filterType": "LOT_SIZE", "stepSize": "0.10"},
                ],
            }
        ]
    }
    facts = tmp_path / "BINANCE.0"
    facts.write_text(
        f"https://api.binance.com/api/v3/exchangeInfo -> 1633998511.1: {json.dumps(listing)}\nconfiguration: {{}}\n"
    )

    report = bring_in([facts, session(tmp_path)], tmp_path / "tape", "cryptofeed")

    assert (report.messages, report.refused) == (2, 0)
    assert report.first == 1_633_998_512_063_356_900
    assert [type(event) for event in told(tmp_path / "tape")] == [BookSnapshot, BookDelta]
    tape = open_tape(tmp_path / "tape")
    (instrument,) = recorded_instruments(tape, recorded_venue(tape)[0]).values()
    assert (str(instrument.tick), str(instrument.lot)) == ("0.5", "0.1")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("163399851.5: {}\n", "lies in no year"),
        ("hello\n", "no line of a session"),
        ("1633998514.5\n", "no line of a session"),
        ("1633998514.5: b'\\x1f'\n", "no frame of Binance's"),
    ],
)
def test_wrong_lines_of_a_session_are_told(line: str, words: str, tmp_path: Path) -> None:
    lines: list[str] = []

    bring_in([session(tmp_path, line)], tmp_path / "tape", "cryptofeed", tell=lines.append)

    assert len(lines) == 1
    assert words in lines[0]
    assert "BINANCE.ws.1.0:8: " in lines[0]


def test_sessions_of_venues_that_arent_spoken_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "GEMINI.ws.1.0"
    path.write_text("wss://www.gemini.com <-> 1618678132.3858151\n1618678133.0: {}\n")

    with pytest.raises(ConfigError, match=r"sessions of www\.gemini\.com aren't read; those of stream\.binance\.com"):
        bring_in([path], tmp_path / "tape", "cryptofeed")
    path.write_text("1618678133.0: {}\n")
    with pytest.raises(ConfigError, match="the files tell of no connection"):
        bring_in([path], tmp_path / "tape", "cryptofeed")
    path.write_text("a,b\n")
    with pytest.raises(TapeError, match=r"GEMINI\.ws\.1\.0:1: no line of a session that cryptofeed recorded"):
        bring_in([path], tmp_path / "tape", "cryptofeed")


@recorded
def test_the_counts_of_cryptofeeds_session_are_those_that_it_published(tmp_path: Path) -> None:
    """This product includes software developed by Bryant Moscon (http://www.bryantmoscon.com/)."""
    paths = sorted((DATA / "cryptofeed").glob("BINANCE.*.gz"))

    report = bring_in(paths, tmp_path / "tape", "cryptofeed")

    counts = Counter(type(event) for event in told(tmp_path / "tape"))
    assert (report.messages, report.refused) == (265, 0)
    assert counts == {BookSnapshot: 4, BookDelta: 172, Quote: 84, Trade: 2, Bar: 2}


@recorded
def test_the_recorded_book_is_rebuilt_from_the_tape_and_from_its_archive(tmp_path: Path) -> None:
    """The levels were published with the recording, and made by two other programs."""
    with gzip.open(DATA / "hftbacktest" / "usdm_btcusdt_20240808.gz", "rt", encoding="utf-8") as file:
        (tmp_path / "book").write_text(
            "".join(line for line in file if "@depth" in line[:60] or "lastUpdateId" in line)
        )

    report = bring_in([tmp_path / "book"], tmp_path / "tape")
    archive = export_tapes([tmp_path / "tape"], tmp_path / "archive")

    assert report.refused == 0
    assert rows_of(tmp_path / "archive") == {"BookSnapshot": 1, "BookDelta": 6_547}
    (stream,) = archive.streams
    book = Book("BTCUSDT")
    for event in archive.events([stream]):
        assert isinstance(event, BookSnapshot | BookDelta)  # No gap: nothing is missing.
        book.apply(event)
    bids, asks = book.levels(Side.BUY), book.levels(Side.SELL)
    assert (len(bids), len(asks)) == (5_019, 4_578)
    assert bids[:2] == ((61659.7, 1.486), (61659.0, 0.002))
    assert asks[-1] == (617050.0, 0.003)


@recorded
def test_frames_of_coin_margined_futures_become_an_archive(tmp_path: Path) -> None:
    """All of them, but for the 23 changes that the recorded book holds already; and no gap."""
    path = DATA / "hftbacktest" / "cm_btcusd_perp_20240808.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        names = (name for line in file for name in ("@bookTicker", "@trade", "@depth") if name in line[:60])
        frames = Counter(names)
    assert frames == {"@bookTicker": 19_136, "@trade": 2_286, "@depth": 26_847}

    report = bring_in([path], tmp_path / "archive")

    assert (report.made, report.refused) == ("archive", 0)
    assert rows_of(tmp_path / "archive") == {
        "Quote": 19_136,
        "Trade": 2_286,
        "BookSnapshot": 1,
        "BookDelta": 26_847 - 23,
    }


@recorded
def test_frames_of_hyperliquid_become_an_archive(tmp_path: Path) -> None:
    report = bring_in([DATA / "hftbacktest" / "hyperliquid_btc_20250126.gz"], tmp_path / "archive")

    assert (report.made, report.refused) == ("archive", 0)
    assert rows_of(tmp_path / "archive") == {"BookSnapshot": 46, "Trade": 64}


def test_frames_of_venues_that_dont_run_are_checked_as_others_are(tmp_path: Path) -> None:
    print_ = {"coin": "BTC", "side": "B", "px": "105056.0", "sz": "0.5", "tid": 7, "time": 1_737_918_794_873}
    sides = [[{"px": "105055.0", "sz": "3"}, {"px": "105054.0", "sz": "1"}], [{"px": "105056.0", "sz": "2"}]]
    book = {"coin": "BTC", "time": 1_737_918_794_873, "levels": sides}

    def channel(name: str, data: Any) -> str:
        return json.dumps({"channel": name, "data": data}, separators=(",", ":"))

    told: list[str] = []
    path = write(
        tmp_path / "a.gz",
        [
            channel("subscriptionResponse", {}),
            channel("trades", [print_]),
            channel("trades", [print_, print_ | {"tid": 3, "side": "A"}]),  # The first was told before.
            channel("l2Book", book),
            channel("l2Book", book | {"levels": [sides[0][::-1], sides[1]]}),
            channel("trades", [print_ | {"tid": 8, "px": "nan"}]),
            channel("trades", [print_ | {"tid": 9, "coin": "ETH"}]),
            channel("bbo", {}),
            "nothing",
        ],
    )

    report = bring_in([path], tmp_path / "archive", symbol="BTC", tell=told.append)

    assert (report.messages, report.refused) == (3, 5)
    assert [line.partition(": ")[2].partition(":")[0] for line in told[:4]] == [
        "a book's levels aren't in order",
        "price is no number to compute with",
        "it is of ETH, not of BTC",
        "no channel that is known here is called 'bbo'",
    ]
    assert [type(event) for event in Archive.open(tmp_path / "archive").events()] == [Trade, Trade, BookSnapshot]


HYPER = '{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"5.0","sz":"0.5","tid":%d,"time":1737918794873}]}'
COIN = trade(0).replace("btcusdt@", "btcusd_perp@").replace('"BTCUSDT"', '"BTCUSD_PERP","ps":"BTCUSD"')


@pytest.mark.parametrize(
    ("lines", "taken"),
    [
        (SESSION, 6),
        ([HYPER % number for number in range(3)], 3),
        ([COIN.replace('"t":0', f'"t":{number}') for number in range(1, 4)], 3),
    ],
    ids=["tape", "hyperliquid", "coin-margined"],
)
def test_rows_that_are_twice_are_told_and_taken_once(lines: list[str], taken: int, tmp_path: Path) -> None:
    """Decoders pass over most of them without a word, as a venue may well send something again."""
    said: list[str] = []
    text = "".join(f"{START + place * MS} {line}\n" for place, line in enumerate(lines))
    doubled = text.splitlines(keepends=True)
    doubled[1:1] = doubled[:1]
    doubled[3:3] = doubled[2:3]
    (tmp_path / "a").write_text("".join(doubled))

    report = bring_in([tmp_path / "a"], tmp_path / "made", tell=said.append)

    assert (report.messages, report.refused) == (taken, 2)
    assert [line.partition("/a:")[2] for line in said] == [
        f"{number}: a row above it has its time, and is the same; each once would be right" for number in (2, 4)
    ]


def test_rows_of_coin_margined_futures_are_checked_as_others_are(tmp_path: Path) -> None:
    def coin(name: str, **data: Any) -> str:
        body = {"ps": "BTCUSD", "s": "BTCUSD_PERP", "E": 1_723_161_256_000, "T": 1_723_161_256_000, **data}
        return json.dumps({"stream": f"btcusd_perp@{name}", "data": body})

    price = {"p": "61800.1", "q": "5", "m": True}
    path = write(
        tmp_path / "a.gz",
        [
            coin("depth@0ms", e="depthUpdate", U=9, u=12, pu=8, b=[["61799.5", "2"]], a=[]),
            SNAPSHOT,
            SNAPSHOT,  # Nobody waits for it.
            coin("trade", e="trade", t=1, **price),
            coin("trade", e="trade", t=2, **price | {"q": "nan"}),
            coin("trade", e="trade", t=9, **price),
            coin("aggTrade", e="aggTrade", a=1, **price),
            coin("forceOrder"),
            coin("bookTicker", u=1, b="1", B="1", a="2", A="1").replace("btcusd_perp@", "ethusd_perp@"),
            "nothing",
            coin("trade", e="trade", t=10, **price).replace('"BTCUSD_PERP"', '"ETHUSD_PERP"'),
        ],
    )
    path.write_bytes(path.read_bytes() + gzip.compress(f"{START} {coin('trade', t=3)}\nsoon\n".encode()))
    told: list[str] = []

    report = bring_in([path], tmp_path / "archive", symbol="BTCUSD_PERP", tell=told.append)

    assert [line.partition(": ")[0].rpartition(":")[2] for line in told] == [
        *("3", "5", "7", "8", "9", "10", "11", "12", "13"),
    ]
    assert "is of another symbol: 'ETHUSD_PERP'; BTCUSD_PERP would be right" in told[6]
    assert report.refused == len(told)
    events = list(Archive.open(tmp_path / "archive").events())
    # The trades between 1 and 9 are missing, and nobody can be asked for them.
    assert [type(event) for event in events] == [BookSnapshot, BookDelta, Trade, Gap, Trade]
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(TapeError, match="empty is empty"):
        bring_in([path, tmp_path / "empty"], tmp_path / "b", most_refused=20)
