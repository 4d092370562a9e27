"""The page of a result: what stands on it, that nothing on it can do anything, and that it stays small."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest

from strategykit.cli._keep import need_libraries
from strategykit.errors import ConfigError
from strategykit.report.comparison import comparison_page, distinct_names
from strategykit.report.document import plotly_script
from strategykit.report.facts import RunFacts, models_in_words
from strategykit.report.figures import equity_figure, price_figure
from strategykit.report.page import MOST_TRIPS
from strategykit.report.result import Result
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.queues import FillRule
from tests.report.conftest import SECOND, START, Filled, result

EVIL = "<script>alert(1)</script>&\"'%{x}</title>"


class _Page(HTMLParser):
    """Takes a page apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.words: list[str] = []
        self.addresses: list[str] = []
        self._inside = ""
        self._rows: list[list[str]] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag == "script":
            self.scripts.append("")
        elif tag == "table":
            self._rows = self.tables.setdefault(dict(attrs).get("data-name") or "", [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._rows:
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if tag == "table":
            self._rows = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside in ("td", "th") and self._rows:
            self._rows[-1][-1] += data
        elif self._inside not in ("style", ""):
            self.words.append(data)

    @property
    def figures(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.scripts[0])
        return found


def test_a_page_has_drawings_figures_trades_and_what_the_run_was(crossed: Result) -> None:
    page = _Page(crossed.html())

    assert len(page.figures) == 2
    assert [len(figure["data"]) for figure in page.figures] == [3, 3]
    assert len(page.tables["trips"]) == len(crossed.trips) + 1
    assert ["Trades", f"{len(crossed.trips):,}"] in page.tables["metrics"]
    assert ["data", "made bars"] in page.tables["facts"]
    assert ["cross", "Cross", "slow", "8"] in page.tables["parameters"]


def test_a_page_needs_nothing_else(crossed: Result) -> None:
    text = crossed.html()
    page = _Page(text)

    assert page.addresses == []
    assert "default-src 'none'" in text
    assert text.count(plotly_script()[:200]) == 1
    assert len(text) < len(plotly_script()) + 1_500_000


def evil() -> Result:
    return result(
        Filled(side="buy", lots="1", price="100", strategy=EVIL, fee="1", fee_currency="RUB"),
        Filled(side="sell", lots="1", price="101", strategy=EVIL, after=2, order="x"),
        strategies=[EVIL],
        prices={"SBER": [100.0] * 100},
        gaps=[("SBER", EVIL, START, START + SECOND, EVIL)],
        limits={"x": "101"},
        name=EVIL,
        facts=RunFacts(
            kind=EVIL,
            source=EVIL,
            models={EVIL: EVIL},
            identity=EVIL,
            problems=[EVIL] * 101,
            warnings=[EVIL] * 102,
            digest=EVIL,
        ),
    )


def test_whatever_things_are_called_they_stay_texts() -> None:
    run = evil()
    both = comparison_page([run, run], title=EVIL)

    for text in (run.html(), both, run._repr_html_()):
        assert "<script>alert" not in text
    page = _Page(run.html())
    assert EVIL in page.words
    assert page.tables["trips"][1][0] == EVIL
    assert [row for row in page.tables["facts"] if row[0] == f"model: {EVIL}"] == [[f"model: {EVIL}", EVIL]]
    assert len(page.scripts) == len(_Page(both).scripts) == 3
    # What plotly would read as HTML doesn't reach it either, but for our own.
    assert "<" not in json.dumps(page.figures).replace("<br>", "").replace("<extra></extra>", "")


def test_what_is_too_much_is_left_out_and_told(crossed: Result) -> None:
    rows = [
        Filled(side="buy" if n % 2 == 0 else "sell", lots="1", price=str(100 + n % 7), after=n // 100)
        for n in range(2 * MOST_TRIPS + 10)
    ]
    run = result(*rows, gaps=[("SBER", "trades SBER", START + n, START + n + 1, "lost") for n in range(8)])
    page = _Page(run.html())

    assert len(page.tables["trips"]) == MOST_TRIPS + 1
    assert f"Of {MOST_TRIPS + 5:,} trades the {MOST_TRIPS:,} with the largest profit or loss are shown" in "".join(
        page.words
    )
    assert "… and 3 more gaps" in page.words
    problems = _Page(evil().html())
    assert "… and 1 more lines" in problems.words
    assert "… and 2 more lines" in problems.words


def test_a_page_says_what_the_data_dont_tell(crossed: Result) -> None:
    doubtful = Result(attrs.evolve(crossed.facts, warnings=["SBER: who knows"]), crossed.collected)

    assert "SBER: who knows" in _Page(doubtful.html()).words
    assert "What the data don't tell" in _Page(doubtful.html()).words
    assert "What the data don't tell" not in _Page(crossed.html()).words
    both = comparison_page([crossed, doubtful])
    assert [row[-1] for row in _Page(both).tables["runs"]] == ["warnings", "0", "1"]
    assert 'title="SBER: who knows"' in both


def test_many_instruments_and_strategies_share_a_page() -> None:
    names = [f"S{n}" for n in range(10)]
    instruments = [attrs.evolve(item, symbol=name) for name in names for item in [_instrument()]]
    fills = [
        Filled(side="buy", lots="1", price="10", symbol=name, strategy=strategy, after=n)
        for n, name in enumerate(names)
        for strategy in ("one", "two")
    ]
    run = result(
        *fills, instruments=instruments, strategies=["one", "two"], prices={name: [10.0] * 100 for name in names}
    )
    page = _Page(run.html())

    assert len(page.figures) == 1 + 8
    assert "2 more instruments were traded; the 8 with the most fills are drawn." in page.words
    assert page.tables["metrics"][0] == ["Result", "all", "one", "two"]
    assert {trace["name"] for trace in page.figures[0]["data"]} >= {"all", "one", "two", "S0 (one)", "S0 (two)"}


def _instrument() -> Any:
    return result().collected.instruments[0]


def test_gaps_are_shaded_on_their_instrument_alone() -> None:
    gaps = [("SBER", "trades SBER", START, START + SECOND, "a"), ("GAZP", "book GAZP", START, START + 2 * SECOND, "b")]
    run = result(Filled(side="buy", lots="1", price="1"), prices={"SBER": [1.0] * 9}, gaps=gaps)

    shapes = price_figure(run, "SBER")["layout"]["shapes"]
    assert [(shape["x1"] - shape["x0"]) for shape in shapes] == [1000.0]
    assert len(equity_figure(run, "RUB")["layout"]["shapes"]) == 2


def test_an_orders_limit_is_drawn_while_it_worked() -> None:
    run = result(
        Filled(side="buy", lots="1", price="99", after=5, waited=3 * SECOND, order="a"),
        Filled(side="sell", lots="1", price="103", after=9, order="b"),
        limits={"a": "99.5"},
        prices={"SBER": [100.0] * 20},
    )
    price, limits, buys, sells = price_figure(run, "SBER")["data"]

    assert limits["name"] == "limits of 1 orders"
    assert [x and x - START / 1e6 for x in limits["x"]] == [2000.0, 5000.0, None]
    assert limits["y"] == [99.5, 99.5, None]
    assert (buys["y"], sells["y"], price["name"]) == ([99.0], [103.0], "price")
    assert buys["text"] == ["buy 1 at 99, one, fee 0.00"]


def test_several_runs_stand_side_by_side(crossed: Result) -> None:
    other = Result(attrs.evolve(crossed.facts, problems=["odd"]), crossed.collected)
    page = _Page(comparison_page([crossed, other]))

    assert page.tables["metrics"][0] == ["money in RUB", "cross", "cross (2)"]
    (figure,) = page.figures
    assert [trace["name"] for trace in figure["data"]] == ["cross", "cross", "cross (2)", "cross (2)"]
    assert figure["layout"]["xaxis"]["type"] == "date"
    assert page.tables["runs"][2][:5] == ["cross (2)", "simulation", "made bars", "", "2026-01-01 00:01:00"]


def test_runs_of_different_times_begin_together(crossed: Result) -> None:
    early = result(Filled(side="buy", lots="1", price="100"), prices={"SBER": [100.0] * 30}, length=29)
    page = _Page(comparison_page([crossed, early]))

    (figure,) = page.figures
    assert "type" not in figure["layout"]["xaxis"]
    assert [trace["x"][0] for trace in figure["data"]] == [0.0] * 4


def test_runs_in_different_currencies_arent_added_up() -> None:
    dollars = result(
        Filled(side="buy", lots="1", price="100", symbol="BTCUSDT"), prices={"BTCUSDT": [100.0] * 9}, name="dollars"
    )
    many = [result(Filled(side="buy", lots="1", price="100"), name=f"r{n}") for n in range(42)]
    page = _Page(comparison_page([dollars, *many]))

    assert [len(figure["data"]) for figure in page.figures] == [2 * 40, 2 * 40]
    assert "Of 43 runs the first 40 are drawn; the table has all." in page.words


def test_nothing_cant_be_compared() -> None:
    with pytest.raises(ConfigError, match="needs results"):
        comparison_page([])
    assert list(distinct_names([evil(), evil(), evil()])) == [EVIL, f"{EVIL} (2)", f"{EVIL} (3)"]


def test_a_notebooks_cell_is_small_and_has_no_scripts(crossed: Result) -> None:
    cell = crossed._repr_html_()

    assert len(cell) < 60_000
    assert cell.count("<svg") == 2
    assert "script" not in cell
    assert "Sharpe" in cell
    assert "Profit" not in result(instruments=[], strategies=[])._repr_html_()


def test_a_run_without_any_profit_is_drawn_too() -> None:
    assert "<svg" in result(prices={"SBER": [1.0]}, length=0)._repr_html_()
    assert len(_Page(result(prices={"SBER": [1.0]}, length=0, capital={}).html()).figures) == 2


def test_models_are_told_as_far_as_they_arent_plain() -> None:
    models = FillModels(rule=FillRule.TRADE_THROUGH, fees=FeeModel(maker_rate=Decimal("0.001")))

    assert models_in_words(models) == {"rule": "trade_through", "fees.maker_rate": "0.001"}
    assert models_in_words(FillModels()) == {}


def test_numbers_of_a_drawing_are_short(crossed: Result) -> None:
    numbers = re.findall(r"\d+\.\d+", json.dumps(equity_figure(crossed, "RUB")["data"][0]["y"]))

    assert max(map(len, numbers)) <= 12


@pytest.mark.parametrize(
    ("library", "extra", "use"),
    [
        ("polars", "notebook", lambda run: run.to_polars("fills")),
        ("pandas", "notebook", lambda run: run.to_pandas("fills")),
        ("plotly.offline", "report", lambda run: run.html()),
        ("pyarrow", "report", lambda _: need_libraries()),
    ],
)
def test_a_library_that_is_missing_is_named_with_what_brings_it(
    library: str, extra: str, use: Callable[[Result], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = result()
    monkeypatch.setitem(sys.modules, library, None)  # What `import` takes for one that isn't there.

    with pytest.raises(ConfigError, match=rf"need.* {library}: pip install 'strategykit\[{extra}\]'"):
        use(run)


def test_a_result_shows_itself_in_a_notebook(crossed: Result) -> None:
    formatters = pytest.importorskip(
        "IPython.core.formatters", reason="IPython isn't installed here: pip install ipython"
    )

    shown, _ = formatters.DisplayFormatter().format(crossed)

    assert shown["text/html"] == crossed._repr_html_()
    assert "<svg" in shown["text/html"]
