"""The venue's end of a relay: channels asked of the venue once, however many want them, and told as messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NoReturn

import trio

from strategykit.errors import ConfigError, LocalProtocolError
from strategykit.model.events import Event, Gap
from strategykit.relay.channels import read_channel
from strategykit.relay.desk import Desk
from strategykit.relay.tellers import Teller, make_teller
from strategykit.relay.upstream import Held, Upstream
from strategykit.relay.wording import Hole, hole_of
from strategykit.sim.http_calls import HttpAnswer
from strategykit.venues.subscriptions import SubscriptionState

__all__ = ["CHANNELS", "Source"]

CHANNELS: Final = 5_000
"""The most that a venue is asked for: a client must not use up what the venue allows all of them."""

_LOOK_EVERY: Final = 1.0
"""Seconds between two looks for channels that the venue refuses."""

_QUIET_FOR: Final = 10.0
"""Seconds before another line about them: whoever asks for nonsense mustn't fill the operator's screen."""

_OWNER: Final = "(relay)"
_NAMED: Final = 3
"""Refused channels that one line names."""

_REMEMBERED: Final = 2_000
"""Refused channels that aren't told again."""


class Source:
    """All that one venue is asked for.

    Args:
        upstream: The run that holds the venue's connections.
        publish: Takes a channel's name and a message.
        exchange: Where channels name none.
        now: The time, nanoseconds UTC.
        named: Symbols that clients are told of where the venue gives no list.
    """

    def __init__(
        self,
        upstream: Upstream,
        publish: Callable[[str, bytes], None],
        *,
        exchange: str | None,
        now: Callable[[], int],
        named: Sequence[str] = (),
    ) -> None:
        self.published = 0
        """Messages."""
        self.lags: deque[int] = deque(maxlen=1_000)
        """Nanoseconds from an event, as the venue dates it, to its message; the newest."""
        self._upstream = upstream
        self._publish = publish
        self._exchange = exchange
        self._now = now
        self._held: dict[str, Held] = {}
        self._desk = Desk(upstream, self._held, exchange=exchange, now=now, named=named)
        self._refusals: dict[str, None] = {}
        """Channels that couldn't be had, the newest."""
        self._untold: deque[str] = deque(maxlen=CHANNELS)
        """Of these, each with why, what the operator doesn't know yet."""
        self._refused = 0

    @property
    def channels(self) -> list[str]:
        return list(self._held)

    @property
    def refused(self) -> list[str]:
        """Give the first channels that the venue doesn't have, each with why."""
        rows = ((name, held.row) for name, held in self._held.items())
        found = (f"{name}: {row.refusal}" for name, row in rows if row.state is SubscriptionState.REFUSED)
        return list(islice(found, 20))

    @property
    def statistics(self) -> dict[str, Any]:
        lags = sorted(self.lags)
        return {
            "upstream_channels": len(self._held),
            "upstream_refused": self.refused,
            "upstream_refusals": self._refused,
            "published": self.published,
            "upstream_lag_p50": lags[len(lags) // 2] / 1e9 if lags else None,
            "upstream_lag_p99": lags[len(lags) * 99 // 100] / 1e9 if lags else None,
        }

    def want(self, name: str) -> str:
        """Have a channel told from now on; give why that can't be, or nothing."""
        if name in self._held:
            return ""
        channel = read_channel(name)
        if channel is None:
            return "no such channel"
        if len(self._held) >= CHANNELS:
            return self._note(name, f"{CHANNELS} channels are told already")
        teller = make_teller(channel, self._now())
        # Who heard it before may have missed something: another relay may have told it, or this one an hour ago.
        teller.missed(Hole("told from now on"))

        def receive(event: Event) -> None:
            self._take(name, teller, event)

        try:
            row = self._upstream.want(channel.stream(self._exchange, self._upstream.dialect.offers), _OWNER, receive)
        except (ConfigError, LocalProtocolError) as exc:  # Also a limit of the venue's.
            return self._note(name, str(exc))
        self._held[name] = Held(channel, teller, receive, row)
        return ""

    def release(self, name: str) -> None:
        """Stop telling a channel; the venue is told if it isn't needed for another one."""
        held = self._held.pop(name, None)
        if held is not None:
            self._look(name, held)
            self._upstream.release(held.row, _OWNER, held.receive)

    def release_all(self) -> None:
        for name in list(self._held):
            self.release(name)

    def missed(self, reason: str) -> None:
        """Note that messages of all channels may have been lost on their way."""
        for held in self._held.values():
            held.teller.missed(Hole(reason))

    async def answer(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        """Answer a REST call; whatever it is, there is an answer."""
        return await self._desk.answer(path, query)

    async def keep_telling(self, note: Callable[[str], None]) -> NoReturn:
        """Tell the operator of channels that can't be had, each once, until cancelled; their clients hear nothing."""
        while True:
            await trio.sleep(_LOOK_EVERY)
            for name, held in self._held.items():
                self._look(name, held)
            if self._untold:
                shown = "; ".join(islice(self._untold, _NAMED))
                more = len(self._untold) - _NAMED
                note(f"the venue doesn't give {shown}{f'; and {more} channels more' if more > 0 else ''}")
                self._untold.clear()
                await trio.sleep(_QUIET_FOR)

    def _look(self, name: str, held: Held) -> None:
        if held.row.state is SubscriptionState.REFUSED:
            self._note(name, held.row.refusal)

    def _note(self, name: str, why: str) -> str:
        """Note, once, that a channel can't be had; give why."""
        if name not in self._refusals:
            self._refused += 1
            self._untold.append(f"{name}: {why[:200]}")
            self._refusals[name] = None
            if len(self._refusals) > _REMEMBERED:
                del self._refusals[next(iter(self._refusals))]
        return why

    def _take(self, name: str, teller: Teller, event: Event) -> None:
        if isinstance(event, Gap):
            teller.missed(hole_of(event))
            return
        message = teller.tell(event)
        if message is not None:
            self.published += 1
            if event.event_time is not None:
                self.lags.append(event.receive_time - event.event_time)
            self._publish(name, message)
