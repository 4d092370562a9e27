"""The opening handshake of a WebSocket, from the server's end."""

from __future__ import annotations

import base64
import binascii

from wsproto.utilities import generate_accept_token

from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.sim.server_http import Upgrade

__all__ = ["accept_upgrade", "find_handshake_fault"]


def find_handshake_fault(call: HttpCall) -> HttpAnswer | None:
    """Say what is wrong with an upgrade request, as the answer to it; None if nothing is. Source: RFC 6455, 4.2.1."""
    if call.headers.get("sec-websocket-version") != "13":
        return HttpAnswer(status=426, body=b"", headers={"sec-websocket-version": "13"})
    tokens = call.headers.get("connection", "").lower().replace(",", " ").split()
    if call.method != "GET" or "upgrade" not in tokens or not _is_key(call.headers.get("sec-websocket-key", "")):
        return json_answer(400, {"message": "not a WebSocket handshake"})
    return None


def accept_upgrade(upgrade: Upgrade) -> bytes:
    """Give the bytes that let a client in."""
    key = upgrade.call.headers["sec-websocket-key"].strip().encode("ascii")
    return upgrade.accept(
        [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", generate_accept_token(key).decode("ascii")),
        ]
    )


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.strip(), validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
