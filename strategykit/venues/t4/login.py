"""Logins: what is shown to T4, and how it is carried in one text. Source: T4 protocol sheet, section 1.2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import msgspec

from strategykit.errors import LocalProtocolError
from strategykit.secret import Secret
from strategykit.venues.t4.client import encode
from strategykit.venues.t4.proto import enums_pb2 as enums
from strategykit.venues.t4.server_requests import Login

__all__ = ["FORMATS", "Holder", "Shown", "join_secrets", "login_frame", "read_shown"]

FORMATS: Final = {
    "decimal": enums.PRICE_FORMAT_DECIMAL,
    "real": enums.PRICE_FORMAT_REAL,
    "clearing_decimal": enums.PRICE_FORMAT_CLEARING_DECIMAL,
}
"""Numbers that prices are told in, by name: the exchange's own, those that people use, those that clearing uses."""


@attrs.frozen(kw_only=True)
class Holder:
    """Who logs in by password; nothing of it is secret. All empty: an API key says it."""

    firm: str = ""
    username: str = ""
    app_name: str = ""


class Shown(msgspec.Struct, omit_defaults=True):
    """What one text holds: the secrets of a login, or a token for REST."""

    api_key: str = ""
    password: str = ""
    app_license: str = ""
    orders_api_key: str = ""
    orders_app_license: str = ""
    rest: str = ""

    def __repr__(self) -> str:
        return "<Shown>"  # Not what is in it.


_READ_SHOWN: Final = msgspec.json.Decoder(Shown)


def join_secrets(secrets: Mapping[str, Secret]) -> Secret | None:
    """Make the token that the dialect shows: an API key alone is one by itself, anything else is JSON."""
    if not secrets:
        return None
    if set(secrets) == {"api_key"}:
        return secrets["api_key"]
    return Secret(msgspec.json.encode({key: secret.reveal() for key, secret in secrets.items()}).decode())


def login_frame(token: str, holder: Holder, *, price_format: str, second: bool) -> bytes:
    """Word the login.

    Args:
        token: As `join_secrets` makes it.
        holder: Who logs in.
        price_format: One of `FORMATS`.
        second: Whether it is that of the second application.

    Raises:
        LocalProtocolError: There is nothing to show.
    """
    shown = read_shown(token)
    key = shown.orders_api_key if second else shown.api_key
    if not key and not (holder.username and shown.password):
        raise LocalProtocolError("a login at T4 needs an API key, or firm, username, password, application and licence")
    by_name = Holder() if key else holder
    return encode(
        Login(
            api_key=key,
            firm=by_name.firm,
            username=by_name.username,
            password="" if key else shown.password,
            app_name=by_name.app_name,
            app_license="" if key else shown.orders_app_license if second else shown.app_license,
            price_format=FORMATS[price_format],
        )
    )


def read_shown(token: str) -> Shown:
    """Read what `join_secrets` made; any other text is an API key.

    Raises:
        LocalProtocolError: It is neither; the error shows none of it.
    """
    if not token.startswith("{"):
        return Shown(api_key=token)
    try:
        return _READ_SHOWN.decode(token)
    except msgspec.MsgspecError:
        raise LocalProtocolError("the token is neither an API key nor what `join_secrets` makes") from None
