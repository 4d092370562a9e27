"""Whatever happens to a file: what was written is read, or what is wrong is told. Never anything else."""

from __future__ import annotations

import os
import random
import struct
import zlib
from pathlib import Path

import pytest
import trio

from strategykit.errors import JournalDamaged, JournalError
from strategykit.journal.format import FORMAT, HEAD_SIZE, KINDS, LETTERS, Record, RecordKind, encode_record
from strategykit.journal.reader import journal_files, read_journal
from strategykit.journal.writer import open_journal
from tests.journal.conftest import Clock, Open, ends, intent, never, write_day

NAME = "000001.journal"


def read(folder: Path, data: bytes) -> tuple[list[Record], str | None]:
    path = folder / NAME
    path.write_bytes(data)
    journal = read_journal(path)
    return list(journal.records), journal.torn


@pytest.fixture
def records(small: bytes, tmp_path: Path) -> list[Record]:
    found, torn = read(tmp_path, small)
    assert torn is None
    return found


def test_every_flipped_bit_of_four_kib_is_found(opened: Open) -> None:
    writer = opened()
    for number in range(1, 5):
        writer.write(RecordKind.INTENT, intent(number, why={"events": {"trades SBER": "Trade " * 44 * number}}))
    writer.close()
    path, data = writer.path, writer.path.read_bytes()
    path.chmod(0o600)
    assert len(data) >= 4_096
    starts = ends(data)
    with path.open("r+b", buffering=0) as file:
        for bit in range(len(data) * 8):
            at, flipped = bit // 8, data[bit // 8] ^ (1 << bit % 8)
            os.pwrite(file.fileno(), bytes([flipped]), at)
            with pytest.raises(JournalError) as caught:
                read_journal(path)
            if isinstance(caught.value, JournalDamaged):
                expected = 0 if at < HEAD_SIZE else max(start for start in starts if start <= at)
                assert caught.value.offset == expected
                assert caught.value.path == str(path)
            else:
                assert "a newer strategykit wrote it" in str(caught.value)
                assert 8 <= at < 12
            os.pwrite(file.fileno(), data[at : at + 1], at)
    assert len(read_journal(path).records) == 5


def test_every_cut_leaves_the_records_before_it(small: bytes, records: list[Record], tmp_path: Path) -> None:
    starts, path = ends(small), tmp_path / NAME
    path.write_bytes(small)
    for length in reversed(range(len(small))):
        os.truncate(path, length)
        if length < HEAD_SIZE:
            with pytest.raises(JournalDamaged) as caught:
                read_journal(path)
            assert caught.value.offset == 0
            continue
        journal = read_journal(path)
        whole = sum(end <= length for end in starts[1:])
        left, torn = length - starts[whole], journal.torn
        assert len(journal.records) == whole
        assert left > 1 or list(journal.records) == records[:whole]
        assert (torn is None) == (left == 0)
        assert torn is None or f"{left} bytes from byte {starts[whole]} on are no whole record" in torn


def test_a_record_that_is_taken_out_doubled_or_exchanged_is_found(small: bytes, tmp_path: Path) -> None:
    starts = ends(small)
    parts = [small[begin:end] for begin, end in zip([0, *starts], starts, strict=False)]
    assert b"".join(parts) == small
    for place in range(1, len(parts) - 1):
        for changed in (
            parts[:place] + parts[place + 1 :],
            [*parts[: place + 1], parts[place], *parts[place + 1 :]],
            [*parts[:place], parts[place + 1], parts[place], *parts[place + 2 :]],
        ):
            with pytest.raises(
                JournalDamaged, match=f"^{tmp_path / NAME}, byte {starts[place - 1]}|, byte {starts[place]}"
            ):
                read(tmp_path, b"".join(changed))


def test_a_record_of_another_run_doesnt_fit_even_with_the_right_number(small: bytes, tmp_path: Path) -> None:
    """What a disk kept from a file that had the same blocks before."""
    clock = Clock(1)
    with open_journal(tmp_path / "other", now=clock, monotonic=clock, run={"tag": "a1"}, reserve=0) as writer:
        write_day(writer, 5)
    other = writer.path.read_bytes()
    assert ends(other) == ends(small)
    at = ends(small)[5]
    with pytest.raises(JournalDamaged, match=f"byte {at}: record 6 isn't what was written: its chain is"):
        read(tmp_path, small[:at] + other[at:])


