"""Who wants which channel: subscriptions in memory, messages to all who listen, one bus subscription for each."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, Final

import trio

from strategykit.relay.bus import Bus
from strategykit.relay.channels import read_channel
from strategykit.relay.client import Client
from strategykit.relay.limits import RelayLimits
from strategykit.relay.routes import Route
from strategykit.relay.wording import Hole
from strategykit.venues.stream.server_requests import (
    INVALID_STREAM,
    BadRequest,
    Subscribe,
    Unsubscribe,
    decode_request,
    encode_error,
)
from strategykit.venues.stream.server_variants import ServerVariant

__all__ = ["Hub"]

_MOST_BYTES: Final = 4 << 20
"""Of a message that the bus brings."""

_TURN: Final = 64
"""Clients that are written to before others get their turn."""


class Hub:
    """Knows all clients and channels of one relay.

    Args:
        bus: Where channels are subscribed to.
        variant: Whose strictness requests are read with.
        limits: What clients may use up.
    """

    def __init__(self, bus: Bus, variant: ServerVariant, limits: RelayLimits) -> None:
        self.bus = bus
        self.limits = limits
        self.clients: dict[Client, None] = {}
        self.routes: dict[str, Route] = {}
        """Channels that somebody wants, by name."""
        self.counts: Counter[str] = Counter()
        """What has happened so far."""
        self._variant = variant
        self._due: deque[Client] = deque()
        self._more = trio.Event()

    # Clients

    def admit(self, client: Client) -> None:
        self.clients[client] = None
        self.counts["accepted"] += 1

    def leave(self, client: Client) -> None:
        """Forget a client, and all that it wanted, however it went."""
        if client in self.clients:
            del self.clients[client]
            for name in list(client.routes):
                self._unsubscribe(client, name)
            self.counts["frames_in"] += client.received
            self.counts["frames_out"] += client.sent
            self.counts["left_out"] += client.left_out
            self.counts[f"ended: {client.ending[:60]}"] += 1

    def receive(self, client: Client, message: str | bytes) -> None:
        """Take one message of a client, whatever it is."""
        request = decode_request(message, self._variant)
        match request:
            case Subscribe(names, number):
                for name in dict.fromkeys(names):
                    why = self._subscribe(client, name)
                    if why:
                        self._refuse(client, BadRequest(INVALID_STREAM[0], f"{INVALID_STREAM[1]}: {why}", number))
            case Unsubscribe(names, _):
                for name in dict.fromkeys(names):
                    self._unsubscribe(client, name)
            case BadRequest():
                self._refuse(client, request)
            case _:
                self._refuse(client, BadRequest(0, "nothing that is known here", None))

    def due(self, client: Client) -> None:
        """Note that a client has something to send."""
        self._due.append(client)
        if len(self._due) == 1:
            self._more.set()

    async def keep_sending(self) -> None:
        """Hand over what clients have to be sent, in turns, until cancelled."""
        due = self._due
        while True:
            for _ in range(min(len(due), _TURN)):
                due.popleft().flush()
            if due:
                await trio.lowlevel.checkpoint()
            else:
                self._more = trio.Event()
                await self._more.wait()

    async def keep_alive(self) -> None:
        """Ping clients that say nothing, and end those that don't answer, until cancelled."""
        silent = self.limits.silent
        while True:
            await trio.sleep(silent / 8)
            for client in list(self.clients):
                quiet = trio.current_time() - client.heard
                if quiet > silent:
                    client.ending = client.ending or f"it was silent for {silent:g} s"
                    client.reset()
                elif quiet > silent / 2:
                    client.ping_nowait(b"")

    def close_all(self, code: int, reason: str) -> None:
        """Begin the closing handshake with everybody, after what waits."""
        for client in self.clients:
            client.close_nowait(code, reason)

    # What a bus brings

    def deliver(self, channel: str, message: bytes) -> None:
        """Send one message to all who want its channel."""
        route = self.routes.get(channel)
        if route is None:
            self.counts["unwanted"] += 1
            return
        made = route.take(message) if len(message) <= _MOST_BYTES and _is_text(message) else None
        if made is None:
            self.counts["bus_invalid"] += 1
            return
        for client in route.clients:
            client.offer(route, made)

    def missed(self, reason: str) -> None:
        """Have the next message of each channel say that some may be missing before it."""
        for route in self.routes.values():
            route.missed(Hole(reason))

    # Inside

    def _refuse(self, client: Client, request: BadRequest) -> None:
        client.invalid += 1
        self.counts["invalid"] += 1
        answer = encode_error(request, self._variant)
        if answer is not None:
            client.send_nowait(answer)

    def _subscribe(self, client: Client, name: str) -> str:
        """Give why that can't be, or nothing."""
        if name in client.routes:
            return ""
        if len(client.routes) >= self.limits.subscriptions:
            return f"{self.limits.subscriptions} subscriptions are the most"
        route = self.routes.get(name)
        if route is None:
            if read_channel(name) is None:
                return name[:100]
            route = self.routes[name] = Route(name)  # First: a bus in this process may deliver at once.
            why = self.bus.subscribe(name)
            if why:
                del self.routes[name]
                return why
        route.clients[client] = None
        client.routes[name] = route
        greeting = route.greeting
        if greeting is not None:
            client.send_raw_nowait(greeting)
        return ""

    def _unsubscribe(self, client: Client, name: str) -> None:
        route = client.routes.get(name)
        if route is None:
            return
        client.forget(route)
        del route.clients[client]
        if not route.clients:
            del self.routes[name]
            self.bus.unsubscribe(name)

    @property
    def statistics(self) -> dict[str, Any]:
        """Give counts so far, and how things stand."""
        clients, counts = list(self.clients), self.counts
        depths = sorted(client.depth for client in clients)
        ended = {key.removeprefix("ended: "): count for key, count in counts.items() if key.startswith("ended: ")}
        return {
            "clients": len(clients),
            "accepted": counts["accepted"],
            "refused": counts["refused"],
            "channels": len(self.routes),
            "subscriptions": sum(len(client.routes) for client in clients),
            "frames_in": counts["frames_in"] + sum(client.received for client in clients),
            "frames_out": counts["frames_out"] + sum(client.sent for client in clients),
            "left_out": counts["left_out"] + sum(client.left_out for client in clients),
            "invalid": counts["invalid"],
            "unwanted": counts["unwanted"],
            "bus_invalid": counts["bus_invalid"],
            "queue_most": depths[-1] if depths else 0,
            "queue_total": sum(depths),
            "ended": ended,
            **self.bus.statistics,
        }


def _is_text(message: bytes) -> bool:
    """Whether it is UTF-8: a client's library would hang up over anything else."""
    if message.isascii():
        return True
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True
