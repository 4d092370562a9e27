"""``strategykit orders``: what a journal says of orders, why each was placed, and whether the journal is whole."""

from __future__ import annotations

import json as json_module
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
from cyclopts import App, Parameter

from strategykit.cli._screen import FAILURE, OK, print_json, print_line, tell
from strategykit.cli._table import Column, print_table
from strategykit.cli._words import counted, when, when_within
from strategykit.disk import shown
from strategykit.errors import ConfigError, JournalError
from strategykit.journal.explain import Life, explain_order
from strategykit.journal.folder import holder_of
from strategykit.journal.format import RecordKind
from strategykit.journal.orders import OrderLine, list_orders
from strategykit.journal.reader import Records
from strategykit.journal.salvage import Checked, check_journal, salvage_journal
from strategykit.journal.words import price_in_words
from strategykit.wall import wall_time

__all__ = ["register"]

_EXAMPLES: Final = """\
Examples:
  strategykit orders journal/alor-D1
  strategykit orders journal/alor-D1 --open --strategy cross
  strategykit orders journal/alor-D1 --why cross-7
  strategykit orders journal/alor-D1/000012.journal --json
  strategykit orders journal/alor-D1 --verify
  strategykit orders journal/alor-D1 --salvage journal/alor-D1-whole

ID is an order's client id or the end of it, such as cross-7 (the newest one),
its number at the venue, or the guid of a command.
Exit code 1: something in the journal isn't as it was written."""

_REASONS: Final = (
    ("by", "placed by"),
    ("at", "source line"),
    ("handler", "handler"),
    ("condition", "condition"),
)
"""What can stand behind an order, and how the table calls it."""

_RAW: Final = 400
"""Characters of a record that a table shows; --json shows all."""


def register(app: App) -> None:
    """Add the command to the program."""
    app.command(_orders, name="orders", help_epilogue=_EXAMPLES)


def _orders(
    journal: Annotated[Path, Parameter(help="folder of an account's journal, or one file in it", metavar="JOURNAL")],
    /,
    *,
    open: Annotated[  # noqa: A002 - the name of a flag
        bool, Parameter(negative="", show_default=False, help="only orders that could still be filled")
    ] = False,
    strategy: Annotated[str | None, Parameter(help="only this strategy's", metavar="NAME")] = None,
    why: Annotated[str | None, Parameter(help="tell one order's life, from what made it", metavar="ID")] = None,
    verify: Annotated[
        bool, Parameter(negative="", show_default=False, help="check every file to its last byte, and list no orders")
    ] = False,
    salvage: Annotated[
        Path | None, Parameter(help="copy what is whole of a damaged journal to this new folder", metavar="FOLDER")
    ] = None,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="print JSON instead of tables")] = False,
) -> int:
    """List the orders of an account as its journal has them, or explain one."""
    modes = {"--why": why is not None, "--verify": verify, "--salvage": salvage is not None}
    modes |= {"--open or --strategy": open or strategy is not None}
    chosen = [name for name, given in modes.items() if given]
    if len(chosen) > 1:
        raise ConfigError(f"{' and '.join(chosen)} were given; one thing at a time")
    if salvage is not None:
        return _salvage(journal, salvage, json=json)
    files = list(check_journal(journal))
    if verify:
        return _verify(journal, files, json=json)
    records = Records(*(checked.journal for checked in files if checked.journal is not None))
    try:
        if why is not None:
            _explain(explain_order(records, why), json=json)
        else:
            _list(journal, files, list_orders(records).orders.values(), only_open=open, strategy=strategy, json=json)
    finally:  # An order that isn't there may stand in what can't be read.
        damage = [checked for checked in files if checked.damage is not None]
        for checked in damage:
            tell(f"{checked.damage}; --verify looks at every file, --salvage copies what is whole")
    return FAILURE if damage else OK


def _list(
    path: Path,
    files: Sequence[Checked],
    orders: Iterable[OrderLine],
    *,
    only_open: bool,
    strategy: str | None,
    json: bool,
) -> None:
    known = list(orders)
    names = sorted({order.strategy for order in known})
    if strategy is not None and strategy not in names:
        raise JournalError(
            f"no orders of a strategy {strategy!a} are in {shown(path)}; it has those of {_listed(names)}"
        )
    rows = [
        order
        for order in known
        if (order.is_open or not only_open) and (strategy is None or order.strategy == strategy)
    ]
    if json:
        print_json([_facts(order) for order in rows])
        return
    times = [order.placed for order in rows if order.placed is not None]
    written = when_within(min(times), max(times)) if times else when
    columns: list[Column | str] = [
        "id",
        "strategy",
        "instrument",
        "side",
        Column("lots", right=True),
        Column("price", right=True),
    ]
    columns += [Column("filled", right=True), "state", Column("placed (UTC)"), Column("last word", words=True)]
    print_table(str(path), columns, [_row(order, written(order.placed)) for order in rows])
    still = sum(order.is_open for order in rows)
    print_line(f"{counted(len(rows), 'order')}, {still:,} open; {_end(path, files)}")


