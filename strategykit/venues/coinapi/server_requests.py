"""What clients say on the socket: hello, subscribe, unsubscribe.

Source: CoinAPI protocol sheet, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from strategykit.secret import Secret
from strategykit.venues.coinapi.names import NEEDS_ASSETS, NEEDS_FILTER, VARIANT_TYPES, DataType, Variant
from strategykit.venues.coinapi.server_scope import Filters

__all__ = ["BadRequest", "Hello", "Limits", "Request", "Subscribe", "Unsubscribe", "decode_request"]

_MS: Final = 1_000_000
_MAX_MS: Final = 86_400_000
_MAX_VALUES: Final = 100_000
"""Of one filter."""

_FILTERS: Final = {
    Variant.V1: {
        "symbols": "subscribe_filter_symbol_id",
        "exchanges": "subscribe_filter_exchange_id",
        "assets": "subscribe_filter_asset_id",
        "periods": "subscribe_filter_period_id",
    },
    Variant.DS: {"symbols": "subscribe_filter_symbol_id", "assets": "subscribe_filter_asset_id"},
}
"""Each variant's filters; what isn't listed is an unknown member, which is ignored. Source: section 2."""

_LIMITS: Final = {
    Variant.V1: {
        "quote": "subscribe_update_limit_ms_quote",
        "book": "subscribe_update_limit_ms_book_snapshot",
        "exrate": "subscribe_update_limit_ms_exrate",
    },
    Variant.DS: {
        "quote": "subscribe_update_limit_ms_quote",
        "book": "subscribe_update_limit_ms_book_snapshot",
    },
}


@attrs.frozen
class Limits:
    """Least time between two messages of a symbol or pair, nanoseconds; 0: no limit, None: nothing was said."""

    quote: int | None = None
    book: int | None = None
    """Of the books of limited depth."""
    exrate: int | None = None


@attrs.frozen
class _Asked:
    types: frozenset[DataType]
    filters: Filters
    limits: Limits
    heartbeat: bool | None
    """None: nothing was said."""
    key: Secret | None
    """The key inside the message; always None in DS, which ignores it."""


@attrs.frozen
class Hello(_Asked):
    """Replace the whole scope."""


@attrs.frozen
class Subscribe(_Asked):
    """Add to the scope."""


@attrs.frozen
class Unsubscribe(_Asked):
    """Take out of the scope."""


@attrs.frozen
class BadRequest:
    """What ends the connection, in words for the client."""

    message: str


Request = Hello | Subscribe | Unsubscribe | BadRequest

_KINDS: Final[Mapping[str, type[Hello | Subscribe | Unsubscribe]]] = {
    "hello": Hello,
    "subscribe": Subscribe,
    "unsubscribe": Unsubscribe,
}

_DECODER: Final = msgspec.json.Decoder(dict[str, Any])


class _Refused(Exception):
    pass


def decode_request(message: str | bytes, variant: Variant) -> Request:
    """Read one message of a client. Never raises, whatever it is.

    Lenient where the venue's own SDKs need it: filters and limits that are null, empty or 0 are as if absent, unknown
    members are ignored. All else that is wrong is a `BadRequest`: the venue's errors are permanent.

    Args:
        message: A text, or the bytes of a binary message, which the venue doesn't take.
        variant: Whose rules.
    """
    if isinstance(message, bytes):
        return BadRequest("Invalid message: text was expected")
    try:
        fields = _DECODER.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return BadRequest("Invalid message: a JSON object was expected")
    kind = fields.get("type")
    asked = _KINDS.get(kind) if isinstance(kind, str) else None
    if asked is None:
        return BadRequest("Invalid message: type must be hello, subscribe or unsubscribe")
    try:
        types = _read_types(fields, variant)
        filters = Filters(**{name: _read_values(fields, member) for name, member in _FILTERS[variant].items()})
        if asked is not Unsubscribe:
            _check_filters(types, filters)
        limits = Limits(**{name: _read_limit(fields, member) for name, member in _LIMITS[variant].items()})
        return asked(types, filters, limits, _read_heartbeat(fields), _read_key(fields, variant))
    except _Refused as exc:
        return BadRequest(f"Invalid message: {exc}")


def _read_types(fields: dict[str, Any], variant: Variant) -> frozenset[DataType]:
    values = fields.get("subscribe_data_type")
    if not isinstance(values, list) or not values:
        raise _Refused("subscribe_data_type is required and must not be empty")
    known = VARIANT_TYPES[variant]
    unknown = [value for value in values if not isinstance(value, str) or value not in known]
    if unknown:
        raise _Refused(f"subscribe_data_type {_show(unknown[0])} isn't supported")
    return frozenset(map(DataType, values))


def _read_values(fields: dict[str, Any], member: str) -> frozenset[str] | None:
    values = fields.get(member)
    if values is None or values == []:
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _Refused(f"{member} must be an array of strings")
    if len(values) > _MAX_VALUES:
        raise _Refused(f"{member} has more than {_MAX_VALUES} values")
    return frozenset(values)


def _check_filters(types: frozenset[DataType], filters: Filters) -> None:
    """Refuse to send every book there is. Periods filter nothing of a book or a rate."""
    narrow = not attrs.evolve(filters, periods=None).empty
    if not narrow and types & NEEDS_FILTER:
        raise _Refused(f"{min(types & NEEDS_FILTER)} requires a filter")
    if filters.assets is None and types & NEEDS_ASSETS:
        raise _Refused("exrate requires subscribe_filter_asset_id")


def _read_limit(fields: dict[str, Any], member: str) -> int | None:
    value = fields.get(member)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= _MAX_MS:
        raise _Refused(f"{member} must be a whole number of milliseconds from 0 to {_MAX_MS}")
    return value * _MS


def _read_heartbeat(fields: dict[str, Any]) -> bool | None:
    value = fields.get("heartbeat")
    if value is not None and not isinstance(value, bool):
        raise _Refused("heartbeat must be true or false")
    return value


def _read_key(fields: dict[str, Any], variant: Variant) -> Secret | None:
    value = fields.get("apikey")
    if variant is Variant.DS or value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _Refused("apikey must be a string")
    return Secret(value)


def _show(value: object) -> str:
    return repr(value)[:60]
