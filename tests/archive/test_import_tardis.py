"""CSV files as tardis.dev writes them: trades, quotes and books, each row checked."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.archive.reader import Archive
from strategykit.errors import ConfigError, TapeError
from strategykit.model.events import BookDelta, BookSnapshot, Quote, Side, Trade
from strategykit.runtime.importing import ImportPlan, ImportReport, import_files

T = 1_585_699_200_000_000
"""Microseconds."""

COMMON = "exchange,symbol,timestamp,local_timestamp"
TRADES = f"{COMMON},id,side,price,amount"
QUOTES = f"{COMMON},ask_amount,ask_price,bid_price,bid_amount"
CHANGES = f"{COMMON},is_snapshot,side,price,amount"
TOP = ",".join(
    (COMMON, *(f"{side}[{n}].{what}" for n in (0, 1) for side in ("asks", "bids") for what in ("price", "amount")))
)
FIGURES = (
    f"{COMMON},funding_timestamp,funding_rate,predicted_funding_rate,open_interest,last_price,index_price,mark_price"
)


def row(offset: int, *cells: str, symbol: str = "XBTUSD") -> str:
    return ",".join(("bitmex", symbol, str(T + offset), str(T + offset + 7), *cells))


def bring_in(tmp_path: Path, *lines: str, **more: Any) -> tuple[ImportReport, list[Any]]:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    report = import_files(ImportPlan(format="tardis", paths=[path], to=tmp_path / "archive", **more))
    return report, list(Archive.open(tmp_path / "archive").events())


def test_trades(tmp_path: Path) -> None:
    report, (first, second) = bring_in(
        tmp_path, TRADES, row(0, "a-1", "sell", "6425.5", "200"), row(1, "", "unknown", "6426", "1")
    )

    assert isinstance(first, Trade)
    assert (first.price, first.quantity, first.side, first.trade_id) == (6425.5, 200.0, Side.SELL, "a-1")
    assert (first.event_time, first.receive_time) == (T * 1_000, (T + 7) * 1_000)
    assert (second.side, second.trade_id) == (None, None)
    assert [stream.label for stream in report.streams] == ["trades XBTUSD"]
    assert str(Archive.open(tmp_path / "archive").instruments["XBTUSD"].tick) == "0.1"


def test_quotes_and_figures_of_derivatives(tmp_path: Path) -> None:
    _, (first, second) = bring_in(tmp_path, QUOTES, row(0, "5", "101", "100.5", "7"), row(1, "", "", "100.5", "7"))

    assert isinstance(first, Quote)
    assert (first.bid, first.bid_size, first.ask, first.ask_size) == (100.5, 7.0, 101.0, 5.0)
    assert (second.ask, second.ask_size) == (None, None)
    (tmp_path / "b").mkdir()
    _, (figures, empty) = bring_in(
        tmp_path / "b",
        FIGURES,
        row(0, "", "0.0001", "", "500", "100", "101", "102"),
        row(1, "", "", "", "", "", "", ""),
    )
    assert (figures.last, figures.open_interest, figures.bid) == (100.0, 500.0, None)
    assert (empty.last, empty.open_interest) == (None, None)


def test_whole_books(tmp_path: Path) -> None:
    told: list[str] = []
    _, (first, second) = bring_in(
        tmp_path,
        TOP,
        row(0, "101", "1", "100", "2", "102", "3", "99", "4"),
        row(1, "101", "1", "100", "2", "", "", "", ""),
        row(2, "101", "1", "100", "2", "100.5", "3", "99", "4"),
        tell=told.append,
    )

    assert isinstance(first, BookSnapshot)
    assert (first.bid_prices, first.bid_sizes) == ((100.0, 99.0), (2.0, 4.0))
    assert (first.ask_prices, first.ask_sizes) == ((101.0, 102.0), (1.0, 3.0))
    assert second.bid_prices == (100.0,)
    assert "a.csv.gz:4: its asks aren't in order" in told[0]


def test_changes_of_books_are_told_message_by_message(tmp_path: Path) -> None:
    told: list[str] = []
    report, found = bring_in(
        tmp_path,
        CHANGES,
        row(-5, "false", "bid", "99", "1"),
        row(0, "true", "bid", "99", "1"),
        row(0, "true", "bid", "100", "2"),
        row(0, "true", "ask", "101", "3"),
        row(1, "false", "bid", "100", "0"),
        row(1, "false", "ask", "102", "4"),
        row(2, "false", "ask", "101", "0"),
        row(3, "true", "ask", "105", "1"),
        tell=told.append,
    )

    assert [type(event) for event in found] == [BookSnapshot, BookDelta, BookDelta, BookSnapshot]
    snapshot, change, _, again = found
    assert (snapshot.bid_prices, snapshot.ask_prices, snapshot.snapshot) == ((100.0, 99.0), (101.0,), True)
    assert (change.bid_prices, change.bid_sizes, change.ask_prices) == ((100.0,), (0.0,), (102.0,))
    assert (again.bid_prices, again.snapshot) == ((), False)
    assert (report.refused, told[0].partition(": ")[2]) == (1, "changes of a book before any snapshot of it")


@pytest.mark.parametrize(
    ("header", "line", "words"),
    [
        (TRADES, row(0, "a", "buy", "1", "1"), "a row above it has its time and id: 'a'; each once would be right"),
        (TRADES, row(9, "a", "up", "1", "1"), "no side is called 'up'; buy, sell or unknown would be right"),
        (TRADES, row(9, "a", "buy", "nan", "1"), "price is no number to compute with: 'nan'"),
        (TRADES, row(9, "a", "buy", "1", "-1"), "amount can't be '-1'"),
        (TRADES, row(9, "a", "buy", "0", "1"), "price can't be '0'"),
        (TRADES, row(9, "a", "buy", "1"), "has 7 columns; 8, as the header has, would be right"),
        (TRADES, row(9, "a", "buy", "1", "1", symbol="ETHUSD"), "another symbol: 'ETHUSD'; XBTUSD would be right"),
        (
            TRADES,
            row(9, "a", "buy", "1", "1").replace(str(T + 9), "1585699200"),
            "microseconds since 1970 UTC would be",
        ),
        (TRADES, row(-900, "a", "buy", "1", "1"), "stands behind a row of a later time"),
        (QUOTES, row(9, "1", "x", "1", "1"), "ask_price is no number: 'x'"),
        (CHANGES, row(9, "maybe", "bid", "1", "1"), "is_snapshot true or false"),
        (CHANGES, row(9, "true", "bid", "1", "nan"), "amount is no number"),
    ],
)
def test_a_row_that_cant_be_taken_is_told_with_its_place(header: str, line: str, words: str, tmp_path: Path) -> None:
    good = {TRADES: row(0, "a", "buy", "1", "1"), QUOTES: row(0, "1", "2", "1", "1")}
    told: list[str] = []

    report, found = bring_in(
        tmp_path,
        header,
        good.get(header, row(0, "true", "bid", "1", "1")),
        line,
        symbol="XBTUSD",
        tell=told.append,
    )

    assert (len(found), report.refused) == (1, 1)
    assert re.fullmatch(rf".*a\.csv\.gz:3: .*{re.escape(words)}.*", told[0]), told


@pytest.mark.parametrize("local", [7, 9], ids=["at the same time", "later"])
def test_a_trade_is_taken_once_whatever_stands_between(local: int, tmp_path: Path) -> None:
    """Rows are in the order in which they came, so that the venue's times go to and fro."""
    told: list[str] = []
    between = row(1, "b", "sell", "2", "2").replace(str(T + 8), str(T + 7))
    again = f"bitmex,XBTUSD,{T},{T + local},a,buy,1,1"

    report, found = bring_in(tmp_path, TRADES, row(0, "a", "buy", "1", "1"), between, again, tell=told.append)

    assert ([event.trade_id for event in found], report.refused) == (["a", "b"], 1)
    assert told[0].endswith("a.csv.gz:4: a row above it has its time and id: 'a'; each once would be right")


