"""What the author of a strategy needs, and nothing else: `strategykit` gives it under its own name."""

from strategykit.declarations import Bars, Books, Quotes, Tickers, Trades
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
from strategykit.model.events import Bar, BookSnapshot, Fill, Gap, Quote, Side, Stale, Ticker, Trade
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
    "Ticker",
    "Tickers",
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
