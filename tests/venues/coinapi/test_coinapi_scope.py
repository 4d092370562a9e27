"""Whatever is wanted, given up and reconnected, the venue's scope is what is wanted, after the fewest messages."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import product
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.venues.coinapi.names import PERIODS, DataType, Variant
from strategykit.venues.coinapi.scope import subscribe_messages, unsubscribe_messages
from strategykit.venues.coinapi.server_requests import Hello, Limits, Subscribe, Unsubscribe, decode_request
from strategykit.venues.coinapi.server_scope import Scope, Subject
from strategykit.venues.coinapi.targets import find_target
from strategykit.venues.streams import Stream, StreamKind

SECOND = 1_000_000_000
SYMBOLS = ["KRAKEN_SPOT_ETH_EUR", "KRAKEN_SPOT_ETH_EUR_2", "KRAKEN_SPOT_BTC_USD", "COINBASE_SPOT_BTC_USD"]
PAIRS = ["SOL/USD", "BTC/USD"]
ASSETS = ["SOL", "BTC"]
PERIOD_NAMES = ["1MIN", "5SEC", "1DAY"]

market = st.builds(
    lambda kind, symbol, depth, pace: Stream(
        kind=kind,
        instrument=symbol,
        depth=depth if kind is StreamKind.BOOK else None,
        frequency=pace if kind is StreamKind.QUOTES or (kind is StreamKind.BOOK and depth in (5, 20)) else None,
    ),
    st.sampled_from([StreamKind.TRADES, StreamKind.QUOTES, StreamKind.BOOK, StreamKind.BOOK_BY_ORDER]),
    st.sampled_from(SYMBOLS),
    st.sampled_from([None, 5, 20]),
    st.sampled_from([None, 250_000_000, SECOND]),
)
bars = st.builds(
    lambda symbol, period: Stream(kind=StreamKind.BARS, instrument=symbol, interval=PERIODS[period]),
    st.sampled_from(SYMBOLS),
    st.sampled_from(PERIOD_NAMES),
)
others = st.sampled_from(
    [Stream(kind=StreamKind.VOLUME, instrument=symbol) for symbol in SYMBOLS]
    + [Stream(kind=StreamKind.QUOTES, instrument=pair) for pair in PAIRS]
    + [Stream(kind=StreamKind.RATE, instrument=pair) for pair in PAIRS]
    + [Stream(kind=StreamKind.ASSET, instrument=asset) for asset in ASSETS]
)
streams = {Variant.V1: market | bars | others, Variant.DS: market}


def subjects() -> Iterable[tuple[DataType, Subject]]:
    """Give all that could be told: of types that know a symbol, a pair or an asset."""
    for symbol, data_type in product(SYMBOLS, DataType):
        exchange, _, base, quote = symbol.split("_")[:4]
        for period in PERIOD_NAMES if data_type is DataType.OHLCV else [None]:
            yield data_type, Subject(symbol, exchange, base, quote, period)
    for pair in [*PAIRS, "SOL/EUR", "USD/SOL"]:
        yield DataType.EXRATE, Subject(base=pair.split("/")[0], quote=pair.split("/")[1])
    for asset in [*ASSETS, "USD"]:
        yield DataType.ASSET, Subject(base=asset)


SUBJECTS = [
    (data_type, subject)
    for data_type, subject in subjects()
    if subject.symbol is not None or data_type in (DataType.EXRATE, DataType.ASSET)
    if not (subject.symbol is not None and data_type in (DataType.EXRATE, DataType.ASSET))
]


def name_of(data_type: DataType, subject: Subject) -> str:
    if data_type is DataType.EXRATE:
        return f"{subject.base}/{subject.quote}"
    return str(subject.base if data_type is DataType.ASSET else subject.symbol)


@attrs.define(eq=False)
class Far:
    """The venue's end of one connection."""

    variant: Variant
    scope: Scope = attrs.field(factory=Scope)
    limits: Limits = attrs.field(factory=Limits)
    greeted: int = 0
    """Hello and subscribe messages: those that count."""

    def hear(self, messages: list[str]) -> None:
        for message in messages:
            request = decode_request(message, self.variant)
            assert isinstance(request, Hello | Subscribe | Unsubscribe), request
            said = attrs.asdict(request.limits, filter=lambda _, value: value is not None)
            filters = request.filters
            if self.variant is Variant.DS and filters.symbols is not None:
                filters = attrs.evolve(filters, symbols=frozenset(f"{name}$" for name in filters.symbols))
            if isinstance(request, Hello):
                assert request.heartbeat is True
                self.scope, self.limits = Scope().hello(request.types, filters), request.limits
            else:
                assert self.greeted, "the first message is a hello"
                self.limits = attrs.evolve(self.limits, **said)
                change = self.scope.subscribe if isinstance(request, Subscribe) else self.scope.unsubscribe
                self.scope = change(request.types, filters)
            self.greeted += not isinstance(request, Unsubscribe)

    def told(self) -> set[tuple[DataType, str, str | None]]:
        return {
            (data_type, name_of(data_type, subject), subject.period)
            for data_type, subject in SUBJECTS
            if self.scope.match(data_type, subject)
        }