def test_a_trade_is_taken_once_from_file_to_file(tmp_path: Path) -> None:
    told: list[str] = []
    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    files[0].write_text("\n".join((TRADES, row(0, "a", "buy", "1", "1"), row(1, "b", "buy", "2", "1"), "")))
    files[1].write_text("\n".join((TRADES, row(1, "b", "buy", "2", "1"), row(2, "c", "buy", "3", "1"), "")))

    report = import_files(ImportPlan(format="tardis", paths=files, to=tmp_path / "archive", tell=told.append))

    assert (report.messages, report.refused) == (3, 1)
    assert "2.csv:2: a row above it has its time and id: 'b'" in told[0]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("1.csv", "1.csv"), r"1\.csv is named twice$"),
        (("1.csv", "link.csv"), r"link\.csv is named twice, as .*1\.csv, too$"),
        (("1.csv", "other.csv", "copy.csv"), r"1\.csv and .*copy\.csv hold the same; name one of them$"),
    ],
)
def test_a_file_that_is_there_twice_is_refused(names: tuple[str, ...], words: str, tmp_path: Path) -> None:
    """Of books, whose changes have no ids, what it holds would be told twice."""
    text = "\n".join((CHANGES, row(0, "true", "bid", "1", "1"), row(0, "true", "ask", "2", "1"), ""))
    for name in ("1.csv", "copy.csv"):
        (tmp_path / name).write_text(text)
    (tmp_path / "other.csv").write_text(text.replace("ask,2", "ask,3"))
    (tmp_path / "link.csv").symlink_to(tmp_path / "1.csv")

    with pytest.raises(ConfigError, match=words):
        import_files(ImportPlan(format="tardis", paths=[tmp_path / name for name in names], to=tmp_path / "archive"))
    assert not (tmp_path / "archive").exists()


