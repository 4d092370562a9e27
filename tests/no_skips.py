"""Runs that are asked for all of some tests, such as `make digests`: what can't be tested here fails, and says why."""

from __future__ import annotations

from collections.abc import Generator

import pytest

__all__ = ["NO_SKIPS", "NoSkips"]

NO_SKIPS = "STRATEGYKIT_NO_SKIPS"
"""Variable of the environment; whatever it is set to, but for nothing, lets no test be skipped."""


class NoSkips:
    """A plugin by which a test that is skipped fails, with its reason."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.skipped and not hasattr(report, "wasxfail"):  # An expected failure is reported as skipped, too.
            report.outcome, report.longrepr = "failed", _told(call.excinfo)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.skipped:
            report.outcome, report.longrepr = "failed", f"{report.longrepr}: nothing may be skipped ({NO_SKIPS})"
        return report


def _told(found: pytest.ExceptionInfo[BaseException] | None) -> str:
    return f"{'skipped' if found is None else found.value}\nNothing may be skipped here: {NO_SKIPS} is set."
