"""Drawings of a result, as plotly's plain values: ``{"data": […], "layout": {…}}``."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from strategykit.report.curves import Curve, as_floats
from strategykit.report.metrics import Floats, Times, drawdowns
from strategykit.report.result import Result
from strategykit.report.thinning import PIXELS, thin_out
from strategykit.report.words import money

__all__ = ["COLOURS", "Figure", "axis", "base_layout", "equity_figure", "label", "line", "milliseconds", "price_figure"]

Figure = dict[str, Any]

COLOURS: Final = ("#2563eb", "#d97706", "#0d9488", "#9333ea", "#64748b", "#db2777", "#65a30d", "#0891b2")
"""Of lines, in turn: told apart by most eyes, and on white."""

_BUY: Final = "#15803d"
_SELL: Final = "#b91c1c"
_PRICE: Final = "#475569"
_GRID: Final = "#e2e8f0"
_GAP: Final = "rgba(245, 158, 11, 0.25)"

_MOST_GAPS: Final = 300
"""Shaded; more of them are a colour of their own."""
_MOST_LINES: Final = 12
"""Instruments whose positions are drawn, those with the most fills."""


def label(text: str) -> str:
    """Give a text as plotly takes it, which reads some HTML in every text."""
    return html.escape(text, quote=False)


def milliseconds(times: Times) -> list[float]:
    """Give times as plotly's axes have them, to the microsecond."""
    return [time / 1000 for time in (times // 1_000).tolist()]


def _rounded(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else float(f"{value:.10g}") for value in values.tolist()]


def line(name: str, times: Times, values: Floats, colour: str, **more: Any) -> dict[str, Any]:
    """Give one line of steps, thinned out."""
    kept = thin_out(times, values)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": label(name),
        "x": milliseconds(times[kept]),
        "y": _rounded(values[kept]),
        "line": {"color": colour, "width": 1.5, "shape": "hv"},
        **more,
    }


def base_layout(height: int, **more: Any) -> dict[str, Any]:
    """Give what all drawings have: dark on white, room for labels, one hover for all lines."""
    return {
        "height": height,
        "margin": {"l": 80, "r": 24, "t": 60, "b": 40},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#0f172a"},
        "hovermode": "x unified",
        "hoverlabel": {"bgcolor": "#ffffff", "font": {"color": "#0f172a"}},
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "xanchor": "left"},
        **more,
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": label(title), "standoff": 8},
        "gridcolor": _GRID,
        "linecolor": "#94a3b8",
        "zerolinecolor": "#94a3b8",
        "automargin": True,
        **more,
    }


def equity_figure(result: Result, currency: str) -> Figure:
    """Draw profit, drawdown and positions over one axis of time."""
    whole = result.curve(None, currency)
    data = [line("all" if len(result.owners) > 1 else "profit", whole.times, whole.pnl, COLOURS[0])]
    if len(result.owners) > 1:
        for n, strategy in enumerate(result.owners, 1):
            curve = result.curve(strategy, currency)
            data.append(line(strategy, curve.times, curve.pnl, COLOURS[n % len(COLOURS)], opacity=0.8))
    depth, title, form = drawdown_of(result, whole, currency)
    fall = line("drawdown", whole.times, depth, _SELL, yaxis="y2", fill="tozeroy", showlegend=False)
    fall["fillcolor"] = "rgba(185, 28, 28, 0.15)"
    data += [fall, *_positions(result, currency)]
    layout = base_layout(
        640,
        xaxis=axis(type="date", anchor="y3"),
        yaxis=axis(f"profit, {currency}", domain=[0.52, 1.0]),
        yaxis2=axis(title, domain=[0.30, 0.47], tickformat=form),
        yaxis3=axis("position, lots", domain=[0.0, 0.25]),
        shapes=_shades(result),
    )
    return {"data": data, "layout": layout}


def drawdown_of(result: Result, curve: Curve, currency: str) -> tuple[Floats, str, str]:
    """Give how far profit is below its peak, the axis' title and form: in parts of the equity, if that is known."""
    capital = result.capital(currency)
    profit = np.concatenate(([0.0], curve.pnl))  # As the figures have it: a loss right at the beginning is one.
    equity = profit + float(capital or 0)
    if capital and np.min(equity) > 0:
        depth = drawdowns(equity)[1:]
        deepest = float(-np.min(depth))
        digits = max(1, 1 - math.floor(math.log10(deepest * 100))) if deepest else 1
        return depth, "drawdown", f".{digits}%"
    return curve.pnl - np.maximum.accumulate(profit)[1:], "drawdown", ",.6~g"


