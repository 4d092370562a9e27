"""A damaged tape is an error, or a torn tail that is told; never other data than was recorded."""

from __future__ import annotations

import os
import random
import resource
import struct
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard

from strategykit.errors import TapeError
from strategykit.tape.compress import compress_segment
from strategykit.tape.disk import RealDisk
from strategykit.tape.format import (
    MAX_BODY,
    PREFIX,
    Kind,
    TapeHeader,
    decode_json,
    encode_json,
    encode_record,
)
from strategykit.tape.reader import Record, open_tape
from strategykit.tape.spool import TapeLimits
from strategykit.tape.verify import verify_tape
from strategykit.tape.writer import TapeWriter

Make = Callable[..., Path]
Ends = Callable[[bytes], list[int]]


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def names_file_and_is_one_line(error: pytest.ExceptionInfo[TapeError], path: Path) -> None:
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture
def whole(small_bytes: bytes, tmp_path: Path) -> list[Record]:
    return list(open_tape(put(tmp_path / "whole.tape", small_bytes)))


def test_every_cut_of_an_unsealed_segment_gives_the_records_before_it(
    unsealed_bytes: bytes, whole: list[Record], ends_of: Ends, tmp_path: Path
) -> None:
    ends = ends_of(unsealed_bytes)
    for cut in range(len(unsealed_bytes) + 1):
        path = put(tmp_path / "000001.tape.part", unsealed_bytes[:cut])
        if cut < ends[0]:
            with pytest.raises(TapeError) as error:
                open_tape(path)
            names_file_and_is_one_line(error, path)
            continue
        tape = open_tape(path)
        got = list(tape)
        at = max(end for end in ends if end <= cut)
        assert got == whole[: len(got)]
        assert not tape.sealed
        if cut == at:
            assert tape.torn is None
        else:
            assert tape.torn is not None
            assert (tape.torn.offset, tape.torn.bytes) == (at, cut - at)
            assert str(cut - at) in str(tape.torn)
    assert len(got) == len(whole)


def test_no_cut_of_a_sealed_segment_goes_unnoticed(small_bytes: bytes, tmp_path: Path) -> None:
    for cut in range(len(small_bytes)):
        path = put(tmp_path / "000001.tape", small_bytes[:cut])
        with pytest.raises(TapeError) as error:
            list(open_tape(path))
        names_file_and_is_one_line(error, path)


@pytest.mark.parametrize("name", ["000001.tape", "000001.tape.part", "000001.tape.zst"])
def test_no_flipped_bit_goes_unnoticed(
    name: str, small_bytes: bytes, unsealed_bytes: bytes, whole: list[Record], tmp_path: Path
) -> None:
    data = {"000001.tape": small_bytes, "000001.tape.part": unsealed_bytes}.get(name)
    if data is None:
        data = zstandard.ZstdCompressor(write_checksum=True).compress(small_bytes)
    path = put(tmp_path / name, data)
    unharmed = 0
    with path.open("r+b", buffering=0) as file:
        for at, byte in enumerate(data):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), at)
                try:
                    tape = open_tape(path)
                    got = list(tape)
                    if tape.torn is None:
                        assert got == whole
                        assert tape.header == open_tape(tmp_path / "whole.tape").header
                        unharmed += 1
                    else:
                        assert name.endswith(".part")
                        assert got == whole[: len(got)]
                        assert len(got) == len(whole) - 1, "only the last record can look torn"
                except TapeError:
                    pass
            os.pwrite(file.fileno(), bytes([byte]), at)
    # A compressed file has bits that mean nothing.
    assert unharmed <= (40 if name.endswith(".zst") else 0)


def test_zeros_after_the_last_record_are_a_torn_tail(
    unsealed_bytes: bytes, whole: list[Record], tmp_path: Path
) -> None:
    """As some file systems leave it when the power goes: the size grew, the data didn't come."""
    tape = open_tape(put(tmp_path / "000001.tape.part", unsealed_bytes + bytes(3 << 20)))
    assert list(tape) == whole
    assert tape.torn is not None
    assert tape.torn.bytes == 3 << 20


