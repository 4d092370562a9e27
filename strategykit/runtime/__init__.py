"""The program: the run's clock, the engine that turns inputs into events, orders, supervision, live and replay."""
