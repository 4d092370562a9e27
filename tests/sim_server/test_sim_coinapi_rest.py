from __future__ import annotations

import csv
import gzip
import io
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.sim.coinapi_config import SIMULATED_KEY, CoinApiVenueConfig, default_coinapi_instruments
from strategykit.sim.coinapi_venue import CoinApiVenue
from strategykit.sim.faults import FaultCommand
from strategykit.sim.http_calls import HttpAnswer, HttpCall
from strategykit.venues.coinapi.names import Variant

START = 1_714_979_289_000_000_000
SECOND = 1_000_000_000
NOW = START + 90 * SECOND
KRAKEN, COINBASE = "KRAKEN_SPOT_ETH_EUR", "COINBASE_SPOT_BTC_USD"
LISTED = {name: each for name, each in default_coinapi_instruments().items() if name in (KRAKEN, COINBASE)}
AUTH = {"x-coinapi-key": SIMULATED_KEY}


def make_venue(*, steps: int = 900, **chosen: Any) -> CoinApiVenue:
    venue = CoinApiVenue(
        Variant.V1, CoinApiVenueConfig(**{"instruments": LISTED, "without_orders": {"KRAKEN"}, **chosen}), now=START
    )
    for step in range(1, steps + 1):
        venue.advance(START + step * SECOND // 10)
    return venue


@pytest.fixture(scope="module")
def venue() -> CoinApiVenue:
    return make_venue()


def ask(venue: CoinApiVenue, path: str, *, now: int = NOW, **query: Any) -> HttpAnswer:
    words = {name: str(value) for name, value in query.items()}
    return venue.answer(HttpCall(method="GET", path=path, query=words, headers=AUTH), now)


def get(venue: CoinApiVenue, path: str, **query: Any) -> Any:
    answer = ask(venue, f"/v1{path}", **query)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def status(venue: CoinApiVenue, path: str, **query: Any) -> int:
    answer = ask(venue, f"/v1{path}", **query)
    assert answer.status == 200 or set(json.loads(answer.body)) == {"error"}
    return answer.status


def test_trades_of_a_day_come_oldest_first_and_can_be_paged_by_time(venue: CoinApiVenue) -> None:
    everything = get(venue, f"/trades/{KRAKEN}/history", date="2024-05-06", limit=100_000)
    page = get(venue, f"/trades/{KRAKEN}/history", time_start=everything[10]["time_exchange"], limit=5)
    cut = get(venue, f"/trades/{KRAKEN}/history", time_start="2024-05-06", time_end=everything[10]["time_exchange"])

    times = [trade["time_exchange"] for trade in everything]
    assert times == sorted(times)
    assert page[0]["time_exchange"] == times[10]
    assert len(page) == 5
    assert cut == [trade for trade in everything if trade["time_exchange"] < times[10]]
    assert set(everything[0]) == {"symbol_id", "time_exchange", "time_coinapi", "uuid", "price", "size", "taker_side"}


def test_trades_can_carry_the_numbers_of_the_venue(venue: CoinApiVenue) -> None:
    trades = get(venue, f"/trades/{KRAKEN}/history", date="2024-05-06", include_id="true")

    assert trades[0]["id_trade"].isdecimal()


def test_the_latest_trades_come_newest_first(venue: CoinApiVenue) -> None:
    of_one, of_all = get(venue, f"/trades/{KRAKEN}/latest", limit=50), get(venue, "/trades/latest", limit=1_000)

    times = [trade["time_exchange"] for trade in of_all]
    assert times == sorted(times, reverse=True)
    assert {trade["symbol_id"] for trade in of_all} == set(LISTED)
    assert [trade for trade in of_all if trade["symbol_id"] == KRAKEN][:50] == of_one


def test_the_trades_of_rest_are_those_of_the_stream() -> None:
    venue = make_venue(steps=50)
    session, texts = open_stream(venue)
    now = START + 5 * SECOND
    venue.receive(session, json.dumps({"type": "hello", "subscribe_data_type": ["trade"]}), now)
    for step in range(1, 50):
        venue.advance(now + step * SECOND // 10)
    later = now + 5 * SECOND
    streamed = [{key: text[key] for key in text if key not in ("type", "sequence")} for text in texts]
    rest = json.loads(ask(venue, "/v1/trades/latest", limit=len(streamed), now=later).body)

    assert sorted(streamed, key=lambda each: each["uuid"]) == sorted(rest, key=lambda each: each["uuid"])


def open_stream(venue: CoinApiVenue) -> tuple[Any, list[dict[str, Any]]]:
    texts: list[dict[str, Any]] = []

    class Outlet:
        waiting = 0
        received = 0
        pong = None

        def send_encoded(self, text: bytes) -> None:
            texts.append(json.loads(text))

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    call = HttpCall(method="GET", path="/", headers=AUTH)
    return venue.open_session(call, Outlet(), START), texts


def test_quotes_come_as_history_as_latest_and_as_what_stands(venue: CoinApiVenue) -> None:
    history = get(venue, f"/quotes/{KRAKEN}/history", date="2024-05-06", limit=100_000)
    latest = get(venue, f"/quotes/{KRAKEN}/latest", limit=3)
    current = get(venue, f"/quotes/{KRAKEN}/current")

    assert latest == history[:-4:-1]
    assert current == history[-1]
    assert [quote["symbol_id"] for quote in get(venue, "/quotes/current")] == list(LISTED)
    assert len(get(venue, "/quotes/latest", limit=7)) == 7


def test_books_come_as_they_stand_with_the_levels_that_are_wanted(venue: CoinApiVenue) -> None:
    book = get(venue, f"/orderbooks/{KRAKEN}/current")
    cut = get(venue, f"/orderbooks/{KRAKEN}/current", limit_levels=3)
    depth = get(venue, f"/orderbooks/{KRAKEN}/depth/current")

    assert (cut["asks"], cut["bids"]) == (book["asks"][:3], book["bids"][:3])
    assert "is_snapshot" not in book
    assert [each["symbol_id"] for each in get(venue, "/orderbooks/current")] == list(LISTED)
    assert depth["ask_levels"] == len(book["asks"]) > 3
    assert depth["bid_depth"] == pytest.approx(sum(level["size"] for level in book["bids"]))


def test_books_of_the_last_minute_come_newest_first_and_none_of_the_current_day(venue: CoinApiVenue) -> None:
    latest = get(venue, f"/orderbooks/{KRAKEN}/latest", limit=5, limit_levels=2)
    times = [book["time_exchange"] for book in latest]

    assert times == sorted(times, reverse=True)
    assert [len(book["asks"]) for book in latest] == [2] * 5
    assert get(venue, f"/orderbooks/{KRAKEN}/history", date="2024-05-06") == []


def test_books_of_a_day_that_is_over_have_twenty_levels() -> None:
    midnight = 1_715_040_000 * SECOND
    venue = CoinApiVenue(Variant.V1, CoinApiVenueConfig(instruments=LISTED), now=midnight - 5 * SECOND)
    for step in range(-4, 5):
        venue.advance(midnight + step * SECOND)
    answer = ask(venue, f"/v1/orderbooks/{KRAKEN}/history", date="2024-05-06", now=midnight + 5 * SECOND)

    books = json.loads(answer.body)
    assert 2 <= len(books) <= 5
    assert max(len(book["asks"]) for book in books) <= 20


def test_books_by_order_have_ids_where_the_venue_shows_them(venue: CoinApiVenue) -> None:
    shown, hidden = (get(venue, f"/orderbooks3/{name}/current") for name in (COINBASE, KRAKEN))

    assert all(entry["id"] for entry in shown["asks"])
    assert {entry["id"] for entry in hidden["asks"]} == {None}
    assert set(shown["asks"][0]) == {"id", "price", "size"}


def test_bars_come_oldest_first_and_page_by_the_end_of_the_last(venue: CoinApiVenue) -> None:
    first = get(venue, f"/ohlcv/{KRAKEN}/history", period_id="1MIN", time_start="2024-05-06T06:00:00", limit=20)
    second = get(venue, f"/ohlcv/{KRAKEN}/history", period_id="1MIN", time_start=first[-1]["time_period_end"], limit=20)

    starts = [bar["time_period_start"] for bar in first + second]
    assert starts == sorted(set(starts))
    assert first[0]["time_period_start"] == "2024-05-06T06:00:00.0000000Z"
    assert first[0]["time_period_end"] == "2024-05-06T06:01:00.0000000Z"
    assert {"symbol_id", "period_id"}.isdisjoint(first[0])


def test_a_history_begins_with_the_first_whole_bar(venue: CoinApiVenue) -> None:
    bars = get(
        venue,
        f"/ohlcv/{KRAKEN}/history",
        period_id="5MIN",
        time_start="2024-05-06T06:02",
        time_end="2024-05-06T06:20:00",
    )

    assert [bar["time_period_start"][11:16] for bar in bars] == ["06:05", "06:10", "06:15"]


def test_the_latest_bars_come_newest_first(venue: CoinApiVenue) -> None:
    latest = get(venue, f"/ohlcv/{KRAKEN}/latest", period_id="1MIN", limit=3)

    assert [bar["time_period_start"][11:16] for bar in latest] == ["07:09", "07:08", "07:07"]


def test_empty_bars_come_when_they_are_wanted() -> None:
    venue = CoinApiVenue(Variant.V1, CoinApiVenueConfig(instruments=LISTED, actions_per_second=0), now=START)
    bars = {
        flag: json.loads(
            ask(
                venue,
                f"/v1/ohlcv/{KRAKEN}/history",
                period_id="1SEC",
                time_start="2024-05-06T07:08:05.5",
                include_empty_items=flag,
                now=START + 3 * SECOND,
            ).body
        )
        for flag in ("true", "false")
    }
    latest = json.loads(
        ask(
            venue,
            f"/v1/ohlcv/{KRAKEN}/latest",
            period_id="1SEC",
            limit=5,
            include_empty_items="1",
            now=START + 3 * SECOND,
        ).body
    )

    assert [bar["trades_count"] for bar in bars["true"]] == [1, 1, 1, 0, 0, 0, 0]
    assert bars["true"][-1]["price_open"] is None
    assert bars["false"] == bars["true"][:3]
    assert latest == bars["true"][:1:-1]


def test_bars_of_a_whole_venue_say_whose_they_are(venue: CoinApiVenue) -> None:
    span = {"period_id": "1HRS", "time_start": "2024-05-06T00:00", "time_end": "2024-05-07T00:00"}
    bars = get(venue, "/ohlcv/exchanges/KRAKEN/history", **span)

    assert {bar["symbol_id"] for bar in bars} == {KRAKEN}
    assert get(venue, "/ohlcv/exchanges/MOON/history", **span) == []
    assert status(venue, "/ohlcv/exchanges/KRAKEN/history", **{**span, "period_id": "2DAY"}) == 400
    assert status(venue, "/ohlcv/exchanges/KRAKEN/history", **{**span, "time_start": "2024-05-05"}) == 400


def test_periods_are_listed(venue: CoinApiVenue) -> None:
    periods = {period["period_id"]: period for period in get(venue, "/ohlcv/periods")}

    assert periods["15MIN"]["length_seconds"] == 900
    assert (periods["2HRS"]["unit_count"], periods["2HRS"]["unit_name"]) == (2, "hour")


def test_rates_come_for_pairs_that_are_known(venue: CoinApiVenue) -> None:
    rate = get(venue, "/exchangerate/BTC/USD")
    rates = get(venue, "/exchangerate/BTC")
    history = get(venue, "/exchangerate/BTC/USD/history", period_id="1MIN", time_start="2024-05-06T07:00", limit=3)

    assert rate["rate"] == pytest.approx(61_800, rel=0.1)
    assert [bar["time_period_start"][11:16] for bar in history] == ["07:00", "07:01", "07:02"]
    assert history[0]["rate_low"] <= history[0]["rate_close"] <= history[0]["rate_high"]
    assert rates["asset_id_base"] == "BTC"
    assert {row["asset_id_quote"]: row["rate"] for row in rates["rates"]}["USD"] == rate["rate"]
    assert status(venue, "/exchangerate/BTC/MOON") == 550
    assert status(venue, "/exchangerate/MOON") == 550
    assert get(venue, "/exchangerate/BTC/MOON/history", period_id="1MIN", time_start="2024-05-06") == []


def test_metadata_are_filtered(venue: CoinApiVenue) -> None:
    assert [each["symbol_id"] for each in get(venue, "/symbols")] == list(LISTED)
    assert [each["symbol_id"] for each in get(venue, "/symbols/KRAKEN")] == [KRAKEN]
    assert [each["symbol_id"] for each in get(venue, "/symbols/COINBASE/active")] == [COINBASE]
    assert [each["symbol_id"] for each in get(venue, "/symbols", filter_symbol_id="BTC;X")] == [COINBASE]
    assert [each["symbol_id"] for each in get(venue, "/symbols", filter_exchange_id="KRAKEN,X")] == [KRAKEN]
    assert [each["symbol_id"] for each in get(venue, "/symbols", filter_asset_id="EUR")] == [KRAKEN]
    assert get(venue, "/symbols/KRAKEN/history") == get(venue, "/symbols", filter_asset_id="MOON") == []
    assert [each["exchange_id"] for each in get(venue, "/exchanges")] == ["COINBASE", "KRAKEN"]
    assert [each["exchange_id"] for each in get(venue, "/exchanges/KRAKEN")] == ["KRAKEN"]
    assert [each["asset_id"] for each in get(venue, "/assets", filter_asset_id="BTC,EUR")] == ["BTC", "EUR"]
    assert [each["type_is_crypto"] for each in get(venue, "/assets")] == [1, 1, 0, 0]
    assert [each["price_usd"] for each in get(venue, "/assets/EUR") + get(venue, "/assets/USD")] == [None, 1.0]


def test_the_map_gives_the_names_of_the_venue_and_its_steps(venue: CoinApiVenue) -> None:
    row = get(venue, "/symbols/map/KRAKEN")[0]

    assert (row["symbol_id"], row["symbol_id_exchange"]) == (KRAKEN, "ETH-EUR")
    assert (row["price_precision"], row["size_precision"]) == (0.01, 0.0001)


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/quotes/MOON/current", {}, 550),
        ("/orderbooks/MOON/current", {}, 550),
        ("/orderbooks/MOON/depth/current", {}, 550),
        ("/orderbooks3/MOON/current", {}, 550),
        ("/trades/MOON/history", {"date": "2024-05-06"}, 200),
        ("/ohlcv/MOON/history", {"period_id": "1MIN", "time_start": "2024-05-06"}, 200),
        ("/trades", {}, 404),
        ("/moon", {}, 404),
        ("/exchanges/a/b", {}, 404),
        ("/", {}, 404),
        (f"/trades/{KRAKEN}/history", {}, 400),
        (f"/trades/{KRAKEN}/history", {"date": "yesterday"}, 400),
        (f"/trades/{KRAKEN}/history", {"time_start": "2024-05-06", "time_end": "2024-05-07T01:00"}, 400),
        (f"/trades/{KRAKEN}/history", {"time_start": "2024-05-06", "time_end": "2024-05-05"}, 400),
        (f"/trades/{KRAKEN}/history", {"date": "2024-05-06", "limit": 0}, 400),
        (f"/trades/{KRAKEN}/history", {"date": "2024-05-06", "limit": 100_001}, 400),
        (f"/trades/{KRAKEN}/history", {"date": "2024-05-06", "limit": "²"}, 400),
        (f"/ohlcv/{KRAKEN}/history", {"time_start": "2024-05-06"}, 400),
        (f"/ohlcv/{KRAKEN}/latest", {"period_id": "1MTH"}, 400),
        ("/symbols", {"output_format": "xml"}, 400),
    ],
)
def test_what_is_not_there_or_not_possible_is_refused(
    venue: CoinApiVenue, path: str, query: dict[str, Any], code: int
) -> None:
    assert status(venue, path, **query) == code


