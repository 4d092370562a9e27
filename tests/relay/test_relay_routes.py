"""What a slow client gets in place of what it missed; and counts as monitoring reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from strategykit.relay.metrics import metrics_text
from strategykit.relay.routes import Route
from tests.relay.conftest import unframed


def depth(number: int, **more: Any) -> bytes:
    data = {"e": "depth", "E": 1, "s": "X", "a": [], "b": [["1", str(number)]], "U": number, "u": number, "T": 1}
    return json.dumps({"stream": "depth.X", **more, "data": data}, separators=(",", ":")).encode()


def caught_up(route: Route, first: int, *, marked: bool = False) -> dict[str, Any]:
    (message,) = unframed(route.catch_up(first, marked=marked))
    return message


def test_changes_that_are_remembered_are_summed_up_and_the_oldest_hole_among_them_is_told() -> None:
    route = Route("depth.X")
    for number in range(1, 11):
        gap = {"gap": {"reason": f"before {number}"}} if number in (5, 7) else {}
        assert route.take(depth(number, **gap)) is not None

    found = caught_up(route, 4)

    assert (found["data"]["U"], found["data"]["u"], found["data"]["b"]) == (4, 10, [["1", "10"]])
    assert found["gap"] == {"reason": "before 5"}
    assert "gap" not in caught_up(route, 8)


def test_who_missed_more_changes_than_are_remembered_gets_the_newest_whose_number_shows_it() -> None:
    route = Route("depth.X")
    for number in range(1, 1_003):
        route.take(depth(number))

    assert caught_up(route, 2)["data"]["U"] == 1_002
    assert caught_up(route, 3)["data"]["U"] == 3


def test_changes_in_somebody_else_s_words_aren_t_summed_up() -> None:
    route = Route("depth.X")
    for message in (depth(1), b'{"stream":"depth.X","data":{"hello":1}}', depth(3)):
        route.take(message)

    assert caught_up(route, 1)["data"]["U"] == 3


def test_the_latest_quote_stands_for_those_before_and_says_if_one_of_them_told_a_hole() -> None:
    route = Route("bookTicker.X")
    for number in (1, 2):
        route.take(json.dumps({"stream": "bookTicker.X", "data": number}, separators=(",", ":")).encode())

    assert caught_up(route, 1) == {"stream": "bookTicker.X", "data": 2}
    assert caught_up(route, 1, marked=True)["gap"] == {"reason": "told in a message that was left out"}


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("clients", 3, "strategykit_relay_clients 3"),
        ("lag", 0.5, "strategykit_relay_lag 0.5"),
        ("bus_up", True, "strategykit_relay_bus_up 1"),
        ("refused", ["a", "b"], "strategykit_relay_refused 2"),
        ("ended", {'a "b"\n\\': 1}, 'strategykit_relay_ended{reason="a \\"b\\" \\\\"} 1'),
        ("lag", None, ""),
        ("bus", "redis", ""),
    ],
)
def test_what_is_a_number_or_can_be_counted_is_told_to_monitoring(name: str, value: object, line: str) -> None:
    assert metrics_text({name: value}).decode() == f"{line}\n"
