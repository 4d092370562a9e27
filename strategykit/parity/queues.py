"""Which rule of queues explains a run's fills of resting orders best: each is tried on the orders that were sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, fsum, log
from typing import Final

import attrs

from strategykit.errors import ConfigError
from strategykit.parity.latencies import Latencies, arrivals
from strategykit.parity.playing import Played, play
from strategykit.parity.session import Session
from strategykit.sim.models.fill_models import FillModels
from strategykit.sim.models.latency import NONE
from strategykit.sim.models.queues import Chance, Family, FillRule, Shape

__all__ = ["QueueFit", "Trial", "fit_queue"]

_COARSE: Final = (1.0, 3.0)
"""Exponents that are tried first, with and without partial fills."""
_WIDE: Final = (0.5, 0.7, 1.4, 2.0, 2.4, 4.0, 5.6, 8.0)
"""Those that are tried then."""
_FINER: Final = (0.25, 0.125)
"""Then, on both sides of the best one so far, those that are larger and smaller by so many powers of two."""
_EQUAL: Final = 1e-9
"""Errors that differ by less are the same."""


@attrs.frozen(kw_only=True)
class Trial:
    """One rule, and how well it explains what happened."""

    rule: FillRule
    chance: Chance | None
    """Of `FillRule.PROBABILITY`."""
    partial: bool
    error: float
    """Between the lots that each order had at each time and those that it would have had: 0 where they are always the
    same, 1 where nothing agrees at any time of any order's life. The mean over orders."""

    @property
    def words(self) -> str:
        """Name it in short, as ``probability, power 3``."""
        if self.chance is None:
            return self.rule.value
        family = self.chance.family.value
        size = f" {self.chance.exponent:.3g}" if self.chance.family is Family.POWER else ""
        shape = "" if self.chance.shape is Shape.SHARE else f", {self.chance.shape.value}"
        return f"{self.rule.value}, {family}{size}{shape}"


@attrs.frozen(kw_only=True)
class QueueFit:
    """What was tried, best first; of equal ones the simplest."""

    trials: Sequence[Trial]
    orders: int
    """Limit orders that it goes by."""
    resting: int
    """Fills of theirs that came after the venue's answer: without any, all that is known is that none came."""

    @property
    def best(self) -> Trial:
        return self.trials[0]


