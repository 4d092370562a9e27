"""What a strategy's batch handlers get: consecutive events of one stream as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategykit.columns.columns import Columns
from strategykit.columns.values import Coded, Holed, Ragged
from strategykit.model.events import Event, Side

__all__ = ["Batch", "QuoteBatch", "TradeBatch"]


class Batch:
    """Consecutive events of one stream, oldest first; its arrays can't be written to.

    Args:
        columns: The events.
        guid: The subscription that they came by.
    """

    __slots__ = ("_guid", "columns")

    def __init__(self, columns: Columns, guid: str) -> None:
        self.columns = columns
        self._guid = guid

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        return f"<{len(self)} of {self.columns.stream.label}>"

    @property
    def instrument(self) -> str | None:
        return self.columns.symbol

    @property
    def receive_time(self) -> NDArray[np.int64]:
        """When each came, nanoseconds UTC."""
        return self.array("receive_time")

    def array(self, name: str) -> NDArray[Any]:
        """Give a field of the events, by its name there: numbers, NaN being None; else objects."""
        came = self.columns.came if name == "receive_time" else None
        column = self.columns.arrays[name] if came is None else came
        if isinstance(column, np.ndarray):
            array = column.view()
        elif isinstance(column, Coded | Holed | Ragged):
            array = np.empty(len(self), dtype=object)
            array[:] = column.tolist()
        elif isinstance(column, bool | int | float):
            array = np.full(len(self), column)
        else:
            array = np.full(len(self), column, dtype=object)
        array.flags.writeable = False
        return array

    def floats(self, name: str) -> NDArray[np.float64]:
        """Give a field of numbers, NaN where there is none."""
        array = self.array(name)
        return array if array.dtype == np.float64 else array.astype(np.float64)

    def events(self) -> Iterator[Event]:
        """Give the events one by one, as `on_trade` and `on_quote` would get them."""
        return self.columns.events(self._guid)


class TradeBatch(Batch):
    """Trades. See `Trade` for what the fields mean."""

    __slots__ = ()

    @property
    def price(self) -> NDArray[np.float64]:
        return self.floats("price")

    @property
    def quantity(self) -> NDArray[np.float64]:
        return self.floats("quantity")

    @property
    def sign(self) -> NDArray[np.int8]:
        """+1 where a buyer crossed the spread, -1 where a seller did, 0 where the venue doesn't say."""
        side = self.columns.arrays["side"]
        if isinstance(side, Coded):
            signs: NDArray[np.int8] = np.array([_sign(value) for value in side.values], dtype=np.int8)[side.codes]
            return signs
        values = [side] * len(self) if side is None or isinstance(side, Side) else side.tolist()
        return np.array([_sign(value) for value in values], dtype=np.int8)


class QuoteBatch(Batch):
    """Best bids and asks; NaN where there is none. See `Quote` for what the fields mean."""

    __slots__ = ()

    @property
    def bid(self) -> NDArray[np.float64]:
        return self.floats("bid")

    @property
    def bid_size(self) -> NDArray[np.float64]:
        return self.floats("bid_size")

    @property
    def ask(self) -> NDArray[np.float64]:
        return self.floats("ask")

    @property
    def ask_size(self) -> NDArray[np.float64]:
        return self.floats("ask_size")


def _sign(side: Side | None) -> int:
    return 0 if side is None else side.sign
