"""Trading strategies as structured concurrency: the same code live, simulated and replayed.

The house, from the bottom up; imports only point downwards:

    errors, secret          what can go wrong; what nobody may see
    model                   nouns: events, instruments, orders, book, bars, portfolio
    venues                  languages: how each venue says things; the guid table
    net · tape · sim        wires · recordings · a venue that isn't there
    runtime                 the program: clock, engine, gateway, supervision, live and replay
    strategy, indicators    what users subclass and combine
    testing, cli            for tests of strategies; for the command line

This module gives what the author of a strategy needs, and nothing else.
"""

from strategykit.declarations import Bars, Books, Quotes, Trades
from strategykit.errors import (
    OrderEnded,
    OrderRefused,
    RiskLimit,
    StrategykitError,
)
from strategykit.indicators import (
    Condition,
    Value,
    atr,
    crosses_above,
    crosses_below,
    ema,
    highest,
    lowest,
    rsi,
    sma,
)
from strategykit.model.events import Bar, BookSnapshot, Fill, Gap, Quote, Side, Stale, Trade
from strategykit.model.instruments import Instrument
from strategykit.model.orders import OrderState, TimeInForce
from strategykit.runtime.order import Order
from strategykit.strategy import Strategy, define, param

__all__ = [
    "Bar",
    "Bars",
    "BookSnapshot",
    "Books",
    "Condition",
    "Fill",
    "Gap",
    "Instrument",
    "Order",
    "OrderEnded",
    "OrderRefused",
    "OrderState",
    "Quote",
    "Quotes",
    "RiskLimit",
    "Side",
    "Stale",
    "Strategy",
    "StrategykitError",
    "TimeInForce",
    "Trade",
    "Trades",
    "Value",
    "atr",
    "crosses_above",
    "crosses_below",
    "define",
    "ema",
    "highest",
    "lowest",
    "param",
    "rsi",
    "sma",
]