def traded(result: Result, currency: str) -> list[tuple[str, int]]:
    """Give the instruments with fills in one currency, and how many each has, those with the most first."""
    known = {item.symbol: item.currency for item in result.collected.instruments}
    counts: dict[str, int] = {}
    for symbol in result.collected.fills["instrument"]:
        if known[symbol] == currency:
            counts[symbol] = counts.get(symbol, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def _positions(result: Result, currency: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for symbol, _ in traded(result, currency)[:_MOST_LINES]:
        for strategy in result.owners:
            if symbol not in result.market.held(strategy):
                continue
            steps = result.market.position(strategy, symbol)
            times = np.append(steps.times, result.collected.ended)
            lots = np.append(as_floats(steps.lots), float(steps.lots[-1]))
            name = symbol if len(result.owners) == 1 else f"{symbol} ({strategy})"
            colour = COLOURS[(len(result.owners) + 1 + len(lines)) % len(COLOURS)]
            lines.append(line(name, times, lots, colour, yaxis="y3"))
    return lines


def _shades(result: Result, symbol: str | None = None) -> list[dict[str, Any]]:
    """Shade the gaps in the data: of one instrument, or of any."""
    gaps = result.collected.gaps
    spans = [
        (since, until)
        for instrument, since, until in zip(gaps["instrument"], gaps["since"], gaps["until"], strict=True)
        if symbol in (None, instrument)
    ]
    return [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": since / 1e6,
            "x1": until / 1e6,
            "y0": 0,
            "y1": 1,
            "fillcolor": _GAP,
            "line": {"width": 0},
            "layer": "below",
        }
        for since, until in list(dict.fromkeys(spans))[:_MOST_GAPS]
    ]


def price_figure(result: Result, symbol: str) -> Figure:
    """Draw an instrument's price with the orders' limits, while they worked, and the fills."""
    market = result.market
    prices = market.prices(symbol)
    data = [line("price", market.times, prices, _PRICE), _limits(result, symbol)]
    for side, colour, shape in (("buy", _BUY, "triangle-up"), ("sell", _SELL, "triangle-down")):
        data.append(_fills(result, symbol, side, colour, shape))
    layout = base_layout(
        420,
        xaxis=axis(type="date", range=[result.collected.started / 1e6, result.collected.ended / 1e6]),
        yaxis=axis(f"{symbol}, {_currency(result, symbol)}"),
        shapes=_shades(result, symbol),
        hovermode="closest",
    )
    return {"data": [trace for trace in data if trace["x"]], "layout": layout}


def _currency(result: Result, symbol: str) -> str:
    return next(item.currency for item in result.collected.instruments if item.symbol == symbol)


def _fills(result: Result, symbol: str, side: str, colour: str, shape: str) -> dict[str, Any]:
    rows = [row for row in _rows(result.collected.fills) if row["instrument"] == symbol and row["side"] == side]
    times = np.array([row["time"] for row in rows], dtype=np.int64)
    prices = as_floats([row["price"] for row in rows])
    kept = thin_out(times, prices, PIXELS // 3)
    texts = [
        label(
            f"{side} {rows[n]['quantity']:f} at {rows[n]['price']:f}, {rows[n]['strategy']}"
            + ("" if rows[n]["fee"] is None else f", fee {money(rows[n]['fee'])}")
        )
        for n in kept
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{side}: {len(rows):,} fills" + ("" if len(kept) == len(rows) else f", {len(kept):,} drawn"),
        "x": milliseconds(times[kept]),
        "y": _rounded(prices[kept]),
        "text": texts,
        "hovertemplate": "%{text}<br>%{x|%Y-%m-%d %H:%M:%S.%L}<extra></extra>",
        "marker": {"color": colour, "symbol": shape, "size": 11, "line": {"color": "#ffffff", "width": 1}},
    }


def _limits(result: Result, symbol: str) -> dict[str, Any]:
    """Draw limits as level lines from when the order was placed until it ended, the longest ones if there are many."""
    rows = [row for row in _rows(result.collected.orders) if row["instrument"] == symbol and row["price"] is not None]
    spans = [(row["placed"], row["ended"] or result.collected.ended, float(row["price"])) for row in rows]
    kept = sorted(sorted(spans, key=lambda span: span[0] - span[1])[:PIXELS])
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"limits of {len(rows):,} orders" + ("" if len(kept) == len(rows) else f", {len(kept):,} drawn"),
        "x": [x for begin, end, _ in kept for x in (begin / 1e6, end / 1e6, None)],
        "y": [y for _, _, price in kept for y in (price, price, None)],
        "line": {"color": "#d97706", "width": 1.5},
        "hoverinfo": "skip",
    }


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
