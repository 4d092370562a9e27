"""Optuna chooses which sets of parameters to try next, by how those before did."""

from __future__ import annotations

from typing import Any, Final

from strategykit.errors import ConfigError
from strategykit.sweep.axes import Axis
from strategykit.sweep.space import Space, written
from strategykit.sweep.sweeping import Sweeping
from strategykit.sweep.work import Outcome

__all__ = ["search"]

_ROUND: Final = 16
"""Sets that are asked for at a time, whatever runs them: what is proposed doesn't depend on that."""

_TRIES: Final = 200
"""Proposals in a row that conditions refuse, until the search ends."""


def search(
    sweeping: Sweeping, space: Space, count: int, *, seed: int, window: tuple[int, int] | None = None
) -> list[Outcome]:
    """Try `count` sets; the same ones for the same seed, as long as runs come out the same.

    Raises:
        ConfigError: Optuna isn't installed, or conditions refuse all that it proposes.
    """
    try:
        import optuna
    except ImportError as exc:
        raise ConfigError(f"--optuna needs {exc.name}: pip install 'strategykit[sweep]'") from exc
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_ROUND, constant_liar=True)
    study = optuna.create_study(direction="minimize" if sweeping.objective.smallest else "maximize", sampler=sampler)
    found: list[Outcome] = []
    while len(found) < count:
        trials: list[Any] = []
        sets: list[dict[str, str]] = []
        refused = 0
        while len(sets) < min(_ROUND, count - len(found)) and refused < _TRIES:
            trial = study.ask()
            values = {axis.name: _suggested(trial, axis) for axis in space.axes}
            if space.allows(values):
                trials.append(trial)
                sets.append(values)
            else:
                refused += 1
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
        if not sets:
            raise ConfigError(f"optuna found no set that meets {' and '.join(map(repr, space.where))}")
        outcomes = sweeping.run(sets, window)
        for trial, outcome in zip(trials, outcomes, strict=True):
            value = sweeping.objective.value(outcome)
            study.tell(trial, value, state=optuna.trial.TrialState.FAIL if value is None else None)
        found += outcomes
    return found


def _suggested(trial: Any, axis: Axis) -> str:
    if axis.stepped or axis.low is None or axis.high is None:
        numbers = _numbers(axis.values)
        if numbers is None:
            return str(trial.suggest_categorical(axis.name, list(axis.values)))
        # By their place: neighbours are alike.
        ordered = sorted(range(len(numbers)), key=numbers.__getitem__)
        place: int = ordered[trial.suggest_int(axis.name, 0, len(numbers) - 1)]
        return axis.values[place]
    if axis.whole:
        return str(trial.suggest_int(axis.name, round(axis.low), round(axis.high), log=axis.log))
    return written(axis, trial.suggest_float(axis.name, axis.low, axis.high, log=axis.log))


def _numbers(values: tuple[str, ...]) -> list[float] | None:
    try:
        return [float(value) for value in values]
    except ValueError:
        return None
