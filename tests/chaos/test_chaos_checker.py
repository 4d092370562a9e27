"""The checker finds what is wrong: a good record, changed in one place at a time."""

from __future__ import annotations

import copy
import functools
import struct
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.testing.faults import Fault
from tests.chaos.checker import check
from tests.chaos.killed import check_killed
from tests.chaos.record import play
from tests.chaos.rows import name_of
from tests.chaos.told import check_unnumbered
from tests.chaos.worlds import SYMBOLS, draw_world

Record = dict[str, Any]


SEEDS = {"alor": 5, "t4": 5, "coinapi": 6, "binance": 5}
"""Of a run in which enough happens, by venue: two that take orders, one whose scope is replaced as a whole, and one of
the stream family."""

WITH_KEYS = ["alor", "t4", "coinapi"]


@pytest.fixture(scope="module")
def good_record(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Record]:
    """Give a venue's run with one fault, in which orders were filled, and withdrawn, and refused.

    It is played once. A fixture of this scope that is parametrized itself would be made again for every single case.
    """

    @functools.cache
    def made(venue: str) -> Record:
        quiet: dict[str, Any] = {
            "presses": 1,
            "keep_orders": False,
            "cut_off_at": None,
            "venue_ahead": 0.0,
            "latency": (0.001, 0.01),
        }
        faults = [Fault(at=6.0, venue={"fault": "reset"})]
        world = attrs.evolve(draw_world(venue, SEEDS[venue], seconds=12.0), faults=faults, **quiet)
        record = play(world, symbols=SYMBOLS[venue], folder=tmp_path_factory.mktemp(venue))
        assert check(record) == []
        return record

    return made


@pytest.fixture(params=SEEDS)
def good(request: pytest.FixtureRequest, good_record: Callable[[str], Record]) -> Record:
    """A good record, to be copied before it is changed."""
    return good_record(request.param)


def order_with_fills(record: Record) -> Any:
    return next(order for order in record["ours"]["orders"] if order["fills"])


def first_trade(record: Record) -> tuple[str, list[Any], list[Any]]:
    """Give an instrument that was watched, what was told of it, and what was printed."""
    for name, told in record["rest"]["witnesses"].items():
        if sum(row[0] == "trade" for row in told) > 3:
            return name, told, record["rest"]["prints"][name]
    raise AssertionError("nothing was told")


def end_otherwise(record: Record) -> None:
    order = next(order for order in record["ours"]["orders"] if order["state"] == "cancelled")
    order["state"] = "rejected"


def leave_open(record: Record) -> None:
    record["ours"]["orders"][0]["state"] = "unknown"


def invent_order(record: Record) -> None:
    order = copy.deepcopy(order_with_fills(record))
    record["ours"]["orders"].append({**order, "client_order_id": "nobody-1", "fills": [], "filled": "0"})


def lose_order(record: Record) -> None:
    record["ours"]["orders"].remove(order_with_fills(record))


def place_twice(record: Record) -> None:
    commands = record["theirs"]["commands"]
    again = copy.deepcopy(next(row for row in commands if row.get("action", "create") == "create"))
    if "unique_id" in again:
        again["unique_id"] += "-again"
    commands.append(again)


def lose_fill(record: Record) -> None:
    order_with_fills(record)["fills"].pop()


def count_fill_twice(record: Record) -> None:
    fills = order_with_fills(record)["fills"]
    fills.append(copy.deepcopy(fills[0]))


def change_fill(record: Record) -> None:
    order_with_fills(record)["fills"][0]["price"] = "1"


def invent_fill(record: Record) -> None:
    record["theirs"]["fills"].pop()


def shift_position(record: Record) -> None:
    order = order_with_fills(record)
    record["ours"]["positions"][order["strategy"]][order["instrument"]] = "77"


def shift_their_position(record: Record) -> None:
    row = next(row for row in record["theirs"]["positions"] if not row["is_currency"])
    row["quantity"] = "77"


def traded_book(record: Record) -> tuple[Any, Any]:
    """Give the books of a strategy that was filled, and their row of the instrument."""
    order = order_with_fills(record)
    book = record["ours"]["books"][order["strategy"]]
    return book, book["positions"][order["instrument"]]


def hold_for_another(record: Record) -> None:
    """The sum over the strategies stays as it is."""
    _, row = traded_book(record)
    others = [book["positions"] for book in record["ours"]["books"].values() if row not in book["positions"].values()]
    symbol = order_with_fills(record)["instrument"]
    others[0][symbol] = {**row, "quantity": "1"}
    row["quantity"] = str(int(row["quantity"]) - 1)


def earn_a_cent_more(record: Record) -> None:
    _, row = traded_book(record)
    row["realised"] = str(Decimal(row["realised"]) + Decimal("0.01"))


