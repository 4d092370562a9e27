"""What backtests and paper trading assume of a market: small parts, each of which can be replaced by another."""
