"""What is asked of T4 for the streams that are wanted: the least, and strong enough for all who share a market.

Source: T4 protocol sheet, sections 3.3, 3.4 and 4.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.venues.streams import PRIVATE, Stream, StreamKind
from strategykit.venues.subscriptions import Subscription
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.names import split_market
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.quotes import NORMAL_DEPTH, instrument_of
from strategykit.venues.t4.server_requests import SubscribeAccounts, SubscribeByOrder, SubscribeDepth

__all__ = ["ACCOUNT_KINDS", "BUFFERS", "account_key", "key_of", "subscribe", "unsubscribe"]

BUFFERS: Final = {
    "slow": (enums.DEPTH_BUFFER_SLOW_TRADE, enums.DEPTH_BUFFER_SLOW_SMART),
    "smart": (enums.DEPTH_BUFFER_SMART_TRADE, enums.DEPTH_BUFFER_SMART),
    "fast": (enums.DEPTH_BUFFER_FAST_TRADE, enums.DEPTH_BUFFER_FAST_SMART),
    "all": (enums.DEPTH_BUFFER_ALL, enums.DEPTH_BUFFER_ALL),
}
"""How books are conflated, with every trade and without, by the name of the pace. Unconflated books tell each trade."""

_OF_TRADES: Final = frozenset({StreamKind.TRADES, StreamKind.BARS})

ACCOUNT_KINDS: Final = (StreamKind.FILLS, StreamKind.ORDERS, StreamKind.POSITIONS, StreamKind.SUMMARY)
"""Streams of an account, in the order in which they are told the same: fills before the ends that they lead to."""


def key_of(stream: Stream, *, by_order: bool) -> tuple[str, str]:
    """Give what T4's data names a stream by: the kind of data, and the market or the account.

    Raises:
        LocalProtocolError: T4 has no such stream, or it names no market or account.
    """
    if stream.kind in ACCOUNT_KINDS:
        return account_key(stream.kind, account_of(stream))
    if stream.kind in PRIVATE:
        raise LocalProtocolError(f"T4 has no stream of {stream.kind.value}")
    market_id = split_market(instrument_of(stream)).market_id
    orders = stream.kind is StreamKind.BOOK_BY_ORDER or (by_order and stream.kind is StreamKind.BOOK)
    return ("by order" if orders else "depth"), market_id


def account_key(kind: StreamKind, account: str) -> tuple[str, str]:
    return kind.value, account


def account_of(stream: Stream) -> str:
    """Give the account of an account's stream.

    Raises:
        LocalProtocolError: It names none.
    """
    if not stream.account:
        raise LocalProtocolError(f"a subscription to {stream.kind.value} needs an account")
    return stream.account


def subscribe(new: Sequence[Subscription], held: Collection[Subscription], *, pace: str) -> list[bytes]:
    """Word what adds `new` to what is carried already: one frame a market, and one or two for accounts."""
    frames = _accounts(new, held)
    for key, rows in _by_key(row for row in new if row.stream.kind not in PRIVATE).items():
        if _is_by_order(rows[0]):
            frames.append(encode(SubscribeByOrder(**_place(rows[0]), subscribe=True)))
            continue
        buffer, levels = _strength([*rows, *(row for row in held if row.key == key)], pace)
        frames.append(encode(SubscribeDepth(**_place(rows[0]), buffer=buffer, levels=levels)))
    return frames


def unsubscribe(old: Sequence[Subscription], held: Collection[Subscription]) -> list[bytes]:
    """Word the ends of what nobody of `held` shares; what is stronger than needed from now on stays so."""
    kept = {row.key for row in held}
    frames = []
    for key, rows in _by_key(row for row in old if row.stream.kind not in PRIVATE).items():
        if key in kept:
            continue
        if _is_by_order(rows[0]):
            frames.append(encode(SubscribeByOrder(**_place(rows[0]), subscribe=False)))
        else:
            off, none = enums.DEPTH_BUFFER_NO_SUBSCRIPTION, enums.DEPTH_LEVELS_UNDEFINED
            frames.append(encode(SubscribeDepth(**_place(rows[0]), buffer=off, levels=none)))
    left = [name for name in _accounts_of(old) if name not in _accounts_of(held)]
    return [*frames, _account_frame(left, enums.ACCOUNT_SUBSCRIBE_TYPE_NONE)] if left else frames


def _place(row: Subscription) -> dict[str, str]:
    return attrs.asdict(split_market(instrument_of(row.stream)))


def _accounts(new: Iterable[Subscription], held: Iterable[Subscription]) -> list[bytes]:
    """An account that is carried already is left and entered again: only its beginning tells how all of it stands.

    The right to trade goes with it, and is back with the next frame, before any order can be sent.
    """
    wanted, carried = _accounts_of(new), _accounts_of(held)
    again = [name for name in wanted if name in carried]
    frames = [_account_frame(again, enums.ACCOUNT_SUBSCRIBE_TYPE_NONE)] if again else []
    return [*frames, _account_frame(wanted, enums.ACCOUNT_SUBSCRIBE_TYPE_ALL_UPDATES)] if wanted else frames


def _account_frame(names: Sequence[str], kind: enums.AccountSubscribeType) -> bytes:
    mode = enums.UPL_MODE_AVERAGE if kind else enums.UPL_MODE_NONE
    return encode(SubscribeAccounts(subscribe=kind, all_accounts=False, accounts=tuple(names), upl_mode=mode))


def _accounts_of(rows: Iterable[Subscription]) -> list[str]:
    return list(dict.fromkeys(account_of(row.stream) for row in rows if row.stream.kind in PRIVATE))


def _by_key(rows: Iterable[Subscription]) -> dict[Hashable, list[Subscription]]:
    found: dict[Hashable, list[Subscription]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found


def _is_by_order(row: Subscription) -> bool:
    return isinstance(row.key, tuple) and row.key[0] == "by order"


def _strength(rows: Sequence[Subscription], pace: str) -> tuple[enums.DepthBuffer, enums.DepthLevels]:
    """Give the least that serves all rows of one market."""
    kinds = {row.stream.kind for row in rows}
    with_trades, without = BUFFERS[pace]
    depth = max((_levels(row.stream) for row in rows), default=1)
    levels = (
        enums.DEPTH_LEVELS_BEST_ONLY
        if depth == 1
        else enums.DEPTH_LEVELS_NORMAL
        if depth <= NORMAL_DEPTH
        else enums.DEPTH_LEVELS_ALL
    )
    if kinds == {StreamKind.TRADES}:
        return enums.DEPTH_BUFFER_TRADE_ONLY, levels
    return (with_trades if kinds & _OF_TRADES else without), levels


def _levels(stream: Stream) -> int:
    if stream.kind is not StreamKind.BOOK:
        return 1
    return NORMAL_DEPTH if stream.depth is None else stream.depth