def test_without_a_good_key_nothing_is_answered(venue: CoinApiVenue) -> None:
    call = HttpCall(method="GET", path="/v1/symbols", headers={"x-coinapi-key": "wrong"})
    by_path = HttpCall(method="GET", path=f"/v1/symbols/APIKEY-{SIMULATED_KEY}")

    assert venue.answer(call, NOW).status == 401
    assert json.loads(venue.answer(call, NOW).body) == {"error": "Invalid API key"}
    assert venue.answer(by_path, NOW).status == 200


def test_only_get_is_served_and_only_where_something_is(venue: CoinApiVenue) -> None:
    assert venue.answer(HttpCall(method="POST", path="/v1/symbols", headers=AUTH), NOW).status == 405
    assert ask(venue, "/moon").status == 404


def test_a_call_costs_a_credit_for_a_hundred_items_and_for_a_day_ten_at_the_most() -> None:
    venue = make_venue(actions_per_second=200, instruments={KRAKEN: LISTED[KRAKEN]})
    spans: list[tuple[int, dict[str, Any]]] = [
        (1, {"date": "2024-05-06"}),
        (101, {"time_start": "2024-05-06"}),
        (100_000, {"time_start": "2024-05-06"}),
        (100_000, {"date": "2024-05-06"}),
    ]
    costs = [
        ask(venue, f"/v1/trades/{KRAKEN}/history", limit=limit, **span).headers["X-RateLimit-Request-Cost"]
        for limit, span in spans
    ]

    assert costs[:2] == ["1", "2"]
    assert int(costs[2]) > 10
    assert costs[3] == "10"


