"""How far backtests can be believed: recorded fills beside the models', what the models should be, and who peeks."""
