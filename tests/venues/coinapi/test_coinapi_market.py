"""Quotes, rates, volumes, assets and bars."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.model.events import AssetUpdate, Bar, Gap, Quote, Rate, Volume
from strategykit.venues.coinapi import bars as bars_module
from strategykit.venues.coinapi.times import write_time
from strategykit.venues.dialect import Reply
from strategykit.venues.streams import StreamKind
from strategykit.venues.subscriptions import SubscriptionState

START = 1_714_979_280_000_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def quote(lab: Any, bid: float | None, *, at: int = 0, by: str = "market-0", **more: Any) -> Any:
    fields = {"bid_price": bid, "bid_size": 1, "ask_price": 200, "ask_size": 2, **more}
    return lab.feed(lab.frame("quote", at=at, **fields), by)


def test_a_quote_says_what_is_known(lab: Any) -> None:
    lab.want(StreamKind.QUOTES)

    (found,) = quote(lab, 99.5, at=3)
    (empty,) = quote(lab, None, at=4, bid_size=None, ask_price=0, ask_size=0)
    (sizeless,) = quote(lab, 99, at=5, bid_size=0)

    assert isinstance(found, Quote)
    assert (found.bid, found.bid_size, found.ask, found.ask_size, found.last) == (99.5, 1, 200, 2, None)
    assert found.event_time == START + 3_000_000
    assert (empty.bid, empty.bid_size, empty.ask, empty.ask_size) == (None, None, None, None)
    assert (sizeless.bid, sizeless.bid_size) == (99, None), "a size of 0 isn't known"


def test_the_clock_of_events_can_be_the_venues_own(make_lab: Any) -> None:
    from strategykit.venues.coinapi.dialect import CoinApi

    lab = make_lab(CoinApi(clock="coinapi"))
    lab.want(StreamKind.QUOTES)

    (found,) = quote(lab, 99, at=3, time_coinapi="2024-05-06T07:08:00.1234567Z")

    assert found.event_time == START + 123_456_700


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_quotes_of_two_connections_come_once_each_in_order(make_lab: Any, data: st.DataObject) -> None:
    """Several quotes can have one time."""
    lab = make_lab()
    lab.want(StreamKind.QUOTES)
    steps = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=10))
    times = [sum(steps[: number + 1]) for number in range(len(steps))]
    begins = data.draw(st.integers(0, len(times)))
    told = quote(lab, 1000, at=-1)
    lab.table.replace("market-0", "market-0~2")
    ways = {"market-0": list(enumerate(times, 1)), "market-0~2": list(enumerate(times, 1))[begins:]}
    while any(ways.values()):
        by = data.draw(st.sampled_from([name for name, left in ways.items() if left]))
        number, at = ways[by].pop(0)
        told += quote(lab, 1000 + number, at=at, by=by, sequence=number)

    assert [thing.bid for thing in told] == [1000 + number for number in range(len(times) + 1)]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_quotes_that_two_connections_lose_lie_in_gaps(make_lab: Any, data: st.DataObject) -> None:
    lab = make_lab()
    lab.want(StreamKind.QUOTES)
    steps = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=10))
    times = [sum(steps[: number + 1]) for number in range(len(steps))]
    begins = data.draw(st.integers(0, len(times)))
    told = quote(lab, 1000, at=-1, sequence=0)
    lost = {name: data.draw(st.sets(st.integers(1, 10), max_size=3)) for name in ("market-0", "market-0~2")}
    if data.draw(st.booleans()):
        lost["market-0~2"] |= lost["market-0"]
    lab.table.replace("market-0", "market-0~2")
    ways = {"market-0": list(enumerate(times, 1)), "market-0~2": list(enumerate(times, 1))[begins:]}
    while any(ways.values()):
        by = data.draw(st.sampled_from([name for name, left in ways.items() if left]))
        number, at = ways[by].pop(0)
        if number not in lost[by]:
            told += quote(lab, 1000 + number, at=at, by=by, sequence=number)

    last, gap = 999, False
    for thing in told:
        if isinstance(thing, Gap):
            gap = True
        elif thing.bid > last:
            assert thing.bid == last + 1 or gap
            last, gap = thing.bid, False
    quotes = [thing for thing in told if isinstance(thing, Quote)]
    seen = [thing.event_time or 0 for thing in quotes]
    assert seen == sorted(seen), "of one moment, what was lost on one connection may come late by the other"
    assert len({thing.bid for thing in quotes}) == len(quotes)


def test_an_earlier_takeover_that_failed_leads_nowhere(lab: Any) -> None:
    row = lab.want(StreamKind.QUOTES)
    quote(lab, 1, sequence=1)
    lab.table.replace("market-0", "market-0~2")
    assert quote(lab, 3, at=2, by="market-0~2", sequence=1) == []
    lab.lose()
    lab.table.moved(row)
    quote(lab, 4, at=3, by="market-0~2", sequence=2)
    lab.table.replace("market-0~2", "market-0~3")

    assert quote(lab, 6, at=5, by="market-0~3", sequence=1) == [], "the old one still has what lies between"
    assert row.connection == "market-0~2"


def test_quotes_whose_times_go_back_are_told_all_the_same(lab: Any) -> None:
    lab.want(StreamKind.QUOTES)

    assert [quote(lab, bid, at=at)[0].bid for bid, at in ((1, 5), (2, 3), (3, 5))] == [1, 2, 3]


def test_an_asset_is_taken_over_with_whatever_comes_first(lab: Any) -> None:
    row = lab.want(StreamKind.ASSET, "BTC")
    lab.table.replace("market-0", "market-0~2")

    assert len(lab.feed('{"type":"asset","asset_id":"BTC","a":1}', "market-0~2")) == 1
    assert row.connection == "market-0~2"


def test_a_lost_quote_is_a_gap_and_nothing_is_asked(lab: Any) -> None:
    lab.want(StreamKind.QUOTES)
    quote(lab, 1, sequence=1)

    gap, found = quote(lab, 2, at=1, sequence=3)

    assert isinstance(gap, Gap)
    assert found.bid == 2
    assert (lab.resubscribed, lab.needs) == ([], [])


def test_a_silent_stream_that_lost_something_is_awake_again(lab: Any) -> None:
    row = lab.want(StreamKind.QUOTES)
    row.fresh_within = 1
    quote(lab, 1, sequence=1)
    lab.now += 10
    assert lab.table.silent(lab.now)

    gap, _ = quote(lab, 2, at=1, sequence=3)

    assert isinstance(gap, Gap)
    assert row.state is SubscriptionState.ACTIVE


def rate(lab: Any, value: float, kind: str | None, *, at: int = 0) -> Any:
    message = {
        "type": "exrate",
        "asset_id_base": "SOL",
        "asset_id_quote": "USD",
        "time": write_time(START + at * SECOND),
        "rate": value,
    }
    return lab.feed(json.dumps(message if kind is None else message | {"rate_type": kind}))


def test_a_pair_has_its_rate_as_the_last_price(lab: Any) -> None:
    lab.want(StreamKind.QUOTES, "SOL/USD")

    (found,) = rate(lab, 151.23456789, "BASE_QUOTE_ISOLATED", at=1)

    assert (found.instrument, found.last, found.bid, found.event_time) == (
        "SOL/USD",
        151.23456789,
        None,
        START + SECOND,
    )


def test_a_rate_says_how_it_was_found(lab: Any) -> None:
    lab.want(StreamKind.RATE, "SOL/USD")
    lab.want(StreamKind.QUOTES, "SOL/USD")

    found, quoted = rate(lab, 151.2, "BASE_QUOTE_ISOLATED", at=1)

    assert isinstance(found, Rate)
    assert (found.instrument, found.rate, found.method) == ("SOL/USD", 151.2, "BASE_QUOTE_ISOLATED")
    assert (found.event_time, found.guid, quoted.last, quoted.guid) == (START + SECOND, "g1", 151.2, "g2")


def test_of_several_rates_the_one_with_the_most_markets_behind_it_is_told(lab: Any) -> None:
    lab.want(StreamKind.QUOTES, "SOL/USD")
    told = rate(lab, 1, "BASE_QUOTE_ISOLATED") + rate(lab, 2, None) + rate(lab, 3, "BASE_ALL_CROSSES_TO_REF")

    told += (
        rate(lab, 4, "BASE_QUOTE_ISOLATED", at=1)
        + rate(lab, 5, None, at=1)
        + rate(lab, 6, "BASE_AND_QUOTE_TO_REF", at=1)
    )

    assert [each.last for each in told] == [1, 2, 3, 6]


def test_volumes_are_told_by_symbol_when_they_have_changed(lab: Any) -> None:
    lab.want(StreamKind.VOLUME)

    def volume(base: float) -> Any:
        rows = [
            {"symbol_id": name, "asset_id_base": "ETH", "asset_id_quote": "EUR", "volume_base": base, "volume_quote": 2}
            for name in ("KRAKEN_SPOT_ETH_EUR", "OTHER_SPOT_A_B")
        ]
        message = {"type": "volume", "period_id": "1DAY", "time_coinapi": write_time(START), "volume_by_symbol": rows}
        return lab.feed(json.dumps(message))

    (told,) = volume(1.5)
    assert isinstance(told, Volume)
    assert (told.period, told.base, told.quote, told.event_time) == ("1DAY", 1.5, 2, START)
    assert volume(1.5) == []
    assert len(volume(1.75)) == 1
    assert lab.table.foreign == 0


def test_an_asset_is_told_whole_when_it_has_changed(lab: Any) -> None:
    lab.want(StreamKind.ASSET, "BTC")
    message = {"type": "asset", "asset_id": "BTC", "name": "Bitcoin", "price_usd": 61_800.5, "extra": [1]}

    (told,) = lab.feed(json.dumps(message))

    assert isinstance(told, AssetUpdate)
    assert (told.instrument, json.loads(told.facts)["extra"]) == ("BTC", [1])
    assert (told.name, told.is_crypto, told.price_usd, told.volume_day_usd) == ("Bitcoin", None, 61_800.5, None)
    (known,) = lab.feed(json.dumps(message | {"type_is_crypto": 1, "volume_1day_usd": 5}))
    assert (known.is_crypto, known.volume_day_usd) == (True, 5)
    lab.feed(json.dumps(message))
    assert lab.feed(json.dumps(message)) == []


def bar(lab: Any, minute: float, *, close: float = 10, now: float = 0, period: str = "1MIN", **more: Any) -> Any:
    """Feed a bar of a minute after `START`; `now` is the time of its coming in seconds after `START`."""
    lab.now = START + int(now * SECOND)
    start = START + int(minute * MINUTE)
    fields = {
        "type": "ohlcv",
        "symbol_id": "KRAKEN_SPOT_ETH_EUR",
        "period_id": period,
        "time_period_start": write_time(start),
        "time_period_end": write_time(start + MINUTE),
        "time_open": None,
        "time_close": None,
        "price_open": 10,
        "price_high": 20,
        "price_low": 5,
        "price_close": close,
        "volume_traded": 1.5,
        "trades_count": 3,
    }
    return lab.feed(json.dumps(fields | more))


def brief_bars(things: Any) -> list[tuple[int, float, bool]]:
    """Give minute, close and whether it is over; past ones with their minute below 0."""
    return [
        ((thing.open_time - START) // MINUTE * (-1 if thing.snapshot else 1), thing.close, thing.closed)
        for thing in things
        if isinstance(thing, Bar)
    ]


def test_a_bar_is_told_as_it_forms_and_once_when_it_is_over(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE)

    assert brief_bars(bar(lab, 0, close=10, now=5)) == [(0, 10, False)]
    assert brief_bars(bar(lab, 0, close=10, now=10)) == [], "nothing is new"
    assert brief_bars(bar(lab, 0, close=11, now=15)) == [(0, 11, False)]
    assert brief_bars(bar(lab, 0, close=12, now=60.1)) == [(0, 12, True)]
    assert brief_bars(bar(lab, 0, close=13, now=60.2)) == [], "over is over"
    assert brief_bars(bar(lab, 1, close=14, now=65)) == [(1, 14, False)]
    assert brief_bars(bar(lab, 3, close=15, now=185)) == [(1, 14, True), (3, 15, False)]


def test_a_bar_by_a_clock_that_is_behind_is_over_when_the_next_begins(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE)
    bar(lab, 0, close=11, now=59.9)

    assert brief_bars(bar(lab, 1, close=12, now=64.9)) == [(0, 11, True), (1, 12, False)]


def test_a_bar_without_trades_has_no_prices_and_is_none(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE)
    none: Any = {"price_open": None, "price_high": None, "price_low": None, "price_close": None}

    assert bar(lab, 0, now=60, **none) == []
    with pytest.raises(RemoteProtocolError, match="some prices, but not all"):
        bar(lab, 0, price_low=None)
    with pytest.raises(RemoteProtocolError, match="aren't between its low and high"):
        bar(lab, 0, close=21)


def test_bars_of_other_periods_are_others_but_count(lab: Any) -> None:
    """Numbers count over all periods of a symbol."""
    minute = lab.want(StreamKind.BARS, interval=MINUTE)
    second = lab.want(StreamKind.BARS, interval=5 * SECOND)

    bar(lab, 0, now=1, sequence=1)
    assert second.state is SubscriptionState.ASKED
    (five,) = bar(lab, 0, now=1, sequence=2, period="5SEC")
    assert (five.guid, five.interval) == (second.guid, 5 * SECOND)
    told = bar(lab, 0, close=11, now=2, sequence=3)
    assert [thing.guid for thing in told] == [minute.guid]
    told = bar(lab, 0, close=12, now=3, sequence=5)
    assert isinstance(told[0], Gap)


def history(*minutes: int) -> list[Bar]:
    return [
        Bar("X", START + minute * MINUTE, MINUTE, 1, 1, 1, minute, 1, False, None, START, "", snapshot=True)
        for minute in minutes
    ]


def test_bars_that_ended_while_the_wire_was_cut_are_asked_for(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE)
    bar(lab, 0, now=60)
    bar(lab, 1, now=65)
    lab.lose()

    assert brief_bars(bar(lab, 4, now=245)) == []
    ask = lab.needs[0].ask
    assert (ask.count, ask.until, ask.interval) == (3, START + 4 * MINUTE, MINUTE)
    assert bar(lab, 4, close=11, now=250) == []
    assert brief_bars(lab.answer(history(0, 1, 2, 3, 4))) == [
        (-1, 1, True),
        (-2, 2, True),
        (-3, 3, True),
        (4, 10, False),
        (4, 11, False),
    ]


def test_a_lost_bar_is_asked_for_once_the_next_begins(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE)
    bar(lab, 0, close=8, now=30, sequence=1)

    (gap,) = bar(lab, 1, now=65, sequence=4)
    assert isinstance(gap, Gap)
    assert brief_bars(lab.answer(history(0))) == [(0, 0, True), (1, 10, False)]


def test_bars_join_the_history_from_where_it_was_wanted(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE, since=START - 2 * MINUTE)

    bar(lab, 0, now=5)
    assert lab.needs[0].ask.count == 2
    note, *told = lab.answer(None, "429: too many")
    assert isinstance(note, Reply)
    assert brief_bars(told) == [(0, 10, False)]
    assert brief_bars(bar(lab, 1, now=65)) == [(0, 10, True), (1, 10, False)]


def test_another_loss_while_bars_are_waited_for_asks_anew(lab: Any) -> None:
    lab.want(StreamKind.BARS, interval=MINUTE)
    bar(lab, 0, now=60)
    lab.lose()
    bar(lab, 2, now=125)
    lab.lose()
    bar(lab, 4, now=245)

    first, second = lab.needs
    lab.needs = [first]
    assert lab.answer(history(1)) == []
    lab.needs = [second]
    assert brief_bars(lab.answer(history(1, 2, 3))) == [(-1, 1, True), (-2, 2, True), (-3, 3, True), (4, 10, False)]


def test_too_many_messages_dont_wait_for_bars(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars_module, "_MOST_HELD", 2)
    lab.want(StreamKind.BARS, interval=MINUTE, since=START - MINUTE)

    told = [thing for close in (10, 11, 12) for thing in bar(lab, 0, close=close, now=5)]

    assert brief_bars(told) == [(0, 10, False), (0, 11, False), (0, 12, False)]
    assert lab.answer(history(-1)) == []


def test_bars_are_taken_over_with_the_next_of_their_period(lab: Any) -> None:
    row = lab.want(StreamKind.BARS, interval=MINUTE)
    bar(lab, 0, now=5)
    lab.table.replace("market-0", "market-0~2")
    text = json.dumps(
        {
            "type": "ohlcv",
            "symbol_id": "KRAKEN_SPOT_ETH_EUR",
            "period_id": "1SEC",
            "time_period_start": write_time(START),
            "price_open": 1,
            "price_high": 1,
            "price_low": 1,
            "price_close": 1,
        }
    )

    assert lab.feed(text, "market-0~2") == []
    assert row.connection == "market-0"
    assert len(lab.feed(text.replace("1SEC", "1MIN"), "market-0~2")) == 1
    assert row.connection == "market-0~2"
