"""Markers, scripts on disk, and how a failing test is tried again: all of it without a world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strategykit.errors import ConfigError
from strategykit.testing import Fault, NetworkFault
from strategykit.testing.campaign import FaultPlan, Trial, read_marker, read_script, try_seeds

BAD = Fault(at=3.0, network=NetworkFault(what="reset"))
SCRIPT = [*(Fault(at=float(at), network=NetworkFault(what="slow")) for at in range(8)), BAD]


def play(test: Callable[[Trial], None], **plan: Any) -> tuple[list[int], list[str], BaseException | None]:
    """Give the seeds that were begun, what was told, and what the test failed with in the end."""
    made = FaultPlan(**plan)
    trial, begun, told = Trial(made), list[int](), list[str]()

    def once() -> None:
        begun.append(trial.seed)
        test(trial)

    try:
        try_seeds(trial, made, once, lambda _, words: told.append(words))
    except (Exception, pytest.fail.Exception, pytest.skip.Exception) as failure:  # noqa: BLE001 - it is what is looked at
        return begun, told, failure
    return begun, told, None


def test_without_arguments_a_marker_means_what_the_docs_say() -> None:
    assert read_marker((), {}) == FaultPlan(seeds=50, faults=20, venue="alor", seconds=60)


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ((5,), {}, "by name only, such as strategykit_faults(seeds=50, faults=20, venue='alor', seconds=60)"),
        ((), {"seed": 5}, "has no 'seed'; it takes seeds=50, faults=20"),
        ((), {"seeds": 0}, "seeds=0): give a whole number from 1"),
        ((), {"seeds": True}, "seeds=True): give a whole number"),
        ((), {"faults": -1}, "faults=-1): give a whole number from 0"),
        ((), {"faults": 2.5}, "faults=2.5): give a whole number"),
        ((), {"seconds": 1}, "seconds=1): give seconds from 5 to 3600"),
        ((), {"seconds": float("nan")}, "seconds=nan): give seconds"),
        ((), {"seconds": "60"}, "seconds='60'): give seconds"),
        ((), {"venue": None}, "give the name of a venue"),
        ((), {"venue": "nyse"}, "no venue is called 'nyse'; there are alor, t4"),
    ],
)
def test_a_marker_that_cant_be_says_what_would_be_right(
    arguments: tuple[object, ...], named: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_marker(arguments, named)

    assert words in str(caught.value)


def test_a_script_on_disk_gives_seed_and_faults(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('{"seed": 7, "faults": [{"at": 3.0, "network": {"what": "reset"}}]}', encoding="utf-8")

    assert read_script(path) == (7, [BAD])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed 7", "is no JSON"),
        ("[]", 'should be such as {"seed": 1'),
        ('{"seed": "7", "faults": []}', "should be such as"),
        ('{"seed": 7, "faults": [{"at": 1.0, "net": {}}]}', "this is no fault script"),
    ],
)
def test_a_script_on_disk_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=words.replace("{", "\\{")):
        read_script(path)


def test_a_test_that_never_fails_sees_every_seed_once() -> None:
    assert play(lambda _: None, seeds=3) == ([1, 2, 3], [], None)


def test_one_seed_can_be_asked_for() -> None:
    assert play(lambda _: None, seeds=3, seed=9) == ([9], [], None)


def test_the_smallest_script_is_told_with_its_failure() -> None:
    def test(trial: Trial) -> None:
        if trial.script is None:
            trial.script = SCRIPT if trial.seed == 2 else SCRIPT[:-1]
        if BAD in trial.script:
            raise ArithmeticError(len(trial.script))

    begun, told, failure = play(test)

    assert begun[:2] == [1, 2]
    assert set(begun[1:]) == {2}
    assert isinstance(failure, ArithmeticError)
    assert failure.args == (1,)
    assert failure.__context__ is None
    head, script = told[0].split("\n")
    assert head == "It fails with seed 2; 1 fault is needed, of 9:"
    assert script == '{"seed": 2, "faults": [{"at": 3.0, "network": {"what": "reset"}}]}'


def test_a_failure_of_another_kind_isnt_taken_for_the_same() -> None:
    def test(trial: Trial) -> None:
        if trial.script is None:
            trial.script = SCRIPT
        if BAD in trial.script:
            pytest.fail("the one that was looked for")
        raise ArithmeticError("another")

    _, told, failure = play(test)

    assert isinstance(failure, pytest.fail.Exception)
    assert "1 fault is needed" in told[0]


def test_a_failure_that_needs_no_fault_is_told_as_one() -> None:
    def without_a_world(trial: Trial) -> None:
        raise ArithmeticError

    def in_a_world(trial: Trial) -> None:
        if trial.script is None:
            trial.script = SCRIPT
        raise ArithmeticError

    for test in (without_a_world, in_a_world):
        _, told, failure = play(test)

        assert isinstance(failure, ArithmeticError)
        assert told == ["It fails with seed 1, without any fault."]


def test_a_given_script_is_played_once_as_it_is() -> None:
    def test(trial: Trial) -> None:
        raise ArithmeticError(trial.script)

    begun, told, failure = play(test, seed=7, script=SCRIPT)

    assert (begun, told) == ([7], [])
    assert isinstance(failure, ArithmeticError)
    assert failure.args == (SCRIPT,)


def test_a_failure_that_comes_and_goes_is_told_as_one() -> None:
    calls = iter([True])

    def test(trial: Trial) -> None:
        if next(calls, False):
            trial.script = [BAD, BAD]
            raise ArithmeticError

    _, told, failure = play(test)

    assert isinstance(failure, ArithmeticError)
    assert "2 faults are needed" in told[0]
    assert "it depends on something else" in told[1]


@pytest.mark.parametrize("leave", [pytest.skip, pytest.xfail])
def test_a_skip_is_no_failure(leave: Callable[[str], None]) -> None:
    begun, told, failure = play(lambda _: leave("not here"))

    assert (begun, told) == ([1], [])
    assert failure is not None
