"""A bus over Redis: one relay has the venue and publishes, all of them serve.

Data travel on channels of the names that clients know. What is wanted, Redis itself knows: a channel counts as wanted
as long as somebody subscribes to it, and Redis drops whoever is gone. The relay that publishes looks once a second, and
at once when it is told that something has changed.

Who publishes holds a lease, a key that dies if it isn't renewed: of several relays with a venue one publishes, the
others stand by. REST calls go to it by a channel, and their answers come by a channel of the one who asked.
"""

from __future__ import annotations

import itertools
import math
import random
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import coredis
import trio
from coredis.retry import NoRetryPolicy

from strategykit.errors import ConfigError
from strategykit.relay.bus import BusEnds
from strategykit.relay.channels import read_channel
from strategykit.relay.redis_calls import Calls
from strategykit.relay.redis_trouble import FOREIGN, check_redis_url, trouble_of
from strategykit.relay.source import Source
from strategykit.sim.http_calls import HttpAnswer, json_answer

__all__ = ["RedisBus", "RedisTiming", "check_redis_url"]

_KEY: Final = "strategykit:publisher"
_CHANGED: Final = "strategykit:wanted"
_CALLS: Final = "strategykit:calls"

_MOST: Final = 20_000
"""Messages that wait to be published; beyond, all of them are dropped, and that is told."""

_TOGETHER: Final = 500
_HOLD: Final = """\
local holder = redis.call('get', KEYS[1])
if not holder then redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2]) return 1 end
if holder == ARGV[1] then redis.call('pexpire', KEYS[1], ARGV[2]) return 1 end
return 0"""
"""Takes or renews the lease, at once; gives whether it is ours."""

_FREE: Final = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end"
_FREE_WITHIN: Final = 0.5


@attrs.frozen(kw_only=True)
class RedisTiming:
    """How a bus keeps time, in seconds."""

    lease: float = 10.0
    """After which another relay may publish in place of one that isn't heard of any more."""
    look_every: float = 1.0
    """Between two looks at what is wanted."""
    keep_for: float = 3.0
    """For which a channel is told that nobody wants any more: who wanted it may only be connecting anew."""
    answer_within: float = 5.0
    """In which Redis takes a connection, or answers a command; else it is away."""
    pauses: tuple[float, float] = (0.1, 5.0)
    """The first and the longest, before another try."""


