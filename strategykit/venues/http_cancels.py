"""What a dialect has besides where orders can be withdrawn by HTTP: without the session that placed them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from strategykit.model.events import OrderUpdate
from strategykit.venues.dialect import HttpRequest, Reply

__all__ = ["CancelsByHttp"]


@runtime_checkable
class CancelsByHttp(Protocol):
    """A dialect whose orders can be withdrawn by a call."""

    def cancel_request(self, order: OrderUpdate, *, account: str, stop: bool) -> HttpRequest:
        """Give the call that withdraws an order, as the venue has told of it; `stop`: from the list of stop orders."""
        ...

    def read_cancel(self, status: int, body: bytes) -> Reply:
        """Read what it was answered, whatever the status.

        Raises:
            RemoteProtocolError: It succeeded, but what it says can't be read: ask how the order stands.
        """
        ...