def report_a_cent_more(record: Record) -> None:
    book, row = traded_book(record)
    book["report"]["realised"][row["currency"]] = str(Decimal(row["realised"]) + Decimal("0.01"))


def count_less_filled(record: Record) -> None:
    order_with_fills(record)["filled"] = "0"


def sound_for_nothing(record: Record) -> None:
    record["ours"]["alarms"].append("account: the account holds +2 SBER besides what the journal knows of")


def forget_subscription(record: Record) -> None:
    record["rest"]["wanted"][0]["state"] = "asked"


def subscribe_twice(record: Record) -> None:
    names = next(row["names"] for row in record["rest"]["held"] if row["names"])
    names.append(names[0])


def lose_subscription(record: Record) -> None:
    """The venue has forgotten one that is wanted, and nobody noticed."""
    record["rest"]["held"] = [row for row in record["rest"]["held"] if row["names"]]
    record["rest"]["held"][0]["names"].pop()


def leave_orphan(record: Record) -> None:
    record["rest"]["held"][0]["names"].append("what nobody wants")


def carry_over(record: Record) -> None:
    """What one connection took over from another is still on that, too."""
    row = next(row for row in record["rest"]["held"] if row["names"])
    record["rest"]["held"].append(copy.deepcopy(row))


def show_another_book(record: Record) -> None:
    book = next(book for book in record["rest"]["books"].values() if book["ours"])
    book["theirs"] = [book["theirs"][-1]] * len(book["theirs"])
    book["ours"][0] = copy.deepcopy(book["theirs"][0])
    book["ours"][0][0][0][1] += 1


def show_no_book(record: Record) -> None:
    book = next(book for book in record["rest"]["books"].values() if book["ours"])
    book["ours"][0] = None


def trades_of(told: list[Any]) -> list[int]:
    """Give where trades stand that follow on a trade, with no gap between."""
    return [at for at in range(1, len(told)) if told[at][0] == told[at - 1][0] == "trade"]


def drop_trade(record: Record) -> None:
    _, told, _ = first_trade(record)
    del told[next(at for at in trades_of(told) if at + 1 in trades_of(told))]


def repeat_trade(record: Record) -> None:
    _, told, _ = first_trade(record)
    at = trades_of(told)[-1]
    told.insert(at + 1, told[at])


def invent_trade(record: Record) -> None:
    _, told, _ = first_trade(record)
    at = trades_of(told)[-1]
    told.insert(at, ["trade", 1, told[at][2], 1.0, 1.0, False])


def end_early(record: Record) -> None:
    _, told, _ = first_trade(record)
    del told[-4:]


def leave_socket(record: Record) -> None:
    record["left"]["sockets"] = 1


def leave_task(record: Record) -> None:
    record["left"]["tasks"] = 2


def leave_file(record: Record) -> None:
    record["left"]["files"] = ["/tmp/x"]


def leave_thread(record: Record) -> None:
    record["left"]["threads"] = ["tape-write"]


def never_settle(record: Record) -> None:
    record["unsettled"] = ["market-0 isn't open"]


def break_off(record: Record) -> None:
    record["error"] = "LocalProtocolError: no"


def fail(record: Record) -> None:
    record["ours"]["strategies"][0]["error"] = "AssertionError: held"


def say_secret(record: Record) -> None:
    record["ours"]["notes"].append(f"the token is {record['secrets'][0]}")


def say_token(record: Record) -> None:
    record["ours"]["notes"].append("Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJQMTIzNDUifQ.c2ln")


WRONG: dict[Callable[[Record], None], str] = {
    end_otherwise: "I1",
    leave_open: "I1",
    invent_order: "I1",
    lose_order: "I2",
    place_twice: "I2",
    lose_fill: "I3",
    count_fill_twice: "I3",
    change_fill: "I3",
    invent_fill: "I3",
    shift_position: "I3",
    shift_their_position: "I3",
    hold_for_another: "I3",
    earn_a_cent_more: "I3",
    report_a_cent_more: "I3",
    count_less_filled: "I3",
    sound_for_nothing: "I3",
    forget_subscription: "I4",
    subscribe_twice: "I4",
    lose_subscription: "I4",
    leave_orphan: "I4",
    carry_over: "I4",
    show_another_book: "I5",
    show_no_book: "I5",
    drop_trade: "I5",
    repeat_trade: "I5",
    invent_trade: "I5",
    end_early: "I5",
    leave_socket: "I6",
    leave_task: "I6",
    leave_file: "I6",
    leave_thread: "I6",
    never_settle: "I1",
    break_off: "I6",
    fail: "I1",
    say_secret: "I8",
    say_token: "I8",
}


