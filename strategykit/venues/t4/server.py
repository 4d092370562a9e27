"""The venue's side of T4's WebSocket: read what clients send, wrap what they are sent.

Source: T4 protocol sheet, sections 1 and 2.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError

from strategykit.venues.t4.proto import auth_pb2 as auth
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.proto.service_pb2 import ClientMessage, Heartbeat, ServerMessage
from strategykit.venues.t4.server_reading import READERS
from strategykit.venues.t4.server_requests import BadRequest, Request
from strategykit.venues.t4.times import write_time

__all__ = ["decode_request", "encode", "encode_heartbeat", "encode_login_refusal", "encode_token", "make_token_message"]

_MILLISECOND: Final = 1_000_000


def decode_request(frame: str | bytes) -> Request:
    """Read one frame of a client. Never raises, whatever it is: what can't be read is a `BadRequest`.

    An unknown payload is one, too; after the login it is to be ignored (section 7, point 9).
    """
    if isinstance(frame, str):
        return BadRequest("a text message; T4 speaks binary ones")
    try:
        message = ClientMessage.FromString(frame)
    except DecodeError:
        return BadRequest("not a ClientMessage")
    payload = message.WhichOneof("payload")
    if payload is None:
        return BadRequest("no payload that is known here")
    return READERS[payload](getattr(message, payload))


def encode(**payload: Any) -> bytes:
    """Wrap one message in the envelope: ``encode(market_depth=depth)``."""
    return ServerMessage(**payload).SerializeToString()


def encode_heartbeat(now: int) -> bytes:
    """Give a heartbeat; `now` in nanoseconds UTC."""
    return encode(heartbeat=Heartbeat(timestamp=now // _MILLISECOND))


def encode_login_refusal(result: enums.LoginResult, words: str) -> bytes:
    """Refuse a login, or say unasked why the session ends."""
    return encode(login_response=auth.LoginResponse(result=result, error_message=words))


def make_token_message(request_id: str, token: str, expires: int) -> auth.AuthenticationToken:
    """Give a REST token that ends at `expires`, nanoseconds UTC."""
    return auth.AuthenticationToken(request_id=request_id, token=token, expire_time=write_time(expires))


def encode_token(request_id: str, *, token: str = "", expires: int = 0, failure: str = "") -> bytes:
    """Answer a token request: with a token, or with why there is none."""
    if failure:
        return encode(authentication_token=auth.AuthenticationToken(request_id=request_id, fail_message=failure))
    return encode(authentication_token=make_token_message(request_id, token, expires))
