"""Order commands, their tags, and requests for which strategies have no verbs: what is written is read back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import LocalProtocolError
from strategykit.model.event_class import altered
from strategykit.model.events import Side
from strategykit.model.orders import AmendOrder, CancelOrder, CreateOrder, OrderRequest, OrderType, TimeInForce
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server import decode_request
from strategykit.venues.t4.server_requests import (
    Activation,
    Batch,
    Pull,
    PullOrders,
    Revise,
    ReviseOrders,
    Submission,
    Ticket,
)
from strategykit.venues.t4.tags import read_tag, write_tag

REQUEST = OrderRequest(
    client_order_id="run-s-1",
    account="SIM-1",
    instrument="CME_Eq/ES/XCME_Eq ES (Z26)",
    side=Side.BUY,
    quantity=Decimal(3),
    type=OrderType.LIMIT,
    price=Decimal("5950.25"),
)


def told(command: Any) -> Any:
    return decode_request(T4().command(command))


def created(**changes: Any) -> Any:
    (ticket,) = told(CreateOrder(guid="run-s-1", request=altered(REQUEST, **changes))).tickets
    return ticket


@pytest.mark.parametrize(
    ("changes", "price_type", "limit", "stop"),
    [
        ({"type": OrderType.MARKET, "price": None}, "MARKET", None, None),
        ({}, "LIMIT", "5950.25", None),
        ({"type": OrderType.STOP, "price": None, "stop_price": Decimal(5960)}, "STOP_MARKET", None, "5960"),
        ({"type": OrderType.STOP_LIMIT, "stop_price": Decimal(5960)}, "STOP_LIMIT", "5950.25", "5960"),
    ],
)
def test_every_type_of_order_has_a_form(changes: Any, price_type: str, limit: str | None, stop: str | None) -> None:
    ticket = created(**changes)

    assert ticket.price_type == enums.PriceType.Value(f"PRICE_TYPE_{price_type}")
    assert (ticket.limit_price, ticket.stop_price) == (limit and Decimal(limit), stop and Decimal(stop))
    assert (ticket.buy_sell, ticket.volume, ticket.tag) == (enums.BUY_SELL_BUY, 3, "run-s-1")


@pytest.mark.parametrize(
    ("time_in_force", "name"),
    [
        (TimeInForce.DAY, "NORMAL"),
        (TimeInForce.IMMEDIATE_OR_CANCEL, "IMMEDIATE_AND_CANCEL"),
        (TimeInForce.FILL_OR_KILL, "COMPLETE_VOLUME"),
        (TimeInForce.GOOD_TILL_CANCELLED, "GOOD_TILL_CANCELLED"),
        (TimeInForce.AT_THE_CLOSE, "MARKET_ON_CLOSE"),
    ],
)
def test_every_time_in_force_but_one_has_a_form(time_in_force: TimeInForce, name: str) -> None:
    assert created(time_in_force=time_in_force).time_type == enums.TimeType.Value(f"TIME_TYPE_{name}")


def test_a_programs_order_isnt_marked_as_entered_by_hand() -> None:
    submission = told(CreateOrder(guid="run-s-1", request=REQUEST))

    assert (submission.manual, submission.account_id, submission.market_id) == (False, "SIM-1", "XCME_Eq ES (Z26)")


def test_an_iceberg_shows_what_it_is_to_show() -> None:
    assert created(display_quantity=Decimal(1)).max_show == 1


def test_an_amend_asks_for_the_whole_volume_and_not_for_what_remains() -> None:
    amend = AmendOrder(
        guid="run-s-1-a1",
        venue_order_id="U1",
        request=altered(REQUEST, quantity=Decimal(2), display_quantity=Decimal(1)),
        filled=Decimal(4),
    )

    (revision,) = told(amend).revisions

    assert (revision.unique_id, revision.volume, revision.max_show) == ("U1", 6, 1)
    assert (revision.limit_price, revision.stop_price, revision.tag) == (Decimal("5950.25"), None, "run-s-1~r-a1")


def test_a_cancel_names_the_order_and_itself() -> None:
    pulls = told(CancelOrder(guid="run-s-1-c2", venue_order_id="U1", request=REQUEST))

    assert pulls == PullOrders(account_id="SIM-1", market_id="XCME_Eq ES (Z26)", pulls=(Pull("U1", "run-s-1~p-c2"),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time_in_force": TimeInForce.POST_ONLY}, "time in force 'post_only'"),
        ({"price": None}, "limit order needs a price"),
        ({"type": OrderType.MARKET}, "market order has no price"),
        ({"stop_price": Decimal(1)}, "limit order has no stop price"),
        ({"price": Decimal("NaN")}, "is no number"),
        ({"quantity": Decimal("1.5")}, "whole lots"),
        ({"quantity": Decimal(0)}, "whole lots"),
        ({"quantity": Decimal(2**31)}, "whole lots"),
        ({"quantity": Decimal("NaN")}, "whole lots"),
        ({"display_quantity": Decimal("0.5")}, "whole lots"),
        ({"type": OrderType.MARKET, "price": None, "display_quantity": Decimal(1)}, "can't be an iceberg"),
        ({"expire_time": 1}, "activation conditions"),
        ({"protect_seconds": 1}, "activation conditions"),
        ({"active": False}, "activation conditions"),
        ({"client_order_id": "a~b"}, "with '~' in it"),
        ({"client_order_id": "\ud800"}, "can't be written"),
        ({"instrument": "ES"}, "name exchange, contract and market"),
    ],
)
def test_what_t4_has_no_form_for_is_refused_before_anything_leaves(changes: Any, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        created(**changes)


IDS = st.text(st.characters(blacklist_characters="~", blacklist_categories=["Cs"]), max_size=12)


@settings(max_examples=100, deadline=None)
@given(IDS, st.text(max_size=12), st.booleans())
def test_whatever_a_change_is_called_its_tag_gives_it_back(client: str, guid: str, is_usual: bool) -> None:
    guid = client + guid if is_usual else guid
    request = altered(REQUEST, client_order_id=client)
    amend = AmendOrder(guid=guid, venue_order_id="U", request=request)
    cancel = CancelOrder(guid=guid, venue_order_id="U", request=request)

    assert read_tag(write_tag(amend)) == (client or None, AmendOrder, guid)
    assert read_tag(write_tag(cancel)) == (client or None, CancelOrder, guid)
    assert read_tag(write_tag(CreateOrder(guid=guid, request=request))) == (client or None, None, None)


@pytest.mark.parametrize("tag", ["", "x", "x~", "x~y", "~", "FIX:1~2"])
def test_other_peoples_tags_are_their_ids(tag: str) -> None:
    assert read_tag(tag) == (tag or None, None, None)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
LOTS = st.integers(0, 2**31 - 1)
MAYBE_LOTS = st.none() | LOTS
TIMES = st.integers(0, 4 * 10**9).map(lambda steps: steps * 10**9)
PRICES = st.none() | st.decimals(-(10**9), 10**9, places=4).map(lambda price: price.normalize() + 0)
SIDES = st.sampled_from([enums.BUY_SELL_BUY, enums.BUY_SELL_SELL])
ACTIVATIONS = st.none() | st.builds(
    Activation,
    submit_time=st.none() | TIMES,
    submit_delay_ms=MAYBE_LOTS,
    cancel_time=st.none() | TIMES,
    cancel_delay_ms=MAYBE_LOTS,
    activation_cancel_time=st.none() | TIMES,
    activation_cancel_delay_ms=MAYBE_LOTS,
    mode=st.none() | st.sampled_from([enums.MARKET_MODE_OPEN, enums.MARKET_MODE_PRE_OPEN]),
    price=PRICES,
    volume=MAYBE_LOTS,
    bid_offer=st.none() | st.sampled_from([enums.BID_OFFER_BID, enums.BID_OFFER_OFFER]),
    queue_submit=st.booleans(),
)
TICKETS = st.builds(
    Ticket,
    buy_sell=SIDES,
    price_type=st.sampled_from([enums.PRICE_TYPE_LIMIT, enums.PRICE_TYPE_FLATTEN]),
    time_type=st.sampled_from([enums.TIME_TYPE_NORMAL, enums.TIME_TYPE_GOOD_TILL_CANCELLED]),
    volume=LOTS,
    max_show=MAYBE_LOTS,
    max_volume=MAYBE_LOTS,
    limit_price=PRICES,
    stop_price=PRICES,
    trail_distance=PRICES,
    tag=TEXTS,
    activation_type=st.sampled_from([enums.ACTIVATION_TYPE_IMMEDIATE, enums.ACTIVATION_TYPE_HOLD]),
    activation=ACTIVATIONS,
)
SUBMISSIONS = st.builds(
    Submission,
    account_id=TEXTS,
    market_id=TEXTS,
    link=st.sampled_from([enums.ORDER_LINK_NONE, enums.ORDER_LINK_OCO, enums.ORDER_LINK_AUTO_OCO]),
    manual=st.booleans(),
    tickets=st.lists(TICKETS, max_size=3).map(tuple),
)
BATCHES = st.builds(Batch, batch_id=TEXTS, submissions=st.lists(SUBMISSIONS, max_size=3).map(tuple))
REVISIONS = st.builds(
    Revise,
    unique_id=TEXTS,
    volume=MAYBE_LOTS,
    max_show=MAYBE_LOTS,
    max_volume=MAYBE_LOTS,
    limit_price=PRICES,
    stop_price=PRICES,
    trail_distance=PRICES,
    tag=st.none() | TEXTS,
    activation=ACTIVATIONS,
)


@settings(max_examples=100, deadline=None)
@given(
    SUBMISSIONS
    | BATCHES
    | st.builds(ReviseOrders, account_id=TEXTS, market_id=TEXTS, revisions=st.lists(REVISIONS, max_size=3).map(tuple))
)
def test_whatever_is_asked_is_read_back_the_same(request: Any) -> None:
    assert decode_request(encode(request)) == request


def test_a_bracket_is_one_submission_with_signed_offsets() -> None:
    exit_type: dict[str, Any] = {
        "buy_sell": enums.BUY_SELL_SELL,
        "time_type": enums.TIME_TYPE_GOOD_TILL_CANCELLED,
        "volume": 0,
        "activation_type": enums.ACTIVATION_TYPE_HOLD,
    }
    bracket = Submission(
        account_id="SIM-1",
        market_id="XCME_Eq ES (Z26)",
        link=enums.ORDER_LINK_AUTO_OCO,
        manual=False,
        tickets=(
            Ticket(
                buy_sell=enums.BUY_SELL_BUY,
                price_type=enums.PRICE_TYPE_MARKET,
                time_type=enums.TIME_TYPE_NORMAL,
                volume=1,
                tag="entry",
            ),
            Ticket(price_type=enums.PRICE_TYPE_LIMIT, limit_price=Decimal("5.00"), **exit_type),
            Ticket(price_type=enums.PRICE_TYPE_STOP_MARKET, stop_price=Decimal("-2.50"), **exit_type),
        ),
    )

    assert decode_request(T4().encode(bracket)) == bracket


def test_a_price_that_is_no_number_cant_be_written() -> None:
    with pytest.raises(LocalProtocolError, match="a price of Infinity"):
        encode(
            ReviseOrders(account_id="", market_id="", revisions=(Revise(unique_id="U", limit_price=Decimal("inf")),))
        )
