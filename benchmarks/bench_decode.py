"""What decoding costs: nanoseconds from one ALOR text frame to its event, against decoding it into a bare struct.

Candidates run in turns, medians are printed, and ratios are to msgspec's struct. ``event`` is `Cursor.decode`;
``dialect`` is `Alor.decode`, which also finds the subscription by its guid and keeps its books.
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs
import cattrs
import msgspec

from benchmarks.figures import Figure, figure
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.alor.parsing import FrameCursor
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscriptions

__all__ = ["main", "measure"]

GUID: Final = "f35a2373-612c-4518-54af-72025384f59b"
NOW: Final = 1_773_306_907_000_000_000
ROUNDS: Final = 9

TRADE: Final[dict[str, Any]] = {
    "id": int, "orderno": int, "symbol": str, "board": str, "qty": int, "price": float, "time": str,
    "timestamp": int, "oi": int, "existing": bool, "side": str,
}  # fmt: skip
QUOTE: Final[dict[str, Any]] = {
    "symbol": str, "exchange": str, "description": str, "prev_close_price": float, "last_price": float,
    "last_price_timestamp": int, "high_price": float, "low_price": float, "accruedInt": float, "volume": float,
    "open_price": float, "ask": float, "bid": float, "ask_vol": int, "bid_vol": int, "ob_ms_timestamp": int,
    "open_interest": int, "lotsize": float, "lotvalue": float, "facevalue": float, "type": str,
    "total_bid_vol": int, "total_ask_vol": int, "change": float, "change_percent": float,
}  # fmt: skip
LEVEL: Final[dict[str, Any]] = {"price": float, "volume": float}


def trade(rnd: random.Random, number: int) -> dict[str, Any]:
    return {
        "id": 7_000_000_000 + number, "orderno": 0, "symbol": "SBER", "board": "TQBR", "qty": rnd.randrange(1, 400),
        "price": round(rnd.uniform(270, 280), 2), "time": "2026-03-12T09:15:07.1234567Z",
        "timestamp": NOW // 1_000_000 + number, "oi": 0, "existing": False, "side": rnd.choice(["buy", "sell"]),
    }  # fmt: skip


def quote(rnd: random.Random, number: int) -> dict[str, Any]:
    price = round(rnd.uniform(270, 280), 2)
    return {
        "symbol": "SBER", "exchange": "MOEX", "description": "Sberbank ao", "prev_close_price": round(price - 0.5, 2),
        "last_price": price, "last_price_timestamp": NOW // 1_000_000_000, "high_price": price + 1,
        "low_price": price - 1, "accruedInt": 0, "volume": 28_000 + number, "open_price": price,
        "ask": round(price + 0.01, 2), "bid": round(price - 0.01, 2), "ask_vol": rnd.randrange(1, 5_000),
        "bid_vol": rnd.randrange(1, 5_000), "ob_ms_timestamp": NOW // 1_000_000 + number, "open_interest": 0,
        "yield": None, "lotsize": 10, "lotvalue": 2_750.0, "facevalue": 3, "type": "CS", "total_bid_vol": 1_029_331,
        "total_ask_vol": 993_121, "change": 0.55, "change_percent": 0.21,
    }  # fmt: skip


def book(rnd: random.Random, number: int) -> dict[str, Any]:
    price = round(rnd.uniform(270, 280), 2)

    def levels(sign: int) -> list[dict[str, Any]]:
        return [
            {"price": round(price + sign * place * 0.01, 2), "volume": rnd.randrange(1, 9_999)} for place in range(20)
        ]

    return {
        "snapshot": False, "bids": levels(-1), "asks": levels(1), "timestamp": NOW // 1_000_000_000,
        "ms_timestamp": NOW // 1_000_000 + number, "existing": False,
    }  # fmt: skip


@attrs.frozen
class Kind:
    name: str
    stream: StreamKind
    make: Callable[[random.Random, int], dict[str, Any]]
    fields: Mapping[str, Any]
    count: int


KINDS: Final = (
    Kind("trade", StreamKind.TRADES, trade, TRADE, 8_000),
    Kind("quote", StreamKind.QUOTES, quote, QUOTE, 4_000),
    Kind(
        "book of 20 levels",
        StreamKind.BOOK,
        book,
        {"snapshot": bool, "bids": list, "asks": list, "timestamp": int, "ms_timestamp": int, "existing": bool},
        1_000,
    ),
)


def frames(kind: Kind, count: int) -> list[str]:
    rnd = random.Random(7)
    return [
        json.dumps({"data": kind.make(rnd, number), "guid": GUID}, separators=(",", ":")) for number in range(count)
    ]


def struct_decoder(kind: Kind) -> Callable[[str], object]:
    """Give the floor: all fields into a struct, nothing else."""
    level = msgspec.defstruct("Level", list(LEVEL.items()), gc=False)
    listed: Any = list[level]  # type: ignore[valid-type]  # a type made at run time
    fields = [(name, listed if type_ is list else type_) for name, type_ in kind.fields.items()]
    row = msgspec.defstruct("Row", fields, gc=False)
    return msgspec.json.Decoder(msgspec.defstruct("Frame", [("data", row), ("guid", str)], gc=False)).decode


def plain_decoder(kind: Kind) -> Callable[[str], object]:
    """Give the usual way: the standard library's parser and a converter with default settings."""
    level = attrs.make_class("Level", {name: attrs.field(type=type_) for name, type_ in LEVEL.items()})
    listed: Any = list[level]  # type: ignore[valid-type]  # a type made at run time
    fields = {name: attrs.field(type=listed if type_ is list else type_) for name, type_ in kind.fields.items()}
    row = attrs.make_class("Row", fields)
    frame = attrs.make_class("Frame", {"data": attrs.field(type=row), "guid": attrs.field(type=str)})
    structure = cattrs.Converter().structure
    return lambda text: structure(json.loads(text), frame)