def test_credits_run_out_and_come_back_the_next_day() -> None:
    venue = CoinApiVenue(Variant.V1, CoinApiVenueConfig(instruments=LISTED, source=[], credits=2), now=START)
    answers = [ask(venue, "/v1/exchanges") for _ in range(3)]
    later = ask(venue, "/v1/exchanges", now=NOW + 86_400 * SECOND)

    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 86_400
    assert (later.status, later.headers["X-RateLimit-Used"]) == (200, "1")


def test_without_a_quota_none_is_told() -> None:
    venue = CoinApiVenue(Variant.V1, CoinApiVenueConfig(instruments=LISTED, source=[], credits=0), now=START)

    assert set(ask(venue, "/v1/exchanges").headers) == {"X-RateLimit-Request-Cost", "X-RateLimit-Used"}


def test_an_answer_is_compressed_for_those_who_ask(venue: CoinApiVenue) -> None:
    call = HttpCall(method="GET", path="/v1/symbols", headers={**AUTH, "accept-encoding": "deflate, gzip"})
    answer = venue.answer(call, NOW)

    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == ask(venue, "/v1/symbols").body


def table(answer: HttpAnswer, delimiter: str = ";") -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.body.decode()), delimiter=delimiter))


def test_answers_come_as_tables(venue: CoinApiVenue) -> None:
    path = f"/v1/trades/{KRAKEN}/latest"
    query: dict[str, Any] = {"limit": 2, "output_format": "csv"}
    usual = ask(venue, path, **query)
    special = ask(
        venue,
        path,
        **query,
        csv_set_delimiter=",",
        csv_set_dec_mark=",",
        csv_include_header="false",
        csv_exclude_col="uuid,symbol_id",
        csv_include_quotes="true",
    )

    assert usual.content_type.startswith("text/csv")
    assert table(usual)[0] == list(get(venue, path.removeprefix("/v1"), limit=1)[0])
    assert [len(row) for row in table(usual)] == [7] * 3
    assert len(special.body.splitlines()) == 2
    assert b'"BUY"' in special.body or b'"SELL"' in special.body