def test_zeros_behind_the_last_record_are_disk_that_wasnt_used(
    small: bytes, records: list[Record], tmp_path: Path
) -> None:
    for count in (1, 44, 45, 3_000, 3 << 20):
        assert read(tmp_path, small + bytes(count)) == (records, None)


def test_a_record_that_is_cut_before_zeros_is_torn(small: bytes, records: list[Record], tmp_path: Path) -> None:
    last = ends(small)[-2]
    for length in range(last + 1, len(small)):
        found, torn = read(tmp_path, small[:length] + bytes(1_000))
        assert found == records[:-1]
        assert torn is not None
        assert f"bytes from byte {last} on are no whole record" in torn


def test_a_bit_that_is_flipped_where_nothing_is_yet_is_told(
    small: bytes, records: list[Record], tmp_path: Path
) -> None:
    for at in range(len(small), len(small) + 1_200, 7):
        data = bytearray(small + bytes(1_500))
        data[at] = 16
        (tmp_path / NAME).write_bytes(data)
        journal = read_journal(tmp_path / NAME, damaged=True)
        assert list(journal.records) == records
        assert journal.torn is not None or (journal.damage is not None and journal.damage.offset == len(small))


def test_a_length_beyond_reason_is_no_reason_to_allocate(small: bytes, tmp_path: Path) -> None:
    fields = struct.pack("<BIQQqq", ord("N"), 1 << 31, len(ends(small)), 0, 0, 0)
    with pytest.raises(JournalDamaged, match="with 2147483648 bytes"):
        read(tmp_path, small + fields + struct.pack("<II", zlib.crc32(fields), 0) + b"x" * 100)


