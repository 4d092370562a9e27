"""The kill switch: strategies are stopped, their orders withdrawn, positions closed if that is wanted; then proof.

Once pulled it stays so: nothing but what closes a position is placed any more. It ends in a line that says what was
confirmed, or in a standing alarm that says what is left. Positions that were not to be closed are an alarm beside the
line: with the orders went their stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import trio

from strategykit.errors import StrategyKilled, StrategykitError
from strategykit.model.events import Side
from strategykit.model.orders import OrderState
from strategykit.runtime.alarms import Alarms
from strategykit.runtime.because import Because, source_line
from strategykit.runtime.gateway import Gateway
from strategykit.runtime.order import Order
from strategykit.runtime.reconcile import ON_ITS_WAY, Reconciler
from strategykit.runtime.supervise import Supervisor
from strategykit.runtime.unwatched import ADVICE, stops_in_words, stops_over

__all__ = ["BESIDES", "KILL_WITHIN", "KillSwitch"]

KILL_WITHIN: Final = 15.0
"""Seconds for all of it."""

GONE_WITHIN: Final = 5.0
"""Seconds of these for strategies to leave through their own scopes, before their positions are closed for them, where
that is wanted: their scopes are ended then, as two who close one position leave its opposite."""

BESIDES: Final = "besides what our fills and other people's come to"
"""Ends the words of an alarm about lots that the venue counts: no books of ours tell whether we are flat."""

_TRIES: Final = 5
"""Market orders for one position; more means that nobody takes it."""

_PAUSE: Final = 0.5
"""Seconds between two lists of the venue, and between two orders of which the first one didn't do it."""


