"""``strategykit run``: one strategy by flags, or several by a session file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import App, Parameter

from strategykit.cli._flags import about, add_parameters, named_strategy
from strategykit.cli._keep import Keeping
from strategykit.cli._launch import launch_run
from strategykit.cli._report import print_run
from strategykit.cli._session import check_live, read_options, session_from
from strategykit.errors import ConfigError

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit run cross.py --url http://127.0.0.1:8900 --instrument SBER
  strategykit run sample:cross --url http://127.0.0.1:8900 \\
      --instrument SBER --fast 5 --slow 20 --for 2m
  strategykit run cross.py --venue binance --instrument BTCUSDT
  strategykit run cross.py --help    (shows the strategy's own parameters)
  strategykit run session.toml
  strategykit run session.toml --paper
  strategykit run session.toml --live"""


def register(app: App, tokens: Sequence[str]) -> None:
    """Add the command to the program, with the parameters of the strategy that `tokens` name."""
    cls = named_strategy(tokens, "run")
    app.command(add_parameters(_run, cls), name="run", help=about(_run, cls), help_epilogue=_EXAMPLES)


def _run(
    what: Annotated[str, Parameter(help="strategy file, sample:NAME, or session file", metavar="FILE")],
    /,
    *,
    venue: Annotated[str | None, Parameter(help="one of those that `strategykit venues` lists; default: alor")] = None,
    url: Annotated[
        str | None, Parameter(help="the venue's address, such as http://127.0.0.1:8900", metavar="URL")
    ] = None,
    oauth: Annotated[
        str | None, Parameter(help="address of the token service, where it has its own", metavar="URL")
    ] = None,
    account: Annotated[str | None, Parameter(help="account to trade; on this machine: the simulated one")] = None,
    exchange: Annotated[str | None, Parameter(help="default: MOEX")] = None,
    token: Annotated[
        str | None, Parameter(help="where the refresh token is: env:NAME or file:PATH", metavar="REF")
    ] = None,
    option: Annotated[
        list[str] | None,
        Parameter(
            negative="", help="another key of a session file's [venue] table; as often as need be", metavar="KEY=VALUE"
        ),
    ] = None,
    for_: Annotated[
        str | None, Parameter(name="--for", help="stop after this time, such as 2m or 1h30m", metavar="TIME")
    ] = None,
    seed: Annotated[int | None, Parameter(help="of ids and random numbers")] = None,
    tape: Annotated[str | None, Parameter(help="folder for the recording; default: tapes", metavar="FOLDER")] = None,
    record: Annotated[bool, Parameter(name="", negative="--no-tape", show_default=False, help="record nothing")] = True,
    journal: Annotated[
        str | None,
        Parameter(
            help="folder for the accounts' journals; default: none on this machine, else journal", metavar="FOLDER"
        ),
    ] = None,
    on_stop: Annotated[
        Literal["cancel", "keep"] | None, Parameter(help="what happens to working orders; default: cancel")
    ] = None,
    live: Annotated[
        bool, Parameter(negative="", show_default=False, help="send real orders; the session file must say so, too")
    ] = False,
    paper: Annotated[
        bool, Parameter(negative="", show_default=False, help="send no orders at all; a fill model answers them")
    ] = False,
    out: Annotated[
        Path | None, Parameter(help="new folder for the result, which `strategykit report` shows", metavar="DIR")
    ] = None,
    report: Annotated[Path | None, Parameter(help="page to be made: one HTML file", metavar="FILE")] = None,
    orders: Annotated[
        bool, Parameter(negative="", show_default=False, help="print a table of the orders, too")
    ] = False,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
    params: Mapping[str, object],
) -> int:
    """Run strategies on a venue until the time is over, they have ended, or Ctrl-C.

    A first Ctrl-C leaves properly: orders are cancelled, the tape is sealed. A second one leaves at once.
    """
    session = session_from(
        what,
        venue={
            "name": venue,
            "url": url,
            "oauth": oauth,
            "account": account,
            "exchange": exchange,
            "token": token,
            **read_options(option or ()),
        },
        run={"for": for_, "seed": seed, "tape": tape if record else False, "journal": journal, "on_stop": on_stop},
        params=params,
    )
    if not session.strategies:
        raise ConfigError(f"{what}: has no [[strategy]] to run; `strategykit record` needs none")
    if paper and live:
        raise ConfigError("--live and --paper were both given; one sends real orders, the other none")
    check_live(session, live=live)
    keeping = Keeping(out=out, page=report, quiet=json)
    keeping.check()
    found = launch_run(session, live=live, paper=paper, collect=keeping.wanted)
    try:
        return print_run(found, json=json, orders=orders)
    finally:
        kind = "paper" if found.paper else "simulated venue" if session.venue.loopback else "live"
        models = session.models if found.paper else None
        keeping.keep(found, kind=kind, source=session.venue.known.title, models=models, seed=session.run.seed)
