"""One recorded run as values: the market that it saw, the orders that it sent, and what the venue made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from strategykit.model.events import Event, Fill
from strategykit.model.instruments import Instrument
from strategykit.model.orders import Command, CreateOrder

__all__ = ["Sent", "Session"]


@attrs.frozen(kw_only=True)
class Sent:
    """One command about an order. Times are nanoseconds UTC by the program's clock, but for `venue_time`."""

    time: int
    """When it was given."""
    strategy: str
    command: Command
    answered: int | None = None
    """When the first news of what it did came; None if none ever did."""
    venue_time: int | None = None
    """When it took effect, by the venue's clock; None where the venue doesn't say."""
    refusal: str = ""
    """In the venue's words; empty if it was carried out."""

    @property
    def order(self) -> str:
        """The client id of the order that it is about."""
        return self.command.request.client_order_id


@attrs.frozen(kw_only=True)
class Session:
    """A run that was recorded."""

    instruments: Mapping[str, Instrument]
    """Those that it traded, by symbol."""
    market: Sequence[tuple[int, Event]]
    """Their market data, with the times at which they came, which never fall."""
    sent: Sequence[Sent]
    """In the order in which they were sent."""
    fills: Sequence[Fill]
    """Of these orders, in the order in which the run learnt of them; each has its ``client_order_id``."""
    ended: Mapping[str, int] = attrs.field(factory=dict)
    """By order: when the run learnt that it had ended."""
    left_out: Sequence[str] = ()
    """What isn't part of this, a sentence each: linked orders, orders of an earlier run."""

    @property
    def until(self) -> int:
        """When the last thing happened."""
        last = [self.market[-1][0] if self.market else 0, self.sent[-1].time if self.sent else 0]
        return max([*last, *(fill.receive_time for fill in self.fills[-1:]), *self.ended.values()])

    @property
    def created(self) -> Mapping[str, Sent]:
        """The commands that placed the orders, by order."""
        return {one.order: one for one in self.sent if isinstance(one.command, CreateOrder)}

    def fills_of(self) -> dict[str, list[Fill]]:
        """Give the fills by order."""
        found: dict[str, list[Fill]] = {}
        for fill in self.fills:
            found.setdefault(fill.client_order_id or "", []).append(fill)
        return found
