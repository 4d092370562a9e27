"""Which worlds are tried: drawn from a venue and a seed, and kept as JSON where one has found something."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import attrs

from strategykit.config import StrategySpec
from strategykit.testing.disk import DiskFault
from strategykit.testing.faults import Fault, parse_script, write_script
from strategykit.testing.scripts import draw_script
from strategykit.testing.world import World

__all__ = ["SYMBOLS", "draw_world", "read_world", "write_world"]

SYMBOLS: Final[Mapping[str, Mapping[str, str]]] = {
    "alor": {"SBER": "SBER", "GAZP": "GAZP"},
    "t4": {
        "CME_Eq/ES/XCME_Eq ES (Z26)": "XCME_Eq ES (Z26)",
        "CME_Ny/CL/XCME_Ny CL (Z26)": "XCME_Ny CL (Z26)",
    },
    "coinapi": {name: name for name in ("KRAKEN_SPOT_BTC_USD", "KRAKEN_SPOT_ETH_EUR")},
    "seed": {name: name for name in ("BTC_USDT", "SOL_USDC")},
    "backpack": {name: name for name in ("BTC_USDC", "SOL_USDC")},
    "binance": {name: name for name in ("BTCUSDT", "ETHUSDT")},
}
"""The venue's own names of instruments, by those that strategies use."""

_WITH_ORDERS: Final = frozenset({"alor", "t4"})

_UNWANTED: Final = {"coinapi": ["COINBASE_SPOT_BTC_USD"]}
"""What nobody wants, where a venue may send it all the same."""

_ROOT: Final = Path(__file__).parents[2]


def draw_world(venue: str, seed: int, *, faults: int = 50, seconds: float = 40.0) -> World:
    """Draw one, with about so many faults in the first four fifths of so many seconds."""
    rng = random.Random(f"{venue} {seed}")
    first, second = SYMBOLS[venue]
    # Two strategies in one instrument share an account's position, and meet each other's orders.
    other = first if random.Random(f"together {venue} {seed}").random() < 1 / 3 else second
    strategies = [
        _spec("churn", "tests/chaos/strategies/churner.py", instrument=first, pace=rng.choice((0.2, 0.5, 1.0))),
        rng.choice(
            (
                _spec("holder", "tests/chaos/strategies/holder.py", instrument=other, pace=rng.choice((0.5, 2.0))),
                _spec("maker", "sample:maker", instrument=other, refresh=rng.choice((0.5, 2.0)), edge=1),
            )
        ),
        _spec("witness", "tests/chaos/strategies/witness.py", instrument=rng.choice((first, second))),
    ]
    world = World(
        venue=venue,
        strategies=strategies,
        seed=seed,
        instruments=[first, second, *_UNWANTED.get(venue, ())],
        faults=draw_script(
            rng,
            venue,
            instruments=[*SYMBOLS[venue].values(), *_UNWANTED.get(venue, ())],
            count=faults,
            seconds=0.8 * seconds,
        ),
        seconds=seconds,
        token_life=rng.choice((1800.0, 1800.0, 20.0)),
        venue_ahead=rng.choice((0.0, 0.0, 1.27, -1.27, 3600.0)),
        latency=rng.choice(((0.0, 0.0), (0.0002, 0.002), (0.001, 0.05), (0.05, 0.3))),
        keep_orders=rng.random() < 0.1,
        patient=rng.random() < 0.2,
        presses=rng.choice((1, 1, 1, 2)),
        cut_off_at=rng.uniform(0.12, 0.75) * seconds if venue in _WITH_ORDERS and rng.random() < 0.3 else None,
    )
    troubles = [
        *_draw_disk(random.Random(f"disk {venue} {seed}"), 0.8 * seconds),
        *_draw_login(random.Random(f"login {venue} {seed}"), venue, 0.8 * seconds),
        *_draw_withdrawals(random.Random(f"withdraw {venue} {seed}"), venue, 0.8 * seconds),
    ]
    world = attrs.evolve(world, faults=sorted([*world.faults, *troubles], key=lambda fault: fault.at))
    return _with_kill(random.Random(f"kill {venue} {seed}"), world)


def _with_kill(rng: random.Random, world: World) -> World:
    """Let the kill switch be pulled in some, at any time; where a second run takes over, it would begin with that."""
    if world.venue not in _WITH_ORDERS or world.cut_off_at is not None or rng.random() >= 0.1:
        return world
    killer = _spec("killer", "tests/chaos/strategies/killer.py", at=round(rng.uniform(0.1, 0.95) * world.seconds, 3))
    on_kill = rng.choice(("cancel", "flatten"))
    return attrs.evolve(world, strategies=[*world.strategies, killer], on_kill=cast("Any", on_kill))


def _draw_login(rng: random.Random, venue: str, seconds: float) -> Iterator[Fault]:
    """Somebody else logs in with our name, which ends T4's session for good: seldom, as little happens afterwards."""
    if venue == "t4" and rng.random() < 0.08:
        yield Fault(at=round(rng.uniform(0.2, 1.0) * seconds, 3), venue={"fault": "displace"})


def _draw_withdrawals(rng: random.Random, venue: str, seconds: float) -> Iterator[Fault]:
    """The venue takes out all orders of the account, as some do when a wire breaks: at any time, and so late, too."""
    for _ in range(rng.choice((0, 0, 0, 1, 2)) if venue in _WITH_ORDERS else 0):
        yield Fault(at=round(rng.uniform(0.1, 1.0) * seconds, 3), venue={"fault": "withdraw_orders"})


def _draw_disk(rng: random.Random, seconds: float) -> Iterator[Fault]:
    """Of the journal's disk: often slow, seldom what ends all trading."""
    kinds = [*(["slow"] if rng.random() < 0.3 else []), *rng.choices(["", "full", "broken"], (85, 10, 5))]
    for what in filter(None, kinds):
        late = rng.choice((0.01, 0.3, 2.0, 7.0))
        fault = DiskFault(what=cast("Any", what), seconds=round(rng.uniform(1.0, 10.0), 3), late=late)
        yield Fault(at=round(rng.uniform(0.1, 1.0) * seconds, 3), disk=fault)


def _spec(name: str, file: str, **params: object) -> StrategySpec:
    return StrategySpec(name=name, file=file if file.startswith("sample:") else str(_ROOT / file), params=params)


_USUAL: Final = ("limits", "models")
"""What no drawn world has of its own."""


def write_world(world: World) -> dict[str, Any]:
    """Give it as values that JSON has."""
    row = attrs.asdict(world, recurse=False, filter=lambda field, _: field.name not in _USUAL)
    row["faults"] = write_script(world.faults)
    row["strategies"] = [
        {"name": spec.name, "file": _short(spec.file), "params": dict(spec.params)}
        for spec in world.strategies
        if isinstance(spec, StrategySpec)
    ]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}


def read_world(row: Mapping[str, Any]) -> World:
    """Make it of what `write_world` gave."""
    values = dict(row)
    values["faults"] = parse_script(values["faults"])
    values["strategies"] = [_spec(spec["name"], spec["file"], **spec["params"]) for spec in values["strategies"]]
    low, high = values["latency"]
    return World(**{**values, "latency": (low, high)})


def _short(file: str) -> str:
    return file if file.startswith("sample:") else str(Path(file).relative_to(_ROOT))
