from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import ConfigError, RemoteProtocolError
from strategykit.model.events import Bar, Event, Quote, Trade
from strategykit.sim.access import Access
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.alor_session import Session
from strategykit.sim.alor_streams import Agenda, BarTopic, ConflatedTopic, Subscriber
from strategykit.sim.faults import decode_fault
from strategykit.sim.tokens import Claims, make_token, read_token

MS = 1_000_000
SECOND = 1_000_000_000


def make_access() -> Access:
    return Access(login="P1", agreements=("1",), portfolios=("D1", "G1", "751"), refresh_token="good", life=1.5)


def test_a_token_lives_as_long_as_it_says_and_is_worth_nothing_elsewhere() -> None:
    access = make_access()
    token = access.issue("good", 10 * SECOND)
    assert token is not None
    claims = access.check(token, 10 * SECOND)
    assert claims is not None
    other = Access(login="P1", agreements=(), portfolios=(), refresh_token="other", life=1.0)

    assert (claims.issued, claims.expires) == (10, 12)
    assert access.check(token, 12 * SECOND - 1) == claims
    assert access.check(token, 12 * SECOND) is None
    assert other.check(token, 10 * SECOND) is None
    assert access.check(None, 0) is None
    assert access.check("", 0) is None
    assert access.issue("", 0) is None
    assert access.issue("bad", 0) is None
    access.revoke()
    assert access.check(token, 10 * SECOND) is None


CLAIMS = Claims(login="P1", agreements=("1",), portfolios=("D1",), issued=1, expires=2, generation=0)


def test_no_secret_is_shown() -> None:
    config = AlorVenueConfig(refresh_token="very-secret")

    assert "very-secret" not in repr(config)
    assert "good" not in repr(make_access())


@settings(max_examples=150, deadline=None)
@given(st.text() | st.integers(0, 400))
def test_whatever_was_not_signed_here_is_no_token(noise: str | int) -> None:
    good = make_token(CLAIMS, b"key")
    if isinstance(noise, int):
        place = noise % len(good)
        noise = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]

    # The last character of a signature carries bits that decoding drops.
    assert read_token(good, b"key") == CLAIMS
    assert read_token(noise, b"key") is None or noise[:-1] == good[:-1]
    assert read_token(good, b"other") is None


@pytest.mark.parametrize("name", ["token_life", "source_speed", "advances_per_second"])
def test_a_configuration_that_cannot_be_is_refused(name: str) -> None:
    values: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigError, match=name):
        AlorVenueConfig(**values)


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_whatever_is_no_fault_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_fault(body)


class Wire:
    """What a client was sent, and when."""

    def __init__(self) -> None:
        self.now = 0
        self.sent: list[tuple[int, bytes]] = []
        self.session = Session(path="/ws", send=self.send, send_block=lambda _: None)

    def send(self, data: bytes) -> None:
        self.sent.append((self.now, data))

    def subscriber(self, interval: int) -> Subscriber:
        return Subscriber(self.session, "g", "shape", b"}", interval)


def quote(number: int) -> Quote:
    return Quote("SBER", float(number), 1.0, None, None, None, None, number, "")


def words(event: Event, _: object) -> bytes:
    if isinstance(event, Bar):
        return f"{event.open_time // SECOND}:{event.close}:{event.volume}".encode()
    assert isinstance(event, Quote)
    return str(event.bid).encode()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 30), max_size=60), st.integers(1, 50))
def test_whatever_happens_a_client_gets_the_latest_state_once_an_interval(steps: list[int], interval: int) -> None:
    wire, agenda = Wire(), Agenda()
    topic = ConflatedTopic(words, agenda)
    topic.add(wire.subscriber(interval * MS))
    for number, step in enumerate(steps):
        wire.now += step * MS
        topic.update(quote(number), wire.now)
        agenda.run(wire.now)
    wire.now += interval * MS
    agenda.run(wire.now)

    times = [time for time, _ in wire.sent]
    assert len(times) <= wire.now // (interval * MS) + 1
    assert all(later - time >= interval * MS * 3 // 4 for time, later in pairwise(times))
    if steps:
        assert wire.sent[-1][1] == b'{"data":%s}' % str(float(len(steps) - 1)).encode()


def test_one_encoding_serves_all_who_want_the_same_shape() -> None:
    made: list[object] = []

    def encode(event: Event, shape: object) -> bytes:
        made.append(shape)
        return words(event, shape)

    wire = Wire()
    topic = ConflatedTopic(encode, Agenda())
    for _ in range(100):
        topic.add(wire.subscriber(0))
    topic.update(quote(1), 1)

    assert (len(made), len(wire.sent)) == (1, 100)


def test_the_last_state_of_a_bar_is_told_before_the_next_bar() -> None:
    wire, agenda = Wire(), Agenda()
    topic = BarTopic(words, agenda, interval=SECOND, forming=None)
    topic.add(wire.subscriber(10 * SECOND))
    for time, price in ((0, 10.0), (SECOND // 2, 11.0), (SECOND - 1, 12.0), (SECOND, 13.0), (SECOND + 1, 14.0)):
        topic.fold(Trade("SBER", price, 1.0, None, None, time, time, ""), time)

    assert [data for _, data in wire.sent] == [b'{"data":0:10.0:1.0}', b'{"data":0:12.0:3.0}']
    agenda.run(20 * SECOND)
    assert wire.sent[-1][1] == b'{"data":1:14.0:2.0}'


def test_nothing_is_owed_to_who_has_left_and_nothing_is_sent_before_there_is_a_state() -> None:
    wire, agenda = Wire(), Agenda()
    topic = ConflatedTopic(words, agenda)
    subscriber = wire.subscriber(10 * MS)
    topic.add(subscriber)
    topic.send_latest(subscriber, 0)
    assert wire.sent == []
    topic.update(quote(1), 10 * MS)
    topic.update(quote(2), 11 * MS)
    topic.remove(subscriber)
    agenda.run(SECOND)

    assert len(wire.sent) == 1
