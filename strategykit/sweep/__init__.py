"""Sweeps: a strategy with many sets of parameters, each a backtest of its own. `run_sweep` is the door."""