def test_damage_before_whole_records_is_no_torn_tail(unsealed_bytes: bytes, ends_of: Ends, tmp_path: Path) -> None:
    ends = ends_of(unsealed_bytes)
    for start, stop in pairwise(ends[:-1]):
        data = unsealed_bytes[:start] + bytes(stop - start) + unsealed_bytes[stop:]
        with pytest.raises(TapeError, match=f"byte {start}: .*whole records follow from byte {stop}"):
            list(open_tape(put(tmp_path / "000001.tape.part", data)))


def test_a_hole_of_megabytes_in_the_middle_is_damage(make: Make, ends_of: Ends, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(3_000):
            writer.frame_in("c", index, "x" * 1_000)

    data = (make(tmp_path / "t", fill) / "000001.tape").read_bytes()
    ends = ends_of(data)
    data = data[: ends[9]] + os.urandom(ends[2_500] - ends[9]) + data[ends[2_500] : ends[-2]]
    with pytest.raises(TapeError, match=f"follow from byte {ends[2_500]}"):
        list(open_tape(put(tmp_path / "000001.tape.part", data)))


def test_repeated_and_missing_records_are_noticed(
    small_bytes: bytes, unsealed_bytes: bytes, ends_of: Ends, tmp_path: Path
) -> None:
    ends = ends_of(unsealed_bytes)
    block = unsealed_bytes[ends[3] : ends[5]]
    for name, data in (
        ("000001.tape.part", unsealed_bytes + block),
        ("000001.tape.part", unsealed_bytes[: ends[5]] + block + unsealed_bytes[ends[5] :]),
        ("000001.tape.part", unsealed_bytes[: ends[3]] + unsealed_bytes[ends[5] :]),
        ("000001.tape", small_bytes[: ends[3]] + small_bytes[ends[5] :]),
    ):
        with pytest.raises(TapeError, match=r"record \d+ of kind"):
            list(open_tape(put(tmp_path / name, data)))


def segment(header: TapeHeader, *records: bytes, **changes: object) -> bytes:
    facts = {"segment": 1, "first": 1, "instance": "i", "tape": header, "connections": ["c"], **changes}
    return PREFIX + encode_record(Kind.HEADER, 0, 0, 0, encode_json(facts)) + b"".join(records)


def test_a_length_of_four_gigabytes_is_refused_before_it_is_used(header: TapeHeader, tmp_path: Path) -> None:
    good = encode_record(Kind.NOTE, 1, 0, 0, b"{}")
    for length in (MAX_BODY + 1, 2**32 - 1):
        huge = struct.pack("<I", length) + good[4:]
        tape = open_tape(put(tmp_path / "a.part", segment(header, huge)))
        assert list(tape) == []
        assert tape.torn is not None
        with pytest.raises(TapeError, match=f"a record of {length} bytes"):
            list(open_tape(put(tmp_path / "a.tape", segment(header, huge))))


def test_a_header_record_that_is_no_header_is_refused(header: TapeHeader, tmp_path: Path) -> None:
    for data, words in (
        (PREFIX + encode_record(Kind.NOTE, 1, 0, 0, b"{}"), "where the header should"),
        (PREFIX + encode_record(Kind.HEADER, 0, 0, 0, b"{}"), "header: Object missing required field"),
        (PREFIX + encode_record(Kind.HEADER, 0, 0, 0, b"\xff"), "header: "),
        (PREFIX + encode_record(Kind.HEADER, 0, 0, 0, b'{"tape":' + b"[" * 100_000), "header: "),
        (segment(header, first=2**62), "can't have number"),
        (segment(header, first=0), "can't have number"),
        (PREFIX + encode_record(Kind.HEADER, 0, 0, 0, b"{}")[:-1], "cut before its header was whole"),
    ):
        with pytest.raises(TapeError, match=words):
            open_tape(put(tmp_path / "a.tape", data))


def test_records_that_no_writer_writes_are_refused(header: TapeHeader, tmp_path: Path) -> None:
    for record in (
        encode_record(0, 1, 0, 0, b""),
        encode_record(77, 1, 0, 0, b""),
        encode_record(Kind.HEADER, 1, 0, 0, b"{}"),
        encode_record(Kind.IN, 1, 0, 2, b"x"),
        encode_record(Kind.NAME, 1, 0, 1, b"another name for c"),
        encode_record(Kind.NAME, 1, 0, 3, b"d"),
        encode_record(Kind.NAME, 1, 0, 0, b""),
        encode_record(Kind.NAME, 1, 0, 2, b"\xff"),
        encode_record(Kind.IN, 2**64 - 1, 0, 0, b"x"),
        encode_record(Kind.FOOTER, 0, 0, 0, b"{}"),
        encode_record(Kind.FOOTER, 5, 0, 0, b"{}"),
    ):
        with pytest.raises(TapeError, match=r"a\.part, byte \d+: "):
            list(open_tape(put(tmp_path / "a.part", segment(header, record))))


def test_a_footer_must_tell_of_what_is_there_and_be_the_end(small_bytes: bytes, ends_of: Ends, tmp_path: Path) -> None:
    at = ends_of(small_bytes)[-2]
    footer = decode_json(small_bytes[at + 27 :], dict[str, object], "")
    _, _, _, seq, _, _ = struct.unpack_from("<IIBQqH", small_bytes, at)
    for change in ({"count": 3}, {"first_time": None}, {"last_seq": 1}):
        lie = encode_record(Kind.FOOTER, seq, 0, 0, encode_json({**footer, **change}))
        with pytest.raises(TapeError, match="tells of other records"):
            list(open_tape(put(tmp_path / "a.tape", small_bytes[:at] + lie)))
    with pytest.raises(TapeError, match="something follows the footer"):
        list(open_tape(put(tmp_path / "a.tape", small_bytes + b"\0")))
    forged = encode_record(Kind.FOOTER, seq, 0, 0, encode_json({**footer, "sha256": "0" * 64}))
    path = put(tmp_path / "a.tape", small_bytes[:at] + forged)
    list(open_tape(path))
    with pytest.raises(TapeError, match="SHA-256"):
        list(open_tape(path, digests=True))


def test_what_is_no_tape_gets_a_line_that_says_what_it_is(small_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "000001.tape").mkdir()
    (tmp_path / "zero").mkdir()
    put(tmp_path / "zero" / "000000.tape", small_bytes)
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / "manifest.json").touch()
    os.mkfifo(tmp_path / "fifo")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    put(tmp_path / "nothing", b"")
    put(tmp_path / "noise", random.Random(1).randbytes(5_000))
    put(tmp_path / "text\nfile", b"time,price\n")
    put(tmp_path / "newer", small_bytes[:8] + struct.pack("<I", 7) + small_bytes[12:])
    put(tmp_path / "older", small_bytes[:8] + struct.pack("<I", 0) + small_bytes[12:])
    for name, words in (
        ("missing", "there is no such tape; give the directory"),
        ("nowhere/missing", "there is no such tape"),
        ("empty", "directory without segments"),
        ("archive", "is an archive, not a tape"),
        ("odd", "a directory, not a tape segment"),
        ("zero", "directory without segments"),
        ("fifo", "a FIFO, not a tape segment"),
        ("loop", "symbolic links"),
        ("nothing", "is empty"),
        ("noise", "doesn't begin like a tape segment"),
        ("text\nfile", r"text\\nfile.* doesn't begin like"),
        ("nul\0", "is no path"),
        ("newer", r"newer strategykit \(format 7, this reads up to 1\)"),
        ("older", "format 0, which never was"),
        ("/dev/zero", "a device, not a tape"),
    ):
        with pytest.raises(TapeError, match=words) as error:
            open_tape(tmp_path / name)
        assert "\n" not in str(error.value)
        assert not verify_tape(tmp_path / name).ok


