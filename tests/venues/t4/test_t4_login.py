"""Logins by key and by password, and what each result asks of us."""

from __future__ import annotations

from typing import Any

import pytest

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.secret import Secret
from strategykit.venues.dialect import ErrorClass, SessionOver
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.login import Shown, join_secrets
from strategykit.venues.t4.names import word
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.server import decode_request, encode_login_refusal
from strategykit.venues.t4.server_requests import Login

WHO: dict[str, Any] = {"firm": "F", "username": "u", "app_name": "a"}
PASSWORD = {"password": Secret("canary-password"), "app_license": Secret("canary-licence")}


def login(dialect: T4, secrets: dict[str, Secret], lane: str = "session") -> Any:
    token = join_secrets(secrets)
    return decode_request(dialect.login(lane, guid="login-1", token="" if token is None else token.reveal()))


def test_a_key_alone_logs_in() -> None:
    request = login(T4(), {"api_key": Secret("KEY")})

    assert isinstance(request, Login)
    assert (request.api_key, request.password, request.firm) == ("KEY", "", "")
    assert request.price_format == enums.PRICE_FORMAT_REAL


@pytest.mark.parametrize("price_format", ["decimal", "real", "clearing_decimal"])
def test_a_password_needs_all_its_company(price_format: str) -> None:
    request = login(T4(**WHO, price_format=price_format), PASSWORD)

    assert (request.firm, request.username, request.app_name) == ("F", "u", "a")
    assert (request.password, request.app_license, request.api_key) == ("canary-password", "canary-licence", "")
    assert request.price_format == enums.PriceFormat.Value(f"PRICE_FORMAT_{price_format.upper()}")


def test_orders_may_have_an_application_of_their_own() -> None:
    secrets = {**PASSWORD, "orders_app_license": Secret("second")}
    dialect = T4(**WHO, second_app="b")

    assert login(dialect, secrets, "market").app_license == "canary-licence"
    second = login(dialect, secrets, "orders")
    assert (second.app_name, second.app_license, second.password) == ("b", "second", "canary-password")


def test_orders_may_have_a_key_of_their_own() -> None:
    secrets = {"api_key": Secret("one"), "orders_api_key": Secret("two")}
    dialect = T4(second_app="b")

    assert (login(dialect, secrets, "market").api_key, login(dialect, secrets, "orders").api_key) == ("one", "two")


@pytest.mark.parametrize(
    ("options", "secrets", "lane"),
    [
        ({}, {}, "session"),
        ({}, PASSWORD, "session"),
        (WHO, {"app_license": Secret("l")}, "session"),
        ({"second_app": "b"}, {"api_key": Secret("one")}, "orders"),
    ],
)
def test_a_login_with_nothing_to_show_is_never_sent(
    options: dict[str, Any], secrets: dict[str, Secret], lane: str
) -> None:
    with pytest.raises(LocalProtocolError, match="needs an API key, or"):
        login(T4(**options), secrets, lane)


def test_a_token_that_is_neither_is_told_without_showing_it() -> None:
    with pytest.raises(LocalProtocolError, match="neither") as caught:
        T4().login("session", guid="g", token='{"api_key": 5, "canary": 1}')
    assert "canary" not in str(caught.value)


def test_nothing_secret_is_shown() -> None:
    shown = repr((join_secrets(PASSWORD), T4(**WHO), login(T4(**WHO), PASSWORD), Shown(password="canary")))

    assert "canary" not in shown


@pytest.mark.parametrize("option", [{"price_format": "raw"}, {"pace": "quick"}])
def test_options_that_cant_be_are_told_with_what_could(option: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"T4's {next(iter(option))} must be one of"):
        T4(**option)


@pytest.mark.parametrize(
    ("code", "asks"),
    [
        *((code, ErrorClass.STOP) for code in (-1, 1, 2, 3, 4, 5, 6, 7, 9, 11, 14, 18, 19, 20, 24, 99)),
        *((code, ErrorClass.RETRY) for code in (8, 10, 12, 13, 429, 500, 503, 408)),
        (401, ErrorClass.REFRESH),
        (403, ErrorClass.STOP),
        (3000, ErrorClass.STOP),
    ],
)
def test_every_result_is_classed(code: int, asks: ErrorClass) -> None:
    assert T4().classify(code) is asks


def test_a_displaced_session_is_over_and_says_so(bench: Any) -> None:
    result = enums.LOGIN_RESULT_LOGGED_IN_ELSEWHERE

    (over,) = bench.hear_frame(encode_login_refusal(result, ""))

    assert over == SessionOver(6, "logged in elsewhere")
    assert bench.dialect.classify(over.code) is ErrorClass.STOP


def test_a_refused_login_tells_the_venues_words() -> None:
    frame = encode_login_refusal(enums.LOGIN_RESULT_LOCKED_OUT, "too often")

    reply = T4().login_reply(frame, "login-1")

    assert reply is not None
    assert (reply.ok, reply.code, reply.message, reply.secrets) == (False, 18, "too often", ())


def test_the_token_in_a_welcome_is_a_secret() -> None:
    welcome = auth.LoginResponse(authentication_token=auth.AuthenticationToken(token="canary-jwt"))

    reply = T4().login_reply(ServerMessage(login_response=welcome).SerializeToString(), "login-1")

    assert reply is not None
    assert reply.secrets == ("canary-jwt",)
    assert "canary" not in repr(reply)


def test_nothing_is_said_when_connecting() -> None:
    assert T4().upgrade_headers("session", token="KEY") == {}
    assert (T4().name, T4().acknowledges) == ("t4", False)


def test_what_begins_with_nothing_was_overlooked() -> None:
    assert all(lane.asks_unseen for one in (T4(), T4(second_app="orders")) for lane in one.lanes.values())


def test_names_of_enumerations_are_written_for_people() -> None:
    assert [word("MarketMode", number) for number in (2, 9, 99)] == ["open", "pre cross", "99"]
