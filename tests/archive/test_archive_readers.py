"""Files of an archive are read by others as they are: pyarrow, polars and duckdb see prices, times and sides."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from strategykit.archive.manifest import Source
from strategykit.archive.writer import open_archive_writer
from strategykit.model.events import BookDelta, Quote, Side, Trade
from strategykit.venues.streams import Stream, StreamKind

DAY = 86_400 * 10**9
START = 19_000 * DAY - 2_000_000_000
TRADES = Stream(kind=StreamKind.TRADES, instrument="SBER")
BOOK = Stream(kind=StreamKind.BOOK, instrument="SBER")
QUOTES = Stream(kind=StreamKind.QUOTES, instrument="SBER")
COUNT = 2_000
"""Rows from which on encodings are chosen by what they save; over two days."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("readers") / "archive"
    with open_archive_writer(to, source=Source(format="test", names=[]), venue="alor") as writer:
        for number in range(COUNT):
            time = START + number * 2_000_001
            side = (Side.BUY, Side.SELL, None)[number % 3]
            price = 250 + (number * 7 % 40) / 100
            writer.add(TRADES, Trade("SBER", price, number % 9 + 1.0, side, number, time - 1_000_001, time, "g"))
            bid = None if number % 10 == 0 else price
            writer.add(QUOTES, Quote("SBER", bid, 1.0, price + 1 / 3, 2.0, None, None, time, "g"))
            levels = tuple(round(price - level / 100, 2) for level in range(number % 4))
            writer.add(BOOK, BookDelta("SBER", levels, (1.5,) * len(levels), (), (), None, time, "g", number))
    return to


def test_pyarrow_reads_a_stream_as_one_dataset(folder: Path) -> None:
    table = ds.dataset(folder / "trades-SBER" / "Trade", format="parquet").to_table()

    assert len(table) == COUNT
    assert [str(field.type) for field in table.schema] == [
        *("decimal128(18, 2)", "decimal128(18, 0)", "string", "int64", "timestamp[ns]", "timestamp[ns]", "bool"),
    ]
    assert table.column("price")[1].as_py() == Decimal("250.07")
    assert table.column("side").to_pylist()[:3] == ["buy", "sell", None]
    assert table.column("receive_time").cast("int64").to_pylist() == [START + n * 2_000_001 for n in range(COUNT)]


def test_polars_reads_a_stream_as_one_frame(folder: Path) -> None:
    trades = pl.scan_parquet(folder / "trades-SBER" / "Trade" / "*.parquet").collect()
    books = pl.scan_parquet(folder / "book-SBER" / "BookDelta" / "*.parquet").collect()
    quotes = pl.read_parquet(folder / "quotes-SBER" / "Quote" / "*.parquet")

    assert trades.height == books.height == quotes.height == COUNT
    assert trades["price"].to_list()[:2] == [Decimal("250.00"), Decimal("250.07")]
    assert trades["trade_id"].to_list() == list(range(COUNT))
    assert books["bid_prices"].to_list()[2] == [Decimal("250.14"), Decimal("250.13")]
    assert books["ask_prices"].list.len().sum() == 0
    assert quotes["bid"].null_count() == COUNT / 10
    assert quotes["ask"].to_list()[0] == 250 + 1 / 3  # No decimal: it stays the number that it is.


def test_duckdb_reads_a_stream_by_a_query(folder: Path) -> None:
    with duckdb.connect() as database:
        found = database.execute(
            "select count(*), sum(quantity), min(receive_time), count(side) "
            f"from '{folder}/trades-SBER/Trade/*.parquet'"
        ).fetchone()
        levels = database.execute(f"select sum(len(bid_prices)) from '{folder}/book-SBER/*/*.parquet'").fetchone()

    assert found is not None
    count, volume, first, sided = found
    assert (count, volume, sided) == (COUNT, sum(n % 9 + 1 for n in range(COUNT)), COUNT - COUNT // 3)
    assert first == datetime(2022, 1, 7, 23, 59, 58)  # noqa: DTZ001 - without a zone, as it is stored: UTC
    assert levels == (sum(n % 4 for n in range(COUNT)),)


def test_numbers_are_stored_as_few_bits(folder: Path) -> None:
    (path,) = (folder / "trades-SBER" / "Trade").glob("2022-01-08.parquet")
    group = pq.read_metadata(path).row_group(0)
    columns = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}

    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert columns["trade_id"].encodings == ("RLE", "DELTA_BINARY_PACKED")
    assert columns["price"].physical_type == "INT64"
    assert columns["trade_id"].total_compressed_size < group.num_rows / 5
