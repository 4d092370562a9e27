"""HTTP/1.1 on one connection: keep-alive, bounded sizes, deadlines; an upgrade request is handed out."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl, unquote

import attrs
import h11
import trio

from strategykit.sim.http_calls import HttpAnswer, HttpCall, HttpLimits
from strategykit.sim.server_wire import ByteWire

__all__ = ["Upgrade", "carry_http"]


@attrs.frozen(kw_only=True)
class Upgrade:
    """A request for a WebSocket. Nothing has been answered yet."""

    call: HttpCall
    connection: h11.Connection

    def accept(self, headers: list[tuple[str, str]]) -> bytes:
        """Give the bytes of the 101; from here on the connection isn't HTTP."""
        return self.connection.send(h11.InformationalResponse(status_code=101, headers=headers)) or b""

    @property
    def first(self) -> bytes:
        """What the client sent after its request, in the same breath."""
        return self.connection.trailing_data[0]


_REASONS: Final = {
    200: b"OK",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    413: b"Content Too Large",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}

_MAX_FIELDS: Final = 100
_MAX_HEADERS: Final = 200

_DRAIN_BYTES: Final = 4_194_304
_DRAIN_WITHIN: Final = 1.0


async def carry_http(
    wire: ByteWire,
    answer: Callable[[HttpCall], HttpAnswer | Awaitable[HttpAnswer]],
    upgrade: Callable[[Upgrade], HttpAnswer | None],
    *,
    limits: HttpLimits,
) -> Upgrade | None:
    """Answer requests until the client goes, misbehaves, or is let in to a WebSocket.

    Args:
        wire: The client. Left open where an upgrade is given back, else to be closed by the caller.
        answer: Gives the answer to a plain request, or what is to be awaited for it.
        upgrade: Gives the refusal of an upgrade request, or None to let it in.
        limits: Sizes and times.

    Returns:
        The upgrade that was let in, not yet answered; None when the connection has ended.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head_bytes)
    while True:
        try:
            call = await _receive_call(wire, connection, limits)
            if call is None:
                return None
            if _wants_websocket(call):
                wanted = Upgrade(call=call, connection=connection)
                refusal = upgrade(wanted)
                if refusal is None:
                    return wanted
                await _send_answer(wire, connection, refusal, limits, method=call.method)
            else:
                found = answer(call)
                plain = found if isinstance(found, HttpAnswer) else await found
                await _send_answer(wire, connection, plain, limits, method=call.method)
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                await _part(wire)
                return None
            connection.start_next_cycle()
        except h11.RemoteProtocolError as exc:
            if connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                refusal = HttpAnswer(status=exc.error_status_hint, body=str(exc).encode(), content_type="text/plain")
                await _send_answer(wire, connection, refusal, limits, method="GET")
            await _part(wire)
            return None


def _wants_websocket(call: HttpCall) -> bool:
    """HTTP/1.0 can't be upgraded: h11 would refuse to answer 101 there, so such a request gets a plain answer."""
    return call.headers.get("upgrade", "").strip().lower() == "websocket" and call.http_version == "1.1"


async def _receive_call(wire: ByteWire, connection: h11.Connection, limits: HttpLimits) -> HttpCall | None:
    """Read one request; None if none came in time."""
    with trio.move_on_after(limits.idle) as scope:
        request: h11.Request | None = None
        body = bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                if connection.they_are_waiting_for_100_continue:
                    await _send(wire, connection.send(h11.InformationalResponse(status_code=100, headers=[])))
                data = await wire.receive_some()
                connection.receive_data(data)
                if request is None and data:
                    scope.deadline = min(scope.deadline, trio.current_time() + limits.request_within)
            elif isinstance(event, h11.Request):
                if len(event.headers) > _MAX_HEADERS:
                    raise h11.RemoteProtocolError(f"more than {_MAX_HEADERS} headers", error_status_hint=431)
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limits.body_bytes:
                    raise h11.RemoteProtocolError(f"a body over {limits.body_bytes} bytes", error_status_hint=413)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return _make_call(request, bytes(body))
            else:
                return None  # The client has closed.
    return None


def _make_call(request: h11.Request, body: bytes) -> HttpCall:
    path, _, query = request.target.decode("ascii").partition("?")
    try:
        fields = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as exc:
        raise h11.RemoteProtocolError(f"a query with more than {_MAX_FIELDS} fields") from exc
    return HttpCall(
        method=request.method.decode("ascii"),
        path=unquote(path),
        query=dict(fields),
        headers={name.decode("ascii"): value.decode("latin-1") for name, value in request.headers},
        body=body,
        http_version=request.http_version.decode("ascii"),
    )


async def _send_answer(
    wire: ByteWire, connection: h11.Connection, answer: HttpAnswer, limits: HttpLimits, *, method: str
) -> None:
    headers = [
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        *answer.headers.items(),
    ]
    data = connection.send(
        h11.Response(status_code=answer.status, headers=headers, reason=_REASONS.get(answer.status, b"Unknown"))
    )
    if method != "HEAD":
        data = (data or b"") + (connection.send(h11.Data(data=answer.body)) or b"")
    data = (data or b"") + (connection.send(h11.EndOfMessage()) or b"")
    with trio.move_on_after(limits.request_within) as scope:
        await _send(wire, data)
    if scope.cancelled_caught:
        wire.reset()


async def _send(wire: ByteWire, data: bytes | None) -> None:
    # If the client has gone, the next read finds out.
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await wire.send_all(data or b"")


async def _part(wire: ByteWire) -> None:
    """Let the client read our last words: closing with unread bytes would send RST and destroy them."""
    await wire.send_eof()
    with trio.move_on_after(_DRAIN_WITHIN):
        swallowed = 0
        while swallowed < _DRAIN_BYTES and (data := await wire.receive_some()):
            swallowed += len(data)
