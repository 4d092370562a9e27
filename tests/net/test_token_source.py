"""The token source: one request for everybody, renewed in time, and an end when it is refused."""

from __future__ import annotations

import random
import traceback
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from strategykit.errors import ConfigError, ConnectionLost, LoginRefused, RemoteProtocolError
from strategykit.net.timing import TryLater
from strategykit.net.tokens import Token

if TYPE_CHECKING:
    from tests.net.conftest import Rig


async def test_a_hundred_waiters_share_one_request(rig: Rig, nursery: trio.Nursery, autojump_clock: object) -> None:
    got: list[str] = []

    async def slowly() -> None:
        await trio.sleep(3)

    async def wait() -> None:
        got.append(await rig.tokens.get())

    rig.service.next.append(slowly)
    async with trio.open_nursery() as waiters:
        for _ in range(100):
            waiters.start_soon(wait)
    assert got == ["token-1"] * 100
    assert rig.service.asked == 1
    assert trio.current_time() == pytest.approx(3)


async def test_if_the_waiter_that_asks_is_cancelled_the_next_one_asks(
    rig: Rig, nursery: trio.Nursery, autojump_clock: object
) -> None:
    got: list[str] = []

    async def wait(scope: trio.CancelScope) -> None:
        with scope:
            got.append(await rig.tokens.get())

    rig.service.next.append(trio.sleep_forever)
    scopes = [trio.CancelScope() for _ in range(10)]
    async with trio.open_nursery() as waiters:
        for scope in scopes[:1]:
            waiters.start_soon(wait, scope)
        await trio.testing.wait_all_tasks_blocked()
        for scope in scopes[1:]:
            waiters.start_soon(wait, scope)
        await trio.testing.wait_all_tasks_blocked()
        scopes[0].cancel()
    assert got == ["token-1"] * 9
    assert rig.service.asked == 2


