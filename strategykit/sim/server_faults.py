"""Faults on command: done to the connections that a lane names, or handed to the venue that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from strategykit.errors import ConfigError
from strategykit.sim.faults import WIRE_FAULTS, FaultCommand, Lane
from strategykit.sim.server_websocket import WebSocketPeer, binary_frame, text_frame
from strategykit.sim.server_wire import Wire

if TYPE_CHECKING:
    from strategykit.sim.server import SimulatedServer

__all__ = ["Faults"]

_NO_JSON: Final = '{"data":{"p":12.3,,"guid":'

_LANES: Final = {"ws": {"market", "orders"}, "cws": {"commands"}}


class Faults:
    """What can be made to go wrong. Every method acts at once and gives how many connections it hit."""

    def __init__(self, server: SimulatedServer[Any]) -> None:
        self._server = server
        self.refuse_status = 0
        """What upgrades are answered with while they are refused; 0: nothing."""
        self.refuse_until = 0.0
        """On Trio's clock."""
        self.failing_calls = 0
        """How many of the next HTTP calls are answered with `call_status` and not carried out."""
        self.call_status = 503

    def drop(self, lane: Lane = "all", *, code: int = 1001, reason: str = "going away") -> int:
        """Close with a closing handshake."""
        peers = self._chosen(lane)
        for peer in peers:
            peer.close_nowait(code, reason)
        return len(peers)

    def reset(self, lane: Lane = "all") -> int:
        """Cut with RST, no close frame: what the real venues were seen to do."""
        peers = self._chosen(lane)
        for peer in peers:
            peer.reset()
        return len(peers)

    def stall(self, lane: Lane = "all", *, seconds: float) -> int:
        """Neither read nor write for a while; then go on as if nothing had been."""
        peers = self._chosen(lane)
        for peer in peers:
            assert isinstance(peer.wire, Wire)  # Such is what the server accepts.
            peer.wire.stall(seconds)
        return len(peers)

    def half_open(self, lane: Lane = "all") -> int:
        """Forget the connections without telling: writes succeed, nothing ever comes back, not even pongs or a FIN."""
        peers = self._chosen(lane)
        for peer in peers:
            self._server.forget(peer)
        return len(peers)

    def garbage(self, lane: Lane = "all", *, frame: str | bytes | None = None, binary: bytes | None = None) -> int:
        """Send what nobody asked for.

        Args:
            lane: To whom.
            frame: A text, by default one that is no JSON, or raw bytes that needn't be a frame.
            binary: A binary message in its place.
        """
        peers = self._chosen(lane)
        if binary is not None:
            raw = binary_frame(binary)
        else:
            raw = frame if isinstance(frame, bytes) else text_frame((_NO_JSON if frame is None else frame).encode())
        for peer in peers:
            peer.send_raw_nowait(raw)
        return len(peers)

    def restart(self, seconds: float = 1.0, *, forget_orders: bool = False) -> int:
        """Reset every connection and refuse new ones for a while. Subscriptions are gone, tokens stay good.

        Args:
            seconds: How long nobody listens.
            forget_orders: Whether orders, fills and positions are gone too.
        """
        hit = len(self._server.peers)
        self._server.restart(seconds, forget_orders=forget_orders)
        return hit

    def refuse_upgrades(self, seconds: float, *, status: int = 0) -> int:
        """For a while accept TCP but let no WebSocket in: answer with `status`, or with 0 not at all."""
        self.refuse_status = status
        self.refuse_until = self._server.time + seconds
        return 0

    def fail_calls(self, count: int, *, status: int = 503) -> int:
        """Answer the next HTTP calls with `status`, and carry none of them out."""
        self.failing_calls += count
        self.call_status = status
        return 0

    def heal(self) -> None:
        """Call off all that was still to go wrong; what goes wrong already takes its time."""
        self.refuse_until = 0.0
        self.failing_calls = 0
        self._server.venue.heal()

    def check_known(self, fault: str) -> None:
        """Refuse the name of what nobody here can do.

        Raises:
            ConfigError: It lists what there is.
        """
        known = WIRE_FAULTS | set(self._server.venue.own_faults)
        if fault not in known:
            raise ConfigError(f"no fault {fault!r} here; there are: {', '.join(sorted(known))}")

    def carry_out(self, command: FaultCommand) -> int:
        """Do what a command over HTTP asks for.

        Raises:
            ConfigError: There's no such fault, or it can't be done as asked.
        """
        self.check_known(command.fault)
        lane, seconds = command.lane, command.seconds
        match command.fault:
            case "drop":
                return self.drop(lane, code=command.code)
            case "reset":
                return self.reset(lane)
            case "stall":
                return self.stall(lane, seconds=seconds)
            case "half_open":
                return self.half_open(lane)
            case "garbage":
                binary = None if command.binary is None else bytes.fromhex(command.binary)
                return self.garbage(lane, frame=command.frame, binary=binary)
            case "refuse_upgrades":
                return self.refuse_upgrades(seconds, status=command.status)
            case "restart":
                return self.restart(seconds, forget_orders=command.forget_orders)
            case "fail_calls":
                return self.fail_calls(command.count, status=command.status or 503)
            case _:
                return self._server.venue.fault(command, self._server.now())

    def _chosen(self, lane: Lane) -> list[WebSocketPeer]:
        peers = self._server.peers
        if lane == "all":
            return list(peers.values())
        wanted = _LANES.get(lane, {lane})
        return [peer for session, peer in peers.items() if self._server.venue.lane(session) in wanted]
