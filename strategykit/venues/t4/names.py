"""Names and numbers: how markets are called, what T4's codes are to us, and what each asks of us.

Source: T4 protocol sheet, sections 1.2, 2.2 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from strategykit.errors import LocalProtocolError
from strategykit.venues.dialect import ErrorClass
from strategykit.venues.t4.proto import enums_pb2 as enums

__all__ = [
    "ACCOUNT_REFUSED",
    "MARKET_CODES",
    "ORDER_CODES",
    "MarketName",
    "classify_code",
    "join_market",
    "split_market",
    "word",
]

MARKET_CODES: Final = 1_000
"""Added to a market mode that is the reason of a refusal: T4's numbers of different kinds overlap."""

ORDER_CODES: Final = 2_000
"""Added to the change of an order that is the reason of a refusal."""

ACCOUNT_REFUSED: Final = 3_000
"""T4 gives no number with a refused account."""

_LATER: Final = frozenset(
    {
        enums.LOGIN_RESULT_UNEXPECTED_DISCONNECT,
        enums.LOGIN_RESULT_UNEXPECTED_ERROR,
        enums.LOGIN_RESULT_API_MESSAGE_BACKLOG,
        enums.LOGIN_RESULT_SERVER_MESSAGE_BACKLOG,
        MARKET_CODES + enums.MARKET_MODE_FAILED,
        MARKET_CODES + enums.MARKET_MODE_UNAVAILABLE,
        408,
        425,
        429,
    }
)
"""Whoever was logged in elsewhere isn't among them: logging in again would displace the other, and so on."""


@attrs.frozen
class MarketName:
    """A market by all three parts of its identity; the last alone is unique."""

    exchange_id: str
    contract_id: str
    market_id: str


def split_market(instrument: str) -> MarketName:
    """Read an instrument's name, such as ``"CME_Eq/ES/XCME_Eq ES (Z26)"``.

    Raises:
        LocalProtocolError: It has fewer than three parts, or an empty one.
    """
    parts = instrument.split("/", 2)
    if len(parts) < 3 or not all(parts):
        raise LocalProtocolError(
            f"T4 has no instrument {instrument!r}: name exchange, contract and market, "
            "such as 'CME_Eq/ES/XCME_Eq ES (Z26)'"
        )
    return MarketName(*parts)


def join_market(exchange_id: str, contract_id: str, market_id: str) -> str:
    """Name an instrument."""
    return f"{exchange_id}/{contract_id}/{market_id}"


def classify_code(code: int) -> ErrorClass:
    """Say what a login result, the reason of a refusal, or an HTTP status asks of us. Unknown ones stop and tell."""
    if code == 401:
        return ErrorClass.REFRESH
    return ErrorClass.RETRY if code in _LATER or 500 <= code < 600 else ErrorClass.STOP


def word(enum: str, number: int) -> str:
    """Give a value of an enumeration as people would write it: ``word("MarketMode", 9)`` is ``"pre cross"``."""
    values: Mapping[int, str] = {value.number: value.name for value in enums.DESCRIPTOR.enum_types_by_name[enum].values}
    prefix = "".join(f"_{letter}" if letter.isupper() else letter for letter in enum).lstrip("_").upper()
    return values.get(number, str(number)).removeprefix(f"{prefix}_").replace("_", " ").lower()
