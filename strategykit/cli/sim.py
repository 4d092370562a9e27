"""``strategykit sim``: a venue that isn't there, for programs in any language."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import attrs
import trio
from cyclopts import App, Parameter

from strategykit.cli._screen import OK, print_json, print_line
from strategykit.cli._session import check_seed
from strategykit.cli._table import Column, print_table
from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.model.events import Event
from strategykit.sim.alor_config import AlorVenueConfig
from strategykit.sim.fees import FeeModel
from strategykit.sim.instruments import default_instruments

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit sim alor --port 8900
  strategykit sim alor --port 8900 --instruments SBER,GAZP --rate 50 --seed 7
  strategykit sim alor --tape tapes/20260312-091507-123-cross
  strategykit sim alor --for 10m --json"""


def register(app: App) -> None:
    """Add the command to the program."""
    sim = App(name="sim", help="Serve a simulated venue on this machine.", help_epilogue=_EXAMPLES)
    sim.command(_alor, name="alor", help_epilogue=_EXAMPLES)
    app.command(sim)


def _alor(
    *,
    port: Annotated[int, Parameter(help="TCP port on 127.0.0.1; 0 takes any free one")] = 0,
    instruments: Annotated[str | None, Parameter(help="symbols, with commas between; default: all it knows")] = None,
    rate: Annotated[float, Parameter(help="actions of the generated crowd a second, on each instrument")] = 200.0,
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
) -> int:
    """Serve a simulated ALOR: token service, HTTP, /ws and /cws on one port, with a generated or a recorded market.

    It goes on until Ctrl-C.
    """
    check_seed(seed)
    config = _config(instruments, rate, seed, cash, token_life)
    config = attrs.evolve(config, fees=_fees(fee_rate))
    if tape is not None:
        config = attrs.evolve(config, source=_recorded(tape))
    if not 0 <= port <= 65_535:
        raise ConfigError(f"--port {port}: a port is 0 to 65535")
    seconds = None if for_ is None else parse_duration(for_) * 1e-9
    try:
        trio.run(partial(_serve, config, port, seconds, json=json))
    except* KeyboardInterrupt:  # How one ends it.
        pass
    except* OSError as group:
        raise _port_taken(port, group) from group
    return OK


def _config(instruments: str | None, rate: float, seed: int, cash: str, token_life: float) -> AlorVenueConfig:
    known = default_instruments()
    symbols = list(known) if instruments is None else [symbol.strip() for symbol in instruments.split(",")]
    for symbol in symbols:
        if symbol not in known:
            raise ConfigError(f"--instruments {symbol!r}: the simulated venue knows {', '.join(known)}")
    try:
        money = Decimal(cash)
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        money = Decimal("NaN")
    if not money.is_finite() or money < 0:
        raise ConfigError(f"--cash {cash!r} should be a number, 0 or above")
    if not 0 < rate <= 100_000:
        raise ConfigError(f"--rate {rate:g} should be above 0 and at most 100000 actions a second")
    return AlorVenueConfig(
        instruments={symbol: known[symbol] for symbol in symbols},
        seed=seed,
        actions_per_second=rate,
        cash=money,
        token_life=token_life,
    )


def _fees(rate: str) -> FeeModel:
    try:
        share = Decimal(rate)
    except ArithmeticError:  # What `Decimal("abc")` raises is no ValueError.
        share = Decimal("NaN")
    if not share.is_finite():
        raise ConfigError(f"--fee-rate {rate!r} should be a number, such as 0.0003")
    return FeeModel(maker_rate=share, taker_rate=share)


def _recorded(path: Path) -> Iterator[tuple[int, Event]]:
    from strategykit.runtime.recorded_events import market_events
    from strategykit.runtime.run import recorded_dialect
    from strategykit.tape.reader import open_tape

    tape = open_tape(path)
    return market_events(tape, recorded_dialect(tape))


async def _serve(config: AlorVenueConfig, port: int, seconds: float | None, *, json: bool) -> None:
    # Imported here: the server is not needed for `--help`.
    from strategykit.sim.server_alor import open_simulated_alor

    async with open_simulated_alor(config, port=port) as venue:
        facts = {
            "url": venue.url,
            "accounts": list(config.portfolios),
            "refresh_token": config.refresh_token,
            "instruments": list(config.instruments),
            "seed": config.seed,
        }
        if json:
            print_json(facts)
        else:
            columns = [Column("what"), Column("value", words=True)]
            print_table("A simulated ALOR", columns, [(name, _joined(value)) for name, value in facts.items()])
            print_line("Ctrl-C ends it.")
        with trio.move_on_after(float("inf") if seconds is None else seconds):
            await trio.sleep_forever()


def _joined(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _port_taken(port: int, group: BaseExceptionGroup[OSError]) -> ConfigError:
    error: OSError | BaseExceptionGroup[OSError] = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return ConfigError(f"port {port} can't be listened on: {error.strerror or error}; name another with --port")