def test_segments_must_belong_together(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(30):
            writer.frame_in("c", index, "x" * 50)

    first, second = (make(tmp_path / name, fill, limits=TapeLimits(segment_bytes=1_100)) for name in "ab")
    put(tmp_path / "kept", (first / "000002.tape").read_bytes())
    (first / "000002.tape").write_bytes((second / "000002.tape").read_bytes())
    with pytest.raises(TapeError, match=r"000002\.tape is segment 2 of recording"):
        list(open_tape(first))
    (first / "000002.tape").write_bytes((first / "000003.tape").read_bytes())
    with pytest.raises(TapeError, match=r"000002\.tape is segment 3"):
        list(open_tape(first))
    (first / "000002.tape").unlink()
    with pytest.raises(TapeError, match=r"segment 000002\.tape is missing"):
        open_tape(first)
    (first / "000002.tape").symlink_to(tmp_path / "kept")
    with pytest.raises(TapeError, match=r"000002\.tape can't be read"):
        list(open_tape(first))
    (first / "000002.tape").rename(first / "000002.tape.part")
    with pytest.raises(TapeError, match="isn't sealed, but later ones follow"):
        open_tape(first)
    put(first / "000002.tape", b"")
    with pytest.raises(TapeError, match="both sealed and unsealed"):
        open_tape(first)


def test_a_segment_must_follow_the_one_before_it(header: TapeHeader, tmp_path: Path) -> None:
    record = encode_record(Kind.NOTE, 1, 0, 0, b"{}")
    footer = {"count": 1, "first_seq": 1, "last_seq": 1, "first_time": 0, "last_time": 0, "sha256": ""}
    put(tmp_path / "000001.tape", segment(header, record, encode_record(Kind.FOOTER, 1, 0, 0, encode_json(footer))))
    for changes in (
        {"first": 1},
        {"first": 3},
        {"first": 2, "connections": ["other"]},
        {"first": 2, "connections": []},
    ):
        put(tmp_path / "000002.tape.part", segment(header, segment=2, **changes))
        with pytest.raises(TapeError, match="segment before it ended with 1, or knew other"):
            list(open_tape(tmp_path))
    put(tmp_path / "000002.tape.part", segment(header, segment=2, first=2))
    assert len(list(open_tape(tmp_path))) == 1


def test_a_last_segment_without_a_whole_header_is_a_torn_tail(header: TapeHeader, tmp_path: Path) -> None:
    record = encode_record(Kind.NOTE, 1, 0, 0, b"{}")
    footer = {"count": 1, "first_seq": 1, "last_seq": 1, "first_time": 0, "last_time": 0, "sha256": ""}
    put(tmp_path / "000001.tape", segment(header, record, encode_record(Kind.FOOTER, 1, 0, 0, encode_json(footer))))
    begin = segment(header, segment=2, first=2)
    part = tmp_path / "000002.tape.part"
    for cut in range(len(begin)):
        tape = open_tape(tmp_path)
        put(part, begin[:cut])
        tape = open_tape(tmp_path)
        assert tape.torn is not None
        assert (tape.torn.path, tape.torn.offset, tape.torn.bytes) == (part, 0, cut)
        assert len(list(tape)) == 1
    # A header that was damaged, with its records behind it, isn't a tear.
    put(part, begin[:20] + b"\xff" + begin[21:] + encode_record(Kind.NOTE, 2, 0, 0, b"{}"))
    with pytest.raises(TapeError, match="whole records follow"):
        list(open_tape(tmp_path))


def test_a_file_that_grows_is_read_to_where_it_ended(
    unsealed_bytes: bytes, whole: list[Record], tmp_path: Path
) -> None:
    path = put(tmp_path / "000001.tape.part", unsealed_bytes)
    with path.open("ab", buffering=0) as file:
        reading = open_tape(path).frames()
        next(reading)
        file.write(bytes(100))
        assert len(list(reading)) == len(whole) - 1


def test_a_bomb_is_refused_in_bounded_memory(header: TapeHeader, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    packer = zstandard.ZstdCompressor().compressobj()
    with (tmp_path / "bomb.zst").open("wb") as file:
        file.write(packer.compress(segment(header)))
        for seq in range(1, 36):
            file.write(packer.compress(encode_record(Kind.IN, seq, 0, 0, bytes(16 << 20))))
        file.write(packer.flush())
    assert (tmp_path / "bomb.zst").stat().st_size < 1 << 20
    with pytest.raises(TapeError, match="unpacks to more than 512 MiB"):
        deque(open_tape(tmp_path / "bomb.zst").frames(), maxlen=0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # It is in KiB.


def test_a_hostile_window_and_foreign_bytes_are_refused(small_bytes: bytes, tmp_path: Path) -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    data = packer.compress(small_bytes) + packer.flush()
    with pytest.raises(TapeError, match="can't be unpacked"):
        open_tape(put(tmp_path / "a.zst", data))
    plain = zstandard.compress(small_bytes)
    for tail in (b"garbage after it", zstandard.compress(b"x")):
        with pytest.raises(TapeError, match=r"can't be unpacked|follows the footer"):
            list(open_tape(put(tmp_path / "b.zst", plain + tail)))
    with pytest.raises(TapeError, match="was cut before anything can be unpacked"):
        list(open_tape(put(tmp_path / "c.zst", plain[:-30])))


def test_a_tail_made_of_almost_records_is_given_up_on_quickly(header: TapeHeader, tmp_path: Path) -> None:
    almost = bytearray(encode_record(Kind.IN, 5, 0, 0, b""))
    almost[4] ^= 1
    data = segment(header, bytes(almost) * 800_000)
    with pytest.raises(TapeError, match="can't be told apart"):
        list(open_tape(put(tmp_path / "a.part", data)))


def test_noise_of_any_kind_ends_in_a_tape_error(small_bytes: bytes, unsealed_bytes: bytes, tmp_path: Path) -> None:
    """Near-valid noise: bytes replaced, removed, inserted, with checksums made right again by chance or by force."""
    chance = random.Random(3)
    for turn in range(400):
        data = bytearray(chance.choice([small_bytes, unsealed_bytes]))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at : at + chance.randint(1, 40)] = b""
                case 1:
                    data[at:at] = chance.randbytes(chance.randint(1, 40))
                case _:
                    data[at] = chance.randrange(256)
        if turn % 2:
            _mend(data)
        path = put(tmp_path / chance.choice(["a.tape", "a.part"]), bytes(data))
        with suppress(TapeError):
            for record in open_tape(path):
                if record.kind in (Kind.IN, Kind.OUT, Kind.IN_BINARY, Kind.OUT_BINARY):
                    _ = record.frame
                elif record.kind is Kind.MARK:
                    record.mark()
                elif record.kind is Kind.ANSWER:
                    record.answer()
                else:
                    record.facts()
        assert "\n" not in " ".join(finding.words for finding in verify_tape(path).findings)


def _mend(data: bytearray) -> None:
    """Make the checksums right, as an attacker would."""
    at = 12
    while at + 27 <= len(data):
        stop = at + 27 + int.from_bytes(data[at : at + 4], "little")
        data[at + 4 : at + 8] = struct.pack("<I", zlib.crc32(data[at + 8 : stop]))
        at = stop


def test_a_tape_that_is_compressed_while_it_is_read_reads_the_same(make: Make, tmp_path: Path) -> None:
    def fill(writer: TapeWriter) -> None:
        for index in range(60):
            writer.frame_in("c", index, "x" * 50)

    path = make(tmp_path / "t", fill, limits=TapeLimits(segment_bytes=1_500))
    tape = open_tape(path)
    reading = iter(tape)
    got = [next(reading)]
    for file in sorted(path.glob("*.tape")):
        assert compress_segment(file, disk=RealDisk())
    got += reading
    assert [record.time for record in got] == list(range(60))
    # Between writing the compressed one and removing the plain one, both are there.
    (path / "000001.tape").write_bytes(zstandard.decompress((path / "000001.tape.zst").read_bytes(), 1 << 20))
    assert list(open_tape(path)) == got
    (path / "000002.tape.zst").unlink()
    with pytest.raises(TapeError, match=r"000002\.tape vanished"):
        list(tape)


def test_compression_is_given_up_without_a_trace(small_bytes: bytes, tmp_path: Path) -> None:
    path = put(tmp_path / "000001.tape", small_bytes)
    for patience in (0, 1):
        answers = iter([False] * patience + [True])
        assert not compress_segment(path, disk=RealDisk(), abandoned=answers.__next__)
        assert [file.name for file in tmp_path.iterdir()] == ["000001.tape"]
    assert not compress_segment(tmp_path / "000009.tape", disk=RealDisk())
    assert path.read_bytes() == small_bytes


def test_frames_can_be_passed_over_without_their_bodies(small_bytes: bytes, tmp_path: Path) -> None:
    path = put(tmp_path / "000001.tape", small_bytes)
    outline = [raw for chunk in open_tape(path).chunks(bodies=False) for raw in chunk]
    frames = {Kind.IN, Kind.OUT, Kind.IN_BINARY, Kind.OUT_BINARY}

    wanted = [(*raw[:4], b"" if raw[0] in frames else raw[4]) for raw in open_tape(path).frames()]

    assert outline == wanted
    assert open_tape(path).torn is None


@pytest.mark.parametrize(("count", "size"), [(6_000, 0), (4_000, 40), (12, 300_000)])
def test_frames_that_lie_across_pieces_are_passed_over_as_well(
    count: int, size: int, make: Callable[..., Path], tmp_path: Path
) -> None:
    def fill(writer: TapeWriter) -> None:
        for number in range(count):
            writer.frame_in(f"market-{number % 3}", number, "x" * (size + number % 7))
            if not number % 5:
                writer.mark(number, 1)

    path = make(tmp_path / "t", fill)
    frames = {Kind.IN, Kind.OUT, Kind.IN_BINARY, Kind.OUT_BINARY}

    outline = [raw for chunk in open_tape(path).chunks(bodies=False) for raw in chunk]

    assert outline == [(*raw[:4], b"" if raw[0] in frames else raw[4]) for raw in open_tape(path).frames()]


def test_what_is_wrong_with_a_frame_is_found_by_who_reads_it(small_bytes: bytes, tmp_path: Path) -> None:
    """Everything else is found by whoever passes frames over, too; and all of it in what may be a torn tail."""
    at = small_bytes.index(b"101.5")
    changed = small_bytes[:at] + b"9" + small_bytes[at + 1 :]
    path = put(tmp_path / "000001.tape", changed)

    assert len([raw for chunk in open_tape(path).chunks(bodies=False) for raw in chunk]) > 5
    with pytest.raises(TapeError, match="checksum is wrong"):
        deque(open_tape(path).frames(), maxlen=0)

    command = small_bytes.index(b"trades SBER")
    put(path, small_bytes[:command] + b"T" + small_bytes[command + 1 :])
    with pytest.raises(TapeError, match="checksum is wrong"):
        deque(open_tape(path).chunks(bodies=False), maxlen=0)

    part = put(tmp_path / "000002.tape.part", changed)
    with pytest.raises(TapeError, match="whole records follow"):
        deque(open_tape(part).chunks(bodies=False), maxlen=0)