class RedisBus:
    """See `Bus`.

    Args:
        url: Of the Redis.
        make_source: Makes the venue's end from what takes its messages; None: only others publish.
        note: Told of what goes wrong and comes back, in words.
        rng: Spreads the tries to come back.
        timing: How long what may take.
    """

    def __init__(
        self,
        url: str,
        make_source: Callable[[Callable[[str, bytes], None]], Source] | None,
        *,
        note: Callable[[str], None] = lambda _: None,
        rng: random.Random | None = None,
        timing: RedisTiming | None = None,
    ) -> None:
        self._url = check_redis_url(url)
        self._note = note
        self._rng = rng or random.Random()
        self._timing = timing or RedisTiming()
        self.source = None if make_source is None else make_source(self._publish)
        self.is_up = False
        self.publishes = False
        """Whether the lease is ours."""
        self._name = uuid.uuid4().hex
        self._wanted: dict[str, None] = {}
        self._changed = trio.Event()
        self._look = trio.Event()
        self._outgoing: deque[tuple[str, bytes]] = deque()
        self._more = trio.Event()
        self._calls = Calls(f"strategykit:{self._name}")
        self._unwanted_since: dict[str, float] = {}
        self._impossible: dict[str, str] = {}
        self._dropped = 0
        self._tries = 0
        self._sessions = 0
        self._trouble = ""

    # What the clients' side calls

    def subscribe(self, channel: str) -> str:
        self._wanted[channel] = None
        self._changed.set()
        return ""

    def unsubscribe(self, channel: str) -> None:
        self._wanted.pop(channel, None)
        self._changed.set()

    async def call(self, path: str, query: Mapping[str, str]) -> HttpAnswer:
        if self.source is not None and self.publishes:
            return await self.source.answer(path, query)
        if not self.is_up:
            await trio.lowlevel.checkpoint()
            return json_answer(503, {"message": "the bus is away"})
        return await self._calls.ask(path, query, lambda message: self._queue(_CALLS, message))

    @property
    def statistics(self) -> Mapping[str, Any]:
        return {
            "bus": "redis",
            "bus_up": self.is_up,
            "bus_tries": self._tries,
            "bus_sessions": self._sessions,
            "bus_trouble": self._trouble,
            "bus_dropped": self._dropped,
            "bus_waiting": len(self._outgoing),
            "publishes": self.publishes,
            "impossible": [f"{name}: {why}" for name, why in itertools.islice(self._impossible.items(), 20)],
            **({} if self.source is None else self.source.statistics),
        }

    # The connection

    async def run(self, ends: BusEnds, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Carry messages until cancelled, over one connection after the other.

        Raises:
            ConfigError: The very first try was refused for good: a wrong password, or a Redis too old. Later it is
                told and tried again, since clients have come meanwhile.
        """
        task_status.started()
        shortest, longest = self._timing.pauses
        pause = shortest
        try:
            while True:
                began = self._sessions
                self._tries += 1
                try:
                    await self._connect(ends)
                except* FOREIGN as group:
                    self.is_up = False
                    if trio.current_effective_deadline() > -math.inf:  # Else it is we who leave.
                        self._down(group, first=self._tries == 1)
                pause = shortest if self._sessions > began else min(pause * 2, longest)
                await trio.sleep(pause * self._rng.uniform(0.5, 1.0))
        finally:
            if self.source is not None:
                self.source.release_all()
                with trio.move_on_after(_FREE_WITHIN, shield=True):
                    await self._free()

    async def _free(self) -> None:
        """Give the lease back, so that another relay needn't wait for its end. The connection of before is closing."""
        if not self._sessions:
            return
        try:
            async with self._client() as client:
                await client.eval(_FREE, [_KEY], [self._name])
        except* FOREIGN:
            pass  # It ends by itself.

    def _client(self) -> coredis.Redis[bytes]:
        return coredis.Redis.from_url(
            self._url,
            retry_policy=NoRetryPolicy(),
            connect_timeout=self._timing.answer_within,
            stream_timeout=self._timing.answer_within,
        )

    async def _connect(self, ends: BusEnds) -> None:
        async with self._client() as client:
            pubsub = client.pubsub(
                ignore_subscribe_messages=True,
                retry_policy=NoRetryPolicy(),
                subscription_timeout=self._timing.answer_within,
            )
            async with pubsub:
                await pubsub.subscribe(self._calls.inbox, *([_CALLS, _CHANGED] if self.source is not None else ()))
                self._up(ends)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._keep_subscribed, pubsub)
                    nursery.start_soon(self._keep_publishing, client)
                    if self.source is not None:
                        nursery.start_soon(self._keep_lease, client, self.source)
                    await self._read(pubsub, nursery, ends)

    def _up(self, ends: BusEnds) -> None:
        self._sessions += 1
        self.is_up = True
        self._outgoing.clear()
        if self._trouble:
            self._note(f"the bus is back after: {self._trouble}")
            self._trouble = ""
        if self._sessions > 1:
            ends.missed("the bus was away")
            if self.source is not None:
                self.source.missed("the bus was away")

    def _down(self, group: BaseExceptionGroup[Exception], *, first: bool) -> None:
        words, refused = trouble_of(group)
        if first and refused is not None:
            raise ConfigError(words) from refused
        if words != self._trouble:
            self._note(words)
        self._trouble = words

    async def _read(self, pubsub: Any, nursery: trio.Nursery, ends: BusEnds) -> None:
        while True:
            found = await pubsub.get_message()
            if found is None:
                continue
            channel, message = found["channel"].decode("utf-8", "replace"), found["data"]
            if channel == self._calls.inbox:
                self._calls.answered(message)
            elif channel == _CHANGED:
                self._look.set()
            elif channel == _CALLS:
                if self.publishes and self.source is not None:
                    self._calls.serve(nursery, message, self.source.answer, self._queue)
            else:
                ends.deliver(channel, message)

    async def _keep_subscribed(self, pubsub: Any) -> None:
        held: dict[str, None] = {}
        while True:
            self._changed = trio.Event()
            new = [name for name in self._wanted if name not in held]
            old = [name for name in held if name not in self._wanted]
            if new:
                await pubsub.subscribe(*new)
            if old:
                await pubsub.unsubscribe(*old)
            held = {name: None for name in (*held, *new) if name not in old}
            if new or old:
                self._queue(_CHANGED, b"")
            await self._changed.wait()

    # Publishing

    def _publish(self, channel: str, message: bytes) -> None:
        if not self.is_up or not self.publishes:
            self._dropped += 1
            return
        self._queue(channel, message)

    def _queue(self, channel: str, message: bytes) -> None:
        if len(self._outgoing) >= _MOST:
            self._dropped += (
                len(self._outgoing) + 1
            )  # This one, too: it is worded already, and the next tells the hole.
            self._outgoing.clear()
            if self.source is not None:
                self.source.missed("the bus is too slow")
            return
        self._outgoing.append((channel, message))
        self._more.set()

    async def _keep_publishing(self, client: Any) -> None:
        outgoing = self._outgoing
        while True:
            self._more = trio.Event()
            while outgoing:
                part = [outgoing.popleft() for _ in range(min(len(outgoing), _TOGETHER))]
                async with client.pipeline(transaction=False) as pipe:
                    for channel, message in part:
                        pipe.publish(channel, message)
            await self._more.wait()

    async def _keep_lease(self, client: Any, source: Source) -> None:
        try:
            while True:
                self._look = trio.Event()
                held = await client.eval(_HOLD, [_KEY], [self._name, str(int(self._timing.lease * 1_000))])
                if held != 1 and self.publishes:
                    source.release_all()
                    self._note("another relay publishes now; this one stands by")
                self.publishes = held == 1
                if self.publishes:
                    names = await client.pubsub_channels()
                    self._adjust(source, {name.decode("utf-8", "replace") for name in names})
                with trio.move_on_after(self._timing.look_every):
                    await self._look.wait()
        finally:
            self.publishes = False

    def _adjust(self, source: Source, wanted: set[str]) -> None:
        """Have the venue tell what is wanted, and no more what hasn't been for a while."""
        now, held = trio.current_time(), set(source.channels)
        for name in wanted - held:
            if read_channel(name) is not None and name not in self._impossible:
                why = source.want(name)
                if why:
                    self._impossible[name] = why
        self._impossible = {name: why for name, why in self._impossible.items() if name in wanted}
        self._unwanted_since = {name: self._unwanted_since.get(name, now) for name in held - wanted}
        for name, since in self._unwanted_since.items():
            if now - since >= self._timing.keep_for:
                source.release(name)
