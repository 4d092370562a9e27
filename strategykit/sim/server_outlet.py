"""A WebSocket peer as a venue sees it: a way out, and what has come back."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from strategykit.sim.server_websocket import WebSocketPeer, binary_frame, text_frame

__all__ = ["PeerOutlet"]


@attrs.frozen
class PeerOutlet:
    """An `Outlet` over one peer."""

    peer: WebSocketPeer

    def send(self, message: str | bytes) -> None:
        self.peer.send_raw_nowait(_frame(message))

    def send_block(self, messages: Sequence[str | bytes]) -> None:
        if messages:
            self.peer.send_raw_nowait(b"".join(map(_frame, messages)))

    def send_encoded(self, text: bytes) -> None:
        self.peer.send_nowait(text)

    def send_encoded_block(self, texts: Sequence[bytes]) -> None:
        self.peer.send_block_nowait(texts)

    def ping(self, payload: bytes) -> None:
        self.peer.ping_nowait(payload)

    def close(self, code: int, reason: str) -> None:
        self.peer.close_nowait(code, reason)

    @property
    def waiting(self) -> int:
        return self.peer.waiting

    @property
    def received(self) -> int:
        return self.peer.received + self.peer.controls

    @property
    def pong(self) -> bytes | None:
        return self.peer.pong


def _frame(message: str | bytes) -> bytes:
    return text_frame(message.encode()) if isinstance(message, str) else binary_frame(message)
