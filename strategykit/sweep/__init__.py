"""Sweeps: a strategy with many sets of parameters, each a backtest of its own. `run_sweep` is the door."""

from strategykit.sweep.run import Choice, run_sweep
from strategykit.sweep.sweeping import Objective
from strategykit.sweep.work import Outcome, Task

__all__ = ["Choice", "Objective", "Outcome", "Task", "run_sweep"]
