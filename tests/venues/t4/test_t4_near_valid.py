"""Whatever arrives: the client's half raises `RemoteProtocolError` or nothing, and goes on reading what is good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.sim.http_calls import HttpCall
from strategykit.sim.t4_config import T4VenueConfig, default_markets
from strategykit.sim.t4_venue import T4Venue
from strategykit.venues.asks import AskBars, AskPastTrades
from strategykit.venues.dialect import Confirmed
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.server_requests import (
    Login,
    PullOrders,
    Revise,
    ReviseOrders,
    Submission,
    SubscribeAccounts,
    SubscribeByOrder,
    SubscribeDepth,
    Ticket,
)

ES_ID: Final = "XCME_Eq ES (Z26)"
ES: Final = f"CME_Eq/ES/{ES_ID}"
NOW: Final = 1_795_000_000 * 10**9
TRIES: Final = settings(max_examples=150, deadline=None)
PLACE: Final[dict[str, str]] = {"exchange_id": "CME_Eq", "contract_id": "ES", "market_id": ES_ID}
ACCOUNT: Final[dict[str, str]] = {"account_id": "SIM-1", "market_id": ES_ID}


class _Outlet:
    """Where the venue's words go."""

    waiting = 0
    received = 0
    pong = None

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def send(self, message: Any) -> None:
        self.frames.append(message)

    def close(self, code: int, reason: str) -> None:
        """It says goodbye."""


def _overhear() -> list[bytes]:
    """Give what a venue says to a client that asks for all there is."""
    venue = T4Venue(T4VenueConfig(markets={ES_ID: default_markets()[ES_ID]}), now=NOW)
    outlet: Any = _Outlet()
    session = venue.open_session(HttpCall(method="GET", path="/v1"), outlet, NOW)
    nobody = dict.fromkeys(("firm", "username", "password", "app_name", "app_license"), "")
    orders = [
        Ticket(
            buy_sell=side,
            price_type=enums.PRICE_TYPE_MARKET,
            time_type=enums.TIME_TYPE_NORMAL,
            volume=volume,
            tag=f"t{volume}",
        )
        for side, volume in ((enums.BUY_SELL_BUY, 2), (enums.BUY_SELL_SELL, 1), (enums.BUY_SELL_BUY, 100_000))
    ]
    say: list[Any] = [
        Login(api_key="simulated-api-key", price_format=enums.PRICE_FORMAT_REAL, **nobody),
        SubscribeDepth(**PLACE, buffer=enums.DEPTH_BUFFER_FAST_TRADE, levels=enums.DEPTH_LEVELS_NORMAL),
        SubscribeDepth(
            exchange_id="X",
            contract_id="Y",
            market_id="Z",
            buffer=enums.DEPTH_BUFFER_ALL,
            levels=enums.DEPTH_LEVELS_ALL,
        ),
        SubscribeByOrder(**PLACE, subscribe=True),
        SubscribeAccounts(
            subscribe=enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES,
            all_accounts=False,
            accounts=("SIM-1", "nobody's"),
            upl_mode=enums.UPL_MODE_AVERAGE,
        ),
        *(Submission(**ACCOUNT, link=enums.ORDER_LINK_NONE, manual=False, tickets=(order,)) for order in orders),
        ReviseOrders(**ACCOUNT, revisions=(Revise(unique_id="?"),)),
        PullOrders(**ACCOUNT, pulls=()),
    ]
    now = NOW
    for request in say:
        now += 50_000_000
        venue.receive(session, encode(request), now)
        venue.advance(now)
    for _ in range(30):
        now += 100_000_000
        venue.advance(now)
    account = SubscribeAccounts(
        subscribe=enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES,
        all_accounts=False,
        accounts=("SIM-1",),
        upl_mode=enums.UPL_MODE_AVERAGE,
    )
    venue.receive(session, encode(account), now)
    frames: list[bytes] = outlet.frames
    return frames


FRAMES: Final = _overhear()
KINDS: Final = {ServerMessage.FromString(frame).WhichOneof("payload"): frame for frame in FRAMES}
SAMPLES: Final = [*KINDS.values(), *FRAMES[:60]]


def everything(make_bench: Callable[..., Any], *, by_order: bool) -> Any:
    """A bench on which every stream is wanted."""
    bench = make_bench(by_order=by_order, implied=True)
    for kind in ("quotes", "book", "book_by_order", "trades", "instrument"):
        bench.want(kind)
    bench.want("bars", interval=10**9)
    bench.want_account()
    return bench