def test_a_plain_file_that_ends_within_its_last_number_isnt_taken_for_whole(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "a.csv"
    path.write_text("\n".join((TRADES, row(0, "a", "buy", "1", "100"), row(1, "b", "buy", "1", "100")))[:-2])
    plan = ImportPlan(format="tardis", paths=[path], to=tmp_path / "archive", tell=told.append)

    report = import_files(plan)

    assert (report.messages, report.refused) == (1, 1)
    assert "a.csv:3: the file ends within this line" in told[0]
    assert import_files(attrs.evolve(plan, to=tmp_path / "said", whole=True)).messages == 2


def test_rows_of_another_exchange_dont_get_into_a_stream(tmp_path: Path) -> None:
    told: list[str] = []
    rows = [row(number, str(number), "buy", "1", "1") for number in range(3)]

    report, found = bring_in(
        tmp_path, TRADES, rows[0], rows[1].replace("bitmex", "okex"), rows[2].replace("bitmex", ""), tell=told.append
    )

    assert (len(found), report.refused) == (1, 2)
    assert told[0].endswith(
        "a.csv.gz:3: it is of another exchange: 'okex'; bitmex, as the rows above it (others make archives of their "
        "own), would be right"
    )
    assert "a.csv.gz:4: it is of another exchange: ''" in told[1]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "is empty"),
        ([TRADES], "no row could be taken"),
        (["a,b,c", "1,2,3"], "its first line is of no type that is read here; these are trades, quotes"),
    ],
)
def test_a_file_of_another_format_leaves_nothing(lines: list[str], words: str, tmp_path: Path) -> None:
    with pytest.raises(TapeError, match=words):
        bring_in(tmp_path, *lines)
    assert not (tmp_path / "archive").exists()
