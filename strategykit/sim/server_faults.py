"""Faults on command: done to the connections that a lane names, or to what is answered next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strategykit.sim.faults import AnswerFault, FaultCommand, Lane, Mishap
from strategykit.sim.server_websocket import WebSocketPeer, text_frame

if TYPE_CHECKING:
    from strategykit.sim.server import SimulatedAlor

__all__ = ["Faults"]

_NO_JSON: Final = '{"data":{"p":12.3,,"guid":'


class Faults:
    """What the venue can be made to do wrong. Every method acts at once and gives how many connections it hit.

    A lane is ``"market"``, ``"orders"`` (a connection of /ws with a private subscription), ``"ws"`` (both),
    ``"commands"`` or ``"cws"``, or ``"all"``.
    """

    def __init__(self, venue: SimulatedAlor) -> None:
        self._venue = venue
        self.refuse_status = 0
        """What upgrades are answered with while they are refused; 0: nothing."""
        self.refuse_until = 0.0
        """On Trio's clock."""

    def drop(self, lane: Lane = "all", *, code: int = 1001, reason: str = "going away") -> int:
        """Close with a closing handshake."""
        peers = self._chosen(lane)
        for peer in peers:
            peer.close_nowait(code, reason)
        return len(peers)

    def reset(self, lane: Lane = "all") -> int:
        """Cut with RST, no close frame: what the real venue was seen to do."""
        peers = self._chosen(lane)
        for peer in peers:
            peer.reset()
        return len(peers)

    def stall(self, lane: Lane = "all", *, seconds: float) -> int:
        """Neither read nor write for a while; then go on as if nothing had been."""
        peers = self._chosen(lane)
        for peer in peers:
            peer.wire.stall(seconds)
        return len(peers)

    def half_open(self, lane: Lane = "all") -> int:
        """Forget the connections without telling: writes succeed, nothing ever comes back, not even pongs or a FIN."""
        peers = self._chosen(lane)
        for peer in peers:
            self._venue.forget(peer)
        return len(peers)

    def garbage(self, lane: Lane = "all", *, frame: str | bytes | None = None) -> int:
        """Send a text, by default one that is no JSON, or raw bytes that needn't be a frame."""
        peers = self._chosen(lane)
        raw = frame if isinstance(frame, bytes) else text_frame((_NO_JSON if frame is None else frame).encode())
        for peer in peers:
            peer.send_raw_nowait(raw)
        return len(peers)

    def late_acknowledgement(self, seconds: float, *, count: int = 1) -> int:
        """Answer the next requests on /ws late; data isn't delayed."""
        self._venue.acknowledgements.add(AnswerFault(Mishap.LATE, seconds), count)
        return 0

    def missing_acknowledgement(self, *, count: int = 1) -> int:
        """Carry out the next requests on /ws without answering."""
        self._venue.acknowledgements.add(AnswerFault(Mishap.MISSING), count)
        return 0

    def duplicate_acknowledgement(self, *, count: int = 1) -> int:
        self._venue.acknowledgements.add(AnswerFault(Mishap.DUPLICATE), count)
        return 0

    def late_reply(self, seconds: float, *, count: int = 1) -> int:
        """Carry out the next order commands on /cws at once and answer late."""
        self._venue.replies.add(AnswerFault(Mishap.LATE, seconds), count)
        return 0

    def missing_reply(self, *, count: int = 1) -> int:
        """Carry out the next order commands on /cws and never answer."""
        self._venue.replies.add(AnswerFault(Mishap.MISSING), count)
        return 0

    def duplicate_reply(self, *, count: int = 1) -> int:
        self._venue.replies.add(AnswerFault(Mishap.DUPLICATE), count)
        return 0

    def duplicate_fill(self, *, count: int = 1) -> int:
        """Tell the next fills twice, under the same trade number."""
        self._venue.duplicate_fills(count)
        return 0

    def restart(self, seconds: float = 1.0, *, forget_orders: bool = False) -> int:
        """Reset every connection and refuse new ones for a while. Subscriptions are gone, tokens stay good.

        Args:
            seconds: How long nobody listens.
            forget_orders: Whether orders, fills and positions are gone too.
        """
        hit = len(self._chosen("all"))
        self._venue.restart(seconds, forget_orders=forget_orders)
        return hit

    def refuse_upgrades(self, seconds: float, *, status: int = 0) -> int:
        """For a while accept TCP but let no WebSocket in: answer with `status`, or with 0 not at all."""
        self.refuse_status = status
        self.refuse_until = self._venue.time + seconds
        return 0

    def revoke_tokens(self) -> int:
        """Make every token given out so far worthless; refreshing still works."""
        self._venue.revoke_tokens()
        return 0

    def halt(self, instrument: str) -> int:
        """Stop trading in an instrument; its orders are refused until `resume`."""
        self._venue.set_trading(instrument, trading=False)
        return 0

    def resume(self, instrument: str) -> int:
        self._venue.set_trading(instrument, trading=True)
        return 0

    def carry_out(self, command: FaultCommand) -> int:
        """Do what a command over HTTP asks for."""
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
                return self.garbage(lane, frame=command.frame)
            case "refuse_upgrades":
                return self.refuse_upgrades(seconds, status=command.status)
            case "restart":
                return self.restart(seconds, forget_orders=command.forget_orders)
            case "revoke_tokens":
                return self.revoke_tokens()
            case "halt":
                return self.halt(command.instrument)
            case "resume":
                return self.resume(command.instrument)
            case _:
                return self._carry_out_on_answers(command)

    def _carry_out_on_answers(self, command: FaultCommand) -> int:
        count = command.count
        match command.fault:
            case "late_acknowledgement":
                return self.late_acknowledgement(command.seconds, count=count)
            case "missing_acknowledgement":
                return self.missing_acknowledgement(count=count)
            case "duplicate_acknowledgement":
                return self.duplicate_acknowledgement(count=count)
            case "late_reply":
                return self.late_reply(command.seconds, count=count)
            case "missing_reply":
                return self.missing_reply(count=count)
            case "duplicate_reply":
                return self.duplicate_reply(count=count)
            case _:
                return self.duplicate_fill(count=count)

    def _chosen(self, lane: Lane) -> list[WebSocketPeer]:
        if lane == "all":
            wanted = {"market", "orders", "commands"}
        elif lane == "ws":
            wanted = {"market", "orders"}
        else:
            wanted = {"commands" if lane == "cws" else lane}
        return [peer for session, peer in self._venue.peers.items() if session.lane in wanted]
