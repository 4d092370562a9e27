"""Targets that are asked for all of some tests fail where these can't run; the suite skips them and says so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.no_skips import NO_SKIPS, NoSkips

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]

TESTS = """
import pytest

def test_runs():
    pass

def test_lacks_something():
    pytest.skip("no wrench: say WRENCH=…")

@pytest.mark.skipif(True, reason="no hammer: say HAMMER=…")
def test_lacks_something_else():
    pass

@pytest.mark.xfail(reason="known")
def test_is_known_to_fail():
    raise AssertionError
"""


@pytest.fixture
def folder(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider\n")
    pytester.makepyfile(TESTS)
    return pytester


def test_what_is_skipped_fails_with_its_reason_where_nothing_may_be(folder: pytest.Pytester) -> None:
    done = folder.runpytest_inprocess(plugins=[NoSkips()])

    done.assert_outcomes(passed=1, failed=1, errors=1, xfailed=1)
    done.stdout.fnmatch_lines_random(["no wrench: say WRENCH=…", "*no hammer: say HAMMER=…"])
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_a_module_that_is_skipped_fails_where_nothing_may_be(folder: pytest.Pytester) -> None:
    folder.makepyfile(test_whole="import pytest\npytest.importorskip('no_such_module_at_all')")

    done = folder.runpytest_inprocess(plugins=[NoSkips()])

    assert done.ret == pytest.ExitCode.INTERRUPTED
    done.stdout.fnmatch_lines(["*no_such_module_at_all*"])


def test_without_it_they_are_skipped(folder: pytest.Pytester) -> None:
    done = folder.runpytest_inprocess()

    done.assert_outcomes(passed=1, skipped=2, xfailed=1)
    assert done.ret == pytest.ExitCode.OK


def with_nothing_there(path: str, *, strict: bool) -> subprocess.CompletedProcess[str]:
    """Run tests where there is neither a recording, nor a browser, nor another Python."""
    absent = dict.fromkeys(("STRATEGYKIT_DATA", "STRATEGYKIT_BROWSER", "STRATEGYKIT_PYTHONS", "PATH"), "/nowhere")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", *path.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **absent, NO_SKIPS: "1" if strict else ""},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tests/runtime/test_replay_determinism.py -k other_interpreters", "make digests STRATEGYKIT_PYTHONS="),
        ("tests/agreement/test_agreement_maker.py", "STRATEGYKIT_DATA"),
        ("tests/report/test_report_browser.py", "STRATEGYKIT_BROWSER"),
    ],
)
def test_each_says_what_is_missing_and_how_to_give_it(path: str, words: str) -> None:
    strict = with_nothing_there(path, strict=True)
    assert strict.returncode == pytest.ExitCode.TESTS_FAILED, strict.stdout
    assert words in strict.stdout

    lenient = with_nothing_there(path, strict=False)
    assert lenient.returncode == pytest.ExitCode.OK, lenient.stdout
    assert words in lenient.stdout


@pytest.mark.parametrize("target", ["digests", "agreement", "pages"])
def test_the_targets_let_nothing_be_skipped(target: str) -> None:
    rule = re.search(rf"^{target}: setup\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    assert rule is not None
    assert f"{NO_SKIPS}=1 $(BIN)/pytest" in rule[1]
