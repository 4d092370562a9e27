"""Hello, subscribe and unsubscribe: the fewest messages that make a connection's scope what is wanted, no more.

What the filters of successive messages mean together isn't documented (section 4.1), so each message here says alone
exactly what it adds or takes away: types times names, every pair of which is meant. Source: CoinAPI protocol sheet,
section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from strategykit.venues.coinapi.names import TOP_LEVELS, DataType, Variant
from strategykit.venues.coinapi.targets import Target, find_target
from strategykit.venues.streams import Stream

__all__ = ["subscribe_messages", "unsubscribe_messages"]

_MS: Final = 1_000_000
_ENCODE: Final = msgspec.json.Encoder().encode

_Kind = tuple[DataType, str | None]
"""A type; bars of each period count as one of their own."""

_Group = tuple[frozenset[_Kind], frozenset[str]]

_BY_ASSET: Final = (DataType.EXRATE, DataType.ASSET)
"""What is filtered by asset. They share no message: a pair for the one would mean something else for the other."""

_WHOLE_FIRST: Final = frozenset({DataType.BOOK, DataType.BOOK_L3})
"""What begins with a whole book, which is sent again to whoever asks again."""

_LIMITS: Final[Mapping[str, frozenset[DataType]]] = {
    "subscribe_update_limit_ms_quote": frozenset({DataType.QUOTE}),
    "subscribe_update_limit_ms_book_snapshot": frozenset(TOP_LEVELS),
    "subscribe_update_limit_ms_exrate": frozenset({DataType.EXRATE}),
}
"""One of each a connection: for all its symbols."""


def subscribe_messages(new: Iterable[Stream], held: Iterable[Stream], variant: Variant) -> list[str]:
    """Word what adds `new` to a connection that carries `held`; if that is nothing, the first message is the hello.

    Raises:
        LocalProtocolError: The venue has no such stream.
    """
    wanted, carried = _Wanted.of(new, variant), _Wanted.of(held, variant)
    fresh = {item for item in wanted.targets if item not in carried.targets or item.data_type in _WHOLE_FIRST}
    limits = _changed(carried, _Wanted.of((*wanted.streams, *carried.streams), variant))
    if carried.targets:  # Of those that have left, some limits may have stayed.
        limits |= {name: wanted.limits[name] for name in _LIMITS if wanted.has(name) and not carried.has(name)}
    if not fresh and limits:
        fresh = {item for item in wanted.targets if any(item.data_type in _LIMITS[name] for name in limits)}
    verbs = ["subscribe" if carried.targets else "hello"]
    return _word(fresh, verbs, limits, variant)


def unsubscribe_messages(old: Iterable[Stream], held: Iterable[Stream], variant: Variant) -> list[str]:
    """Word what takes `old` away from a connection that goes on to carry `held`."""
    leaving, carried = _Wanted.of(old, variant), _Wanted.of(held, variant)
    gone = leaving.targets - carried.targets
    limits = _changed(_Wanted.of((*leaving.streams, *carried.streams), variant), carried)
    if not carried.targets:
        limits = {}  # The next hello says what they are.
    # A symbol leaves with all its periods: to list one would take it from all symbols.
    plain = {attrs.evolve(item, period=None) for item in gone}
    messages = _word(plain, ["unsubscribe"], limits if plain else {}, variant)
    back = {item for item in carried.targets if item.period and attrs.evolve(item, period=None) in plain}
    if limits and not plain:
        back = {item for item in carried.targets if any(item.data_type in _LIMITS[name] for name in limits)}
        return _word(back, ["subscribe"], limits, variant)
    return messages + _word(back, ["subscribe"], {}, variant)


@attrs.frozen
class _Wanted:
    """Some streams, as the venue has them."""

    streams: Sequence[Stream]
    targets: frozenset[Target]
    limits: Mapping[str, int]
    """Milliseconds; 0: none. The most impatient stream decides."""

    @classmethod
    def of(cls, streams: Iterable[Stream], variant: Variant) -> _Wanted:
        found = [(stream, find_target(stream, variant)) for stream in streams]
        limits = {}
        for name, types in _LIMITS.items():
            paces = [stream.frequency or 0 for stream, target in found if target.data_type in types]
            limits[name] = min(paces, default=0) // _MS
        return cls([stream for stream, _ in found], frozenset(target for _, target in found), limits)

    def has(self, limit: str) -> bool:
        return any(target.data_type in _LIMITS[limit] for target in self.targets)


def _changed(before: _Wanted, after: _Wanted) -> dict[str, int]:
    """Give the limits that have to be said: those of types that somebody wants, and that aren't so already."""
    return {name: limit for name, limit in after.limits.items() if after.has(name) and limit != before.limits[name]}


def _word(targets: Collection[Target], verbs: list[str], limits: Mapping[str, int], variant: Variant) -> list[str]:
    """Word messages about `targets`; the first has the verb, those after a hello add to it."""
    messages: list[str] = []
    for kinds, names in _groups(targets):
        types = {kind for kind, _ in kinds}
        verb = verbs[0] if not messages or verbs[0] != "hello" else "subscribe"
        message: dict[str, Any] = {"type": verb}
        if verb == "hello":
            message["heartbeat"] = True
        message["subscribe_data_type"] = sorted(types)
        if types & set(_BY_ASSET):
            message["subscribe_filter_asset_id"] = sorted(names)
        else:
            # Without the trailing ``$`` V1 would send all that begins so, such as contracts of later months.
            exact = "$" if variant is Variant.V1 else ""
            message["subscribe_filter_symbol_id"] = sorted(f"{name}{exact}" for name in names)
        periods = sorted(period for _, period in kinds if period)
        if periods:
            message["subscribe_filter_period_id"] = periods
        if not messages:
            message |= limits
        messages.append(_ENCODE(message).decode())
    return messages


def _groups(targets: Iterable[Target]) -> list[_Group]:
    """Give types and names: each pair of them is a target, and each target such a pair. As few as are easily found."""
    apart: dict[DataType | None, list[Target]] = {}
    for target in targets:
        apart.setdefault(target.data_type if target.data_type in _BY_ASSET else None, []).append(target)
    groups: list[_Group] = []
    for part in sorted(apart, key=str):
        pairs = [((item.data_type, item.period), item.name) for item in apart[part]]
        by_name = _merged(pairs)
        by_kind = [(kinds, names) for names, kinds in _merged((name, kind) for kind, name in pairs)]
        groups += by_name if len(by_name) <= len(by_kind) else by_kind
    return groups


def _merged(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[frozenset[Any], frozenset[Any]]]:
    """Put together the second halves that go with equal sets of first halves."""
    firsts: dict[Any, set[Any]] = {}
    for first, second in pairs:
        firsts.setdefault(second, set()).add(first)
    seconds: dict[frozenset[Any], set[Any]] = {}
    for second, found in firsts.items():
        seconds.setdefault(frozenset(found), set()).add(second)
    merged = [(found, frozenset(together)) for found, together in seconds.items()]
    return sorted(merged, key=lambda group: (sorted(map(str, group[0])), sorted(map(str, group[1]))))
