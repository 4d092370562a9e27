from __future__ import annotations

from typing import Any

import pytest

from strategykit import errors
from strategykit.errors import (
    ConfigError,
    LoginRefused,
    OrderRefused,
    Refused,
    RemoteProtocolError,
    StrategykitError,
    only_error,
)


@pytest.mark.parametrize("name", [name for name in errors.__all__ if isinstance(getattr(errors, name), type)])
def test_every_error_hangs_on_the_root(name: str) -> None:
    assert issubclass(getattr(errors, name), StrategykitError)


def test_a_frame_is_kept_whole_and_quoted_in_part() -> None:
    error = RemoteProtocolError("no price", frame="x" * 5000)

    assert error.frame == "x" * 5000
    assert str(error) == f"no price: {'x' * 200 + '… (5000 characters)'!r}"


def test_binary_frames_are_quoted_as_text() -> None:
    assert str(RemoteProtocolError("no text", frame=b"a\xff\n")) == r"no text: 'a\\xff\n'"


def test_without_a_frame_the_message_stands_alone() -> None:
    assert str(RemoteProtocolError("silent")) == "silent"


def test_a_refusal_carries_the_venues_code_and_words() -> None:
    error = OrderRefused("client id 7: no money", code=51000, words="Not enough money")

    assert (error.code, error.words, str(error)) == (51000, "Not enough money", "client id 7: no money")
    assert (LoginRefused("no").code, LoginRefused("no").words) == (0, "")
    assert isinstance(error, Refused)


def test_the_first_error_of_nested_groups_is_the_one_for_people() -> None:
    first = ConfigError("unknown key")
    inner: Any = BaseExceptionGroup("inner", [first, ConfigError("another")])
    group: BaseExceptionGroup[Any] = BaseExceptionGroup("outer", [inner])

    assert only_error(group) is first
