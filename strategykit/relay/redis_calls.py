"""REST calls over a bus: asked by one relay, answered by the one that has the venue."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
import trio

from strategykit.sim.http_calls import HttpAnswer, json_answer

__all__ = ["Calls"]

_ANSWER_WITHIN: Final = 12.0
"""Seconds: longer than the venue gets."""

_AT_ONCE: Final = 100
"""Calls that one relay asks, or answers, at a time."""

Answer = Callable[[str, Mapping[str, str]], Awaitable[HttpAnswer]]


class _Call(msgspec.Struct):
    reply_to: str
    number: int
    path: str
    query: dict[str, str]


class _Called(msgspec.Struct):
    number: int
    status: int
    body: str


_CALL: Final = msgspec.json.Decoder(_Call)
_CALLED: Final = msgspec.json.Decoder(_Called)


class Calls:
    """Calls under way.

    Args:
        inbox: The channel by which answers come.
    """

    def __init__(self, inbox: str) -> None:
        self.inbox = inbox
        self._waiting: dict[int, tuple[trio.Event, list[_Called]]] = {}
        self._numbers = itertools.count(1)
        self._serving = 0

    async def ask(self, path: str, query: Mapping[str, str], send: Callable[[bytes], None]) -> HttpAnswer:
        """Ask, and wait for the answer."""
        if len(self._waiting) >= _AT_ONCE:
            await trio.lowlevel.checkpoint()
            return json_answer(503, {"message": f"{_AT_ONCE} calls wait already"})
        number, came, found = next(self._numbers), trio.Event(), list[_Called]()
        self._waiting[number] = came, found
        try:
            send(msgspec.json.encode(_Call(self.inbox, number, path, dict(query))))
            with trio.move_on_after(_ANSWER_WITHIN):
                await came.wait()
        finally:
            del self._waiting[number]
        if not found:
            return json_answer(503, {"message": "no relay that has the venue has answered"})
        return HttpAnswer(status=found[0].status, body=found[0].body.encode())

    def answered(self, message: bytes) -> None:
        """Take what came by the inbox, whatever it is."""
        try:
            called = _CALLED.decode(message)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        waiting = self._waiting.get(called.number)
        if waiting is not None:
            waiting[1].append(called)
            waiting[0].set()

    def serve(self, nursery: trio.Nursery, message: bytes, answer: Answer, send: Callable[[str, bytes], None]) -> None:
        """Answer what somebody asks, whatever it is."""
        try:
            call = _CALL.decode(message)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return
        if self._serving < _AT_ONCE:
            self._serving += 1
            nursery.start_soon(self._answer, call, answer, send)

    async def _answer(self, call: _Call, answer: Answer, send: Callable[[str, bytes], None]) -> None:
        try:
            found = await answer(call.path, call.query)
        finally:
            self._serving -= 1
        send(call.reply_to, msgspec.json.encode(_Called(call.number, found.status, found.body.decode())))
