"""A connection that the venue is about to end is replaced before it ends: nothing lost, nothing twice."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

import attrs
import pytest

from strategykit.errors import LimitReached
from strategykit.model.events import Event, Gap, Trade
from strategykit.net.inbox import Input, InputKind
from strategykit.runtime.engine import Engine
from strategykit.runtime.outside import NoWires
from strategykit.runtime.recording import Notes, NullLedger
from strategykit.venues.alor.dialect import Alor
from strategykit.venues.dialect import Confirmed, Decoded, Frame, Leaving, Resubscribe
from strategykit.venues.streams import Stream, StreamKind
from strategykit.venues.subscriptions import Subscription, Subscriptions, SubscriptionState

A, B = (Stream(kind=StreamKind.TRADES, instrument=name) for name in "AB")


class Numbered:
    """A cursor that tells repeats apart by a number."""

    def __init__(self) -> None:
        self.last = 0

    def reconnected(self) -> None: ...


class Keyed:
    """A venue whose data carry a name and a number, and whose ``bye`` announces the end of a connection."""

    def __getattr__(self, name: str) -> Any:
        return getattr(Alor(), name)

    def key(self, stream: Stream) -> Hashable:
        return stream.instrument

    def cursor(self, guid: str, stream: Stream) -> Numbered:
        return Numbered()

    def decode(self, frame: Frame, table: Subscriptions, *, connection: str, receive_time: int) -> Sequence[Decoded]:
        message = json.loads(frame)
        if "bye" in message:
            return [Leaving(message["bye"])]
        told: list[Decoded] = []
        for row in table.by_key.get(message["key"], ()):
            if connection not in (row.connection, row.successor) or message["n"] <= row.cursor.last:  # type: ignore[attr-defined]  # ours
                continue
            if message.get("hole"):
                told.append(Resubscribe(row.guid, "a hole"))
                continue
            if row.state is SubscriptionState.ASKED or connection == row.successor:
                told.append(Confirmed(row.guid))
            row.last_time = receive_time
            row.cursor.last = message["n"]  # type: ignore[attr-defined]  # ours
            told.append(
                Trade(message["key"], 1.0, float(message["n"]), None, str(message["n"]), None, receive_time, row.guid)
            )
        return told


@attrs.define(eq=False)
class KeptWires(NoWires):
    """Remembers what it was asked."""

    said: list[tuple[str, ...]] = attrs.field(factory=list)
    full: bool = False

    def open(self, connection: str, lane: str) -> None:
        if self.full and "~" in connection:
            raise LimitReached("no room")
        self.said.append(("open", connection))

    def close(self, connection: str) -> None:
        self.said.append(("close", connection))

    def subscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.said.append(("subscribe", str(row.stream.instrument), connection))

    def unsubscribe(self, row: Subscription, connection: str, session: int) -> None:
        self.said.append(("unsubscribe", str(row.stream.instrument), connection))

    def ask(self, ask: object) -> None: ...


class Stage:
    """An engine on one open connection that carries `A` and `B`."""

    def __init__(self, *, full: bool = False) -> None:
        self.time = 0
        self.wires = KeptWires(full=full)
        self.notes = Notes()
        self.got: list[Event] = []
        dialect: Any = Keyed()
        guids = iter("gh")
        table = Subscriptions(
            dialect.limits, {"market": 1}, lambda: next(guids), dialect.cursor, dialect.lane, dialect.key
        )
        nobody: Any = None
        self.engine = Engine(
            dialect=dialect,
            table=table,
            wires=self.wires,
            ledger=NullLedger(self.notes, lambda: self.time),
            gateway=nobody,
            supervisor=nobody,
            poke=lambda: None,
        )
        self.rows = [self.engine.want(stream, "me", self.got.append) for stream in (A, B)]
        self.open("market-0")
        self.tell("market-0", "A", 1)
        self.tell("market-0", "B", 1)
        self.wires.said.clear()

    def put(self, kind: InputKind, connection: str, payload: str, status: int = 0) -> None:
        self.time += 1
        self.engine.process(Input(kind, connection, self.time, payload, status=status))

    def open(self, connection: str) -> None:
        self.put(InputKind.OPENED, connection, "market", 1)

    def close(self, connection: str) -> None:
        self.put(InputKind.CLOSED, connection, "gone")

    def leave(self, connection: str = "market-0") -> None:
        self.put(InputKind.FRAME, connection, '{"bye": "maintenance"}')

    def tell(self, connection: str, key: str, number: int, **more: Any) -> None:
        self.put(InputKind.FRAME, connection, json.dumps({"key": key, "n": number, **more}))

    @property
    def trades(self) -> list[tuple[str, str | int | None]]:
        return [(event.instrument, event.trade_id) for event in self.got if isinstance(event, Trade)]

    @property
    def gaps(self) -> list[str | None]:
        return [event.instrument for event in self.got if isinstance(event, Gap)]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_after_a_loss_every_stream_is_asked_for_again(stage: Stage) -> None:
    stage.close("market-0")
    stage.put(InputKind.OPENED, "market-0", "market", 2)

    assert stage.wires.said == [("subscribe", "A", "market-0"), ("subscribe", "B", "market-0")]
    stage.tell("market-0", "A", 2)
    stage.tell("market-0", "B", 2)
    assert stage.gaps == ["A", "B"]


def test_the_next_connection_is_open_and_carries_all_before_the_last_one_is_closed(stage: Stage) -> None:
    stage.leave()
    assert stage.wires.said == [("open", "market-0~2")]
    stage.tell("market-0", "A", 2)
    stage.open("market-0~2")
    assert stage.wires.said[1:] == [("subscribe", "A", "market-0~2"), ("subscribe", "B", "market-0~2")]
    stage.tell("market-0", "A", 3)
    stage.tell("market-0~2", "A", 3)
    stage.tell("market-0~2", "A", 4)
    stage.tell("market-0", "A", 4)
    assert stage.wires.said[3:] == []
    stage.tell("market-0", "B", 2)
    stage.tell("market-0~2", "B", 3)
    assert stage.wires.said[3:] == [("close", "market-0")]
    stage.close("market-0")
    stage.tell("market-0~2", "B", 4)

    assert stage.trades == [
        ("A", "1"),
        ("B", "1"),
        ("A", "2"),
        ("A", "3"),
        ("A", "4"),
        ("B", "2"),
        ("B", "3"),
        ("B", "4"),
    ]
    assert stage.gaps == []
    assert {row.connection for row in stage.rows} == {"market-0~2"}


def test_a_connection_that_ends_before_all_is_taken_over_leaves_a_gap_in_the_rest_only(stage: Stage) -> None:
    stage.leave()
    stage.open("market-0~2")
    stage.tell("market-0~2", "A", 2)
    stage.close("market-0")
    assert [row.state for row in stage.rows] == [SubscriptionState.ACTIVE, SubscriptionState.ASKED]
    stage.tell("market-0~2", "B", 9)
    assert stage.gaps == ["B"]
    assert stage.wires.said[-1] == ("subscribe", "B", "market-0~2")


def test_a_connection_that_ends_before_its_successor_is_open_is_followed_by_it(stage: Stage) -> None:
    stage.leave()
    stage.close("market-0")
    assert ("close", "market-0") in stage.wires.said
    stage.open("market-0~2")
    for key in "AB":
        stage.tell("market-0~2", key, 5)
    assert stage.gaps == ["A", "B"]


def test_where_there_is_no_room_for_two_the_old_one_goes_on_until_it_ends() -> None:
    stage = Stage(full=True)
    stage.leave()
    assert stage.wires.said == []
    assert "isn't replaced: no room" in stage.notes.lines[-1][2]
    stage.tell("market-0", "A", 2)
    stage.close("market-0")
    stage.open("market-0")
    stage.tell("market-0", "A", 3)
    assert stage.gaps == ["A"]


def test_two_notices_open_one_successor_and_a_successor_has_one_of_its_own(stage: Stage) -> None:
    stage.leave()
    stage.leave()
    stage.open("market-0~2")
    for key in "AB":
        stage.tell("market-0~2", key, 2)
    stage.close("market-0")
    stage.leave("market-0~2")
    stage.open("market-0~3")
    assert [words[1] for words in stage.wires.said if words[0] == "open"] == ["market-0~2", "market-0~3"]


def test_a_successor_that_leaves_before_it_carries_all_hands_on_what_it_was_to_carry(stage: Stage) -> None:
    stage.leave()
    stage.open("market-0~2")
    stage.tell("market-0~2", "A", 2)
    stage.leave("market-0~2")
    stage.open("market-0~3")
    assert stage.wires.said[-2:] == [("subscribe", "A", "market-0~3"), ("subscribe", "B", "market-0~3")]
    stage.tell("market-0~3", "A", 3)
    assert stage.wires.said[-1:] == [("close", "market-0~2")]
    stage.close("market-0~2")
    stage.close("market-0")
    assert stage.wires.said[-1:] == [("subscribe", "B", "market-0~3")]
    stage.tell("market-0~3", "B", 9)

    assert stage.gaps == ["B"]
    assert {row.connection for row in stage.rows} == {"market-0~3"}


def test_a_successor_that_ends_before_its_own_is_open_leaves_the_rest_where_it_was(stage: Stage) -> None:
    stage.leave()
    stage.open("market-0~2")
    stage.tell("market-0~2", "A", 2)
    stage.leave("market-0~2")
    stage.close("market-0~2")
    stage.tell("market-0", "B", 2)
    stage.open("market-0~3")
    for key in "AB":
        stage.tell("market-0~3", key, 3)

    assert stage.gaps == ["A"]
    assert {row.connection for row in stage.rows} == {"market-0~3"}


def test_what_is_wanted_meanwhile_and_after_goes_to_the_connection_that_stays(stage: Stage) -> None:
    stage.leave()
    stage.open("market-0~2")
    for key in "AB":
        stage.tell("market-0~2", key, 2)
    stage.close("market-0")
    row = stage.engine.table
    assert row.by_key["A"][0].connection == "market-0~2"
    stage.engine.release(stage.rows[0], "me", stage.got.append)
    assert stage.wires.said[-1] == ("unsubscribe", "A", "market-0~2")


def test_who_is_released_during_the_handover_is_taken_off_both(stage: Stage) -> None:
    stage.leave()
    stage.open("market-0~2")
    stage.engine.release(stage.rows[0], "me", stage.got.append)
    assert stage.wires.said[-2:] == [("unsubscribe", "A", "market-0"), ("unsubscribe", "A", "market-0~2")]


def test_a_recording_that_has_a_successor_hands_over_without_having_heard_why(stage: Stage) -> None:
    """A replaced connection stands on the tape; the clock that had it replaced needn't."""
    stage.open("market-0~2")
    stage.tell("market-0~2", "A", 2)
    stage.tell("market-0", "A", 2)
    assert stage.trades[-1] == ("A", "2")
    assert stage.rows[0].connection == "market-0~2"


def test_a_hole_in_a_stream_is_told_and_the_stream_begun_anew(stage: Stage) -> None:
    stage.tell("market-0", "A", 5, hole=True)
    assert stage.wires.said == [("unsubscribe", "A", "market-0"), ("subscribe", "A", "market-0")]
    stage.tell("market-0", "A", 6)
    assert stage.gaps == ["A"]
    assert stage.trades[-1] == ("A", "6")