def test_a_single_item_is_a_table_of_one_row_with_lists_as_json(venue: CoinApiVenue) -> None:
    header, row = table(ask(venue, f"/v1/orderbooks/{KRAKEN}/current", output_format="csv", limit_levels=1))

    assert json.loads(row[header.index("asks")])[0].keys() == {"price", "size"}


def test_nothing_is_an_empty_cell() -> None:
    venue = CoinApiVenue(Variant.V1, CoinApiVenueConfig(instruments=LISTED, source=[]), now=START)
    header, row = table(ask(venue, f"/v1/quotes/{KRAKEN}/current", output_format="csv"))

    assert row[header.index("ask_price")] == ""


def listing(venue: CoinApiVenue, now: int = NOW, **query: Any) -> tuple[list[str], list[str], str]:
    query = {name.replace("_", "-"): value for name, value in query.items()}
    text = ask(venue, "/bucket/", now=now, **query).body.decode()
    token = re.search("<NextContinuationToken>(.*)</NextContinuationToken>", text)
    keys, prefixes = re.findall("<Key>(.*?)</Key>", text), re.findall("<CommonPrefixes><Prefix>(.*?)</Prefix>", text)
    return keys, prefixes, token[1] if token else ""


def file(venue: CoinApiVenue, kind: str, symbol: str = KRAKEN, now: int = NOW) -> list[str]:
    key = next(key for key in listing(venue, now, prefix=f"T-{kind}/")[0] if f"SC-{symbol}+" in key)
    answer = ask(venue, f"/bucket/{key}", now=now)
    assert answer.status == 200
    return gzip.decompress(answer.body).decode().splitlines()


