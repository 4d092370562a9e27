"""Sessions from tapes: what there is, and what is wrong with tapes that hold none."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest
import zstandard

from strategykit.errors import TapeError
from strategykit.model.events import Fill, OrderStatus, OrderUpdate, Side
from strategykit.model.orders import AmendOrder, CancelOrder, CreateGroup, CreateOrder, GroupKind
from strategykit.parity.comparing import compare
from strategykit.parity.reading import Desk, check_market, read_session
from strategykit.parity.session import Session
from strategykit.runtime.recorded import Contents, RecordedRow
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.venues.dialect import OrderReply, Reply
from strategykit.venues.streams import Stream, StreamKind
from tests.parity.known_sessions import INSTRUMENT, request
from tests.parity.recorded_runs import Silent, record_run, trading_run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trading_run(tmp_path_factory.mktemp("parity") / "run", advances_per_second=200.0, seconds=6.0)


def test_a_tape_gives_what_was_sent_seen_and_got(recorded: Path) -> None:
    parts: list[float] = []

    found = read_session(str(recorded), on_progress=parts.append)

    assert list(found.instruments) == ["SBER"]
    assert found.instruments["SBER"].lot == 10
    assert {event.instrument for _, event in found.market} == {"SBER"}
    times = [time for time, _ in found.market]
    assert times == sorted(times)
    assert not found.left_out
    assert all(fill.client_order_id in found.created for fill in found.fills)
    assert all(one.venue_time is not None for one in found.sent if not one.refusal)
    assert parts
    assert found.until >= times[-1]


def test_most_fills_of_a_simulated_venue_are_explained_by_its_own_fees_and_a_queue(recorded: Path) -> None:
    session = read_session(str(recorded))
    rate = next(
        fill.fee / session.instruments["SBER"].value(fill.price, fill.quantity) for fill in session.fills if fill.fee
    )

    found = compare(session, FillModels(fees=FeeModel(maker_rate=rate, taker_rate=rate)))

    assert found.rows
    assert not any("fee" in row.fields for row in found.rows if row.recorded and row.model)
    assert all(row.why for row in found.differences)


def test_a_tape_without_orders_says_what_it_has(tmp_path: Path) -> None:
    tape = record_run(tmp_path / "run", ("silent", Silent(instrument="SBER")), seconds=1.0)

    with pytest.raises(TapeError, match=r"run: this tape holds no orders, only trades SBER"):
        read_session(str(tape))


def contents(*streams: Stream) -> Contents:
    rows = tuple(RecordedRow(str(at), stream, "market-0") for at, stream in enumerate(streams))
    return Contents(rows, (), (), 0, 0, True)


def test_orders_for_what_was_not_recorded_are_refused_with_what_was() -> None:
    status = Stream(kind=StreamKind.INSTRUMENT, instrument="X")
    trades = Stream(kind=StreamKind.TRADES, instrument="Y")
    orders = Stream(kind=StreamKind.ORDERS, account="A")

    with pytest.raises(TapeError, match=r"t: orders for X were sent, but there are no market data of it, only .*Y"):
        check_market("t", contents(status, trades, orders), desk("a"))
    with pytest.raises(TapeError, match="no market data of it, only nothing"):
        check_market("t", contents(orders), desk("a"))
    assert check_market("t", contents(attrs.evolve(trades, instrument="X")), desk("a", "b")) == ["X"]


def test_a_run_all_of_whose_orders_are_left_out_says_why() -> None:
    one = desk()
    one.send(5, "s", CancelOrder(guid="x", venue_order_id="1", request=request("old", Side.BUY, 1, 1)))

    with pytest.raises(TapeError, match="no order of this run can be compared: order old: it was placed before"):
        check_market("t", contents(), one)


def test_orders_that_a_fill_model_answered_are_no_session(tmp_path: Path) -> None:
    tape = trading_run(tmp_path / "run", seconds=2.0, paper=True)

    with pytest.raises(TapeError, match="went to the venue: a fill model answered them"):
        read_session(str(tape))


def test_a_damaged_tape_says_where(recorded: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for file in recorded.iterdir():
        data = bytearray(file.read_bytes())
        if file.name.startswith("000001"):
            data[len(data) // 2] ^= 0xFF
        (damaged / file.name).write_bytes(data)

    with pytest.raises(TapeError, match="000001"):
        read_session(str(damaged))


def test_a_tape_whose_writer_was_killed_is_read_up_to_there_and_said_to_be_torn(recorded: Path, tmp_path: Path) -> None:
    (packed,) = recorded.glob("*.zst")
    whole = zstandard.ZstdDecompressor().stream_reader(packed.read_bytes()).read()
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "000001.tape.part").write_bytes(whole[: len(whole) * 2 // 3])

    found = read_session(str(torn))

    assert 0 < len(found.sent) < len(read_session(str(recorded)).sent)
    assert len(found.left_out) == 1


def test_a_folder_that_is_no_tape_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "manifest.json").write_text("{}")

    with pytest.raises(TapeError, match="is an archive, which holds market data and no orders"):
        read_session(str(archive))
    with pytest.raises(TapeError, match="none"):
        read_session(str(tmp_path / "none"))


def update(
    number: str,
    status: OrderStatus,
    time: int,
    *,
    order: str | None = None,
    linked: str | None = None,
    snapshot: bool = False,
    reason: str | None = None,
) -> OrderUpdate:
    return OrderUpdate(
        "X",
        number,
        order,
        status,
        Side.BUY,
        Decimal(1),
        Decimal(0),
        None,
        time - 1,
        time,
        "",
        snapshot,
        linked_order_id=linked,
        reason=reason,
    )


def fill(number: str, trade: str, time: int) -> Fill:
    return Fill("X", trade, number, None, Side.BUY, Decimal(1), Decimal(100), None, None, time - 1, time, "")


def desk(*orders: str) -> Desk:
    found = Desk()
    for at, order in enumerate(orders):
        found.send(at, "s", CreateOrder(guid=order, request=request(order, Side.BUY, 1, 10_000)))
    return found


def made(one: Desk) -> Session:
    return one.session({"X": INSTRUMENT}, [])


def test_a_fill_that_comes_before_the_order_is_known_by_its_number_is_counted_once() -> None:
    one = desk("a")
    one.hear(fill("7", "t1", 20), 20)
    one.hear(fill("8", "t2", 21), 21)
    one.hear(Reply("a", 200, "", True, "7"), 22)
    one.hear(fill("7", "t1", 23), 23)

    found = made(one)

    assert [(each.client_order_id, each.receive_time) for each in found.fills] == [("a", 23)]
    assert found.sent[0].answered == 22


def test_a_stop_is_followed_to_the_order_that_it_becomes() -> None:
    one = desk("a")
    one.hear(Reply("a", 200, "", True, "1"), 5)
    one.hear(update("1", OrderStatus.FILLED, 9, linked="2"), 9)
    one.hear(fill("2", "t1", 10), 10)

    found = made(one)

    assert found.fills[0].client_order_id == "a"
    assert not found.ended


def test_what_was_asked_for_says_how_orders_ended_and_nothing_of_when_they_were_answered() -> None:
    one = desk("a")
    one.hear(update("1", OrderStatus.CANCELLED, 50, order="a", snapshot=True), 50)
    one.hear(update("9", OrderStatus.CANCELLED, 50, order="other", snapshot=True), 50)

    found = made(one)

    assert found.ended == {"a": 50}
    assert found.sent[0].answered is None


def test_a_rejection_and_a_refusal_are_told_in_the_venues_words() -> None:
    one = desk("a", "b", "c")
    one.hear(update("1", OrderStatus.REJECTED, 5, order="a", reason="halted"), 5)
    one.hear(update("2", OrderStatus.REJECTED, 5, order="b"), 5)
    one.hear(Reply("c", 400, "no money", False), 6)
    one.hear(Reply("login", 200, "", True), 6)

    assert [each.refusal for each in made(one).sent] == ["halted", "no reason given", "no money"]


def test_an_answer_that_names_the_order_only_is_for_the_first_command_of_its_kind_that_waits() -> None:
    one = desk("a")
    wanted = request("a", Side.BUY, 2, 10_000)
    one.hear(update("1", OrderStatus.WORKING, 4, order="a"), 4)
    one.send(5, "s", AmendOrder(guid="a-1", venue_order_id="1", request=wanted))
    one.send(6, "s", CancelOrder(guid="a-2", venue_order_id="1", request=wanted))
    one.hear(OrderReply("1", CancelOrder, None, 0, "gone", ok=True), 8)
    one.hear(OrderReply("1", AmendOrder, "a-1", 3, "too late", ok=False), 9)
    one.hear(OrderReply("1", AmendOrder, None, 3, "too late", ok=False), 10)
    one.hear(update("1", OrderStatus.CANCELLED, 12, order="a"), 12)

    found = made(one)

    assert [(each.answered, each.refusal) for each in found.sent] == [(4, ""), (9, "too late"), (8, "")]
    assert [each.venue_time for each in found.sent] == [3, None, 11]
    assert found.ended == {"a": 12}


def test_news_of_what_an_amend_ended_is_not_the_end_of_the_order() -> None:
    one = desk("a")
    one.hear(update("1", OrderStatus.WORKING, 4, order="a"), 4)
    one.hear(update("1", OrderStatus.CANCELLED, 8, order="a"), 8)
    one.hear(update("2", OrderStatus.WORKING, 8, order="a"), 8)

    assert not made(one).ended


def test_linked_orders_those_of_an_earlier_run_and_retries_are_left_out() -> None:
    one = desk("a", "a")
    old = request("old", Side.BUY, 1, 10_000)
    one.send(5, "s", CancelOrder(guid="x", venue_order_id="1", request=old))
    one.send(5, "s", CreateGroup(guid="g", kind=GroupKind.BRACKET, requests=(old, old)))

    found = made(one)

    assert len(found.sent) == 1
    assert found.left_out == (
        "order old: it was placed before this tape begins",
        "linked orders (bracket): no fill model links orders",
    )