def _row(order: OrderLine, placed: str) -> tuple[object, ...]:
    price = price_in_words(order.price, order.stop_price)
    words = (order.client_order_id, order.strategy, order.instrument, order.side)
    numbers = (order.quantity, price, order.filled)
    return (*map(shown, words), *numbers, shown(order.state.replace("_", " ")), placed, shown(order.last))


def _facts(order: OrderLine) -> dict[str, Any]:
    facts = attrs.asdict(order, filter=lambda field, _: field.name != "numbers" and not field.name.startswith("_"))
    return {**facts, "open": order.is_open}


def _end(path: Path, files: Sequence[Checked]) -> str:
    """Say how the last run ended."""
    newest = files[-1].journal
    if path.is_dir() and (holder := holder_of(path)) is not None:
        return f"a run is going on ({holder})"
    if newest is None:
        return "how the last run ended can't be read"
    if newest.offsets and newest.records[-1].kind is RecordKind.CLOSED:
        return f"the last run ended: {shown(newest.records[-1].facts.get('reason'))}"
    return "the last run didn't end in order; the next one asks the venue about every open order"


def _explain(life: Life, *, json: bool) -> None:
    order = life.order
    if json:
        print_json({"order": _facts(order), "why": life.why, "steps": [attrs.asdict(step) for step in life.steps]})
        return
    price = price_in_words(order.price, order.stop_price)
    rows: list[tuple[str, object]] = [
        ("strategy", order.strategy),
        ("order", f"{order.side} {order.quantity} {order.instrument}, {price}"),
        ("placed (UTC)", when(order.placed)),
        ("state", f"{order.state.replace('_', ' ')}, {order.filled} filled"),
        ("at the venue", order.venue_order_id),
    ]
    print_table(f"Order {shown(order.client_order_id)}", ["what", Column("value", words=True)], _told(rows))
    print_table("Why it was placed", ["what", Column("value", words=True)], _told(_reasons(life.why)))
    columns: list[Column | str] = ["time (UTC)", Column("after (s)", right=True), Column("what happened", words=True)]
    print_table(
        "What happened to it",
        [*columns, "state", Column("by", words=True)],
        [
            (
                when(step.time),
                f"{step.after / 1e9:.6f}",
                shown(step.words),
                step.state.replace("_", " "),
                _raw(step.facts),
            )
            for step in life.steps
        ],
    )


def _reasons(why: Mapping[str, Any]) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [(title, why.get(name)) for name, title in _REASONS]
    for name, title in (("events", "saw"), ("params", "parameter")):
        values = why.get(name)
        if isinstance(values, Mapping):
            rows += [(f"{title} {key}", value) for key, value in values.items()]
    return rows


def _told(rows: Iterable[tuple[str, object]]) -> list[tuple[str, str]]:
    return [(shown(name), shown(value)) for name, value in rows if value is not None]


def _raw(facts: Mapping[str, Any]) -> str:
    """Give what the venue said, without its empty fields, or the evidence by which a state changed."""
    news = facts.get("news")
    if not isinstance(news, Mapping):
        return shown(facts.get("evidence") or "")
    told = {name: value for name, value in news.items() if value not in (None, "", [])}
    text = json_module.dumps(told, ensure_ascii=False)
    return shown(text if len(text) <= _RAW else f"{text[:_RAW]}…")


def _verify(path: Path, files: Sequence[Checked], *, json: bool) -> int:
    holder = holder_of(path) if path.is_dir() else None
    ok = all(checked.ok for checked in files)
    if json:
        rows = [
            {
                "path": checked.path,
                "records": checked.records,
                "torn": checked.torn,
                "damage": None if checked.damage is None else str(checked.damage),
            }
            for checked in files
        ]
        print_json({"ok": ok, "files": rows})
        return OK if ok else FAILURE
    for checked in files:
        if checked.damage is not None:
            print_line(f"damage: {checked.damage}")
        elif checked.torn is not None:
            why = f"it is being written ({holder})" if holder else "its writer was killed; the next run puts them aside"
            print_line(f"note: {checked.torn}: {why}")
    total = sum(checked.records for checked in files)
    print_line(f"{'whole' if ok else 'damaged'}: {counted(total, 'record')} in {counted(len(files), 'file')}")
    return OK if ok else FAILURE


def _salvage(path: Path, target: Path, *, json: bool) -> int:
    done = salvage_journal(path, target, now=wall_time())
    if json:
        print_json([attrs.asdict(item) for item in done])
        return OK
    for item in done:
        lost = f", {counted(item.lost, 'byte')} left out: {item.why}" if item.lost else ""
        print_line(f"{item.path}: {counted(item.records, 'record')}{lost}")
    if any(item.lost for item in done):
        print_line("What was left out may have been orders: compare with the venue's own list before the next run.")
    return OK


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shown, names)) or "none"