def test_flat_files_are_listed_by_prefix_folder_and_page(venue: CoinApiVenue) -> None:
    keys, _, _ = listing(venue)
    assert len(keys) == 6
    assert "T-TRADES/D-20240506/E-KRAKEN/IDDI-4001+SC-KRAKEN_SPOT_ETH_EUR+S-ETH__002DEUR.csv.gz" in keys
    assert listing(venue, prefix="T-T", delimiter="/") == ([], ["T-TRADES/"], "")
    first, _, token = listing(venue, max_keys=4)
    rest, _, end = listing(venue, max_keys="lots", continuation_token=token)

    assert (first + rest, end) == (keys, "")
    assert listing(venue, start_after=keys[4])[0] == keys[5:]


def test_a_file_stands_for_a_minute() -> None:
    venue = make_venue(steps=50, instruments={KRAKEN: LISTED[KRAKEN]})
    now = START + 5 * SECOND
    first = file(venue, "TRADES", now=now)
    for step in range(1, 11):
        venue.advance(now + step * SECOND)
    same = file(venue, "TRADES", now=now + 10 * SECOND)
    anew = file(venue, "TRADES", now=now + 61 * SECOND)

    assert len(first) == len(same) < len(anew)
    assert same == first == anew[: len(first)]


def test_what_is_no_file_is_not_found(venue: CoinApiVenue) -> None:
    assert ask(venue, "/bucket/T-TRADES/moon.csv.gz").status == 404


