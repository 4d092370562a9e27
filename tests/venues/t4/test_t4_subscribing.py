"""What is asked of T4: one frame a market, as strong as the strongest that needs it, and accounts by name."""

from __future__ import annotations

from typing import Any

import pytest

from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server import decode_request
from strategykit.venues.t4.server_requests import SubscribeAccounts, SubscribeByOrder, SubscribeDepth

CL = "CME_Ny/CL/XCME_Ny CL (Z26)"
ALL = enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES
NONE = enums.ACCOUNT_SUBSCRIBE_TYPE_NONE


def asked(bench: Any, new: list[Any], held: list[Any] | None = None) -> list[Any]:
    return [decode_request(frame) for frame in bench.dialect.subscribe(new, held or [], token="")]


def ended(bench: Any, old: list[Any], held: list[Any] | None = None) -> list[Any]:
    return [decode_request(frame) for frame in bench.dialect.unsubscribe(old, held or [], token="")]


def strength(request: Any) -> tuple[str, str]:
    assert isinstance(request, SubscribeDepth)
    buffer = enums.DepthBuffer.Name(request.buffer).removeprefix("DEPTH_BUFFER_")
    return buffer, enums.DepthLevels.Name(request.levels).removeprefix("DEPTH_LEVELS_")


@pytest.mark.parametrize(
    ("kinds", "pace", "wanted"),
    [
        ([("quotes", {})], "smart", ("SMART", "BEST_ONLY")),
        ([("instrument", {})], "slow", ("SLOW_SMART", "BEST_ONLY")),
        ([("book", {})], "fast", ("FAST_SMART", "NORMAL")),
        ([("book", {"depth": 1})], "smart", ("SMART", "BEST_ONLY")),
        ([("book", {"depth": 11})], "all", ("ALL", "ALL")),
        ([("trades", {})], "smart", ("TRADE_ONLY", "BEST_ONLY")),
        ([("trades", {}), ("quotes", {})], "smart", ("SMART_TRADE", "BEST_ONLY")),
        ([("bars", {"interval": 60 * 10**9}), ("book", {"depth": 5})], "slow", ("SLOW_TRADE", "NORMAL")),
        ([("trades", {}), ("book", {"depth": 50})], "fast", ("FAST_TRADE", "ALL")),
        ([("trades", {}), ("book", {})], "all", ("ALL", "NORMAL")),
    ],
)
def test_one_frame_serves_all_who_share_a_market(
    make_bench: Any, kinds: list[tuple[str, dict[str, Any]]], pace: str, wanted: tuple[str, str]
) -> None:
    bench = make_bench(pace=pace)
    rows = [bench.want(kind, **fields) for kind, fields in kinds]

    (request,) = asked(bench, rows)

    assert strength(request) == wanted
    assert (request.exchange_id, request.contract_id, request.market_id) == ("CME_Eq", "ES", "XCME_Eq ES (Z26)")


def test_what_is_held_keeps_its_strength_when_something_weaker_comes(bench: Any) -> None:
    held = [bench.want("book", depth=50), bench.want("trades")]

    (request,) = asked(bench, [bench.want("quotes")], held)

    assert strength(request) == ("SMART_TRADE", "ALL")


def test_each_market_has_a_frame_of_its_own(bench: Any) -> None:
    requests = asked(bench, [bench.want("quotes"), bench.want("quotes", CL), bench.want("book")])

    assert [request.contract_id for request in requests] == ["ES", "CL"]


def test_a_market_is_let_go_when_the_last_row_leaves(bench: Any) -> None:
    quotes, book = bench.want("quotes"), bench.want("book")

    assert ended(bench, [quotes], [book]) == []
    (request,) = ended(bench, [quotes, book])
    assert strength(request) == ("NO_SUBSCRIPTION", "UNDEFINED")


def test_books_by_order_are_asked_for_by_themselves(make_bench: Any) -> None:
    bench = make_bench(by_order=True)
    book, quotes = bench.want("book"), bench.want("quotes")

    by_order, depth = asked(bench, [book, quotes])

    assert by_order == SubscribeByOrder(
        exchange_id="CME_Eq", contract_id="ES", market_id="XCME_Eq ES (Z26)", subscribe=True
    )
    assert strength(depth) == ("SMART", "BEST_ONLY")
    (off,) = ended(bench, [book], [quotes])
    assert isinstance(off, SubscribeByOrder)
    assert not off.subscribe


def test_an_accounts_streams_are_one_subscription(bench: Any) -> None:
    rows = [bench.want(kind) for kind in ("orders", "fills", "positions", "summary")]
    other = bench.want("orders", account="SIM-2")

    (request,) = asked(bench, [*rows, other])

    assert request == SubscribeAccounts(
        subscribe=ALL, all_accounts=False, accounts=("SIM-1", "SIM-2"), upl_mode=enums.UPL_MODE_AVERAGE
    )


def test_an_account_that_is_held_is_entered_anew_for_its_beginning(bench: Any) -> None:
    held = [bench.want("orders"), bench.want("orders", account="SIM-2")]

    out, back = asked(bench, [bench.want("positions")], held)

    assert (out.subscribe, out.accounts) == (NONE, ("SIM-1",))
    assert (back.subscribe, back.accounts) == (ALL, ("SIM-1",))


def test_an_account_is_left_when_nobody_wants_it(bench: Any) -> None:
    orders, fills = bench.want("orders"), bench.want("fills")

    assert ended(bench, [orders], [fills]) == []
    (request,) = ended(bench, [orders, fills, bench.want("quotes")], [bench.want("book")])
    assert (request.subscribe, request.accounts) == (NONE, ("SIM-1",))


def test_a_second_application_carries_orders_and_the_account(make_bench: Any) -> None:
    one, two = make_bench(), make_bench(second_app="orders")

    assert one.want("quotes").connection == one.want("orders").connection == "session-0"
    assert (two.want("quotes").connection, two.want("orders").connection) == ("market-0", "orders-0")
    assert (one.dialect.commands, two.dialect.commands) == ("session", "orders")
    assert (one.dialect.limits.connections, two.dialect.limits.connections) == (1, 2)
    lane = one.dialect.lanes["session"]
    assert (lane.beat_every, lane.silence_within, lane.ping_every, lane.renews) == (20.0, 60.0, None, False)
