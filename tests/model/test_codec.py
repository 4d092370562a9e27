from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from typing import Any, get_args, get_type_hints

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategykit.errors import TapeError
from strategykit.model.codec import TAG, from_dict, make_converter, to_dict
from strategykit.model.events import AccountUpdate, BookSnapshot, Event, Side, Trade
from strategykit.model.instruments import Instrument, TickBand
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder, OrderRequest, OrderType
from strategykit.venues.dialect import Ask, AskBars, AskInstrument
from strategykit.venues.streams import Stream, StreamKind

D = Decimal
CONVERTER = make_converter()

texts = st.text(max_size=8)
amounts = st.decimals(allow_nan=False, allow_infinity=False)
positive = st.decimals(D("1e-9"), D("1e9"))

numbers = st.floats(allow_nan=False, allow_infinity=False)

BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(),
    float: numbers,
    bool: st.booleans(),
    Decimal: amounts,
    type(None): st.none(),
    tuple[float, ...]: st.lists(numbers, max_size=3).map(tuple),
    tuple[str | None, ...]: st.lists(st.none() | texts, max_size=3).map(tuple),
    tuple[tuple[str, Decimal], ...]: st.lists(st.tuples(texts, amounts), max_size=2).map(tuple),
    tuple[TickBand, ...]: st.lists(
        st.builds(TickBand, tick=amounts, above=st.none() | amounts, below=st.none() | amounts), max_size=2
    ).map(tuple),
}


def anything(annotation: Any) -> st.SearchStrategy[Any]:
    """Give values of one field's type."""
    if annotation in BY_TYPE:
        return BY_TYPE[annotation]
    if isinstance(annotation, type):
        return st.sampled_from(annotation) if issubclass(annotation, Enum) else instances(annotation)
    return st.one_of([anything(member) for member in get_args(annotation)])


def instances(kind: type) -> st.SearchStrategy[Any]:
    """Give values of a class of ours with anything in its fields."""
    types = get_type_hints(kind)
    names = [field.name for field in attrs.fields(kind)]
    special = {"tick": positive, "lot": positive, "multiplier": positive} if kind is Instrument else {}
    return st.builds(kind, **{name: special[name] if name in special else anything(types[name]) for name in names})


def same(one: Any, other: Any) -> bool:
    """Whether two values are of one class with equal fields; events themselves compare by identity."""
    return type(one) is type(other) and attrs.asdict(one) == attrs.asdict(other)


PLAIN = [Stream, OrderRequest, Instrument]
UNIONS = [(Command, kind) for kind in get_args(Command)]
UNIONS += [(Ask, kind) for kind in get_args(Ask)]
UNIONS += [(Event, kind) for kind in get_args(Event)]


@pytest.mark.parametrize("kind", PLAIN)
def test_whatever_is_stored_comes_back(kind: type) -> None:
    @settings(deadline=None, max_examples=50)
    @given(instances(kind))
    def round_trip(value: Any) -> None:
        stored = json.loads(json.dumps(to_dict(CONVERTER, value, kind)))
        assert from_dict(CONVERTER, stored, kind) == value

    round_trip()


@pytest.mark.parametrize(("union", "kind"), UNIONS, ids=lambda thing: getattr(thing, "__name__", ""))
def test_whatever_is_stored_of_a_union_comes_back_as_its_class(union: Any, kind: type) -> None:
    @settings(deadline=None, max_examples=20)
    @given(instances(kind))
    def round_trip(value: Any) -> None:
        stored = json.loads(json.dumps(to_dict(CONVERTER, value, union)))
        assert stored[TAG] == kind.__name__
        assert same(from_dict(CONVERTER, stored, union), value)

    round_trip()


@pytest.mark.parametrize(("union", "kind"), UNIONS, ids=lambda thing: getattr(thing, "__name__", ""))
def test_no_class_of_a_union_has_a_field_with_the_tags_name(union: Any, kind: type) -> None:
    assert TAG not in {field.name for field in attrs.fields(kind)}


REQUEST = OrderRequest(
    client_order_id="a",
    account="b",
    instrument="SBER",
    side=Side.BUY,
    quantity=D("1.50"),
    type=OrderType.LIMIT,
    price=D(101),
)


def test_amounts_are_text_and_enums_their_values() -> None:
    stored = to_dict(CONVERTER, AmendOrder(guid="g", venue_order_id="7", request=REQUEST), Command)

    assert (stored[TAG], stored["guid"], stored["venue_order_id"]) == ("AmendOrder", "g", "7")
    assert {key: stored["request"][key] for key in ("quantity", "price", "side", "type", "stop_price")} == {
        "quantity": "1.50",
        "price": "101",
        "side": "buy",
        "type": "limit",
        "stop_price": None,
    }


def test_fields_with_a_default_may_be_missing() -> None:
    assert from_dict(CONVERTER, {"kind": "trades"}, Stream) == Stream(kind=StreamKind.TRADES)


