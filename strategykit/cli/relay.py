"""``strategykit relay``: one upstream, many processes and machines."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import attrs
import trio
from cyclopts import App, Parameter

from strategykit.cli._report import print_run
from strategykit.cli._screen import OK, print_json, print_line, tell
from strategykit.cli._session import is_strategy, session_from
from strategykit.config_values import parse_duration
from strategykit.errors import ConfigError
from strategykit.secret import read_secret

if TYPE_CHECKING:
    from strategykit.relay.server import RelayPlan, RelayServer

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit relay session.toml --port 8910
  strategykit run cross.py --venue relay --url http://127.0.0.1:8910 --instrument SBER
  strategykit relay session.toml --bus redis://127.0.0.1:6379
  strategykit relay --bus redis://127.0.0.1:6379 --port 8911
  strategykit relay session.toml --host 0.0.0.0 --token env:RELAY_TOKEN \\
      --tls-cert cert.pem --tls-key key.pem"""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_relay, name="relay", help_epilogue=_EXAMPLES)


def _relay(
    session_file: Annotated[
        Path | None,
        Parameter(
            help="session file, for its venue; none: only serve what others publish on the bus", metavar="SESSION"
        ),
    ] = None,
    /,
    *,
    bus: Annotated[
        str | None, Parameter(help="a Redis that relays share: redis://HOST:PORT, or env:NAME or file:PATH of that")
    ] = None,
    host: Annotated[str, Parameter(help="address to listen on; beyond the loopback with TLS and a token only")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, Parameter(help="TCP port; 0 takes any free one")] = 0,
    variant: Annotated[str, Parameter(help="whose rules for requests: seed or backpack")] = "seed",
    token: Annotated[
        str | None, Parameter(help="where the access token is: env:NAME or file:PATH", metavar="REF")
    ] = None,
    tls_cert: Annotated[Path | None, Parameter(help="TLS certificate chain, PEM", metavar="FILE")] = None,
    tls_key: Annotated[Path | None, Parameter(help="its private key, PEM", metavar="FILE")] = None,
    for_: Annotated[
        str | None, Parameter(name="--for", help="stop after this time, such as 1h", metavar="TIME")
    ] = None,
    tape: Annotated[
        str | None, Parameter(help="folder for the recording; default: the file's", metavar="FOLDER")
    ] = None,
    record: Annotated[bool, Parameter(name="", negative="--no-tape", show_default=False, help="record nothing")] = True,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """Hold a venue's connections once, and serve its market data to any number of clients.

    Clients speak the protocol of the seed's server: SUBSCRIBE and UNSUBSCRIBE to trade.X, depth.X, bookTicker.X,
    ticker.X, kline.1m.X. A strategy uses it as a venue: --venue relay. It goes on until Ctrl-C.
    """
    from strategykit.relay.server import RelayPlan

    plan = RelayPlan(
        host=host,
        port=port,
        variant=variant,
        token=None if token is None else read_secret(token),
        certificate=tls_cert,
        key=tls_key,
    )
    plan.check()
    url = _bus_url(bus)
    if session_file is None:
        return _serve_only(url, plan, for_, json=json)
    from strategykit.relay.run import relay_session

    if is_strategy(str(session_file)):
        raise ConfigError(f"{session_file}: a relay takes a session file; `strategykit doctor --example` prints one")
    session = session_from(str(session_file), venue={}, run={"for": for_, "tape": tape if record else False}, params={})
    report = relay_session(session, plan, bus_url=url, on_ready=partial(_tell, json=json), on_note=tell)
    return print_run(attrs.evolve(report), json=json)


def _bus_url(bus: str | None) -> str | None:
    """Give the address of the bus, which may hold a password and so may be given by reference."""
    if bus is not None and bus.startswith(("env:", "file:")):
        return read_secret(bus).reveal()
    return bus


def _serve_only(url: str | None, plan: RelayPlan, time: str | None, *, json: bool) -> int:
    from strategykit.relay.run import serve_only

    if url is None:
        raise ConfigError("a relay needs a session file, for its venue, or --bus, for what other relays publish")
    seconds = float("inf") if time is None else parse_duration(time) * 1e-9

    serve = partial(serve_only, seconds=seconds, on_ready=partial(_tell, json=json), on_note=tell)
    try:
        trio.run(serve, url, plan)
    except* KeyboardInterrupt:  # How one ends it.
        pass
    return OK


def _tell(server: RelayServer, *, json: bool) -> None:
    if json:
        print_json({"url": server.url})
    else:
        print_line(f"The relay serves {server.url}; Ctrl-C ends it.")