BY_THE_VENUES_LOG = {
    end_otherwise,
    invent_order,
    lose_order,
    place_twice,
    change_fill,
    invent_fill,
    shift_their_position,
    hold_for_another,
    earn_a_cent_more,
    report_a_cent_more,
}
"""What can't be seen where orders stay here: the venue knows of none."""

CASES = [
    pytest.param(venue, change, id=f"{venue}-{change.__name__}")
    for venue in SEEDS
    for change in WRONG
    if (venue in ("alor", "t4") or change not in BY_THE_VENUES_LOG) and (venue in WITH_KEYS or change != say_secret)
]


@pytest.mark.parametrize(("good", "change"), CASES, indirect=["good"])
def test_what_is_wrong_is_found_and_named(good: Record, change: Callable[[Record], None]) -> None:
    record = copy.deepcopy({**good, "tapes": []})
    change(record)

    assert any(line.startswith(f"{WRONG[change]}:") for line in check(record))


@pytest.mark.parametrize("good", ["t4"], indirect=True)
def test_less_than_is_needed_of_a_market_is_found(good: Record) -> None:
    """T4 has one subscription a market, which can be too weak for what is wanted of it."""
    record = copy.deepcopy({**good, "tapes": []})
    strength = next(row["strength"] for row in record["rest"]["held"] if row["strength"])
    strength.remove(next(name for name in strength if name.startswith("whole book")))

    assert any(line.startswith("I4: the venue doesn't have book") for line in check(record))


def test_a_gap_that_was_told_accounts_for_what_is_missing(good: Record) -> None:
    record = copy.deepcopy({**good, "tapes": []})
    _, told, _ = first_trade(record)
    at = next(at for at in trades_of(told) if at + 1 in trades_of(told))
    told[at] = ["gap", 0, 0, "cut off"]

    assert check(record) == []


def test_of_equal_prints_the_first_one_told_may_be_any() -> None:
    prints = [(number, time, 270.0, 1.0) for number, time in enumerate((100, 100, 100, 200))]
    told = [("trade", "a", 100, 270.0, 1.0, False), ("trade", "b", 200, 270.0, 1.0, False)]

    assert list(check_unnumbered("SBER", told, prints, 10**10, 0)) == []
    first = ("trade", "0", 50, 270.0, 1.0, False)
    assert list(check_unnumbered("SBER", [first, *told], [(9, 50, 270.0, 1.0), *prints], 10**10, 0)) == [
        "I5: SBER: 2 trades are missing before (200, 270.0, 1.0), and no gap was told"
    ]


def test_an_order_that_is_left_is_accounted_for_if_that_is_said(good: Record) -> None:
    record = copy.deepcopy({**good, "tapes": [], "journal": None})
    order = record["ours"]["orders"][0]
    order["state"] = "unknown"
    record["hurried"] = True
    assert any(line.startswith("I1: ") for line in check(record))

    record["ours"]["unaccounted"] = [f"<Order {order['client_order_id']}: unknown> is still open or in doubt"]
    assert check(record) == []


def copy_tape(record: Record, folder: Path) -> tuple[Record, Path]:
    """Give the record with a plain copy of its tape, and that file."""
    from tests.chaos.tape_bytes import unpacked

    (tape,) = record["tapes"]
    target = folder / "tape"
    target.mkdir()
    for path, data in unpacked(Path(tape)):
        if ".tape" in path.name:
            segment = target / path.name.removesuffix(".zst")
            segment.write_bytes(data)
    return {**record, "tapes": [str(target)]}, segment