def test_a_value_outside_the_union_is_refused_when_it_is_stored() -> None:
    with pytest.raises(TypeError, match="Instrument is none of CreateOrder, AmendOrder, CancelOrder"):
        to_dict(CONVERTER, Instrument("SBER"), Command)


def stored(value: Any, kind: Any, **changes: Any) -> dict[str, Any]:
    return {**to_dict(CONVERTER, value, kind), **changes}


CANCEL = CancelOrder(guid="g", venue_order_id="7", request=REQUEST)
TRADE = Trade("SBER", 1.0, 1.0, Side.BUY, None, None, 1, "g")
BOOK = BookSnapshot("SBER", (1.0,), (1.0,), (), (), None, 1, "g")
MONEY = AccountUpdate(None, "a", "risk", None, None, None, None, None, None, None, None, None, 1, "g", (("RUB", D(1)),))


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (5, Stream, "a stored Stream can't be read: a dict is meant, not 5"),
        (None, Command, "a stored value can't be read: a dict is meant"),
        ({}, Stream, r"'kind' is missing @ \$\.kind"),
        ({"kind": "trades", "dept": 5}, Stream, "unknown: 'dept'"),
        ({"kind": "tardes"}, Stream, "'tardes' is not a valid StreamKind"),
        ({"kind": "trades", "depth": "5"}, Stream, r"@ \$\.depth"),
        ({"kind": "trades", "skip_history": "false"}, Stream, "bool is meant, not 'false'"),
        ({"kind": "trades", "skip_history": 0}, Stream, "bool is meant, not 0"),
        ({"kind": "bars", "interval": True}, Stream, r"@ \$\.interval"),
        ({"kind": "bars", "interval": 1.0}, Stream, r"@ \$\.interval"),
        ({"symbol": 7}, Instrument, "str is meant, not 7"),
        ({"symbol": "S", "tick": 0.01}, Instrument, "an amount is a text such as '101.5', not 0.01"),
        ({"symbol": "S", "tick": "a"}, Instrument, "'a' is no amount"),
        ({"symbol": "S", "tick": "NaN"}, Instrument, "'NaN' is no amount"),
        ({"symbol": "S", "tick": "9" * 500 + "x"}, Instrument, "9{79}… is no amount"),
        ({"guid": "g"}, Command, "'type' must be one of CreateOrder, AmendOrder, CancelOrder, not None"),
        ({"type": "Trade"}, Command, "must be one of .* not 'Trade'"),
        ({"type": ["CreateOrder"]}, Command, "must be one of"),
        (stored(CANCEL, Command, request=7), Command, r"@ \$\.request"),
        (stored(CANCEL, Command, extra=7), Command, "unknown: 'extra'"),
        (stored(TRADE, Event, price="1"), Event, "a number is meant, not '1'"),
        (stored(TRADE, Event, price=True), Event, "a number is meant, not True"),
        (stored(TRADE, Event, price=float("nan")), Event, "nan is no number to compute with"),
        (stored(TRADE, Event, price=10**400), Event, "a number is too big"),
        (stored(TRADE, Event, trade_id=[1]), Event, r"@ \$\.trade_id"),
        (stored(BOOK, Event, bid_prices="12"), Event, "a number is meant, not '1'"),
        (stored(BOOK, Event, bid_prices=7), Event, r"@ \$\.bid_prices"),
        (stored(MONEY, Event, by_currency=[["RUB"]]), Event, r"@ \$\.by_currency"),
        (stored(MONEY, Event, instrument="SBER"), Event, "NoneType is meant, not 'SBER'"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(data: object, kind: Any, words: str) -> None:
    with pytest.raises(TapeError, match=words):
        from_dict(CONVERTER, data, kind)


def test_an_invalid_value_is_refused_as_its_class_refuses_it() -> None:
    with pytest.raises(TapeError, match="instrument lot must be a Decimal above 0"):
        from_dict(CONVERTER, {"symbol": "S", "lot": "0"}, Instrument)


def test_two_converters_share_nothing() -> None:
    one, other = make_converter(), make_converter()
    one.register_unstructure_hook(StreamKind, lambda kind: kind.name)

    assert to_dict(one, Stream(kind=StreamKind.BARS), Stream)["kind"] == "BARS"
    assert to_dict(other, Stream(kind=StreamKind.BARS), Stream)["kind"] == "bars"


def test_asks_and_commands_are_told_apart_by_their_tag() -> None:
    bars = AskBars(instrument="SBER", interval=60, count=5, until=9)

    assert from_dict(CONVERTER, to_dict(CONVERTER, bars, Ask), Ask) == bars
    assert from_dict(CONVERTER, {"type": "AskInstrument", "instrument": "S"}, Ask) == AskInstrument(instrument="S")
    assert isinstance(
        from_dict(CONVERTER, stored(CreateOrder(guid="g", request=REQUEST), Command), Command), CreateOrder
    )
