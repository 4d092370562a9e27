"""What our orders carry as their tag, so that T4's words on them find our commands.

An order's tag is its client order id. A change of it puts its own guid behind, so that the answer tells which one it
answers; whatever it says then of the order carries both.
"""

from __future__ import annotations

from typing import Final

from strategykit.errors import LocalProtocolError
from strategykit.model.orders import AmendOrder, CancelOrder, Command, CreateOrder

__all__ = ["read_tag", "write_tag"]

_MARK: Final = "~"
_KINDS: Final[dict[str, type[AmendOrder | CancelOrder]]] = {"r": AmendOrder, "p": CancelOrder}
"""By a letter: revise and pull are T4's own words."""


def write_tag(command: Command) -> str:
    """Give the tag that goes with a command.

    Raises:
        LocalProtocolError: The client order id can't be told from what follows it.
    """
    client = command.request.client_order_id
    if _MARK in client:
        raise LocalProtocolError(f"a client order id with {_MARK!r} in it: {client!r}")
    if isinstance(command, CreateOrder):
        return client
    letter = "r" if isinstance(command, AmendOrder) else "p"
    rest = command.guid.removeprefix(client)
    # A guid usually goes on from the client order id; one that doesn't stands by itself, behind a second mark.
    is_usual = command.guid.startswith(client) and bool(client) and not rest.startswith(_MARK)
    return f"{client}{_MARK}{letter}{rest if is_usual else _MARK + command.guid}"


def read_tag(tag: str) -> tuple[str | None, type[AmendOrder | CancelOrder] | None, str | None]:
    """Give the client order id, and of which kind and guid the last change was; None for what isn't there."""
    client, _, rest = tag.partition(_MARK)
    kind = _KINDS.get(rest[:1])
    if kind is None:
        return tag or None, None, None
    guid = rest[1:]
    return client or None, kind, guid[1:] if guid.startswith(_MARK) else client + guid