def wanted(held: Iterable[Stream], variant: Variant) -> set[tuple[DataType, str, str | None]]:
    targets = [find_target(stream, variant) for stream in held]
    return {(target.data_type, target.name, target.period) for target in targets}


def pace(held: Iterable[Stream], *types: DataType, variant: Variant) -> int:
    return min((s.frequency or 0 for s in held if find_target(s, variant).data_type in types), default=0)


def check(far: Far, held: list[Stream]) -> None:
    assert far.told() == wanted(held, far.variant)
    for said, types in (
        (far.limits.quote, [DataType.QUOTE]),
        (far.limits.book, [DataType.BOOK5, DataType.BOOK20, DataType.BOOK50]),
    ):
        if any(target in {find_target(s, far.variant).data_type for s in held} for target in types):
            assert (said or 0) == pace(held, *types, variant=far.variant)


@pytest.mark.parametrize("variant", Variant)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_the_scope_is_what_is_wanted_after_whatever_has_happened(variant: Variant, data: st.DataObject) -> None:
    far, held = Far(variant), list[Stream]()
    for _ in range(data.draw(st.integers(1, 7))):
        step = data.draw(st.sampled_from(["want", "want", "release", "reconnect", "again"]))
        if step == "want":
            new = [each for each in data.draw(st.lists(streams[variant], min_size=1, max_size=6)) if each not in held]
            new = list(dict.fromkeys(new))
            far.hear(subscribe_messages(new, held, variant))
            held += new
        elif step == "release" and held:
            old = data.draw(st.lists(st.sampled_from(held), min_size=1, max_size=4, unique=True))
            held = [each for each in held if each not in old]
            far.hear(unsubscribe_messages(old, held, variant))
        elif step == "again" and held:
            one = data.draw(st.sampled_from(held))
            rest = [each for each in held if each != one]
            far.hear(unsubscribe_messages([one], rest, variant))
            far.hear(subscribe_messages([one], rest, variant))
        elif step == "reconnect" and held:
            far = Far(variant)
            far.hear(subscribe_messages(held, (), variant))
            targets = [find_target(stream, variant) for stream in held]
            kinds = {(target.data_type, target.period) for target in targets}
            assert far.greeted <= min(len(kinds), len({target.name for target in targets}) + 2)
        check(far, held)


def words(messages: list[str]) -> list[dict[str, Any]]:
    return [json.loads(message) for message in messages]


def stream(kind: StreamKind, instrument: str = SYMBOLS[0], **more: Any) -> Stream:
    return Stream(kind=kind, instrument=instrument, **more)


def test_many_symbols_of_the_same_types_are_one_hello() -> None:
    held = [
        stream(kind, f"KRAKEN_SPOT_{name}_EUR", **more)
        for name in ("ETH", "BTC", "SOL")
        for kind, more in ((StreamKind.TRADES, {}), (StreamKind.BARS, {"interval": 60 * SECOND}))
    ]

    assert words(subscribe_messages(held, (), Variant.V1)) == [
        {
            "type": "hello",
            "heartbeat": True,
            "subscribe_data_type": ["ohlcv", "trade"],
            "subscribe_filter_symbol_id": ["KRAKEN_SPOT_BTC_EUR$", "KRAKEN_SPOT_ETH_EUR$", "KRAKEN_SPOT_SOL_EUR$"],
            "subscribe_filter_period_id": ["1MIN"],
        }
    ]


def test_types_with_other_symbols_are_a_message_of_their_own() -> None:
    held = [stream(StreamKind.TRADES, name) for name in SYMBOLS]
    held += [stream(StreamKind.QUOTES, name) for name in SYMBOLS[1:]]

    hello, more = words(subscribe_messages(held, (), Variant.DS))

    assert (hello["type"], more["type"]) == ("hello", "subscribe")
    assert "heartbeat" not in more
    pairs = [
        pair
        for message in (hello, more)
        for pair in product(message["subscribe_data_type"], message["subscribe_filter_symbol_id"])
    ]
    assert sorted(pairs) == sorted([("trade", name) for name in SYMBOLS] + [("quote", name) for name in SYMBOLS[1:]])


