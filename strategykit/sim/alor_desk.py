"""Orders at the simulated venue: rights, repeated commands, the answer that each gets, and a log of what was done."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence

import attrs

from strategykit.model.events import Event, Fill, OrderUpdate
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder
from strategykit.sim.alor_market import VenueMarket
from strategykit.venues.dialect import Reply

__all__ = ["Desk", "LogEntry"]


@attrs.frozen(kw_only=True)
class LogEntry:
    """One thing that the venue did to an order."""

    time: int
    """Nanoseconds UTC."""
    account: str
    command: Command | None = None
    """What was asked; with its `result`."""
    result: Reply | None = None
    repeated: bool = False
    """The command came before: it wasn't executed, and `result` is the old one."""
    event: OrderUpdate | Fill | None = None
    """What became of an order."""


class Desk:
    """Executes commands.

    Args:
        market: Where.
        publish: Told what the streams should carry.
        remembered: How many answers are kept, to tell repeats.
        log: Where it is noted; bounded by whoever gives it.
    """

    def __init__(
        self,
        market: VenueMarket,
        publish: Callable[[Sequence[Event], int], None],
        *,
        remembered: int,
        log: deque[LogEntry],
    ) -> None:
        self.log = log
        self.executed = 0
        self.repeated = 0
        self._market = market
        self._publish = publish
        self._remembered = remembered
        self._answers: OrderedDict[tuple[str, str], Reply] = OrderedDict()

    def execute(self, command: Command, now: int, *, by: str = "", check_duplicates: bool = True) -> tuple[Reply, bool]:
        """Execute a command, or find that it was before; give the result, and whether it is an old one.

        Args:
            command: What to do.
            now: Nanoseconds UTC.
            by: The way it came. A guid is compared with those that came the same way.
            check_duplicates: False: execute in any case.

        Source: ALOR protocol sheet, section 4.5.
        """
        account, key = command.request.account, (by, command.guid)
        old = self._answers.get(key) if check_duplicates and command.guid else None
        if old is not None:
            self.repeated += 1
            self.log.append(LogEntry(time=now, account=account, command=command, result=old, repeated=True))
            return old, True
        result, events = self._market.command(account, command, now)
        self.executed += 1
        self.log.append(LogEntry(time=now, account=account, command=command, result=result))
        if command.guid:
            self._answers[key] = result
            if len(self._answers) > self._remembered:
                self._answers.popitem(last=False)
        self.note(events, now)
        self._publish(events, now)
        return result, False

    def cancel_all(self, account: str, now: int, *, stops: bool) -> int:
        """Withdraw every working order, or every stop; give how many there were."""
        rows = self._market.stop_orders(account) if stops else self._market.orders(account)
        return sum(self.execute(command, now)[0].ok for command in self._cancels(rows))

    def withdraw(self, account: str, now: int) -> None:
        """Withdraw whatever works, which nobody has asked for: the log has what became of it, and no command."""
        for command in self._cancels([*self._market.orders(account), *self._market.stop_orders(account)]):
            _, events = self._market.command(account, command, now)
            self.note(events, now)
            self._publish(events, now)

    def _cancels(self, rows: Sequence[OrderUpdate]) -> Iterator[CancelOrder]:
        """Yield the commands that withdraw what works of these, each as things stand when it is asked for."""
        for row in rows:
            record = self._market.record(row.venue_order_id)
            if record is not None and record.left and record.status is row.status and row.status.value == "working":
                yield CancelOrder(guid="", venue_order_id=row.venue_order_id, request=record.request)

    def note(self, events: Sequence[Event], now: int) -> None:
        """Log what became of orders."""
        for event in events:
            if isinstance(event, OrderUpdate | Fill):
                self.log.append(LogEntry(time=now, account=event.account or "", event=event))

    def report(self) -> list[dict[str, object]]:
        """Give the log's commands as plain values, oldest first."""
        return [
            {
                "time": entry.time,
                "account": entry.account,
                "guid": entry.command.guid,
                "action": _ACTIONS[type(entry.command)],
                "client_order_id": entry.command.request.client_order_id,
                "code": entry.result.code,
                "message": entry.result.message,
                "order": entry.result.venue_order_id,
                "repeated": entry.repeated,
            }
            for entry in self.log
            if entry.command is not None and entry.result is not None
        ]


_ACTIONS = {CreateOrder: "create", AmendOrder: "amend", CancelOrder: "cancel"}