def test_a_file_of_trades_has_those_that_rest_has(venue: CoinApiVenue) -> None:
    header, *lines = file(venue, "TRADES")
    trades = get(venue, f"/trades/{KRAKEN}/history", date="2024-05-06", limit=100_000)
    rows = [dict(zip(header.split(";"), line.split(";"), strict=True)) for line in lines]

    assert [row["guid"] for row in rows] == [trade["uuid"] for trade in trades]
    assert [float(row["base_amount"]) for row in rows] == [trade["size"] for trade in trades]
    assert [f"{row['time_exchange']}Z" for row in rows] == [trade["time_exchange"] for trade in trades]


def test_a_file_of_quotes_has_those_that_rest_has(venue: CoinApiVenue) -> None:
    header, *lines = file(venue, "QUOTES")
    quotes = get(venue, f"/quotes/{KRAKEN}/history", date="2024-05-06", limit=100_000)

    assert header == "time_exchange,time_coinapi,ask_px,ask_sx,bid_px,bid_sx"
    assert [float(line.split(",")[2]) for line in lines] == [quote["ask_price"] for quote in quotes]


def replay(lines: list[str]) -> tuple[dict[float, float], dict[float, float]]:
    book: tuple[dict[float, float], dict[float, float]] = {}, {}
    for line in lines:
        _, _, is_buy, kind, price, size = line.split(",")
        assert kind in ("SNAPSHOT", "SET")
        book[int(is_buy)][float(price)] = float(size)
    asks, bids = ({price: size for price, size in side.items() if size} for side in book)
    return asks, bids


