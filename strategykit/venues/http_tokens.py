"""What a dialect has besides where the token of HTTP calls is asked for over a session that is open."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import attrs

from strategykit.venues.dialect import Frame

__all__ = ["AsksForTokens", "TokenReply"]


@attrs.frozen(kw_only=True)
class TokenReply:
    """The venue's answer to a request for a token. Times by its clock, nanoseconds UTC."""

    guid: str
    """The request's; anything where nobody asked."""
    text: str = attrs.field(default="", repr=False)
    """What `Dialect.http_headers` makes headers of."""
    issued: int = 0
    expires: int = 0
    refusal: str = ""
    """Why there is no token, in the venue's words; empty where there is one."""
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Texts of the frame that nobody may see: they are hidden before it is recorded."""


@runtime_checkable
class AsksForTokens(Protocol):
    """A dialect whose HTTP calls go with tokens that the venue gives over a session, and not with what logs in.

    The calls' tokens are then asked for when one is wanted, and only then.
    """

    def token_request(self, guid: str) -> Frame:
        """Word the request for a token."""
        ...

    def token_reply(self, frame: Frame) -> TokenReply | None:
        """Give the answer to whichever request for a token, if that is what `frame` is; None if it is anything else.

        It is shown every frame, so it has to be quick, and raises nothing.
        """
        ...
