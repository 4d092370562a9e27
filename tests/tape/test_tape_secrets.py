"""Secrets never reach the disk, in whatever spelling and by whatever call they come."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import attrs
import pytest
import zstandard

from strategykit.errors import LocalProtocolError
from strategykit.secret import Secret
from strategykit.tape.format import TapeHeader
from strategykit.tape.reader import open_tape
from strategykit.tape.redact import Redactor
from strategykit.tape.writer import TapeWriter, open_tape_writer

Make = Callable[..., Path]

PLAIN = "canary-7b1e4f00-5d1c"
ODD = 'caña/ry+"quote\\ &=Ж'
LONGER = PLAIN + "-and-more"


def parts(secret: str) -> Iterator[str]:
    """All of its pieces of six characters."""
    yield from (secret[at : at + 6] for at in range(len(secret) - 5))


def everything(path: Path) -> bytes:
    """All bytes under the tape's directory, unpacked too."""
    data = b""
    for file in path.iterdir():
        raw = file.read_bytes()
        data += raw
        if file.suffix == ".zst":
            data += zstandard.decompress(raw, max_output_size=1 << 20)
    return data


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("secret", [PLAIN, ODD])
def test_no_call_lets_a_secret_through(make: Make, tmp_path: Path, secret: str, compress: bool) -> None:
    ascii_json, real_json = json.dumps({"token": secret}), json.dumps({"token": secret}, ensure_ascii=False)

    def fill(writer: TapeWriter) -> None:
        writer.protect(secret)
        writer.opened(f"c {secret}"[:1], 1, "market", f"ws://host/ws?{urlencode({'token': secret})}", secret)
        for frame in (secret, ascii_json, real_json, ascii_json.replace("/", "\\/"), f"/{quote(secret)}"):
            for form in (frame, frame.encode()):
                writer.frame_in("c", 2, form)
                writer.frame_out("c", 3, form)
                writer.answer({"url": frame}, 4, 200, form)
        writer.closed("c", 5, f"refused: {secret}")
        writer.subscription(6, {"guid": secret, secret: [{"deep": (secret, {"er": secret})}]})
        writer.command(7, {"credential": Secret(secret), "comment": secret})
        writer.gap(8, {"reason": secret})
        writer.note(secret, {"words": secret})
        writer.summary({"words": secret})

    path = make(tmp_path / "t", fill, compress=compress)
    data = everything(path)
    for part in parts(secret):
        for spelling in (part, json.dumps(part)[1:-1], quote(part)):
            assert spelling.encode() not in data
    assert data.count(b"***") >= 30
    assert len(list(open_tape(path))) == 37


async def test_the_header_is_redacted_by_the_secrets_given_at_the_start(header: TapeHeader, tmp_path: Path) -> None:
    leaky = attrs.evolve(header, venue=PLAIN, session={"key": PLAIN, "list": [LONGER], "number": 5})
    async with open_tape_writer(tmp_path / "t", leaky, now=lambda: 0, secrets=[PLAIN, LONGER], compress=False):
        pass
    assert not any(part.encode() in everything(tmp_path / "t") for part in parts(LONGER))
    assert open_tape(tmp_path / "t").header == attrs.evolve(
        header, venue="***", session={"key": "***", "list": ["***"], "number": 5}
    )


def test_a_secret_that_is_part_of_another_leaves_no_rest_of_it() -> None:
    redactor = Redactor()
    redactor.protect(PLAIN)
    redactor.protect(LONGER)
    assert redactor.text(f"a {LONGER} b {PLAIN} c") == "a *** b *** c"
    assert redactor.bytes(f"a {LONGER} b".encode()) == b"a *** b"


def test_what_is_looked_for_in_every_frame_does_not_grow_with_the_tokens_of_a_month() -> None:
    redactor = Redactor()
    redactor.protect("the-refresh-token")
    for number in range(2_000):
        redactor.protect(f"access-{number:04}", passing=True)
        for recent in range(max(0, number - 7), number + 1):
            assert redactor.text(f"access-{recent:04}") == "***"
    assert len(redactor.texts) == len(redactor.blobs) == 9
    assert redactor.text("the-refresh-token") == "***"


def test_a_secret_of_digits_leaves_numbers_alone_and_json_whole(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        writer.protect("123456")
        writer.command(1, {"number": 91234569, "text": "91234569", "list": [1.5, None, True]})

    (record,) = open_tape(make(tmp_path / "t", fill))
    assert record.facts() == {"number": 91234569, "text": "9***9", "list": [1.5, None, True]}


def test_an_empty_secret_is_a_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="empty"):
        Redactor().protect("")


def test_words_show_no_beginning_of_a_secret_either() -> None:
    """Messages quote the first characters of a frame, and a secret may be cut by that."""
    redactor = Redactor()
    redactor.protect(PLAIN)
    redactor.protect("short")
    assert redactor.words(f"a {PLAIN} b {PLAIN[:15]}… and {PLAIN[:13]}') short") == "a *** b ***… and ***') ***"
    assert redactor.words(f"{PLAIN[:11]} {PLAIN[:-1]}") == f"{PLAIN[:11]} ***"
    assert redactor.words(repr(f"it's {PLAIN[:14]}")) == '"it\'s ***"'


def test_quoted_secrets_are_found() -> None:
    redactor = Redactor()
    redactor.protect(ODD)
    assert redactor.words(f"sent {ODD!r}") == "sent '***'"
    assert redactor.words(f"sent {json.dumps(ODD)!r}") == "sent '\"***\"'"


@attrs.frozen
class Report:
    words: str
    rows: tuple[object, ...]
    names: dict[str, list[str]]
    number: int = 7


def test_reports_are_redacted_however_deep() -> None:
    redactor = Redactor()
    redactor.protect(PLAIN)
    inner = Report(PLAIN, (), {})
    assert redactor.report(Report("fine", (inner, PLAIN, None), {PLAIN: [f"x{PLAIN}"]})) == Report(
        "fine", (Report("***", (), {}), "***", None), {"***": ["x***"]}
    )


def fail() -> None:
    try:
        raise KeyError(PLAIN, 5)
    except KeyError as exc:
        cause = ValueError(f"no {PLAIN}")
        cause.add_note(f"on {PLAIN}")
        cause.__cause__ = exc
        cause.__context__ = cause
        raise ExceptionGroup("all", [cause, OSError(2, f"none {PLAIN[:14]}")]) from exc


def test_no_traceback_shows_a_secret() -> None:
    redactor = Redactor()
    redactor.protect(PLAIN)
    with pytest.raises(ExceptionGroup) as caught, redactor.errors():
        fail()

    shown = "".join(traceback.format_exception(caught.value))
    assert "KeyError: ('***', 5)" in shown
    assert "no ***" in shown
    assert "on ***" in shown
    assert "canary-" not in shown


def test_a_binary_message_keeps_its_length_and_the_rest_of_it(make: Make, tmp_path: Path) -> None:
    frame = b"\x0a" + bytes([len(ODD.encode())]) + ODD.encode() + b"\x10\x01"

    def fill(writer: TapeWriter) -> None:
        writer.protect(ODD)
        writer.frame_in("c", 2, frame)

    (record,) = [record for record in open_tape(make(tmp_path / "t", fill)) if record.kind.name == "IN_BINARY"]

    assert record.frame == frame[:2] + b"*" * len(ODD.encode()) + b"\x10\x01"
