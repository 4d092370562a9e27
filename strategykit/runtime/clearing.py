"""Clearing an account on which nobody trades any more: its orders are withdrawn, and what came of it written down.

The guard of a run that is gone does so, and so does whoever pulls the kill switch where no run is left to do it.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import attrs
import trio

from strategykit.config import VenuePlan
from strategykit.errors import JournalError, StrategykitError
from strategykit.journal.format import RecordKind
from strategykit.journal.writer import JournalWriter
from strategykit.net.timing import Timing
from strategykit.net.tokens import TokenFacts, TokenSource
from strategykit.runtime.aftermath import Aftermath, Salvage, kept_facts, newest_records, salvage_records, sum_up
from strategykit.runtime.kill import BESIDES
from strategykit.runtime.order_journal import open_run_journal
from strategykit.runtime.unwatched import ADVICE, stops_in_words
from strategykit.runtime.withdraw import Account, Known, Left, known_orders, withdraw_by_http
from strategykit.runtime.withdraw_run import withdraw_by_run
from strategykit.tape.redact import Redactor
from strategykit.venues.http_cancels import CancelsByHttp

__all__ = ["Cleared", "Clearing"]


@attrs.frozen(kw_only=True)
class Cleared:
    """What came of it: one of the two is empty."""

    proof: str = ""
    """What was confirmed."""
    trouble: str = ""
    """Why nothing was, with what is left."""


@attrs.define(eq=False, kw_only=True)
class Clearing:
    """Withdraws all that is left of ours on an account, and nobody else's."""

    folder: Path
    """The account's journal, which nobody writes."""
    venue: VenuePlan
    by: str
    """Who does it: begins alarms, and is the tag of its part of the journal."""
    who: str
    """The same for sentences, such as ``"a guard"``."""
    wall: Callable[[], int]
    """Nanoseconds UTC."""
    say: Callable[[str], None]
    """Takes a line of what is done."""
    warn: Callable[[str], None]
    """Takes one that somebody should see now."""
    redactor: Redactor = attrs.field(factory=Redactor)

    def run(self, reason: str) -> Cleared:
        """Do it. A damaged journal is no hindrance where the venue takes cancels by calls.

        Args:
            reason: Why, for the journal.
        """
        with ExitStack() as stack:
            try:
                left, before, salvage, writer = self._withdraw(stack, reason)
            except StrategykitError as exc:
                return Cleared(trouble=str(exc))
            cleared = self._judge(before, left, salvage)
            self._keep(writer, left, cleared)
            return cleared

    def _withdraw(
        self, stack: ExitStack, reason: str
    ) -> tuple[Left, Aftermath | None, Salvage | None, JournalWriter | None]:
        secrets = self.venue.secrets()
        for secret in secrets.values():
            self.redactor.protect(secret.reveal())
        dialect = self.venue.dialect()
        if isinstance(dialect, CancelsByHttp):
            salvage, before = salvage_records(self.folder), None
            with suppress(JournalError):  # What is whole of it may not add up without the rest.
                before = sum_up(salvage.records)
            known = known_orders(salvage.records)
            if salvage.damaged:
                known = attrs.evolve(known, sent=self.wall())  # Nobody knows when the last command was.
            writer = self._take_over(stack, before, reason)
            fetch = self.venue.known.fetcher(secrets, self.venue.options, self.venue.endpoints)
            return trio.run(self._call, dialect, known, fetch), before, salvage, writer
        found = sum_up(newest_records(self.folder))
        left = withdraw_by_run(self.venue, self.folder)
        before = attrs.evolve(sum_up(newest_records(self.folder)), alarms=found.alarms, stops=found.stops)
        return left, before, None, self._take_over(stack, before, reason)

    def _take_over(self, stack: ExitStack, before: Aftermath | None, reason: str) -> JournalWriter | None:
        """Go on with the journal of the run that is gone; without it, if need be: cancels never wait for a disk."""
        facts = {**kept_facts({} if before is None else before.run), "tag": self.by}
        try:
            writer = stack.enter_context(
                open_run_journal(
                    self.folder, now=self.wall, run=facts, redact=self.redactor.words, in_loop=False, lasting=True
                )
            ).writer
            writer.write(RecordKind.KILLED, {"reason": reason, "by": self.by})
        except JournalError as exc:
            self.warn(f"nothing can be written into the journal: {exc}")
            return None
        return writer

    async def _call(self, dialect: CancelsByHttp, known: Known, fetch: Callable[[], Awaitable[TokenFacts]]) -> Left:
        where = Account(
            dialect=self.venue.dialect(),
            cancels=dialect,
            base=self.venue.endpoints.http,
            tokens=TokenSource(fetch, protect=self.redactor.protect, rng=random.Random(), timing=Timing()),
            account=self.venue.account,
            exchange=self.venue.exchange,
        )
        return await withdraw_by_http(where, known, say=self.say, now=self.wall)

    def _judge(self, before: Aftermath | None, left: Left, salvage: Salvage | None) -> Cleared:
        damaged, doubts = (False, ()) if salvage is None else (salvage.damaged, salvage.doubts)
        held = "not known" if before is None else ", ".join(before.positions) or "flat"
        if damaged:
            held += ", as far as that can be read"
        if left.unseen:
            held += f", and fills that it doesn't have: {', '.join(left.unseen)}"
        gone = "the venue has no order of ours"
        troubles: list[str] = []
        if left.trouble:
            troubles.append(left.trouble)
            troubles += [f"left are {', '.join(left.orders)}"] if left.orders else []
        elif doubts:
            known = f"{gone} that is known of ({left.withdrawn} withdrawn)"
            troubles.append(f"{known}, but there may be others: {'; '.join(doubts)}")
        if held != "flat":
            # What was withdrawn may have protected them: whatever the kill switch was to do, that is no good end.
            state = "are" if before is not None and before.positions and not damaged else "may be"
            words = f"positions {state} open, which {self.who} can't close; by the journal {held}"
            stops = stops_in_words(() if before is None else before.stops)
            troubles.append(f"{'' if troubles else f'{gone}, but '}{words}{stops}; {ADVICE}")
        if before is not None and any(BESIDES in alarm for alarm in before.alarms):
            words = f"when the run was killed it counted other lots {BESIDES}"
            troubles.append(f"{'' if troubles else f'{gone}, but '}{words}")
        if troubles:
            return Cleared(trouble="; ".join(troubles))
        return Cleared(proof=f"{gone} ({left.withdrawn} withdrawn); positions by the journal: {held}")

    def _keep(self, writer: JournalWriter | None, left: Left, cleared: Cleared) -> None:
        """Say in the journal what came of it."""
        if cleared.trouble:
            self._write(writer, RecordKind.ALARM, {"text": f"{self.by}: {cleared.trouble}"})
        else:
            text = f"{self.by}: confirmed: {cleared.proof}"
            self._write(writer, RecordKind.NOTE, {"text": text, "source": self.by, "proof": cleared.proof})
        unaccounted = [cleared.trouble] if cleared.trouble else []
        facts = {"reason": f"by {self.who}", "open": list(left.orders), "unaccounted": unaccounted}
        self._write(writer, RecordKind.CLOSED, facts)

    def _write(self, writer: JournalWriter | None, kind: RecordKind, facts: dict[str, Any]) -> None:
        if writer is None:
            return
        try:
            writer.write(kind, facts)
        except JournalError as exc:
            self.warn(str(exc))
