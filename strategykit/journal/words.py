"""Records in words, for people. Pure; whatever lacks in a record is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from strategykit.journal.format import RecordKind

__all__ = ["describe", "price_in_words"]


def describe(kind: RecordKind, facts: Mapping[str, Any]) -> str:
    """Say in a line what a record tells."""
    match kind:
        case RecordKind.INTENT:
            return _intent(_mapping(facts.get("command")))
        case RecordKind.UNSENT:
            return _joined("not sent", facts.get("reason"))
        case RecordKind.HEARD:
            return _news(_mapping(facts.get("news")))
        case RecordKind.LEARNT:
            return _joined(str(facts.get("state") or "?").replace("_", " "), facts.get("reason"))
        case RecordKind.RUN:
            return _joined("a run began", facts.get("tag"))
        case RecordKind.KILLED:
            return _joined("kill switch pulled", facts.get("reason"))
        case RecordKind.RELEASED:
            return "kill switch released"
        case RecordKind.ALARM | RecordKind.NOTE:
            return _joined(kind.value, facts.get("text"))
        case RecordKind.CLOSED:
            return _joined("the run ended", facts.get("reason"))
        case RecordKind.RECOVERED:
            return f"{facts.get('bytes')} bytes at the end of {facts.get('file')} were no whole record and were cut off"
        case RecordKind.CARRIED:
            return "taken over from the runs before"
        case other:
            assert_never(other)


def price_in_words(price: object, stop_price: object) -> str:
    """Say at which price: ``"market"``, ``"318.21"``, ``"stop 320"``, ``"stop 320, 318.21"``."""
    parts = [*([f"stop {stop_price}"] if stop_price is not None else []), *([str(price)] if price is not None else [])]
    return ", ".join(parts) or "market"


def _intent(command: Mapping[str, Any]) -> str:
    request = _mapping(command.get("request"))
    price = price_in_words(request.get("price"), request.get("stop_price"))
    lots = f"{request.get('quantity')} {request.get('instrument')}"
    match command.get("type"):
        case "CreateOrder":
            return f"about to {request.get('side')} {lots} at {price}".replace(" at market", " at the market")
        case "AmendOrder":
            return f"about to amend {command.get('venue_order_id')} to {request.get('quantity')} at {price}"
        case "CancelOrder":
            return f"about to cancel {command.get('venue_order_id')}"
        case other:
            return f"about to send {other}"


def _news(news: Mapping[str, Any]) -> str:
    match news.get("type"):
        case "Fill":
            return f"fill {news.get('trade_id')}: {news.get('quantity')} at {news.get('price')}"
        case "OrderUpdate":
            words = f"venue: {news.get('status')} as {news.get('venue_order_id')}, {news.get('filled')} filled"
            return _joined(words, news.get("reason"))
        case "Reply" | "OrderReply":
            number = news.get("venue_order_id")
            words = f"{'yes' if news.get('ok') else 'no'}{f', as {number}' if number else ''}"
            return f"answer: {_joined(words, news.get('message'))} ({news.get('code')})"
        case other:
            return f"venue: {other}"


def _joined(words: str, more: object) -> str:
    return f"{words}: {more}" if more else words


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
