"""Looking up whether a venue has the instruments that a session names, and what else is called so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import trio

from strategykit.config import Session
from strategykit.doctor.findings import Finding, Verdict
from strategykit.errors import ConfigError, ConnectionLost, LocalProtocolError, Refused, StrategyError, StrategykitError
from strategykit.model.instruments import Instrument
from strategykit.net.http import HttpClient
from strategykit.net.lookups import hold
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.venues.asks import AskInstrument, AskInstruments, HttpRequest
from strategykit.venues.dialect import Ask, Dialect
from strategykit.venues.lookups import Listed, LooksUp, nearest

__all__ = ["browse", "instruments_of", "look_for"]

_WITHIN: Final = 15.0
"""Seconds for one instrument, or one list: some venues are asked step by step."""

_SILENCE: Final = f"no answer within {_WITHIN:g} s"

_NO_SUCH_THING: Final = (400, 404)


def instruments_of(session: Session, now: int) -> list[str]:
    """Give what a session subscribes to, as far as its strategies can be made."""
    return list(dict.fromkeys(_named(session, now)))


def _named(session: Session, now: int) -> Iterator[str]:
    for stream in session.record:
        yield stream.instrument or ""
    for spec in session.strategies:
        try:
            strategy = make_strategy(load_strategy(spec.file), spec.params)
            streams = [declaration.stream(strategy, now=now) for declaration in strategy.declarations()]
        except (StrategyError, ConfigError):
            continue  # That is a finding of its own.
        for stream in streams:
            yield stream.instrument or ""


async def look_for(
    dialect: Dialect, client: HttpClient, symbols: Sequence[str], *, exchange: str | None
) -> list[Finding]:
    """Say of each symbol whether it is there; where the venue has lists, also whether they are open to us."""
    found: list[Finding] = []
    if isinstance(dialect, LooksUp):
        finding = await _try_lists(dialect, client)
        found.append(finding)
        if finding.verdict is not Verdict.OK:
            return found
    for symbol in filter(None, symbols):
        what = f"instrument {symbol}"
        try:
            with trio.fail_after(_WITHIN):
                rows, near = await _find(dialect, client, symbol, exchange)
        except LocalProtocolError as exc:
            found.append(Finding(what, Verdict.FAIL, str(exc), "mend its name"))
        except (StrategykitError, trio.TooSlowError) as exc:
            words = f"it can't be looked up: {str(exc) or _SILENCE}"
            found.append(Finding(what, Verdict.WARN, words, "try again in a minute"))
        else:
            found.append(_judged(what, rows, near))
    await trio.lowlevel.checkpoint()
    return found


async def browse(dialect: Dialect, client: HttpClient, text: str, *, exchange: str | None) -> Sequence[Listed]:
    """Give what a venue lists under a name, or what has a word in its name or description.

    Raises:
        LocalProtocolError: It can't be asked what it lists.
        StrategykitError: It wasn't told.
    """
    if isinstance(dialect, LooksUp):
        return await hold(client, dialect.browse(text))
    wanted = text.lower()
    listed = await _list_all(dialect, client, exchange)
    return [row for row in listed if wanted in f"{row.symbol} {row.description}".lower()]


async def _try_lists(dialect: LooksUp, client: HttpClient) -> Finding:
    try:
        with trio.fail_after(_WITHIN):
            listed = await hold(client, dialect.browse(""))
    except Refused as exc:
        return Finding("lists", Verdict.FAIL, str(exc), "check the credentials that [venue] names")
    except (StrategykitError, trio.TooSlowError) as exc:
        return Finding("lists", Verdict.WARN, str(exc) or _SILENCE, "check venue.http; try again in a minute")
    return Finding("lists", Verdict.OK, f"the venue answers who asks, and lists {', '.join(_names(listed))}")


async def _find(
    dialect: Dialect, client: HttpClient, symbol: str, exchange: str | None
) -> tuple[Sequence[Listed], Sequence[Listed]]:
    """Give the instrument, if it is there, and else what is called nearly so."""
    if isinstance(dialect, LooksUp):
        found = await hold(client, dialect.look_up(symbol))
        return ([], found) if [row.symbol for row in found] != [symbol] else (found, [])
    found = await _ask(dialect, client, AskInstrument(instrument=symbol, exchange=exchange))
    exact = [row for row in found if row.symbol == symbol]
    if exact:
        return exact[:1], []
    try:
        listed = await _list_all(dialect, client, exchange)
    except StrategykitError:
        listed = []  # That there is none of this name is known all the same.
    return [], nearest(symbol, listed)


async def _list_all(dialect: Dialect, client: HttpClient, exchange: str | None) -> Sequence[Listed]:
    return await _ask(dialect, client, AskInstruments(exchange=exchange))


async def _ask(dialect: Dialect, client: HttpClient, ask: Ask) -> Sequence[Listed]:
    request = dialect.request(ask)
    if not isinstance(request, HttpRequest):
        raise LocalProtocolError(f"{dialect.name} isn't asked over HTTP what it lists")
    answer = await client.call(request)
    if answer.status in _NO_SUCH_THING:
        return []
    if not answer.ok:
        raise ConnectionLost(f"{request.path}: the venue answers with HTTP {answer.status}")
    rows = dialect.decode_answer(ask, answer.body, receive_time=0)
    return [_listed(row) for row in rows if isinstance(row, Instrument)]


def _listed(row: Instrument) -> Listed:
    words = f"tick {row.tick.normalize():f}, lot {row.lot.normalize():f}, {row.currency}"
    return Listed(symbol=row.symbol, description=f"{row.description}; {words}" if row.description else words)


def _judged(what: str, rows: Sequence[Listed], near: Sequence[Listed]) -> Finding:
    if rows:
        (row,) = rows
        words = ", ".join(filter(None, (row.description, row.expires and f"until {row.expires}")))
        return Finding(what, Verdict.OK, words or "it is listed")
    advice = "`strategykit instruments` lists what there is"
    if near:
        advice = f"is one of these meant: {', '.join(_names(near))}?"
    return Finding(what, Verdict.FAIL, "the venue lists none of this name", advice)


def _names(rows: Sequence[Listed]) -> list[str]:
    return [row.symbol for row in rows]
