"""Signals that end a run, and the last resort where a run doesn't end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
import trio
import trio.testing

from strategykit.runtime.stops import Stops

SCRIPT = """
import sys, time
from strategykit.runtime.stops import Stops

with Stops() as stops:
    stops.abandon_in({first}, lambda: "the first reason")
    {then}
    time.sleep({seconds})
print("it ended by itself")
"""

HELD = """
import trio
from strategykit.runtime.stops import Stops

async def main():
    with Stops() as stops:
        stops.why = lambda: "somebody holds the thread"
        async with trio.open_nursery() as nursery:
            await nursery.start(stops.listen)
            print("ready", flush=True)
            while True:
                try:
                    while True: pass
                except BaseException: pass

trio.run(main)
"""


async def test_each_signal_counts_and_is_waited_for() -> None:
    told: list[int] = []

    async def wait(count: int) -> None:
        await stops.wait(count)
        told.append(count)

    with Stops() as stops, trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await nursery.start(stops.listen)
            async with trio.open_nursery() as waiting:
                waiting.start_soon(wait, 1)
                waiting.start_soon(wait, 2)
                await trio.testing.wait_all_tasks_blocked(0.01)
                signal.raise_signal(signal.SIGINT)
                await stops.wait(1)
                assert stops.count == 1
                signal.raise_signal(signal.SIGTERM)
            nursery.cancel_scope.cancel()

    assert told == [1, 2]
    assert stops.count == 2


async def test_signals_that_have_come_already_arent_waited_for() -> None:
    with Stops() as stops:
        stops.count = 2
        with trio.fail_after(1):
            await stops.wait(1)
            await stops.wait(2)


def test_a_signal_before_anybody_listens_is_pythons_own() -> None:
    with Stops() as stops, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)

    assert stops.count == 0


def test_when_nobody_listens_any_more_signals_are_pythons_own_again() -> None:
    async def listen() -> None:
        with Stops() as stops:
            async with trio.open_nursery() as nursery:
                await nursery.start(stops.listen)
                nursery.cancel_scope.cancel()

    before = signal.getsignal(signal.SIGTERM)
    trio.run(listen)

    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


async def test_what_is_ignored_already_as_under_nohup_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stops() as stops, trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                await nursery.start(stops.listen)
                signal.raise_signal(signal.SIGHUP)
                signal.raise_signal(signal.SIGTERM)
                await stops.wait(1)
                await trio.testing.wait_all_tasks_blocked(0.01)
                nursery.cancel_scope.cancel()
    finally:
        signal.signal(signal.SIGHUP, before)

    assert stops.count == 1


def leave(first: float, then: str = "pass", *, seconds: float) -> tuple[int, str, str, float]:
    script = SCRIPT.format(first=first, then=then, seconds=seconds)
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr, time.monotonic() - began


def test_a_run_that_doesnt_end_is_left_with_the_reason_and_exit_code_1() -> None:
    code, out, err, took = leave(0.05, seconds=20)

    assert (code, out) == (1, "")
    assert err == "strategykit: the first reason\n"
    assert took < 15


def test_a_later_last_resort_replaces_the_earlier_one() -> None:
    code, _, err, _ = leave(20, "stops.abandon_in(0.05, lambda: 'the second reason')", seconds=15)

    assert code == 1
    assert err == "strategykit: the second reason\n"


SIGNALLED = """
    import threading
    make = threading.Timer.__init__

    def interrupted(timer, *arguments):
        threading.Timer.__init__ = make
        stops.abandon_in(0.3, lambda: "by the signal")
        make(timer, *arguments)

    threading.Timer.__init__ = interrupted
    stops.abandon_in(0.3, lambda: "by the run")
    stops.stay()
"""


def test_a_signal_in_the_midst_of_asking_for_the_last_resort_leaves_none_behind() -> None:
    code, out, err, _ = leave(20, SIGNALLED.strip(), seconds=0.8)

    assert (code, out, err) == (0, "it ended by itself\n", "")


@pytest.mark.parametrize("then", ["stops.stay()", "pass"])
def test_a_run_that_ends_in_time_calls_the_last_resort_off(then: str) -> None:
    code, out, err, _ = leave(10 if then == "pass" else 0.3, then, seconds=0.0 if then == "pass" else 0.6)

    assert (code, out, err) == (0, "it ended by itself\n", "")


def test_a_reason_that_cant_be_had_doesnt_keep_the_process_alive() -> None:
    code, _, _, took = leave(20, "stops.abandon_in(0.05, lambda: 1 / 0)", seconds=15)

    assert code == 1
    assert took < 12


def test_signals_end_a_process_whose_thread_nobody_gets() -> None:
    """A strategy that catches whatever interrupts it: the task that would see to the end never gets a turn."""
    held = [
        subprocess.Popen([sys.executable, "-c", HELD], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for signals, process in enumerate(held, 1):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
                time.sleep(0.1)  # Two at once are one to the system.
        for process in held:
            _, err = process.communicate(timeout=15)
            assert (process.returncode, err) == (1, "strategykit: somebody holds the thread\n")
    finally:
        for process in held:
            process.kill()
            process.communicate()


async def test_a_signal_that_comes_when_all_is_over_leaves_nothing_by_force() -> None:
    with Stops() as stops:
        async with trio.open_nursery() as nursery:
            await nursery.start(stops.listen)
            stops.stay()
            signal.raise_signal(signal.SIGINT)
            await stops.wait(1)
            assert stops._timer is None
            nursery.cancel_scope.cancel()