def test_a_tape_that_is_damaged_anywhere_is_found(good: Record, tmp_path: Path) -> None:
    record, segment = copy_tape(good, tmp_path)
    assert check(record) == []
    whole = segment.read_bytes()
    for at in range(3, len(whole), len(whole) // 40):
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert any(line.startswith("I7: ") for line in check(record)), at
        segment.write_bytes(whole[:at])
        assert any(line.startswith("I7: ") for line in check(record)), at


@pytest.mark.parametrize("good", WITH_KEYS, indirect=True)
def test_a_secret_in_a_tape_is_found(good: Record, tmp_path: Path) -> None:
    record, segment = copy_tape(good, tmp_path)
    whole = segment.read_bytes()
    body = f'{{"note":"{record["secrets"][0]}"}}'.encode()
    tail = struct.pack("<BQqH", 12, 1, 0, 0)
    forged = struct.pack("<II", len(body), zlib.crc32(tail + body)) + tail + body
    segment.write_bytes(whole + forged)

    assert any(line.startswith("I8: a credential") for line in check(record))


def test_a_fee_or_cash_that_is_a_cent_off_is_found(good_record: Callable[[str], Record]) -> None:
    """Where the venue tells both."""
    fee, cash = (copy.deepcopy(good_record("alor")) for _ in range(2))
    _, row = traded_book(fee)
    row["fees"]["RUB"] = str(Decimal(row["fees"]["RUB"]) + Decimal("0.01"))
    book, _ = traded_book(cash)
    book["cash"]["RUB"] = str(Decimal(book["cash"]["RUB"]) - Decimal("0.01"))

    assert any("fees are" in line for line in check(fee))
    assert any("cash has changed" in line for line in check(cash))


@pytest.mark.parametrize("venue", ["alor", "t4"])
def test_what_a_kill_switch_leaves_untold_is_found(venue: str, good_record: Callable[[str], Record]) -> None:
    record = copy.deepcopy(good_record(venue))
    kill = {"reason": "drawn", "proof": "the venue has no order of ours; positions: flat", "flatten": False}
    record["ours"]["kill"] = kill
    record["theirs"]["positions"] = []
    assert list(check_killed(record)) == []

    row = next(row for row in record["theirs"]["orders"] if row["status"] == "cancelled")
    row["status"] = "working"
    (line,) = check_killed(record)
    assert line.startswith("I1: ")
    assert line in check(record)

    kill["proof"] = ""
    record["ours"]["alarms"] = [f"kill: not finished; left are {name_of(row)} (sent)"]
    assert list(check_killed(record)) == []

    record["ours"]["alarms"] = []
    assert "I1: the kill switch neither confirms nor alarms" in check_killed(record)


@pytest.mark.parametrize("flatten", [False, True])
def test_a_kill_switch_that_confirms_may_only_warn_of_what_it_wasnt_to_close(
    flatten: bool, good_record: Callable[[str], Record]
) -> None:
    record = copy.deepcopy(good_record("alor"))
    record["ours"]["kill"] = {"reason": "drawn", "proof": "the venue has no order of ours", "flatten": flatten}
    stays = "kill: the venue has no order of ours, but positions stay open: SBER +2"

    for alarms, allowed in (([stays], not flatten), (["kill: the venue didn't answer"], False)):
        record["ours"]["alarms"] = alarms
        assert any("confirms and alarms" in line for line in check_killed(record)) is not allowed


@pytest.mark.parametrize("venue", ["alor", "t4"])
def test_what_a_kill_switch_holds_untold_is_found(venue: str, good_record: Callable[[str], Record]) -> None:
    record = copy.deepcopy(good_record(venue))
    record["ours"]["kill"] = {"reason": "drawn", "proof": "", "flatten": True}
    (name, symbol), *_ = record["symbols"].items()
    rows = [row for row in record["theirs"]["positions"] if not row["is_currency"]]
    rows[0].update(quantity="2", instrument=symbol, account=record["ours"]["account"])
    record["theirs"]["positions"] = rows[:1]

    for words, found in ((f"left are +2 {name} of churn", 0), ("nothing is left by our books", 1)):
        record["ours"]["alarms"] = [f"kill: not finished; {words}"]
        assert len([line for line in check_killed(record) if line.startswith("I3: ")]) == found


@pytest.mark.parametrize("venue", ["alor", "t4"])
def test_lots_of_an_order_that_is_told_to_be_in_doubt_need_no_more_words(
    venue: str, good_record: Callable[[str], Record]
) -> None:
    """While the venue is out of reach nobody knows of its fill; a lot more than that is another matter."""
    record = copy.deepcopy(good_record(venue))
    order = next(order for order in record["ours"]["orders"] if Decimal(order["filled"]))
    sign = 1 if order["side"] == "buy" else -1
    lots, order["filled"] = sign * Decimal(order["filled"]), "0"
    row = next(row for row in record["theirs"]["positions"] if not row["is_currency"])
    row.update(instrument=record["symbols"][order["instrument"]], account=record["ours"]["account"])
    record["theirs"]["positions"] = [row]
    record["ours"]["kill"] = {"reason": "drawn", "proof": "", "flatten": False}
    left = f"kill: not finished within 15 s; left are {order['client_order_id']} (unknown)"

    for quantity, alarm, found in ((lots, left, 0), (lots + sign, left, 1), (lots, "kill: not finished", 1)):
        row["quantity"], record["ours"]["alarms"] = str(quantity), [alarm]
        assert len([line for line in check_killed(record) if line.startswith("I3: ")]) == found


def test_the_checker_shares_no_code_with_what_it_checks() -> None:
    for name in (
        "checker.py",
        "killed.py",
        "money.py",
        "rows.py",
        "told.py",
        "written.py",
        "tape_bytes.py",
        "journal_bytes.py",
    ):
        assert "strategykit" not in Path(__file__).with_name(name).read_text(encoding="utf-8")