def fit_queue(
    session: Session,
    latencies: Latencies,
    base: FillModels,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> QueueFit:
    """Find the rule that explains a session's fills best.

    Commands take effect when they did, as far as `latencies` say. Each trial sends all orders to all data once.

    Args:
        session: What was sent, and what came of it.
        latencies: Of the session.
        base: What else is assumed.
        on_progress: Told the part that is done.

    Raises:
        ConfigError: It has no limit orders that the venue took.
    """
    bench = _Bench(session, latencies, base)
    if not bench.orders:
        raise ConfigError("this session has no limit orders that a queue could be fitted by")
    plain = [(rule, None) for rule in (FillRule.TOUCH, FillRule.TRADE_THROUGH, FillRule.RISK_AVERSE)]
    shapes = [*(Chance(family=Family.LOG, shape=shape) for shape in Shape), *map(_power, _WIDE)]
    first = [*plain, *((FillRule.PROBABILITY, _power(exponent)) for exponent in _COARSE)]
    wanted = 2 * len(first) + len(shapes) + 2 * len(_FINER)
    trials: list[Trial] = []

    def attempt(rule: FillRule, chance: Chance | None, *, partial: bool) -> Trial:
        trials.append(bench.attempt(rule, chance, partial=partial))
        on_progress(len(trials) / wanted)
        return trials[-1]

    for partial in (False, True):
        for rule, chance in first:
            attempt(rule, chance, partial=partial)
    partial = min(trials, key=lambda trial: trial.error).partial
    for chance in shapes:
        attempt(FillRule.PROBABILITY, chance, partial=partial)
    for step in _FINER:
        powers = [one for one in trials if one.partial is partial and _exponent(one) is not None]
        middle = _middle(powers)
        for factor in (2.0**step, 2.0**-step):
            attempt(FillRule.PROBABILITY, _power(middle * factor), partial=partial)
    on_progress(1.0)
    return QueueFit(trials=_ranked(trials), orders=len(bench.orders), resting=bench.resting)


def _power(exponent: float) -> Chance:
    return Chance(family=Family.POWER, exponent=float(f"{exponent:.4g}"))


def _exponent(trial: Trial) -> float | None:
    chance = trial.chance
    return None if chance is None or chance.family is not Family.POWER else chance.exponent


def _middle(trials: Sequence[Trial]) -> float:
    """Give the exponent in the middle of those that are equally good."""
    least = min(trial.error for trial in trials)
    good = sorted(_exponent(trial) or 1.0 for trial in trials if trial.error <= least + _EQUAL)
    return exp((log(good[0]) + log(good[-1])) / 2) if len(good) > 1 else good[0]


def _ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Put the best first; of equal exponents the middle one."""
    powers = [trial for trial in trials if _exponent(trial) is not None]
    middle = log(_middle(powers))

    def rank(trial: Trial) -> tuple[float, bool, bool, float]:
        exponent = _exponent(trial)
        far = 0.0 if exponent is None else abs(log(exponent) - middle)
        return round(trial.error / _EQUAL), trial.partial, trial.chance is not None, far

    return sorted(trials, key=rank)


class _Bench:
    """Tries rules on one session."""

    def __init__(self, session: Session, latencies: Latencies, base: FillModels) -> None:
        self._session = session
        self._base = attrs.evolve(base, order_latency=NONE, answer_latency=NONE)
        self._arrivals = arrivals(session, latencies)
        self._until = session.until
        feed = None if latencies.feed is None else latencies.feed.middle
        back = 0 if latencies.answer is None else latencies.answer.middle
        created = session.created
        self.orders = [
            order for order, one in created.items() if one.command.request.price is not None and not one.refusal
        ]
        self._lots = {order: float(created[order].command.request.quantity) for order in self.orders}
        self._recorded: dict[str, list[tuple[int, float]]] = {order: [] for order in self.orders}
        self.resting = 0
        for fill in session.fills:
            order = fill.client_order_id or ""
            if order not in self._recorded:
                continue
            stamped = feed is not None and fill.event_time is not None
            time = (fill.event_time or 0) + (feed or 0) if stamped else fill.receive_time - back
            self._recorded[order].append((time, float(fill.quantity)))
            answered = created[order].answered
            self.resting += answered is not None and fill.receive_time > answered

    def attempt(self, rule: FillRule, chance: Chance | None, *, partial: bool) -> Trial:
        models = attrs.evolve(self._base, rule=rule, chance=chance or self._base.chance, partial=partial)
        played = play(self._session, models, arrivals=self._arrivals)
        error = fsum(self._error(order, played) for order in self.orders) / len(self.orders)
        return Trial(rule=rule, chance=chance, partial=partial, error=error)

    def _error(self, order: str, played: Played) -> float:
        """Give the part of an order's lots and life in which the models differ from what happened."""
        recorded = self._recorded[order]
        modelled = [(fill.time, float(fill.quantity)) for fill in played.fills.get(order, ())]
        begin = played.arrived[order]
        ends = (self._session.ended.get(order, self._until), played.ended.get(order, self._until))
        end = max(*ends, *(time for time, _ in (*recorded, *modelled)), begin + 1)
        steps = sorted([*((time, lots) for time, lots in recorded), *((time, -lots) for time, lots in modelled)])
        apart, area, since = 0.0, 0.0, begin
        for time, lots in steps:
            now = max(time, begin)
            area += abs(apart) * (now - since)
            apart, since = apart + lots, now
        area += abs(apart) * (end - since)
        return area / (self._lots[order] * (end - begin))
