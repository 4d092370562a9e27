"""strategykit: trading strategies as structured concurrency."""
