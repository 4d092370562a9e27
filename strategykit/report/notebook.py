"""A result in a notebook's cell: figures and two small drawings, without scripts."""

from __future__ import annotations

import html
from typing import Final

import numpy as np

from strategykit.report.figures import drawdown_of
from strategykit.report.metrics import Floats, Times
from strategykit.report.page import subtitle
from strategykit.report.result import Result
from strategykit.report.summary import METRICS
from strategykit.report.thinning import thin_out
from strategykit.report.words import in_words

__all__ = ["notebook_cell"]

_WIDTH: Final = 640
_SHOWN: Final = (
    *("pnl", "fees", "total_return", "cagr", "sharpe", "sortino", "max_drawdown", "max_drawdown_length"),
    *("exposure", "turnover", "trades", "hit_rate", "profit_factor", "slippage"),
)


def notebook_cell(result: Result) -> str:
    """Give a summary that a notebook shows: dark on white, whatever the notebook's own colours are."""
    currency = result.currencies[0] if result.currencies else ""
    rows, drawings = "", ""
    if currency:
        found = result.metrics()
        rows = "".join(
            '<tr style="background:#fff"><td style="text-align:left;padding:1px 14px 1px 0">'
            f"{html.escape(metric.label)}</td>"
            f'<td style="text-align:right">{html.escape(in_words(metric, found[metric.name]))}</td></tr>'
            for metric in METRICS
            if metric.name in _SHOWN and found[metric.name] is not None
        )
        curve = result.curve()
        drawings = _drawing(curve.times, curve.pnl, 110, "#2563eb", f"profit, {currency}")
        drawings += _drawing(curve.times, drawdown_of(result, curve, currency)[0], 50, "#b91c1c", "drawdown")
    return (
        '<div style="background:#fff;color:#0f172a;padding:10px;font:13px/1.4 system-ui,sans-serif">'
        f"<b>{html.escape(result.name)}</b><br>{html.escape(subtitle(result))}"
        '<div style="display:flex;gap:24px;flex-wrap:wrap;align-items:flex-start;margin-top:8px">'
        f'<table style="border-collapse:collapse;color:#0f172a;font-size:13px">{rows}</table>'
        f"<div>{drawings}</div></div></div>"
    )


def _drawing(times: Times, values: Floats, height: int, colour: str, title: str) -> str:
    kept = thin_out(times, values, _WIDTH)
    at, seen = times[kept].astype(np.float64), values[kept]
    low, high = float(min(np.min(seen), 0.0)), float(max(np.max(seen), 0.0))
    x = (at - at[0]) / max(at[-1] - at[0], 1.0) * _WIDTH
    y = (high - seen) / max(high - low, 1e-12) * height
    points = " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(x.tolist(), y.tolist(), strict=True))
    zero = high / max(high - low, 1e-12) * height
    return (
        f'<div style="color:#475569">{html.escape(title)}</div>'
        f'<svg width="{_WIDTH}" height="{height + 4}" viewBox="0 -2 {_WIDTH} {height + 4}" role="img">'
        f'<line x1="0" x2="{_WIDTH}" y1="{zero:.1f}" y2="{zero:.1f}" stroke="#cbd5e1"/>'
        f'<polyline fill="none" stroke="{colour}" stroke-width="1.3" points="{points}"/></svg>'
    )