@pytest.mark.parametrize(("letter", "durable", "body"), [(ord("Z"), 0, b"{}"), (ord("N"), 1 << 40, b"{}")])
def test_what_no_writer_writes_is_damage_though_its_checks_are_right(
    letter: int, durable: int, body: bytes, small: bytes, tmp_path: Path
) -> None:
    chain = int.from_bytes(small[ends(small)[-2] + 41 : ends(small)[-2] + 45], "little")
    record, _ = encode_record(letter, len(ends(small)), durable, 0, 0, body, chain)
    with pytest.raises(JournalDamaged, match=f"of kind {letter} with 2 bytes"):
        read(tmp_path, small + record)


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff", b"[" * 50_000])
def test_a_record_that_isnt_facts_is_told_when_it_is_read(body: bytes, small: bytes, tmp_path: Path) -> None:
    chain = int.from_bytes(small[ends(small)[-2] + 41 : ends(small)[-2] + 45], "little")
    record, _ = encode_record(ord("N"), len(ends(small)), 0, 0, 0, body, chain)
    with pytest.raises(JournalDamaged, match=f"byte {len(small)}: record {len(ends(small))} isn't a JSON object"):
        read(tmp_path, small + record)


def test_a_newer_version_is_told_as_that(small: bytes, tmp_path: Path) -> None:
    newer = small[:8] + (FORMAT + 1).to_bytes(4, "little") + b"anything"
    with pytest.raises(JournalError, match=f"has format {FORMAT + 1}, and this version reads up to {FORMAT}") as caught:
        read(tmp_path, newer)
    assert not isinstance(caught.value, JournalDamaged)


def test_other_files_arent_taken_for_journals(tmp_path: Path) -> None:
    for data in (b"", b"{}", b"PK\x03\x04" * 50, os.urandom(4_000)):
        with pytest.raises(JournalDamaged):
            read(tmp_path, data)


def test_a_renamed_file_is_told(small: bytes, tmp_path: Path) -> None:
    (tmp_path / "000002.journal").write_bytes(small)
    with pytest.raises(JournalDamaged, match="by its head it is file 1 and was renamed"):
        read_journal(tmp_path / "000002.journal")
    (tmp_path / "copy").write_bytes(small)
    assert len(read_journal(tmp_path / "copy").records)


def test_what_is_no_file_is_told_in_words(small: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(small)
    (tmp_path / "link").symlink_to(tmp_path / NAME)
    os.mkfifo(tmp_path / "fifo")
    for name, words in (
        ("nothing", "can't be read: No such file or directory"),
        ("link", "is a symbolic link; give the file itself"),
        ("fifo", "is no regular file"),
        (".", "is no regular file"),
        ("a\0b", "is no path"),
        ("../" * 20 + "proc/self/mem", "can't be read: Input/output error"),
    ):
        with pytest.raises(JournalError, match=words):
            read_journal(f"{tmp_path}/{name}")


def test_what_is_no_folder_has_no_files(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="can't be read: No such file or directory"):
        journal_files(tmp_path / "nowhere")


def test_what_is_whole_before_damage_can_be_asked_for(small: bytes, records: list[Record], tmp_path: Path) -> None:
    at = ends(small)[4]
    (tmp_path / NAME).write_bytes(small[: at + 60] + b"!" + small[at + 61 :])

    journal = read_journal(tmp_path / NAME, damaged=True)

    assert list(journal.records) == records[:4]
    assert journal.damage is not None
    assert journal.damage.offset == at


def test_records_are_a_sequence(small: bytes, records: list[Record], tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(small)
    lazy = read_journal(tmp_path / NAME).records

    assert len(lazy) == len(records)
    assert [lazy[place] for place in range(len(lazy))] == records
    assert lazy[-1] == records[-1]
    assert lazy[2:9:3] == records[2:9:3]
    assert list(reversed(lazy)) == records[::-1]
    for beyond in (len(records), -len(records) - 1):
        with pytest.raises(IndexError):
            lazy[beyond]


def test_a_file_that_is_damaged_after_it_was_verified_is_still_not_believed(small: bytes, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(small)
    lazy = read_journal(tmp_path / NAME).records
    at = ends(small)[3] + 50
    (tmp_path / NAME).write_bytes(small[:at] + b"!" + small[at + 1 :])

    with pytest.raises(JournalDamaged):
        lazy[3]
    with pytest.raises(JournalDamaged):
        list(lazy)
    assert lazy[1].seq == 2


def test_every_kind_has_a_letter_that_no_flipped_bit_makes_zero() -> None:
    assert set(LETTERS) == set(RecordKind)
    assert len(KINDS) == len(LETTERS)
    assert all(letter.bit_count() > 1 for letter in KINDS)


SECTOR = 512


async def partly_synced(opened: Open, small_orders: int) -> tuple[bytes, int, int]:
    """Give a file of which only a part was synced, where that part ends, and how many records it has."""
    writer = opened(in_loop=True)
    write_day(writer, small_orders)
    done = trio.Event()
    writer.when_durable(writer.write(RecordKind.NOTE, {"text": "safe"}), done.set, never)
    await done.wait()
    synced = len(writer.path.read_bytes().rstrip(b"\0"))
    safe = writer.durable
    write_day(writer, small_orders)
    return writer.path.read_bytes().rstrip(b"\0"), synced, safe


async def test_after_a_power_loss_all_that_was_synced_is_read(opened: Open, tmp_path: Path) -> None:
    """Behind what was synced, any sector may be missing, and the file may end anywhere."""
    data, synced, safe = await partly_synced(opened, 3)
    whole, _ = read(tmp_path, data)
    chance, torn_seen = random.Random(7), 0
    sectors = range(synced // SECTOR * SECTOR, len(data), SECTOR)
    path = tmp_path / NAME
    for _ in range(1_000):
        state = bytearray(data[: chance.choice([len(data), chance.randrange(synced, len(data) + 1)])])
        for start in sectors:
            if chance.random() < 0.3:
                begin, end = max(start, synced), min(start + SECTOR, len(state))
                state[begin:end] = bytes(max(0, end - begin))
        with path.open("r+b", buffering=0) as file:  # Writing it anew would wait for the disk.
            file.write(state + bytes(chance.choice([0, 5_000])))
            file.truncate()
        journal = read_journal(path)
        found = list(journal.records)
        assert found == whole[: len(found)]
        assert len(found) >= safe
        torn_seen += journal.torn is not None
    assert torn_seen > 300


async def test_a_sector_that_was_safe_and_is_gone_is_damage(opened: Open, tmp_path: Path) -> None:
    data, synced, _ = await partly_synced(opened, 3)
    for start in range(SECTOR, synced - SECTOR, SECTOR):
        with pytest.raises(JournalDamaged):
            read(tmp_path, data[:start] + bytes(SECTOR) + data[start + SECTOR :])


def test_intents_are_read_back_as_they_were(opened: Open) -> None:
    writer = opened()
    facts = intent(1, why={"at": "cross.py:31 run", "condition": "a > b"})
    seq = writer.write(RecordKind.INTENT, facts)
    writer.close()

    record = read_journal(writer.path).records[-1]

    assert (record.seq, record.kind, record.facts) == (seq, RecordKind.INTENT, facts)
    assert record.time > record.monotonic > 0
