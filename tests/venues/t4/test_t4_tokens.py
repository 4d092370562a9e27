"""Tokens for REST: those that a session gives, those that a password gets, and how calls carry them."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import RemoteProtocolError
from strategykit.secret import Secret
from strategykit.sim.tokens import Claims, make_token
from strategykit.venues.http_tokens import AsksForTokens, TokenReply
from strategykit.venues.stream.dialect import StreamFamily
from strategykit.venues.t4.dialect import T4
from strategykit.venues.t4.login import Holder
from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto.service_pb2 import ServerMessage
from strategykit.venues.t4.server import decode_request, encode_heartbeat, encode_token
from strategykit.venues.t4.server_requests import TokenRequest
from strategykit.venues.t4.times import write_time
from strategykit.venues.t4.tokens import read_service_token, service_request

WHO = Holder(firm="F", username="u", app_name="a")
PASSWORD = {"password": Secret("canary-password"), "app_license": Secret("canary-licence")}


def jwt(issued: int, expires: int) -> str:
    claims = Claims(login="u", agreements=(), portfolios=(), issued=issued, expires=expires, generation=1)
    return make_token(claims, b"key")


def reply(frame: bytes) -> TokenReply:
    found = T4().token_reply(frame)
    assert found is not None
    return found


def test_t4_is_asked_for_tokens_over_its_session_and_others_are_not() -> None:
    assert isinstance(T4(), AsksForTokens)
    assert not isinstance(StreamFamily("binance"), AsksForTokens)
    assert decode_request(T4().token_request("token-1")) == TokenRequest("token-1")


def test_a_token_is_read_with_its_life_and_hidden() -> None:
    token = jwt(1_000, 5_000)

    found = reply(encode_token("token-1", token=token, expires=5_000 * 10**9))

    assert (found.guid, found.refusal) == ("token-1", "")
    assert (found.issued, found.expires) == (1_000 * 10**9, 5_000 * 10**9)
    assert found.secrets == (token,)
    assert token not in repr(found)
    assert T4().http_headers(token=found.text) == {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"fail_message": "no rights to REST"}, "no rights to REST"),
        ({"fail_message": "not now", "token": "canary"}, "not now"),
        ({}, "no reason given"),
        ({"token": ""}, "no reason given"),
    ],
)
def test_a_refusal_says_why_and_gives_nothing(answer: dict[str, Any], words: str) -> None:
    message = auth.AuthenticationToken(request_id="token-1", **answer)

    found = reply(ServerMessage(authentication_token=message).SerializeToString())

    assert (found.guid, found.refusal, found.text) == ("token-1", words, "")
    assert found.secrets == (("canary",) if answer.get("token") else ())


@pytest.mark.parametrize("end", [None, -1, 2**62])
def test_a_token_that_says_no_end_counts_as_short_lived(end: int | None) -> None:
    def life(token: str) -> int:
        message = auth.AuthenticationToken(token=token)
        if end is not None:
            message.expire_time.seconds = end
        found = reply(ServerMessage(authentication_token=message).SerializeToString())
        return (found.expires - found.issued) // 10**9

    assert [life(text) for text in ("opaque", jwt(1_000, 5_000))] == [1_800, 1_800]


@pytest.mark.parametrize(
    "frame",
    [
        "a text",
        b"",
        encode_heartbeat(5),
        ServerMessage(login_response=auth.LoginResponse()).SerializeToString(),
        encode_token("r", token="t", expires=5)[:-1],
        b"\x1a\x00\x12\x00",  # A token and a login: the last payload counts.
    ],
)
def test_other_frames_bring_no_token(frame: str | bytes) -> None:
    assert T4().token_reply(frame) is None


def test_an_answer_that_brings_a_token_tells_strategies_nothing(make_bench: Any) -> None:
    assert make_bench().hear_frame(encode_token("token-1", token="t", expires=5)) == []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_whatever_comes_looking_for_a_token_raises_nothing(rest: bytes) -> None:
    T4().token_reply(b"\x1a" + rest)


def test_calls_go_with_a_key_or_a_token_or_nothing() -> None:
    token = read_service_token(json.dumps({"token": "jwt", "expires": 2_000_000_000}).encode())

    assert T4().http_headers(token="KEY") == {"Authorization": "APIKey KEY"}
    assert T4().http_headers(token=token.text) == {"Authorization": "Bearer jwt"}
    assert T4().http_headers(token="") == {}


def test_a_password_gets_a_token_in_the_price_format_that_is_wanted() -> None:
    request = service_request(PASSWORD, WHO, price_format="clearing_decimal")

    assert "canary" not in repr(request)
    assert (request.method, request.path) == ("POST", "/login")
    assert json.loads(request.body or "") == {
        "firm": "F",
        "userName": "u",
        "password": "canary-password",
        "appName": "a",
        "appLicense": "canary-licence",
        "priceFormat": "ClearingDecimal",
    }


def test_a_token_lives_as_long_as_it_says_itself_or_shortly() -> None:
    def life(token: str) -> int:
        found = read_service_token(json.dumps({"token": token, "expires": 5_000}).encode())
        return (found.expires - found.issued) // 10**9

    assert life(jwt(1_000, 5_000)) == 4_000
    assert [life(text) for text in ("opaque", "a.b.c", "a.!!!.c", f"a.{'e30'}.c")] == [1_800] * 4
    assert life(jwt(9_000, 1)) == 1_800
    far = base64.urlsafe_b64encode(b'{"iat":1e300}').decode()  # Beyond all arithmetic of times.
    assert life(f"a.{far}.c") == 1_800


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"token":"t"}', b'{"token":"","expires":5}', b'{"token":"t","expires":1e30}', b"\xff"]
)
def test_a_services_answer_without_a_token_is_told_without_showing_it(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="holds no token") as caught:
        read_service_token(body)
    assert not caught.value.frame


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=30), st.floats(1, 2**32))
def test_whatever_a_token_is_its_life_can_be_told(token: str, expires: float) -> None:
    found = read_service_token(msgspec.json.encode({"token": token or "x", "expires": expires}))

    assert found.expires - found.issued > 0


def test_the_end_of_a_token_is_the_venues_word() -> None:
    message = auth.AuthenticationToken(token="t", expire_time=write_time(7 * 10**9))

    assert reply(ServerMessage(authentication_token=message).SerializeToString()).expires == 7 * 10**9
