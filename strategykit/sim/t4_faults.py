"""What only the simulated T4 venue can do wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, cast

from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.sim.exchange import SimulatedExchange
from strategykit.sim.faults import AnswerFault, FaultCommand, Mishap
from strategykit.sim.t4_access import T4Access
from strategykit.sim.t4_by_order import ByOrderPublisher
from strategykit.sim.t4_depth import DepthPublisher
from strategykit.sim.t4_doors import Doors, TokenFault
from strategykit.sim.t4_orders import OrderDesk
from strategykit.sim.t4_updates import UpdateTeller
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = ["OWN_FAULTS", "VenueFaults"]

_MISHAPS: Final = {"lost_update": Mishap.MISSING, "late_update": Mishap.LATE, "duplicate_update": Mishap.DUPLICATE}

OWN_FAULTS: Final = frozenset(
    {"displace", "backlog", "silence", "reject_login", "revoke_tokens", "mbo_gap", "mbo_clear", "halt", "resume"}
    | {"mode", "resnapshot", "new_session", "single_update", "fail_request", "ignore_request", *_MISHAPS}
    | {"refuse_token", "short_token", "lost_token", "withdraw_orders"}
)
"""``displace`` and ``backlog`` end sessions of a lane; ``silence`` keeps heartbeats from it for `seconds`;
``reject_login`` refuses the next `count` logins with ``arguments["result"]``; of the next `count` requests for tokens
``refuse_token`` refuses each, ``short_token`` gives each a token that lives `seconds`, ``lost_token`` answers none;
``mbo_gap`` loses the next `count` updates by order of an instrument (or of each), ``mbo_clear`` sends the book by order
anew after a clear; ``mode`` gives an instrument the market mode ``arguments["mode"]``; ``resnapshot`` sends depth
snapshots as when a feed is back; ``new_session`` counts volume and trades from nothing again; ``lost_update``,
``late_update`` (by `seconds`) and ``duplicate_update`` befall the next `count` order updates, which ``single_update``
sends outside a group; ``fail_request`` fails the next `count` submissions, revisions or pulls inside T4;
``ignore_request`` has the next `count` requests of whatever kind neither carried out nor answered;
``withdraw_orders`` withdraws all that can still be filled, as for accounts whose connection has ended."""

_MODES: Final = {
    name.removeprefix("MARKET_MODE_"): cast("enums.MarketMode", number) for name, number in enums.MarketMode.items()
}
_RESULTS: Final = {number: cast("enums.LoginResult", number) for number in enums.LoginResult.values()}


class VenueFaults:
    """Does them. Gives how many sessions or markets each hit."""

    def __init__(
        self,
        doors: Doors,
        access: T4Access,
        teller: UpdateTeller,
        desk: OrderDesk,
        depth: DepthPublisher,
        by_order: ByOrderPublisher,
        exchange: SimulatedExchange,
        publish: Callable[[Sequence[Event], int], None],
    ) -> None:
        self._doors = doors
        self._access = access
        self._teller = teller
        self._desk = desk
        self._depth = depth
        self._by_order = by_order
        self._exchange = exchange
        self._publish = publish
        self.ignored = 0
        """How many of the next requests are ignored."""

    def carry_out(self, command: FaultCommand, now: int) -> int:
        """Do what is asked.

        Raises:
            ConfigError: It can't be done as asked; the message says why.
        """
        match command.fault:
            case "displace":
                return self._end(command, enums.LOGIN_RESULT_LOGGED_IN_ELSEWHERE, "logged in elsewhere")
            case "backlog":
                result = _login_result(command, enums.LOGIN_RESULT_API_MESSAGE_BACKLOG)
                return self._end(command, result, "the client reads too slowly")
            case "silence":
                chosen = self._doors.chosen(command)
                for session in chosen:
                    session.silent_until = now + int(command.seconds * 1e9)
                return len(chosen)
            case "reject_login":
                self._doors.refusals.extend([_login_result(command, enums.LOGIN_RESULT_FAILED)] * command.count)
                return 0
            case "revoke_tokens":
                return self._access.revoke()
            case "refuse_token" | "short_token" | "lost_token":
                self._doors.token_faults.extend([TokenFault(command.fault, command.seconds)] * command.count)
                return 0
            case "lost_update" | "late_update" | "duplicate_update":
                self._teller.plan.add(AnswerFault(_MISHAPS[command.fault], command.seconds), command.count)
                return 0
            case "single_update":
                self._teller.single += command.count
                return 0
            case "fail_request":
                self._desk.failures += command.count
                return 0
            case "ignore_request":
                self.ignored += command.count
                return 0
            case "withdraw_orders":
                for live in [live for live in self._desk.orders.values() if not live.finished]:
                    self._desk.pull(live, now, reason="its connection has ended")
                return 0
            case _:
                return self._befall_markets(command, now)

    def heal(self) -> None:
        """Call off all that was still to go wrong."""
        self.ignored = self._teller.single = self._desk.failures = 0
        self._teller.plan.clear()
        self._doors.refusals.clear()
        self._by_order.heal()

    def _befall_markets(self, command: FaultCommand, now: int) -> int:
        names = self._named(command)
        for name in names:
            match command.fault:
                case "mbo_gap":
                    self._by_order.swallow(name, command.count)
                case "mbo_clear":
                    self._by_order.clear(name, now)
                case "resnapshot":
                    self._depth.give_anew(name, now)
                case "new_session":
                    self._depth.begin_session(name, now)
                case "mode":
                    self._set_mode(name, _market_mode(command), now)
                case _:
                    resumed = command.fault == "resume"
                    self._set_mode(name, enums.MARKET_MODE_OPEN if resumed else enums.MARKET_MODE_HALTED, now)
        return len(names)

    def _set_mode(self, name: str, mode: enums.MarketMode, now: int) -> None:
        trading = mode == enums.MARKET_MODE_OPEN
        self._publish(self._exchange.set_trading(name, now, trading=trading), now)
        self._depth.set_mode(name, mode, now)
        if trading:
            self._by_order.clear(name, now)

    def _end(self, command: FaultCommand, result: enums.LoginResult, words: str) -> int:
        chosen = self._doors.chosen(command)
        for session in chosen:
            self._doors.end(session, result, words)
        return len(chosen)

    def _named(self, command: FaultCommand) -> list[str]:
        listed = self._exchange.instruments
        if not command.instrument:
            return list(listed)
        if command.instrument not in listed:
            raise ConfigError(f"no market {command.instrument!r} here; there are: {', '.join(listed)}")
        return [command.instrument]


def _login_result(command: FaultCommand, default: enums.LoginResult) -> enums.LoginResult:
    value = command.arguments.get("result", default)
    if isinstance(value, int) and value and value in _RESULTS:
        return _RESULTS[value]
    raise ConfigError(f"result must be the number of a login result that isn't success, not {value!r}")


def _market_mode(command: FaultCommand) -> enums.MarketMode:
    word = str(command.arguments.get("mode", "")).upper()
    if word in _MODES:
        return _MODES[word]
    raise ConfigError(f"no market mode {word[:40]!r}; there are: {', '.join(_MODES)}")