def test_a_file_of_books_leads_to_the_book_that_stands(venue: CoinApiVenue) -> None:
    header, *lines = file(venue, "LIMITBOOK_FULL")
    book = get(venue, f"/orderbooks/{KRAKEN}/current")

    assert header == "time_exchange,time_coinapi,is_buy,update_type,entry_px,entry_sx"
    assert replay(lines) == tuple({each["price"]: each["size"] for each in book[side]} for side in ("asks", "bids"))


def test_a_file_of_books_stays_true_when_its_beginning_is_no_longer_kept_and_after_midnight() -> None:
    midnight = 1_715_040_000 * SECOND
    venue = CoinApiVenue(
        Variant.V1,
        CoinApiVenueConfig(instruments={KRAKEN: LISTED[KRAKEN]}, actions_per_second=400),
        now=midnight - 10 * SECOND,
    )
    for step in range(-1_500, 1_000):
        venue.advance(midnight + step * SECOND // 200)
    now = midnight + 5 * SECOND
    key = listing(venue, prefix="T-LIMIT")[0][0].replace("20240506", "20240507")
    lines = gzip.decompress(ask(venue, f"/bucket/{key}", now=now).body).decode().splitlines()[1:]
    book = json.loads(ask(venue, f"/v1/orderbooks/{KRAKEN}/current", now=now).body)

    assert lines[0].startswith("2024-05-07T00:00:00.0000000")
    assert replay(lines) == tuple({each["price"]: each["size"] for each in book[side]} for side in ("asks", "bids"))


def test_files_can_be_as_the_sample_programs_read_them() -> None:
    venue = make_venue(sample_files=True, instruments={KRAKEN: LISTED[KRAKEN]}, steps=50)
    book, quotes, trades = (file(venue, kind) for kind in ("LIMITBOOK_FULL", "QUOTES", "TRADES"))

    assert book[0] == "time_exchange;time_coinapi;update_type;is_buy;entry_px;entry_sx"
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{7}", quotes[1].split(";")[0])
    assert trades[1].startswith("2024-05-06T")


NAMES = (
    *("date", "time_start", "time_end", "limit", "limit_levels", "period_id", "include_id", "output_format"),
    *("filter_symbol_id", "include_empty_items", "csv_set_delimiter", "prefix", "max-keys", "delimiter"),
)
VALUES = (
    *("", "1", "0", "-1", "2024-05-06", "2024-05-06T07:08:09.1", "1MIN", "1SEC", "csv", "json", "true", ";"),
    *("x" * 50, "99999999999999999999", "1970-01-01", "2261-12-31"),
)
QUERIES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES) | st.text(max_size=3), max_size=4)
PARTS = (
    *("trades", "quotes", "orderbooks", "orderbooks3", "ohlcv", "symbols", "exchangerate", "assets", "exchanges"),
    *(KRAKEN, "KRAKEN", "history", "latest", "current", "depth", "map", "BTC", "USD", "..", ""),
)
PATHS = st.lists(st.sampled_from(PARTS), max_size=4)


@given(PATHS, QUERIES, st.sampled_from(["/v1/", "/bucket/", "/"]))
@settings(max_examples=150, deadline=None)
def test_whatever_is_asked_is_answered(venue: CoinApiVenue, path: list[str], query: dict[str, str], root: str) -> None:
    answer = venue.answer(HttpCall(method="GET", path=root + "/".join(path), query=query, headers=AUTH), NOW)

    assert answer.status in (200, 400, 404, 550)
    if answer.status != 200 and root == "/v1/":
        assert set(json.loads(answer.body)) == {"error"}


def test_calls_can_be_refused_for_a_while() -> None:
    venue = make_venue(steps=10)

    assert venue.fault(FaultCommand("refuse_calls", seconds=2, status=429), NOW) == 0
    refused = ask(venue, "/v1/exchanges")
    assert (refused.status, json.loads(refused.body)) == (429, {"error": "REST isn't available for the moment"})
    assert ask(venue, "/v1/exchanges", now=NOW + 2 * SECOND).status == 200
    venue.fault(FaultCommand("refuse_calls"), NOW)
    assert ask(venue, "/v1/exchanges").status == 503