@attrs.define(eq=False, kw_only=True)
class KillSwitch:
    """Ends all trading of a run."""

    gateway: Gateway
    supervisor: Supervisor
    reconciler: Reconciler | None
    """Asks the venue at the end; None where no venue answers the orders."""
    alarms: Alarms
    start: Callable[..., None]
    """A nursery's ``start_soon``."""
    latch: Callable[[str, str], None]
    """Takes reason and author, and keeps them beyond the run; called first."""
    proven: Callable[[str], None]
    """Takes what was confirmed, for the journal; where something is left, the alarm says it."""
    flatten: bool
    """Whether positions are closed at the market, too."""
    held: Callable[[], Iterable[tuple[str, str, Decimal]]]
    """Gives strategy, symbol and lots of all that is held by the fills, by strategies that don't run now, too."""
    amiss: Callable[[], Mapping[str, Decimal] | None] = dict
    """Gives the lots by which the venue's newest word on positions differs from that; None: they can't be compared."""
    know: Callable[[str], None] = lambda _: None
    """Has an instrument known that is held and that no strategy of this run asked for."""
    closing: list[Order] = attrs.field(factory=list, init=False)
    """Orders of its own."""
    _unlisted: bool = attrs.field(default=False, init=False)
    """Whether the newest list of the venue has no order of ours, and proves that there is none."""
    reason: str = attrs.field(default="", init=False)
    """Empty until it is pulled."""
    pulled: trio.Event = attrs.field(factory=trio.Event, init=False)
    settled: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Set when it is known how that ended."""
    because: Because | None = attrs.field(default=None, init=False)
    """Why an order is placed, while it is one of its own."""
    _reason: Because | None = attrs.field(default=None, init=False)
    """Of all of these; None until it is pulled."""
    proof: str = attrs.field(default="", init=False)
    """What was confirmed; empty until then, and where something is left that was to go."""
    _stood: list[Order] = attrs.field(factory=list, init=False)
    """Orders that were open when it was pulled."""

    def pull(self, reason: str, by: str) -> None:
        """Stop everything; the first reason stands.

        Args:
            reason: Why, in words.
            by: Who, or what: ``"strategy cross"``, ``"file"``, ``"signal"``.
        """
        if self.reason:
            return
        self.reason = reason or "no reason given"
        self._stood = self.gateway.open_orders()
        self.latch(self.reason, by)
        self._reason = Because(f"kill switch: {self.reason}", source_line())
        for seat in self.supervisor.seats:
            seat.desk.ending = self._reason.by
        self.gateway.killed = f"the kill switch was pulled by {by}: {self.reason}"
        self.supervisor.kill(StrategyKilled(f"killed by {by}: {self.reason}"))
        self.pulled.set()
        self.start(self._settle)

    @property
    def words(self) -> str:
        """Who pulled it, why, and what was confirmed; empty if nobody did."""
        confirmed = f"; confirmed: {self.proof}" if self.proof else ""
        return f"{self.gateway.killed}{confirmed}" if self.reason else ""

    def give_up(self) -> None:
        """The run ends now, however far it has come."""
        if self.reason and not self.settled.is_set():
            self._tell(f"not finished within {KILL_WITHIN:g} s")

    async def _settle(self) -> None:
        troubles = [f"not finished within {KILL_WITHIN:g} s"]
        with trio.move_on_after(KILL_WITHIN):
            try:
                with trio.move_on_after(GONE_WITHIN):
                    await self.supervisor.wait_gone()
                if self.flatten:
                    self.gateway.closed_for_all = True
                    self.supervisor.hurry()
                await self._withdraw()
                unclosed = await self._close_positions() if self.flatten else []
                troubles = [*unclosed, *troubles]
                await self._confirm()
                troubles = unclosed
            except StrategykitError as exc:
                troubles = [str(exc)]
        self._tell("; ".join(troubles))

    async def _withdraw(self) -> None:
        standing = self.gateway.open_orders()
        for order in standing:
            order.cancel_nowait()
        for order in standing:
            await order.ended()

    async def _close_positions(self) -> list[str]:
        """Close all that is held; give why something wasn't, which keeps nothing else from being closed."""
        troubles: list[str] = []
        for strategy, symbol, _ in list(self.held()):
            try:
                self.know(symbol)
                for _try in range(_TRIES):
                    lots = next((lots for *where, lots in self.held() if where == [strategy, symbol]), None)
                    if lots is None:
                        break
                    await self.gateway.lane.until(lambda: self.gateway.lane_up)
                    if await self._close(strategy, symbol, lots).ended() is not OrderState.FILLED:
                        await trio.sleep(_PAUSE)
            except StrategykitError as exc:
                troubles.append(f"{symbol} of {strategy} can't be closed: {exc}")
        return troubles

    def _close(self, strategy: str, symbol: str, lots: Decimal) -> Order:
        self.because = self._reason
        try:
            order = self.gateway.submit(strategy, symbol, Side.SELL if lots > 0 else Side.BUY, abs(lots))
        finally:
            self.because = None
        self.closing.append(order)
        return order

    async def _confirm(self) -> None:
        """Have the venue list no order of ours, asked when nothing of ours can be under way to it any more.

        What we know of our orders is no proof: one that ended for us may stand in its list, and goes then. No more are
        our fills one of what we hold: what it told of its positions in the same round has to come to the same.
        """
        if self.reconciler is None:
            await trio.lowlevel.checkpoint()
            return
        while True:
            arrived = not self._arrives_within
            await self.reconciler.once_more(self.gateway)
            self._unlisted = arrived and not self.reconciler.standing
            if self._unlisted and not self.amiss():
                return
            await trio.sleep(_PAUSE)

    @property
    def _arrives_within(self) -> float:
        """Seconds in which what was sent, and not answered, may still arrive, and then show in the venue's lists."""
        sent = self.gateway.commands.newest_under_way()
        return 0.0 if sent is None else max(0, sent + ON_ITS_WAY - self.gateway.now()) * 1e-9

    def _tell(self, trouble: str) -> None:
        orders = [_words(order) for order in self.gateway.open_orders()]
        held = [f"{lots:+} {symbol} of {strategy}" for strategy, symbol, lots in self.held()]
        amiss = self.amiss() if self.reconciler is not None else {}
        left = [*orders, *(held if self.flatten else [])]
        if left or trouble or amiss:
            rest = f"left are {'; '.join([*orders, *held])}" if orders or held else "nothing is left by our books"
            if amiss:
                rest += f"; the venue counts {', '.join(f'{lots:+} {at}' for at, lots in amiss.items())} {BESIDES}"
            rest += self._stops
            rest += self._unproven if trouble else ""
            self.alarms.sound("kill", f"{trouble or 'not everything could be ended'}; {rest}")
        else:
            asked = "the venue has no order of ours" if self.reconciler is not None else "no order is open"
            source = "positions by our fills" if amiss is None else "positions"
            self.proof = f"{asked}; {source}: {'; '.join(held) or 'flat'}"
            if held and self.reconciler is not None:  # First, so that nobody reads the proof without it.
                words = f"{asked}, but positions stay open, and nothing watches over them: {'; '.join(held)}"
                self.alarms.sound("kill", f"{words}{self._stops}; {ADVICE}")
            self.alarms.note("kill", f"confirmed: {self.proof}")
            self.proven(self.proof)
        self.settled.set()

    @property
    def _stops(self) -> str:
        """Which stops of positions that stay were withdrawn, in words."""
        gone = [order for order in self._stood if order.state is OrderState.CANCELLED]
        return stops_in_words([words for at in self.held() for words in stops_over(gone, *at)])

    @property
    def _unproven(self) -> str:
        if self.reconciler is None or self._unlisted:
            return ""
        if self.reconciler.standing:
            rows = (f"{row.client_order_id or 'order'} ({row.venue_order_id})" for row in self.reconciler.standing)
            why = f"the newest list that it gave has {', '.join(rows)} at work"
        elif self._arrives_within:
            why = "what was sent last may still arrive"
        else:
            why = "it hasn't told how our orders stand"
        return f"; it isn't proven that the venue has no order of ours: {why}"


def _words(order: Order) -> str:
    return f"{order.client_order_id} ({order.state.value})"
