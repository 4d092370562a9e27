"""REST calls over a bus: what comes is answered once, whatever it is, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from strategykit.relay.redis_calls import Calls
from strategykit.sim.http_calls import HttpAnswer, json_answer

GARBAGE = [b"", b"no json", b"{}", b"\xff", b"[" * 10_000]


async def test_who_asks_gets_the_answer_to_his_own_question() -> None:
    calls, sent, found = Calls("me"), list[bytes](), dict[str, HttpAnswer]()

    async def ask(path: str) -> None:
        found[path] = await calls.ask(path, {"symbol": "X"}, sent.append)

    async with trio.open_nursery() as nursery:
        for path in ("/a", "/b"):
            nursery.start_soon(ask, path)
        await wait_all_tasks_blocked()
        for message in (*GARBAGE, b'{"number":99,"status":200,"body":""}'):
            calls.answered(message)
        for message in sent:
            question = msgspec.json.decode(message)
            assert question["reply_to"] == "me"
            calls.answered(msgspec.json.encode({"number": question["number"], "status": 404, "body": question["path"]}))

    assert {path: (answer.status, answer.body) for path, answer in found.items()} == {
        "/a": (404, b"/a"),
        "/b": (404, b"/b"),
    }


async def test_a_question_that_nobody_answers_is_given_up(autojump_clock: object) -> None:
    answer = await Calls("me").ask("/a", {}, lambda _: None)

    assert answer.status == 503
    assert b"no relay that has the venue has answered" in answer.body


async def test_so_many_questions_wait_at_the_most(nursery: trio.Nursery) -> None:
    calls = Calls("me")

    async def ask() -> None:
        await calls.ask("/a", {}, lambda _: None)

    for _ in range(100):
        nursery.start_soon(ask)
    await wait_all_tasks_blocked()

    answer = await calls.ask("/a", {}, lambda _: pytest.fail("it was sent"))

    assert answer.status == 503
    assert b"100 calls wait already" in answer.body
    nursery.cancel_scope.cancel()


async def test_what_is_asked_is_answered_to_who_asked_and_garbage_isn_t() -> None:
    sent: list[tuple[str, Any]] = []
    question = {"reply_to": "you", "number": 7, "path": "/a", "query": {"symbol": "X"}}

    async def answer(path: str, query: Mapping[str, str]) -> HttpAnswer:
        await trio.lowlevel.checkpoint()
        return json_answer(200, [path, query["symbol"]])

    async with trio.open_nursery() as nursery:
        for message in (*GARBAGE, msgspec.json.encode(question)):
            Calls("me").serve(nursery, message, answer, lambda to, reply: sent.append((to, msgspec.json.decode(reply))))

    assert sent == [("you", {"number": 7, "status": 200, "body": '["/a","X"]'})]


async def test_so_much_is_answered_at_a_time_at_the_most(nursery: trio.Nursery) -> None:
    calls, begun = Calls("me"), 0
    question = msgspec.json.encode({"reply_to": "you", "number": 7, "path": "/a", "query": {}})

    async def answer(_: str, __: Mapping[str, str]) -> HttpAnswer:
        nonlocal begun
        begun += 1
        await trio.sleep_forever()
        raise AssertionError

    for _ in range(150):
        calls.serve(nursery, question, answer, lambda *_: None)
    await wait_all_tasks_blocked()

    assert begun == 100
    nursery.cancel_scope.cancel()
