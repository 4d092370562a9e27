"""``strategykit sim``: a venue that isn't there, for programs in any language."""

from __future__ import annotations

import inspect
import os
import signal
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import trio
from cyclopts import App, Parameter

from strategykit.cli._assumed import cash_of, number_of
from strategykit.cli._screen import OK, print_json, print_line
from strategykit.cli._session import check_seed
from strategykit.cli._table import Column, print_table
from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.registry.simulation import SimPlan
from strategykit.registry.table import VENUES
from strategykit.registry.venue import Venue

__all__ = ["register"]

_CHOICES: Final = {"cash": "cash", "fee_rate": "fee_rate", "tape": "source", "token_life": "token_life"}
"""Flags that mean nothing to some venues, and the field of the plan that each is about."""


def register(app: App) -> None:
    """Add the command to the program, with one of its own for each venue."""
    sim = App(name="sim", help="Serve a simulated venue on this machine.", help_epilogue=_examples(*VENUES.values()))
    for venue in VENUES.values():
        sim.command(_command(venue), name=venue.name, help=_about(venue), help_epilogue=_examples(venue))
    app.command(sim)


def _examples(*venues: Venue) -> str:
    lines = [f"  strategykit sim {venue.name} --port 8900" for venue in venues]
    if len(venues) == 1:
        (venue,) = venues
        symbols = ",".join(list(venue.simulation.symbols())[:2])
        lines.append(f"  strategykit sim {venue.name} --port 8900 --instruments {symbols} --rate 50 --seed 7")
        if "source" in venue.simulation.takes:
            lines.append(f"  strategykit sim {venue.name} --tape tapes/20260312-091507-123-cross")
        lines.append(f"  strategykit sim {venue.name} --for 10m --json")
    return "\n".join(["Examples:", *lines])


def _about(venue: Venue) -> str:
    market = "a generated or a recorded market" if "source" in venue.simulation.takes else "a generated market"
    orders = "" if venue.takes_orders else " It takes no orders."
    what = f"Serve a simulated {venue.title}: HTTP and WebSockets on one port, with {market}.{orders}"
    return f"{what}\n\nIt goes on until Ctrl-C."


def _command(venue: Venue) -> Callable[..., int]:
    """Give what serves `venue`, with the flags that mean something there."""
    signature = inspect.signature(_sim, eval_str=True)
    flags = []
    for flag in signature.parameters.values():
        if flag.name == "venue" or _CHOICES.get(flag.name, "port") not in venue.simulation.takes | {"port"}:
            continue
        flags.append(flag.replace(default=venue.simulation.rate) if flag.name == "rate" else flag)

    def run(**options: Any) -> int:
        return _sim(venue, **{"rate": venue.simulation.rate, **options})

    # What cyclopts reads: the signature for the names, the annotations for the types.
    vars(run)["__signature__"] = signature.replace(parameters=flags)
    run.__annotations__ = {flag.name: flag.annotation for flag in flags}
    return run


def _sim(
    venue: Venue,
    *,
    port: Annotated[int, Parameter(help="TCP port on 127.0.0.1; 0 takes any free one")] = 0,
    instruments: Annotated[str | None, Parameter(help="symbols, with commas between; default: all it knows")] = None,
    rate: Annotated[float, Parameter(help="actions of the generated crowd a second, on each instrument")] = 0.0,
    seed: Annotated[int, Parameter(help="of the generated market: the same seed gives the same orders")] = 1,
    cash: Annotated[str, Parameter(help="money of every account at the start", metavar="NUMBER")] = "1000000",
    fee_rate: Annotated[
        str, Parameter(help="fee as a part of the traded value: 0.0003 is 0.03 %", metavar="NUMBER")
    ] = "0.0003",
    tape: Annotated[Path | None, Parameter(help="serve this recording in place of a generated market")] = None,
    token_life: Annotated[float, Parameter(help="seconds until an access token dies")] = 1800.0,
    for_: Annotated[
        str | None, Parameter(name="--for", help="stop after this time, such as 10m", metavar="TIME")
    ] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="say where it is as JSON")] = False,
    while_read: Annotated[
        bool, Parameter(negative="", show=False, help="stop when standard input ends, so when its parent does")
    ] = False,
) -> int:
    check_seed(seed)
    if not 0 < rate <= 100_000:
        raise ConfigError(f"--rate {rate:g} should be above 0 and at most 100000 actions a second")
    plan = SimPlan(
        port=port,
        instruments=None if instruments is None else [symbol.strip() for symbol in instruments.split(",")],
        rate=rate,
        seed=seed,
        cash=cash_of(cash),
        fee_rate=_fee_rate(fee_rate),
        token_life=token_life,
    )
    if tape is not None:
        plan = _recorded(plan, tape)
    if not 0 <= port <= 65_535:
        raise ConfigError(f"--port {port}: a port is 0 to 65535")
    seconds = None if for_ is None else parse_duration(for_) * 1e-9
    try:
        trio.run(partial(_serve, venue, plan, seconds, json=json, while_read=while_read))
    except* KeyboardInterrupt:  # Before the venue was there, or again while it ended.
        pass
    except* OSError as group:
        raise _port_taken(port, group) from group
    return OK


def _fee_rate(text: str) -> Decimal:
    share = number_of(text)
    if not share.is_finite():
        raise ConfigError(f"--fee-rate {text!r} should be a number, such as 0.0003")
    return share


def _recorded(plan: SimPlan, path: Path) -> SimPlan:
    from strategykit.runtime.recorded_events import market_events, recorded_instruments
    from strategykit.runtime.run import recorded_dialect
    from strategykit.tape.reader import open_tape

    tape = open_tape(path)
    dialect = recorded_dialect(tape)
    return attrs.evolve(plan, source=market_events(tape, dialect), recorded=recorded_instruments(tape, dialect))


async def _serve(venue: Venue, plan: SimPlan, seconds: float | None, *, json: bool, while_read: bool) -> None:
    # A KeyboardInterrupt could come up between any two steps of any task, and leave Trio's own books in disorder.
    ends = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # Background jobs of scripts have it ignored.
        ends.append(signal.SIGINT)
    with trio.open_signal_receiver(*ends) as signals:
        async with venue.simulation.open(plan) as server:
            _tell(venue, plan, server.url, json=json)
            async with trio.open_nursery() as nursery:
                if seconds is not None:
                    nursery.cancel_scope.deadline = trio.current_time() + seconds
                if while_read:
                    nursery.start_soon(_until_unread, nursery.cancel_scope)
                await anext(signals)
                nursery.cancel_scope.cancel()


async def _until_unread(scope: trio.CancelScope) -> None:
    """Cancel `scope` when standard input has come to its end."""
    async with trio.lowlevel.FdStream(os.dup(0)) as stream:
        while await stream.receive_some(1_024):
            pass
    scope.cancel()


def _tell(venue: Venue, plan: SimPlan, url: str, *, json: bool) -> None:
    facts = {
        "url": url,
        **venue.simulation.facts,
        "instruments": list(plan.instruments or plan.recorded or venue.simulation.symbols()),
        "seed": plan.seed,
    }
    if json:
        print_json(facts)
        return
    columns = [Column("what"), Column("value", words=True)]
    print_table(f"A simulated {venue.title}", columns, [(name, _joined(value)) for name, value in facts.items()])
    print_line("Ctrl-C ends it.")


def _joined(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _port_taken(port: int, group: BaseExceptionGroup[OSError]) -> ConfigError:
    error: OSError | BaseExceptionGroup[OSError] = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return ConfigError(f"port {port} can't be listened on: {error.strerror or error}; name another with --port")