async def test_a_token_is_renewed_at_four_fifths_of_its_life(
    rig: Rig, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(rig.tokens.keep_fresh)
    assert await rig.tokens.get() == "token-1"
    await trio.sleep(0.8 * 1800 - 1)
    assert rig.service.asked == 1
    await trio.sleep(2)
    assert rig.service.asked == 2
    assert await rig.tokens.get() == "token-2"


async def test_while_the_service_is_down_the_old_token_serves_until_it_dies(
    rig: Rig, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(rig.tokens.keep_fresh)
    await rig.tokens.get()
    rig.service.next.extend([ConnectionLost("down")] * 1000)
    await trio.sleep(1790)
    with trio.fail_after(0.1):
        assert await rig.tokens.get() == "token-1"
    assert rig.tokens.last_failure == "down"
    assert 10 < rig.service.asked < 60  # Delays of 15 s on average for six minutes.
    await trio.sleep(20)
    with trio.move_on_after(300) as waiting:
        await rig.tokens.get()
    assert waiting.cancelled_caught
    rig.service.next.clear()
    assert await rig.tokens.get() == "token-2"
    assert rig.tokens.last_failure == ""


async def test_a_token_that_died_unrenewed_is_replaced_when_asked_for(rig: Rig, autojump_clock: object) -> None:
    assert await rig.tokens.get() == "token-1"
    await trio.sleep(1801)
    assert await rig.tokens.get() == "token-2"


async def test_its_age_counts_from_the_asking(rig: Rig, autojump_clock: object) -> None:
    async def slowly() -> None:
        await trio.sleep(100)

    rig.service.next.append(slowly)
    assert await rig.tokens.get() == "token-1"
    await trio.sleep(1701)
    assert await rig.tokens.get() == "token-2"


async def test_a_token_that_was_refused_is_replaced_once_however_many_say_so(
    rig: Rig, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(rig.tokens.keep_fresh)
    assert await rig.tokens.get() == "token-1"
    for _ in range(10):
        rig.tokens.invalidate("token-1")
    assert await rig.tokens.get() == "token-2"
    rig.tokens.invalidate("token-1")
    assert await rig.tokens.get() == "token-2"
    assert rig.service.asked == 2


async def test_who_waits_for_another_token_gets_it_when_it_is_there(
    rig: Rig, nursery: trio.Nursery, autojump_clock: object
) -> None:
    nursery.start_soon(rig.tokens.keep_fresh)
    token = await rig.tokens.get()
    assert await rig.tokens.wait_renewed("something older") == token
    assert await rig.tokens.wait_renewed(token) == "token-2"
    assert trio.current_time() == pytest.approx(0.8 * 1800)


@pytest.mark.parametrize("refusal", [LoginRefused("expired", code=403), ConfigError("certificate")])
async def test_a_refusal_is_final_and_everybody_is_told(
    rig: Rig, autojump_clock: object, refusal: LoginRefused | ConfigError
) -> None:
    token = await rig.tokens.get()
    await trio.sleep(10)
    rig.tokens.invalidate(token)
    told: list[Exception] = []

    async def refuse() -> None:
        await trio.sleep(1)
        raise refusal

    async def wait() -> None:
        with pytest.raises(type(refusal), match=str(refusal)) as caught:
            await rig.tokens.get()
        told.append(caught.value)

    async def wait_other() -> None:
        with pytest.raises(type(refusal)) as caught:
            await rig.tokens.wait_renewed(token)
        told.append(caught.value)

    async def keep() -> None:
        with pytest.raises(type(refusal)) as caught:
            await rig.tokens.keep_fresh()
        told.append(caught.value)

    rig.service.next.append(refuse)
    async with trio.open_nursery() as tasks:
        tasks.start_soon(keep)
        for _ in range(5):
            tasks.start_soon(wait)
            tasks.start_soon(wait_other)
    assert len(told) == 11
    assert len({id(error) for error in told}) == 11
    assert {getattr(error, "code", 0) for error in told} == {getattr(refusal, "code", 0)}
    with pytest.raises(type(refusal)):
        await rig.tokens.get()
    assert rig.service.asked == 2


async def test_after_a_refusal_the_last_token_is_used_until_it_dies(rig: Rig, autojump_clock: object) -> None:
    """Somebody may have orders to cancel with it; a new one won't be had."""
    token = await rig.tokens.get()
    rig.service.next.append(LoginRefused("withdrawn", code=403))
    ended: list[float] = []

    async def keep() -> None:
        with pytest.raises(LoginRefused, match="withdrawn"):
            await rig.tokens.keep_fresh()
        ended.append(trio.current_time())

    async def wait_other() -> None:
        with pytest.raises(LoginRefused, match="withdrawn"):
            await rig.tokens.wait_renewed(token)
        ended.append(trio.current_time())

    async with trio.open_nursery() as tasks:
        tasks.start_soon(keep)
        tasks.start_soon(wait_other)
        assert "withdrawn" in str(await rig.tokens.wait_refused())
        assert trio.current_time() == pytest.approx(0.8 * 1800)
        assert await rig.tokens.get() == token
    assert ended == pytest.approx([1800, 1800])
    with pytest.raises(LoginRefused):
        await rig.tokens.get()
    assert rig.service.asked == 2


async def test_a_refused_token_that_cannot_be_replaced_ends_it_at_once(rig: Rig, autojump_clock: object) -> None:
    token = await rig.tokens.get()
    rig.service.next.append(LoginRefused("withdrawn", code=403))
    async with trio.open_nursery() as tasks:
        tasks.start_soon(rig.tokens.wait_refused)

        async def keep() -> None:
            with pytest.raises(LoginRefused):
                await rig.tokens.keep_fresh()

        tasks.start_soon(keep)
        await trio.sleep(1_500)
        rig.tokens.invalidate(token)
        with pytest.raises(LoginRefused):
            await rig.tokens.get()
    assert trio.current_time() == pytest.approx(1_500)


async def test_failures_that_may_pass_are_tried_again_with_growing_delays(rig: Rig, autojump_clock: object) -> None:
    rig.service.next.extend([ConnectionLost("down"), RemoteProtocolError("<html>"), ConnectionLost("down")])
    assert await rig.tokens.get() == "token-1"
    assert rig.service.asked == 4
    assert 0 < trio.current_time() <= 0.5 + 1 + 2


async def test_a_service_that_names_a_delay_gets_it(rig: Rig, autojump_clock: object) -> None:
    rig.service.next.append(TryLater("busy", delay=60))
    await rig.tokens.get()
    assert trio.current_time() >= 60


async def test_a_token_without_a_life_isnt_asked_for_without_a_pause(rig: Rig, autojump_clock: object) -> None:
    rig.service.life = 0
    with trio.move_on_after(600):
        await rig.tokens.get()
    assert rig.service.asked < 100
    assert "lives 0 s" in rig.tokens.last_failure


async def test_each_token_is_protected_before_anybody_gets_it(rig: Rig, autojump_clock: object) -> None:
    for _ in range(3):
        token = await rig.tokens.get()
        assert rig.memory.told[-1] == ("protect", token)
        rig.tokens.invalidate(token)


async def test_a_token_shows_in_no_repr_and_no_traceback(rig: Rig, autojump_clock: object) -> None:
    token = Token("canary-secret", 0, 10**9)
    assert "canary" not in repr(token)
    assert await rig.tokens.get() == "token-1"
    assert "token-1" not in repr(rig.tokens)
    rig.tokens.invalidate("token-1")
    rig.service.next.append(LoginRefused("no"))
    with pytest.raises(LoginRefused) as caught:
        await rig.tokens.get()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "token-1" not in "".join(shown.format())


async def test_cancelled_at_any_moment_the_next_one_still_gets_a_token(rig: Rig, autojump_clock: object) -> None:
    rng = random.Random(4)
    for _ in range(200):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as tasks:
                for _ in range(3):
                    tasks.start_soon(rig.tokens.get)
                for _ in range(rng.randrange(5)):
                    await trio.lowlevel.checkpoint()
                scope.cancel()
        token = await rig.tokens.get()
        rig.tokens.invalidate(token)
