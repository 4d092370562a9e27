"""Whose data a frame of Binance's carries: its stream's name says one thing, what is in it may say another."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = ["whose"]


class _Owned(msgspec.Struct, gc=False):
    s: str = ""


class _Frame(msgspec.Struct, gc=False):
    data: _Owned | list[msgspec.Raw]


_FRAME: Final = msgspec.json.Decoder(_Frame)


def whose(text: str) -> str:
    """Say of which symbol a frame's data are, as they tell it themselves; empty: they don't.

    Raises:
        msgspec.MsgspecError: It is no frame.
    """
    data = _FRAME.decode(text).data
    return data.s if isinstance(data, _Owned) else ""
