"""Fault scripts: what goes wrong when, as data. A script is a list of `Fault`, and can be kept as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import attrs
import cattrs
import msgspec
import trio

from strategykit.errors import ConfigError, RemoteProtocolError
from strategykit.sim.faults import decode_fault
from strategykit.sim.server import SimulatedServer
from strategykit.testing.disk import DiskFault, WorldDisk
from strategykit.testing.network import MemoryNetwork, Refusal

__all__ = ["Fault", "NetworkFault", "parse_script", "strike", "write_script"]


@attrs.frozen(kw_only=True)
class NetworkFault:
    """Something that happens to wires."""

    what: Literal["refuse", "reset", "cut", "cut_next", "stall", "slow", "narrow", "slice"]
    """
    - ``refuse``: for `seconds` no new connection gets through; `how` says what happens instead.
    - ``reset``: break the connections; what was on its way is lost.
    - ``cut``: let `count` bytes more through, in one `direction`, then break the connection.
    - ``cut_next``: do that to the next connection that is opened, counted from its first byte.
    - ``stall``: let nothing through for `seconds`; 0: never again, and nobody is told.
    - ``slow``: for `seconds` everything takes `late` seconds longer.
    - ``narrow``: for `seconds` no more than `count` bytes a second get through.
    - ``slice``: deliver the next `count` bytes one by one.
    """
    where: str = "all"
    """Which connections: ``"all"``, ``"http"``, ``"ws"``, or how the path of its request begins, such as ``"/cws"``."""
    pick: int | None = None
    """The one of these that this number falls on; None: all of them."""
    direction: Literal["up", "down", "both"] = "both"
    """``"up"`` is from the client."""
    seconds: float = 1.0
    late: float = 1.0
    count: int = 0
    how: Refusal = "refused"

    def __attrs_post_init__(self) -> None:
        if self.what == "narrow" and self.count < 1:
            raise ConfigError(f"count should be at least 1 byte a second where wires are narrow, not {self.count}")


@attrs.frozen(kw_only=True)
class Fault:
    """One line of a script: one of the kinds."""

    at: float
    """Seconds from the beginning."""
    network: NetworkFault | None = None
    venue: Mapping[str, Any] | None = None
    """As the simulated venue's ``POST /sim/faults`` takes it."""
    disk: DiskFault | None = None


_CONVERTER: Final = cattrs.Converter(forbid_extra_keys=True, omit_if_default=True)


def write_script(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """Give a script as values that JSON has."""
    rows: list[dict[str, Any]] = _CONVERTER.unstructure(list(faults))
    return rows


def parse_script(rows: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """Read a script.

    Raises:
        ConfigError: Something in it can't be.
    """
    try:
        return _CONVERTER.structure(rows, list[Fault])
    except cattrs.BaseValidationError as exc:
        raise ConfigError(f"this is no fault script: {'; '.join(cattrs.transform_error(exc))}") from exc


def strike(fault: Fault, network: MemoryNetwork, server: SimulatedServer[Any], disk: WorldDisk) -> int:
    """Let a fault happen now; give how many connections it hit.

    Raises:
        ConfigError: The venue has no such fault, or it can't be done as asked.
    """
    hit = 0
    if fault.disk is not None:
        disk.strike(fault.disk)
    if fault.network is not None:
        hit += _strike_network(fault.network, network)
    if fault.venue is not None:
        try:
            hit += server.faults.carry_out(decode_fault(msgspec.json.encode(fault.venue)))
        except RemoteProtocolError as exc:
            raise ConfigError(str(exc)) from exc
    return hit


def _strike_network(fault: NetworkFault, network: MemoryNetwork) -> int:
    until = trio.current_time() + fault.seconds
    if fault.what == "refuse":
        network.refuse_until, network.refusal = until, fault.how
        return 0
    if fault.what == "cut_next":
        network.cuts.append((fault.direction, fault.count))
        return 0
    chosen = network.chosen(fault.where, fault.pick)
    for connection in chosen:
        if fault.what == "reset":
            connection.reset()
        for way in connection.ways if fault.direction == "both" else (connection.way(fault.direction),):
            match fault.what:
                case "cut":
                    way.cut_at = way.sent + fault.count
                case "stall":
                    way.stall(until if fault.seconds else math.inf)
                case "slow":
                    way.extra, way.extra_until = fault.late, until
                case "narrow":
                    way.rate, way.rate_until = float(fault.count), until
                case "slice":
                    way.slices += fault.count
                case _:
                    pass
    return len(chosen)
