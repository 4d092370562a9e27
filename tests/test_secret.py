from __future__ import annotations

import copy
import logging
import pickle
import traceback
from pathlib import Path

import pytest

from strategykit.errors import ConfigError
from strategykit.secret import Secret, read_secret

WORD = "hunter2-refresh-token"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{WORD}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


def test_only_reveal_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(WORD)
    logging.getLogger("test").warning("%s %r", secret, secret)
    shown = f"{secret} {secret!r} {secret:>40} {[secret]} {caplog.text}"

    assert WORD not in shown
    assert secret.reveal() == WORD


def test_a_secret_leaves_by_no_copy_or_pickle() -> None:
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="can't be pickled"):
            leave(Secret(WORD))
    assert not hasattr(Secret(WORD), "__dict__")


def test_secrets_compare_by_what_they_hide() -> None:
    assert Secret(WORD) == Secret(WORD)
    assert Secret(WORD) != Secret("other")
    assert Secret(WORD) != WORD
    assert len({Secret(WORD), Secret(WORD)}) == 1


def test_secrets_that_are_no_unicode_compare_too() -> None:
    assert Secret("\udcff") == Secret("\udcff")


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ConfigError, match="a secret is empty"):
        Secret("")


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", WORD)

    assert read_secret("env:TOKEN") == Secret(WORD)


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)

    with pytest.raises(ConfigError, match="environment variable TOKEN is not set"):
        read_secret("env:TOKEN")


def test_a_secret_is_read_from_a_private_file(secret_file: Path) -> None:
    assert read_secret(f"file:{secret_file}") == Secret(WORD)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_file_open_to_others_is_refused(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)

    with pytest.raises(ConfigError, match=f"open to others \\(mode {mode:04o}\\); chmod 600"):
        read_secret(f"file:{secret_file}")


def test_an_empty_file_is_refused(secret_file: Path) -> None:
    secret_file.write_text(" \n", encoding="utf-8")

    with pytest.raises(ConfigError, match="is empty"):
        read_secret(f"file:{secret_file}")


def test_a_file_that_is_no_text_is_refused_without_showing_it(secret_file: Path) -> None:
    secret_file.write_bytes(WORD.encode() + b"\xff")

    with pytest.raises(ConfigError, match="isn't UTF-8 text") as caught:
        read_secret(f"file:{secret_file}")

    error: BaseException | None = caught.value
    while error is not None:
        assert WORD not in repr(error)
        assert WORD not in "".join(traceback.format_exception(error))
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("name", ["missing", "", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_secret(f"file:{tmp_path}/{name}")


@pytest.mark.parametrize("reference", ["", WORD, "env:", "file:", "vault:x", f"token:{WORD}"])
def test_anything_but_a_reference_is_refused_and_not_repeated(reference: str) -> None:
    with pytest.raises(ConfigError, match="by reference, as env:NAME or file:PATH") as caught:
        read_secret(reference)

    assert WORD not in str(caught.value)
