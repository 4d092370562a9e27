"""Models that explain a recorded run: latencies, the rule of queues that fits its fills best, constant fee rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from strategykit.errors import ConfigError
from strategykit.parity.fees import FeeFit, Rate, fit_fees
from strategykit.parity.latencies import Latencies, Spans, fit_latencies
from strategykit.parity.queues import QueueFit, fit_queue
from strategykit.parity.session import Session
from strategykit.parity.written import models_as_toml
from strategykit.sim.models.fill_models import DEFAULT_MODELS, FillModels
from strategykit.sim.models.latency import NONE

__all__ = ["Fit", "fit_models"]


@attrs.frozen(kw_only=True)
class Fit:
    """What a recorded run says of the models."""

    models: FillModels
    """For replays of what was recorded by the same program at the same place: its times have the feed's latency in
    them, and `FillModels.feed_latency` stays as it was."""
    latencies: Latencies
    queue: QueueFit | None
    """None where there was no limit order to fit it by."""
    fees: FeeFit | None
    """None where the fills show no constant rate, or fees were known."""

    @property
    def remarks(self) -> Sequence[str]:
        """Say how well each part is known, a sentence each."""
        found, its = [], self.latencies
        if its.order is None or its.answer is None:
            found.append("no command was answered: latencies are unknown, and stay as they were")
        else:
            found.append(f"order_latency: {_said(its.order)}, of {its.order.count} commands")
            found.append(f"answer_latency: {_said(its.answer)}")
            if not its.split:
                found.append("the venue's clock isn't in the data: half of each round trip is taken for the way there")
        if its.feed is not None:
            found.append(
                f"the feed is {_said(its.feed)} behind the venue's stamps (two clocks); a recording has that in its "
                "times, so feed_latency isn't set; data stamped by the venue would want it, and so much less of "
                "order_latency"
            )
        elif its.resolution is not None:
            found.append(f"the venue's stamps on market data are told to {its.resolution / 1e6:g} ms: too coarse")
        if self.queue is None:
            found.append("there were no limit orders: the rule of queues is unknown, and stays as it was")
        else:
            best = self.queue.best
            near = [trial.words for trial in self.queue.trials[1:] if trial.error <= best.error * 1.1 + 1e-6]
            found.append(
                f"rule: {best.words}, off by {best.error:.2%} of lots and life of {self.queue.orders} orders, "
                f"{self.queue.resting} fills of which came to resting ones"
            )
            if near:
                found.append(f"as good or nearly so: {'; '.join(dict.fromkeys(near))}")
        if self.fees is not None:
            found += [_charged("maker", self.fees.maker), _charged("taker", self.fees.taker)]
        elif self.models.fees.is_free and not self.models.fees_of:
            found.append(
                "the fills show no fee that is the same share of each one's value: fees stay as they were, none"
            )
        return found

    def as_toml(self) -> str:
        """Give a file that `replay --models` takes."""
        comments = "".join(f"# {line}\n" for line in self.remarks)
        return f"{comments}{models_as_toml(self.models)}"


def fit_models(
    session: Session,
    base: FillModels = DEFAULT_MODELS,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Fit:
    """Fit order latency, answer latency, the rule of queues and rates of fees to a recorded run.

    All else is as in `base`; fees, too, if it has any.
    """
    latencies = fit_latencies(session)
    models, queue = base, None
    try:
        queue = fit_queue(session, latencies, attrs.evolve(base, feed_latency=NONE), on_progress=on_progress)
    except ConfigError:
        on_progress(1.0)
    else:
        best = queue.best
        models = attrs.evolve(models, rule=best.rule, partial=best.partial, chance=best.chance or base.chance)
    if latencies.order is not None and latencies.answer is not None:
        there, back = latencies.order.latency, latencies.answer.latency
        models = attrs.evolve(models, order_latency=there, answer_latency=back)
    fees = fit_fees(session) if base.fees.is_free and not base.fees_of else None
    if fees is not None:
        models = attrs.evolve(models, fees=fees.as_model())
    return Fit(models=models, latencies=latencies, queue=queue, fees=fees)


def _charged(side: str, rate: Rate | None) -> str:
    if rate is None:
        return f"{side}_rate: not known, and stays 0: too few fills show it, or no one rate explains them"
    return f"{side}_rate: {rate.rate}, of {rate.fills} fills, which {rate.low:.3g} to {rate.high:.3g} would explain"


def _said(spans: Spans) -> str:
    low, middle, high = (span * 1e-6 for span in (spans.low, spans.middle, spans.high))
    return f"{middle:.3f} ms ({low:.3f} to {high:.3f})"
