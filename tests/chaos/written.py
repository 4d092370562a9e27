"""I7 and I8: what was recorded can be read, nothing that was sent is missing there, and no secret has got out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.chaos.journal_bytes import JournalBroken, JournalRow, read_journals
from tests.chaos.rows import ENDED, Row, name_of
from tests.chaos.tape_bytes import TapeBroken, read_tape, unpacked

__all__ = ["check_journal", "check_secrets", "check_tapes", "secrets_in"]

_TOKEN: Final = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")
"""How an access token looks, whatever is in it."""


def check_tapes(record: Row) -> Iterator[str]:
    commands: set[str] = set()
    for tape in map(Path, record["tapes"]):
        try:
            commands |= {row.value["command"]["guid"] for row in read_tape(tape) if row.kind == "command"}
        except TapeBroken as exc:
            yield f"I7: {tape.name}: {exc}"
            return
    if record["venue"] == "alor":
        sent = [row["guid"] for row in record["theirs"].get("commands", ()) if not row["repeated"]]
        yield from (f"I7: command {guid} isn't on the tape" for guid in sent if guid not in commands)


def check_journal(record: Row) -> Iterator[str]:
    """Nothing was sent or counted that isn't written down."""
    try:
        rows = list(read_journals(Path(record["journal"])))
    except JournalBroken as exc:
        yield f"I7: {exc}"
        return
    guids = {row.facts["guid"] for row in rows if row.kind == "intent"}
    names = {row.facts["client_order_id"] for row in rows if row.kind == "intent"}
    for row in record["theirs"].get("commands", ()):
        if row.get("action") == "cancel":  # Those wait for no disk.
            continue
        written = row["guid"] in guids or row["repeated"] if record["venue"] == "alor" else name_of(row) in names
        if not written:
            yield f"I7: {name_of(row)} got to the venue, and isn't in the journal"
    if any(line.startswith("journal: ") and "the disk failed" in line for line in record["ours"]["alarms"]):
        return  # It took nothing any more, and said so.
    yield from _check_news(record, rows)


def _check_news(record: Row, rows: Sequence[JournalRow]) -> Iterator[str]:
    """What the books have, the journal has: every fill, and how every order stands."""
    heard, states = set(), {}
    for row in rows:
        if row.kind == "heard" and row.facts["news"]["type"] == "Fill":
            news = row.facts["news"]
            heard.add((row.facts["client_order_id"], news["trade_id"], news["side"]))
        elif row.kind == "learnt":
            states[row.facts["client_order_id"]] = row.facts["state"]
    for order in record["ours"]["orders"]:
        name = order["client_order_id"]
        for fill in order["fills"]:
            if (name, fill["trade_id"], fill["side"]) not in heard:
                yield f"I7: fill {fill['trade_id']} of {name} isn't in the journal"
        # What another run left has to be asked for before that run's last word is believed.
        ended = {order["state"], states.get(name)} & ENDED
        if states.get(name) != order["state"] and ended:
            yield f"I7: {name} is {order['state']}, and {states.get(name)} in the journal"


def check_secrets(folder: Path, secrets: Iterable[str]) -> Iterator[str]:
    """No secret is in any file, as it is or unpacked."""
    try:
        for path, data in unpacked(folder):
            yield from (f"I8: {what} in {path.name}" for what in secrets_in(data, secrets))
    except TapeBroken as exc:
        yield f"I7: {exc}"


def secrets_in(data: bytes, secrets: Iterable[str]) -> Iterator[str]:
    yield from ("a credential is" for secret in secrets if secret.encode() in data)
    if _TOKEN.search(data):
        yield "an access token is"