def test_what_is_there_already_isnt_asked_for_again() -> None:
    held = [stream(StreamKind.TRADES, depth=5)]

    assert subscribe_messages([stream(StreamKind.TRADES)], held, Variant.V1) == []
    assert unsubscribe_messages([stream(StreamKind.TRADES)], held, Variant.V1) == []


def test_a_whole_book_is_asked_for_again_because_it_begins_with_a_snapshot() -> None:
    (again,) = words(subscribe_messages([stream(StreamKind.BOOK, depth=100)], [stream(StreamKind.BOOK)], Variant.V1))

    assert (again["type"], again["subscribe_data_type"]) == ("subscribe", ["book"])


def test_one_period_of_several_leaves_and_the_others_come_back() -> None:
    minute, day = (stream(StreamKind.BARS, interval=PERIODS[name]) for name in ("1MIN", "1DAY"))

    gone, back = words(unsubscribe_messages([minute], [day], Variant.V1))

    assert (gone["type"], gone["subscribe_data_type"]) == ("unsubscribe", ["ohlcv"])
    assert "subscribe_filter_period_id" not in gone
    assert (back["type"], back["subscribe_filter_period_id"]) == ("subscribe", ["1DAY"])


def test_the_most_impatient_stream_decides_how_often_all_come() -> None:
    slow, fast = (stream(StreamKind.QUOTES, frequency=ms * 1_000_000) for ms in (500, 100))
    every = stream(StreamKind.QUOTES)

    (hello,) = words(subscribe_messages([slow, fast], (), Variant.V1))
    (lifted,) = words(subscribe_messages([every], [slow, fast], Variant.V1))
    (set_again,) = words(unsubscribe_messages([every], [slow, fast], Variant.V1))

    assert hello["subscribe_update_limit_ms_quote"] == 100
    assert lifted["subscribe_update_limit_ms_quote"] == 0
    assert (set_again["type"], set_again["subscribe_update_limit_ms_quote"]) == ("subscribe", 100)


def test_a_pace_that_was_left_behind_is_said_anew() -> None:
    trades, every = stream(StreamKind.TRADES), stream(StreamKind.QUOTES)

    (more,) = words(subscribe_messages([every], [trades], Variant.V1))

    assert more["subscribe_update_limit_ms_quote"] == 0


@pytest.mark.parametrize(
    ("asked", "variant", "why"),
    [
        (Stream(kind=StreamKind.TRADES), "v1", "needs an instrument"),
        (stream(StreamKind.ORDERS), "v1", "CoinAPI has no stream of the kind orders; it has asset, bars"),
        (stream(StreamKind.BARS, interval=SECOND), "ds", "CoinAPI's DS has no ohlcv; V1 has"),
        (stream(StreamKind.BARS, interval=90 * SECOND), "v1", "bars of 90 s: CoinAPI has those of 1SEC, 2SEC"),
        (stream(StreamKind.BARS), "v1", "a subscription to bars needs an interval"),
        (stream(StreamKind.TRADES, interval=SECOND), "v1", "a subscription to trades has no interval"),
        (stream(StreamKind.TRADES, depth=100_001), "v1", "100001 past trades: the venue gives 0 to 100000"),
        (stream(StreamKind.BOOK, depth=0), "v1", "a book depth of 0 levels: at least 1"),
        (stream(StreamKind.QUOTES, depth=1), "v1", "a subscription to quotes has no depth"),
        (stream(StreamKind.RATE), "v1", "'KRAKEN_SPOT_ETH_EUR': rates, and nothing else, are of pairs such as"),
        (stream(StreamKind.TRADES, "SOL/USD"), "v1", "'SOL/USD': rates, and nothing else, are of pairs such as"),
        (stream(StreamKind.RATE, "SOL/USD"), "ds", "CoinAPI's DS has no exrate; V1 has"),
        (stream(StreamKind.TRADES, frequency=SECOND), "v1", "trade has no frequency"),
        (stream(StreamKind.BOOK, frequency=SECOND), "v1", "book has no frequency"),
        (stream(StreamKind.QUOTES, frequency=1_500_000), "v1", r"1\.5 ms: CoinAPI takes whole ms"),
        (stream(StreamKind.QUOTES, frequency=0), "v1", "0 ms: CoinAPI takes whole ms"),
        (stream(StreamKind.TRADES, "BTC-USD"), "ds", "'BTC-USD' is no symbol id of CoinAPI's"),
        (stream(StreamKind.QUOTES, "SOL/USD"), "ds", "'SOL/USD' is no symbol id of CoinAPI's"),
    ],
)
def test_what_the_venue_doesnt_have_is_refused_in_words(asked: Stream, variant: str, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        subscribe_messages([asked], (), Variant(variant))
