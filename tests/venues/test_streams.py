from __future__ import annotations

import pytest

from strategykit.venues.streams import PRIVATE, Stream, StreamKind, stream_label, usual_lane


def test_equal_streams_are_one() -> None:
    assert len({Stream(kind=StreamKind.TRADES, instrument="SBER") for _ in range(3)}) == 1
    assert Stream(kind=StreamKind.BOOK, instrument="SBER", depth=10) != Stream(kind=StreamKind.BOOK, instrument="SBER")


@pytest.mark.parametrize("kind", StreamKind)
def test_streams_of_an_account_travel_apart_from_market_data(kind: StreamKind) -> None:
    assert usual_lane(Stream(kind=kind)) == ("orders" if kind in PRIVATE else "market")


@pytest.mark.parametrize(
    ("stream", "label"),
    [
        (Stream(kind=StreamKind.BARS, instrument="SBER", interval=60_000_000_000), "bars SBER 1m"),
        (Stream(kind=StreamKind.BARS, instrument="SBER", interval=500_000_000), "bars SBER 0.5s"),
        (Stream(kind=StreamKind.ORDERS, account="D1"), "orders D1"),
        (Stream(kind=StreamKind.TRADES), "trades"),
    ],
)
def test_labels_say_what_stream_it_is(stream: Stream, label: str) -> None:
    assert stream.label == label


def test_a_stream_of_an_unknown_kind_has_a_label_too() -> None:
    assert stream_label("greeks", None, 3_600_000_000_000) == "greeks 1h"