def subscribed(kind: Kind) -> tuple[Alor, Subscriptions]:
    dialect = Alor(format="Simple")
    table = Subscriptions(dialect.limits, {"market": 1}, lambda: GUID, dialect.cursor)
    table.want(Stream(kind=kind.stream, instrument="SBER"), "bench")
    table.asked(GUID)
    table.confirmed(GUID, NOW)
    return dialect, table


def run_plainly(decode: Callable[[str], object], texts: Sequence[str]) -> None:
    for text in texts:
        decode(text)


def run_cursor(kind: Kind, texts: Sequence[str]) -> None:
    _, table = subscribed(kind)
    decode = cast("FrameCursor", table.by_guid[GUID].cursor).decode
    for text in texts:
        decode(text, NOW)


def run_dialect(kind: Kind, texts: Sequence[str]) -> None:
    dialect, table = subscribed(kind)
    decode = dialect.decode
    for text in texts:
        decode(text, table, connection="market-0", receive_time=NOW)


def measure(kind: Kind, *, scale: float = 1.0, rounds: int = ROUNDS) -> dict[str, float]:
    """Give the median nanoseconds a frame of each candidate."""
    texts = frames(kind, max(1, int(kind.count * scale)))
    struct, plain = struct_decoder(kind), plain_decoder(kind)
    candidates: dict[str, Callable[[], None]] = {
        "struct": lambda: run_plainly(struct, texts),
        "event": lambda: run_cursor(kind, texts),
        "dialect": lambda: run_dialect(kind, texts),
        "json+cattrs": lambda: run_plainly(plain, texts),
    }
    times: dict[str, list[float]] = {name: [] for name in candidates}
    enabled = gc.isenabled()
    gc.disable()
    try:
        for turn in range(rounds + 1):
            for name, candidate in candidates.items():
                began = time.perf_counter_ns()
                candidate()
                took = (time.perf_counter_ns() - began) / len(texts)
                if turn:  # The first turn warms up.
                    times[name].append(took)
            gc.collect()
    finally:
        if enabled:
            gc.enable()
    return {name: statistics.median(each) for name, each in times.items()}


def main(scale: float = 1.0) -> dict[str, Figure]:
    """Measure, print, and give the figures by name."""
    figures = {}
    print(f"{'decoding, ns a frame':<22}{'struct':>9}{'event':>16}{'dialect':>16}{'json+cattrs':>18}")
    for kind in KINDS:
        found = measure(kind, scale=scale, rounds=ROUNDS if scale >= 1 else 1)
        floor = found["struct"]
        cells = "".join(
            f"{found[name]:>{width}.0f} ({found[name] / floor:.2f}x)"
            for name, width in (("event", 8), ("dialect", 8), ("json+cattrs", 9))
        )
        print(f"  {kind.name:<20}{floor:>9.0f}{cells}")
        figures[f"decode_{kind.name.split()[0]}_vs_struct"] = figure(
            f"decoding a {kind.name}, against a bare msgspec struct",
            f"{found['event']:.0f} ns a frame",
            found["event"] / floor,
            must=2.2,
            goal=1.7,
            better="lower",
        )
    return figures


if __name__ == "__main__":
    main()