BENCHES: dict[bool, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def benches(make_bench: Callable[..., Any]) -> None:
    """Benches that go on through all examples: whatever one leaves behind, the next one meets."""
    for by_order in (False, True):
        BENCHES[by_order] = everything(make_bench, by_order=by_order)


def hear_all(bench: Any, frame: str | bytes) -> None:
    """Decode; nothing but the one error may come of it."""
    with suppress(RemoteProtocolError):
        for thing in bench.dialect.decode(frame, bench.table, connection="session-0", receive_time=NOW):
            if isinstance(thing, Confirmed):
                bench.table.confirmed(thing.guid, NOW)
    bench.dialect.login_reply(frame, "login-1")


def test_the_samples_have_every_kind_that_the_venue_sends() -> None:
    assert len(KINDS) >= 15
    assert {"account_snapshot", "market_snapshot", "market_by_order_update", "order_update_multi"} <= KINDS.keys()


def test_all_that_the_venue_says_can_be_read(make_bench: Any) -> None:
    for by_order in (False, True):
        bench = everything(make_bench, by_order=by_order)
        found = [thing for frame in FRAMES for thing in bench.hear_frame(frame)]
        assert {type(thing).__name__ for thing in found} >= {"Quote", "Fill", "OrderUpdate", "Reply", "Trade", "Answer"}


@TRIES
@given(st.data())
def test_spoilt_bytes_are_read_or_told(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame)))
        match data.draw(st.sampled_from(["cut", "flip", "insert", "drop", "splice"])):
            case "cut":
                del frame[at:]
            case "flip" if at < len(frame):
                frame[at] ^= data.draw(st.integers(1, 255))
            case "insert":
                frame[at:at] = data.draw(st.binary(max_size=12))
            case "drop":
                del frame[at : at + data.draw(st.integers(1, 8))]
            case _:
                frame[at:] = data.draw(st.sampled_from(SAMPLES))[at:]
    hear_all(BENCHES[data.draw(st.booleans())], bytes(frame))


TEXTS: Final = st.sampled_from(
    [
        "",
        "x",
        "NaN",
        "Infinity",
        "-0",
        "1e400",
        "1e-400",
        "9" * 60,
        "1_0",
        " 5",
        "5,5",
        "٣",
        "\x00",
        "💥",
        ES_ID,
        "SIM-1",
    ]
)
NUMBERS: Final = st.sampled_from([0, 1, -1, 2, 5, 99, 2**31 - 1, -(2**31)])
DOUBLES: Final = st.sampled_from([0.0, -1.5, float("nan"), float("inf"), 1e308, 5e-324])


def fields_of(message: Message) -> list[tuple[Message, Any]]:
    """Give every field that is set in a message and below it."""
    found: list[tuple[Message, Any]] = []
    for field, value in message.ListFields():
        found.append((message, field))
        if field.type == field.TYPE_MESSAGE:
            for each in value if field.is_repeated else [value]:
                found.extend(fields_of(each))
    return found


@TRIES
@given(st.data())
def test_fields_that_cant_be_are_read_or_told(data: st.DataObject) -> None:
    message = ServerMessage.FromString(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 3))):
        places = fields_of(message)
        if not places:
            break
        owner, field = data.draw(st.sampled_from(places))
        if field.is_repeated or field.type == field.TYPE_MESSAGE or data.draw(st.booleans()):
            owner.ClearField(field.name)
        elif field.type == field.TYPE_STRING:
            setattr(owner, field.name, data.draw(TEXTS))
        elif field.type == field.TYPE_DOUBLE:
            setattr(owner, field.name, data.draw(DOUBLES))
        elif field.type in (field.TYPE_INT32, field.TYPE_ENUM, field.TYPE_INT64):
            setattr(owner, field.name, data.draw(NUMBERS))
    hear_all(BENCHES[data.draw(st.booleans())], message.SerializeToString())


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff",
        b"\x0a",
        b"\xba\x06\xff\xff\xff\xff\x07",  # A book of 2 GB, it says.
        b"\xba\x06" + b"\xff" * 10,
        b"\x0a\x0b" + b"\x08" + b"\xff" * 10,  # A number that doesn't end.
        b"\x0b" * 100_000,  # Groups in groups.
        b"\x12\x02\x0a\xff",
        b"\xba\x06\x04\x0a\x02\xff\xfe",  # A name that is no text.
        "",
        "\ud800",
        '{"login_response":{}}',
    ],
)
def test_what_is_no_message_is_told_as_such(make_bench: Any, frame: str | bytes) -> None:
    bench = everything(make_bench, by_order=False)

    with pytest.raises(RemoteProtocolError):
        bench.hear_frame(frame)
    assert bench.dialect.login_reply(frame, "login-1") is None
    assert bench.hear_frame(KINDS["market_snapshot"]), "what is good is read as before"


@TRIES
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: f'{{"bars":[{text}],"trades":[{text}]}}'.encode())
)
def test_whatever_rest_answers_is_read_or_told(body: bytes) -> None:
    dialect = T4()
    for ask in (
        AskBars(instrument=ES, interval=60 * 10**9, count=5, until=NOW),
        AskPastTrades(instrument=ES, since=0, until=NOW, count=5),
    ):
        with suppress(RemoteProtocolError):
            dialect.decode_answer(ask, body, receive_time=NOW)
