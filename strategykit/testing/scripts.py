"""Fault scripts drawn by chance, and made smaller when they have found something."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import attrs

from strategykit.testing.faults import Fault, NetworkFault
from strategykit.testing.network import Refusal

__all__ = ["draw_script", "shrink_script"]

_Venue = Mapping[str, Any]
_Draw = Callable[[random.Random, Sequence[str]], list[tuple[float, Fault]]]
"""Gives faults and their delays after the first of them."""


def draw_script(
    rng: random.Random, venue: str, *, instruments: Sequence[str], count: int, seconds: float
) -> list[Fault]:
    """Draw about `count` faults of the network and of a venue, spread over `seconds`.

    A fault that has to be undone, such as a halt, is. None ends a run: whatever is drawn here, all can become well.

    Args:
        rng: Of everything.
        venue: As the registry has it.
        instruments: Symbols that may be halted.
        count: How many strike; those that undo others come on top.
        seconds: The last one strikes before.
    """
    own = _OWN[_FAMILY.get(venue, venue)]
    found: list[Fault] = []
    for _ in range(count):
        at = rng.uniform(0.0, seconds)
        kind = rng.random()
        if kind < 0.45:
            drawn = [(0.0, Fault(at=0.0, network=_draw_network(rng)))]
        else:
            draw = rng.choice(_ANY if kind < 0.65 else own)
            drawn = draw(rng, instruments)
        # Bursts are where things meet: some faults come with another one at their heels.
        found += [attrs.evolve(fault, at=round(min(at + after, seconds), 3)) for after, fault in drawn]
        if rng.random() < 0.2:
            again = Fault(at=round(min(at + rng.choice((0.0, 0.001, 0.05, 0.5)), seconds), 3), network=_reset(rng))
            found.append(again)
    return _space_out(sorted(found, key=lambda fault: fault.at))


def shrink_script(script: Sequence[Fault], fails: Callable[[Sequence[Fault]], bool], *, most: int = 200) -> list[Fault]:
    """Leave out what isn't needed for a failure: first halves, then ever smaller parts, then single faults.

    Args:
        script: Fails.
        fails: Tries a script.
        most: Tries at the most.
    """
    kept, size, tries = list(script), max(1, len(script) // 2), 0
    while kept and tries < most:
        begin, shrunk = 0, False
        while begin < len(kept) and tries < most:
            less = kept[:begin] + kept[begin + size :]
            tries += 1
            if fails(less):
                kept, shrunk = less, True
            else:
                begin += size
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2)
    return kept


_REVOKED_APART: Final = 45.0
"""Seconds: a wire that stands still can keep a login under way as long."""


def _space_out(script: Sequence[Fault]) -> list[Fault]:
    """Leave out what would revoke the very token that replaced a revoked one: who is refused twice is told to go."""
    kept, last = [], -_REVOKED_APART
    for fault in script:
        if fault.venue is not None and fault.venue["fault"] == "revoke_tokens":
            if fault.at - last < _REVOKED_APART:
                continue
            last = fault.at
        kept.append(fault)
    return kept


# The network's.

_WHERE: Final = ("all", "ws", "ws", "http", "/ws", "/cws")


def _where(rng: random.Random) -> tuple[str, int | None]:
    return rng.choice(_WHERE), rng.choice((None, 0, 1, 2, 3))


def _reset(rng: random.Random) -> NetworkFault:
    where, pick = _where(rng)
    return NetworkFault(what="reset", where=where, pick=pick)


def _draw_network(rng: random.Random) -> NetworkFault:
    where, pick = _where(rng)
    one_way: Literal["up", "down"] = "up" if rng.random() < 0.5 else "down"
    match rng.choice(("refuse", "reset", "reset", "cut", "cut", "cut", "cut_next", "stall", "stall", "slow", "slice")):
        case "refuse":
            return NetworkFault(what="refuse", how=rng.choice(get_args(Refusal)), seconds=_span(rng))
        case "reset":
            return NetworkFault(what="reset", where=where, pick=pick)
        case "cut":
            size = rng.choice((0, 1, rng.randint(2, 60), rng.randint(60, 5_000)))
            return NetworkFault(what="cut", where=where, pick=pick, direction=one_way, count=size)
        case "cut_next":
            return NetworkFault(what="cut_next", direction=one_way, count=rng.choice((0, 1, rng.randint(2, 3_000))))
        case "stall":
            seconds = rng.choice((0.0, _span(rng), _span(rng)))
            both = rng.random() < 0.5
            return NetworkFault(
                what="stall", where=where, pick=pick, direction="both" if both else one_way, seconds=seconds
            )
        case "slow":
            late = rng.choice((0.05, 0.3, 2.0, 6.0, 9.0))
            return NetworkFault(what="slow", where=where, pick=pick, seconds=_span(rng), late=late)
        case _:
            return NetworkFault(what="slice", where=where, pick=pick, count=rng.randint(1, 300))


def _span(rng: random.Random) -> float:
    """Give some seconds: mostly few, at times more than any deadline."""
    longest = rng.choices((0.5, 4.0, 40.0), (6, 3, 1))[0]
    return round(rng.uniform(0.02 * longest, longest), 3)


# The venues'.

_LANES: Final = ("market", "orders", "commands", "ws", "all", "all")
_CODES: Final = (1000, 1001, 1006 - 4, 1008, 1009, 1011, 1012, 1013, 4000)


def _one(**command: Any) -> list[tuple[float, Fault]]:
    return [(0.0, Fault(at=0.0, venue=command))]


def _few(rng: random.Random) -> int:
    return rng.choice((1, 1, 1, 2, 3, 8))


def _drop(rng: random.Random, _: Sequence[str]) -> list[tuple[float, Fault]]:
    return _one(fault="drop", lane=rng.choice(_LANES), code=rng.choice(_CODES))


def _plain(name: str) -> _Draw:
    """A fault that only names whom it hits."""
    return lambda rng, _: _one(fault=name, lane=rng.choice(_LANES))


def _counted(name: str) -> _Draw:
    """A fault that befalls the next few."""
    return lambda rng, _: _one(fault=name, count=_few(rng))


def _late(name: str) -> _Draw:
    """A fault that makes the next few late."""
    return lambda rng, _: _one(fault=name, count=_few(rng), seconds=_span(rng))


def _lasting(name: str) -> _Draw:
    return lambda rng, _: _one(fault=name, lane=rng.choice(_LANES), seconds=_span(rng))


def _garbage(rng: random.Random, _: Sequence[str]) -> list[tuple[float, Fault]]:
    frame = rng.choice((None, "", "[]", "null", '{"data":null,"guid":"x"}', '{"requestGuid":1}', "\x00" * 50, "NaN"))
    binary = rng.choice((None, "", "00", "ff" * 40, "0a0208011a00"))
    return _one(fault="garbage", lane=rng.choice(_LANES), frame=frame, binary=binary)


def _refuse(rng: random.Random, _: Sequence[str]) -> list[tuple[float, Fault]]:
    seconds, lane = _span(rng), rng.choice(_LANES)
    refusal = Fault(at=0.0, venue={"fault": "refuse_upgrades", "seconds": seconds, "status": rng.choice(_PASSING)})
    return [(0.0, refusal), (0.001, Fault(at=0.0, venue={"fault": "reset", "lane": lane}))]


def _fail_calls(rng: random.Random, _: Sequence[str]) -> list[tuple[float, Fault]]:
    return _one(fault="fail_calls", count=_few(rng), status=rng.choice((429, 500, 502, 503, 504)))


def _restart(rng: random.Random, _: Sequence[str]) -> list[tuple[float, Fault]]:
    return _one(fault="restart", seconds=_span(rng))


def _halt(rng: random.Random, instruments: Sequence[str]) -> list[tuple[float, Fault]]:
    symbol = rng.choice(list(instruments))
    return [
        (0.0, Fault(at=0.0, venue={"fault": "halt", "instrument": symbol})),
        (_span(rng), Fault(at=0.0, venue={"fault": "resume", "instrument": symbol})),
    ]


def _revoke(rng: random.Random, _: Sequence[str]) -> list[tuple[float, Fault]]:
    revoked = Fault(at=0.0, venue={"fault": "revoke_tokens"})
    after = Fault(at=0.0, venue={"fault": "reset", "lane": rng.choice(_LANES)})
    return [(0.0, revoked), (0.001, after)] if rng.random() < 0.5 else [(0.0, revoked)]


def _override(rng: random.Random, instruments: Sequence[str]) -> list[tuple[float, Fault]]:  # noqa: ARG001 - as all
    """By what nobody wants, the last one: of any other override nothing tells, as it looks like a quiet market."""
    return _one(fault="scope_override", instrument=instruments[-1])


def _of_market(name: str) -> _Draw:
    return lambda rng, instruments: _one(fault=name, instrument=rng.choice(["", *instruments]), count=_few(rng))


_PASSING: Final = (0, 408, 429, 500, 502, 503)
"""Statuses of a refused upgrade after which another try makes sense; 0: silence."""

_ANY: Final[tuple[_Draw, ...]] = (
    _drop,
    _plain("reset"),
    _plain("half_open"),
    _lasting("stall"),
    _garbage,
    _refuse,
    _fail_calls,
    _restart,
)

_STREAM: Final = (_of_market("skip"), _counted("silent"), _lasting("shutdown"), _halt)

_OWN: Final[Mapping[str, tuple[_Draw, ...]]] = {
    "alor": (
        _counted("missing_acknowledgement"),
        _counted("duplicate_acknowledgement"),
        _late("late_acknowledgement"),
        _counted("missing_reply"),
        _counted("missing_reply"),
        _counted("duplicate_reply"),
        _late("late_reply"),
        _late("late_reply"),
        _counted("ignored_command"),
        _counted("ignored_request"),
        _counted("duplicate_fill"),
        _late("late_fill"),
        _late("late_order_update"),
        _revoke,
        _halt,
    ),
    "t4": (
        _lasting("silence"),
        _plain("backlog"),
        _late("late_update"),
        _late("late_update"),
        _counted("duplicate_update"),
        _counted("lost_update"),
        _counted("single_update"),
        _counted("fail_request"),
        _counted("ignore_request"),
        _of_market("mbo_gap"),
        _of_market("mbo_clear"),
        _of_market("resnapshot"),
        _of_market("new_session"),
        _revoke,
        _halt,
    ),
    "coinapi": (
        _of_market("sequence_gap"),
        _override,
        _of_market("update_before_snapshot"),
        _lasting("reconnect"),
        _lasting("no_heartbeat"),
        _plain("buffer_overflow"),
        _halt,
    ),
    # Its snapshots have no numbers: that one is stale, nothing tells.
    "seed": _STREAM,
    "stream": (*_STREAM, _counted("stale_snapshot")),
}

_FAMILY: Final = {"coinapi-ds": "coinapi"} | dict.fromkeys(("backpack", "binance", "binance-usdm", "relay"), "stream")
