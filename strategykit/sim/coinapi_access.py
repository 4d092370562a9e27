"""Who may use the simulated CoinAPI, and how much.

Source: CoinAPI protocol sheet, sections 3, 4.2 and 8.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from strategykit.secret import Secret
from strategykit.sim.coinapi_config import CoinApiVenueConfig
from strategykit.sim.http_calls import HttpAnswer, HttpCall, json_answer
from strategykit.venues.coinapi.server import INVALID_KEY
from strategykit.venues.coinapi.server_keys import read_credentials
from strategykit.venues.coinapi.times import DAY

__all__ = ["CoinAccess", "Window"]

_SECOND: Final = 1_000_000_000


class Window:
    """So many in so long.

    Args:
        most: 0: no limit.
        length: Nanoseconds.
    """

    def __init__(self, most: int, length: int) -> None:
        self.most = most
        self.length = length
        self._times: deque[int] = deque()

    def left(self, now: int) -> int:
        """Count how many are free."""
        while self._times and self._times[0] <= now - self.length:
            self._times.popleft()
        return self.most - len(self._times)

    def take(self, now: int) -> bool:
        """Take one; False: none is free."""
        if self.most and self.left(now) <= 0:
            return False
        if self.most:
            self._times.append(now)
        return True

    def retry_after(self, now: int) -> int:
        """Give the nanoseconds until one comes free."""
        return self._times[0] + self.length - now if self.left(now) <= 0 and self._times else 0


@attrs.define(eq=False)
class _Client:
    """What one key has used."""

    hellos: Window
    connections: int = 0


class CoinAccess:
    """Keys, windows and credits."""

    def __init__(self, config: CoinApiVenueConfig, *, now: int) -> None:
        length = int(config.window * _SECOND)
        self._config = config
        self._clients = {key: _Client(Window(config.hellos_per_window, length)) for key in config.keys}
        self._upgrades = Window(config.connections_per_window, length)
        self._day = now - now % DAY
        self._used = 0

    def find_key(self, offered: Iterable[Secret]) -> Secret | None:
        """Give the first good key."""
        return next((key for key in offered if key in self._clients), None)

    def admit(self, call: HttpCall, now: int) -> HttpAnswer | None:
        """Look at an upgrade: None lets it in. A bad key is found out at the first message, as by the real venue."""
        key = self.find_key(read_credentials(call.path, call.query, call.headers).keys)
        if key is None and self._config.refuse_upgrades:
            return json_answer(401, {"error": INVALID_KEY})
        headers = self._upgrade_headers(key, now)
        if not self._upgrades.take(now):
            return _refuse("Too many new connections", headers)
        if key is not None and not self.has_room(key):
            return _refuse("Too many concurrent connections for this API key", headers)
        return None

    def has_room(self, key: Secret) -> bool:
        """Say whether a key may open another connection."""
        most = self._config.connections_per_key
        return not most or self._clients[key].connections < most

    def enter(self, key: Secret) -> None:
        self._clients[key].connections += 1

    def leave(self, key: Secret) -> None:
        self._clients[key].connections -= 1

    def take_hello(self, key: Secret, now: int) -> bool:
        """Count a hello or subscribe; False: there were too many."""
        return self._clients[key].hellos.take(now)

    def charge(self, cost: int, now: int) -> tuple[bool, Mapping[str, str]]:
        """Pay for a REST call; give whether there was credit, and the headers that say so."""
        if now >= self._day + DAY:
            self._day, self._used = now - now % DAY, 0
        most = self._config.credits
        paid = not most or self._used + cost <= most
        self._used += cost if paid else 0
        reset = -(-(self._day + DAY - now) // _SECOND)
        headers = {"X-RateLimit-Request-Cost": str(cost), "X-RateLimit-Used": str(self._used)}
        if most:
            headers |= {"X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": str(most - self._used)}
            headers["X-RateLimit-Reset"] = str(reset)
        return paid, headers if paid else {**headers, "Retry-After": str(reset)}

    def _upgrade_headers(self, key: Secret | None, now: int) -> dict[str, str]:
        """Source: section 4.2. They are told with refusals only: what lets a client in is the server's to say."""
        window, config = self._upgrades, self._config
        headers = {
            "X-WsRequestsPerIpLimit-Limit": str(window.most),
            "X-WsRequestsPerIpLimit-WindowSizeMs": str(window.length // 1_000_000),
            "X-WsRequestsPerIpLimit-Remaining": str(max(0, window.left(now))),
            "X-WsRequestsPerIpLimit-RetryAfterMs": str(window.retry_after(now) // 1_000_000),
        }
        if key is not None:
            free = config.connections_per_key - self._clients[key].connections
            headers["X-ConcurrencyLimit-Limit"] = str(config.connections_per_key)
            headers["X-ConcurrencyLimit-Remaining"] = str(max(0, free))
        return headers


def _refuse(why: str, headers: Mapping[str, str]) -> HttpAnswer:
    return attrs.evolve(json_answer(429, {"error": why}), headers=headers)
