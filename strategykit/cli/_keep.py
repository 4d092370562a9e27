"""What becomes of a run besides what is printed: a result in a folder of its own, and a page."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from strategykit.cli._report import complaints
from strategykit.cli._screen import print_line
from strategykit.disk import shown
from strategykit.errors import ConfigError
from strategykit.runtime.report import RunReport
from strategykit.sim.models.fill_models import FillModels

if TYPE_CHECKING:
    from strategykit.report.result import Result

__all__ = ["Keeping", "need_libraries"]


@attrs.frozen(kw_only=True)
class Keeping:
    """Where a run's result goes."""

    out: Path | None
    """A new folder for it; None: it isn't kept."""
    page: Path | None
    """An HTML file; None: no page is made."""
    quiet: bool
    """Whether nothing is printed about it, as in the midst of JSON."""

    @property
    def wanted(self) -> bool:
        return self.out is not None or self.page is not None

    def check(self) -> None:
        """See that it can be kept, before a long run.

        Raises:
            ConfigError: A library is missing, or the page would be a folder.
            ResultError: The folder is there already.
        """
        if not self.wanted:
            return
        need_libraries()
        from strategykit.report.document import plotly_script
        from strategykit.report.store import check_free

        if self.out is not None:
            check_free(self.out)
        if self.page is not None:
            if self.page.is_dir():
                raise ConfigError(f"--report {self.page}: is a folder; name an HTML file to be made")
            plotly_script()

    def keep(
        self,
        report: RunReport,
        *,
        kind: str,
        source: str,
        models: FillModels | None,
        seed: int | None,
        identity: str = "",
    ) -> None:
        """Keep the result of a run, as far as it is wanted, and say where it is.

        Args:
            report: What the run came to.
            kind: Of run: see `RunFacts`.
            source: Where the market came from.
            models: What answered the orders; None: a venue.
            seed: That was given.
            identity: Of the run.

        Raises:
            ResultError: It can't be written.
        """
        if not self.wanted or report.collected is None:
            return
        from strategykit.report.facts import RunFacts, models_in_words
        from strategykit.report.result import Result

        facts = RunFacts(
            kind=kind,
            source=source,
            models={} if models is None else models_in_words(models),
            identity=identity,
            seed=seed,
            digest=report.digest,
            version=version("strategykit"),
            python=platform.python_version(),
            problems=tuple(complaints(report)),
            warnings=tuple(report.warnings),
        )
        self._write(Result(facts, report.collected))

    def _write(self, result: Result) -> None:
        if self.out is not None:
            result.save(self.out)
            self._say(f"result: {shown(self.out)}")
        if self.page is not None:
            result.save_html(self.page)
            self._say(f"page: {shown(self.page)}")

    def _say(self, line: str) -> None:
        if not self.quiet:
            print_line(line)


def need_libraries() -> None:
    """See that what results are made with is installed.

    Raises:
        ConfigError: It isn't.
    """
    try:
        import numpy as np  # noqa: F401 - asked for, so that we can say so
        import pyarrow as pa  # noqa: F401 - as above
    except ImportError as exc:
        raise ConfigError(f"results need {exc.name}: pip install 'strategykit[report]'") from exc
