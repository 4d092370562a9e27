"""From one run to the next: what is handed over, who may write, and what is told of a torn end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from strategykit.errors import JournalDamaged, JournalError, JournalFull, JournalLocked
from strategykit.journal.format import Record, RecordKind
from strategykit.journal.reader import journal_files, read_journal
from strategykit.secret import REDACTED
from tests.journal.conftest import FaultyDisk, Open, ends, intent, write_day


def kinds(records: list[Record]) -> list[str]:
    return [record.kind.value for record in records]


def test_a_first_run_has_no_past(opened: Open, tmp_path: Path) -> None:
    writer = opened(tmp_path / "journal" / "alor-D1")

    assert list(writer.past) == []
    assert writer.recovered == ""
    assert writer.failed is None
    assert writer.path == tmp_path / "journal" / "alor-D1" / "000001.journal"
    (first,) = read_journal(writer.path).records
    assert (first.seq, first.kind, first.facts) == (1, RecordKind.RUN, {"tag": "a1"})
    assert writer.path.parent.stat().st_mode & 0o777 == 0o700
    assert writer.path.stat().st_mode & 0o777 == 0o600


def test_the_next_run_is_given_what_the_last_one_wrote(opened: Open) -> None:
    with opened() as first:
        first.write(RecordKind.CARRIED, {})
        written = write_day(first, 3)
        first.write(RecordKind.CLOSED, {"reason": "time is over", "open": [], "flat": True})

    with opened(run={"tag": "a2"}) as second:
        past = list(second.past)
        assert [(record.kind, record.facts) for record in past[2:-1]] == written
        assert kinds(past[:2]) == ["run", "carried"]
        assert past[-1].facts["flat"] is True
        assert second.path.name == "000002.journal"
        assert second.write(RecordKind.NOTE, {}) == past[-1].seq + 2, "numbers go on from file to file"

    assert opened().past[0].facts == {"tag": "a1"}


def test_a_run_that_died_before_it_took_over_everything_hands_on_the_one_before(opened: Open) -> None:
    """Otherwise the orders of the first run would be forgotten by the third."""
    with opened() as first:
        first.write(RecordKind.INTENT, intent(1))
    with opened() as second:
        assert kinds(list(second.past)) == ["run", "intent"]
    with opened() as third:
        assert kinds(list(third.past)) == ["run", "intent", "run"]
        assert [third.past[place].seq for place in range(3)] == [1, 2, 3]
        third.write(RecordKind.CARRIED, {"orders": []})
    with opened() as fourth:
        assert kinds(list(fourth.past)) == ["run", "carried"]


def test_older_files_may_be_put_away_once_they_arent_needed(opened: Open) -> None:
    for _ in range(3):
        with opened() as writer:
            writer.write(RecordKind.CARRIED, {})
    folder = writer.path.parent
    (folder / "000001.journal").unlink()
    (folder / "000002.journal").unlink()

    assert kinds(list(opened().past)) == ["run", "carried"]


def test_a_needed_file_that_is_gone_or_another_is_told(opened: Open, tmp_path: Path) -> None:
    for _ in range(3):
        opened().close()
    second = tmp_path / "alor-D1" / "000002.journal"
    kept = second.read_bytes()

    second.unlink()
    with pytest.raises(JournalError, match=r"000003.journal goes on from file 2, which isn't there: put it back"):
        opened()
    second.write_bytes(kept[:-5])
    with pytest.raises(JournalDamaged, match="though a later run began where it ended"):
        opened()
    with opened(tmp_path / "other") as other:
        other.write(RecordKind.NOTE, {})
    with opened(tmp_path / "other") as other:
        pass
    second.unlink()
    second.write_bytes(other.path.read_bytes())
    with pytest.raises(JournalDamaged, match=r"000003.journal, byte 0: it was begun as file 3 with record 3"):
        opened()
    second.unlink()
    second.write_bytes(kept)
    assert len(opened().past) == 3


def torn(opened: Open, cut: int) -> Path:
    """Leave what a killed writer leaves."""
    with opened() as writer:
        writer.write(RecordKind.CARRIED, {})
        write_day(writer, 2)
    writer.path.chmod(0o600)
    os.truncate(writer.path, writer.path.stat().st_size - cut)
    return writer.path


def test_a_torn_end_is_put_aside_cut_and_told(opened: Open) -> None:
    path = torn(opened, 7)
    before, data = list(read_journal(path).records), path.read_bytes()
    left = path.stat().st_size - read_journal(path).end

    writer = opened()

    aside = path.with_name("000001.torn-1")
    assert f"{path}: its end was no whole record and was cut off: {left} bytes, now in {aside.name}" in writer.recovered
    assert list(writer.past) == before
    assert aside.read_bytes() == data[-left:]
    assert path.read_bytes() == data[:-left]
    assert read_journal(path).torn is None
    told = list(read_journal(writer.path).records)
    assert kinds(told) == ["run", "recovered"]
    assert told[1].facts == {"file": path.name, "bytes": left, "aside": aside.name}
    writer.write(RecordKind.CARRIED, {})
    writer.close()
    assert opened().recovered == ""


def test_a_start_that_is_cut_off_at_any_call_leaves_all_to_the_next_one(opened: Open, tmp_path: Path) -> None:
    counting = FaultyDisk()
    torn(opened, 7)
    opened(disk=counting).close()
    turn = 0
    for call, count in counting.calls.items():
        for nth in range(1, count + 1):
            turn += 1
            folder = tmp_path / str(turn)
            path = torn(lambda folder=folder: opened(folder), 7)
            records, left = list(read_journal(path).records), path.stat().st_size - read_journal(path).end
            disk = FaultyDisk(call, nth, 5, stays=True)
            try:
                opened(folder, disk=disk).close()
            except JournalError as exc:
                assert "Input/output error" in str(exc)  # noqa: PT017 - a failing seal isn't told.
            assert disk.hits, (call, nth)
            assert not disk.synced_again

            writer = opened(folder)

            assert [record for record in writer.past if record.seq <= len(records)] == records
            told = [
                record.facts["bytes"]
                for record in [*writer.past, *read_journal(writer.path).records]
                if record.kind is RecordKind.RECOVERED
            ]
            assert left in told, (call, nth)
            assert any(aside.stat().st_size == left for aside in folder.glob("000001.torn-*"))
            assert read_journal(path).torn is None
            writer.close()
    assert turn > 12


def test_one_process_at_a_time(opened: Open) -> None:
    first = opened()
    with pytest.raises(
        JournalLocked, match=f"is being written by another run .process {os.getpid()}, run a1."
    ) as caught:
        opened(run={"tag": "a2"})
    assert caught.value.pid == os.getpid()
    first.close()
    opened(run={"tag": "a2"})


def test_two_processes_cant_write_one_journal(opened: Open, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from strategykit.journal.writer import open_journal\n"
        "w = open_journal(Path(sys.argv[1]), now=lambda: 1, run={'tag': 'other'}, reserve=0)\n"
        "print('open', flush=True); sys.stdin.read()"
    )
    folder = tmp_path / "alor-D1"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "open\n"
            with pytest.raises(JournalLocked, match="run other") as caught:
                opened(folder)
            assert caught.value.pid == child.pid
        finally:
            child.kill()
    # However it dies, the lock dies with it.
    assert len(opened(folder).past) == 1


def test_a_lock_whose_holder_said_nothing_is_a_lock(opened: Open) -> None:
    lock = opened().path.with_name("lock")
    lock.write_text("")
    with pytest.raises(JournalLocked, match=r"\(unknown\)") as caught:
        opened()
    assert caught.value.pid is None


def test_what_cant_be_a_journals_folder_is_told_in_words(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name, words in (
        ("file", "is a file; a journal is a folder"),
        ("file/below", "can't be written: Not a directory"),
        ("link", "is a symbolic link; give the journal's folder itself"),
        ("a\0b", "is no path"),
    ):
        with pytest.raises(JournalError, match=words):
            opened(Path(f"{tmp_path}/{name}"))


@pytest.mark.parametrize("name", ["lock", "reserve", "000001.journal", "000001.journal.new"])
def test_nothing_inside_the_folder_leads_out_of_it(name: str, opened: Open, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "alor-D1").mkdir()
    (tmp_path / "alor-D1" / name).symlink_to(precious)
    try:
        opened().close()
    except JournalError as exc:
        assert "symbolic link" in str(exc)  # noqa: PT017 - the last two are just replaced.
    assert precious.read_text() == "kept"


@pytest.mark.parametrize(("code", "error"), [(30, JournalError), (13, JournalError), (28, JournalFull)])
def test_a_disk_that_takes_nothing_is_told_at_once(opened: Open, code: int, error: type[JournalError]) -> None:
    with pytest.raises(error, match=f"can't be written: .*{os.strerror(code)}"):
        opened(disk=FaultyDisk("open", 1, code))


def test_without_room_for_the_reserve_no_run_begins(opened: Open, tmp_path: Path) -> None:
    with pytest.raises(JournalFull, match=r"no room for a reserve of 65536 bytes .* give a smaller one"):
        opened(disk=FaultyDisk("allocate", 1, 28))
    assert not (tmp_path / "alor-D1" / "reserve").exists()
    opened(reserve=0)
    assert not (tmp_path / "alor-D1" / "reserve").exists()


def test_the_reserve_is_kept_from_run_to_run_at_its_size(opened: Open, tmp_path: Path) -> None:
    inodes = []
    for size in (1 << 16, 1 << 16, 1 << 17):
        opened(reserve=size).close()
        status = (tmp_path / "alor-D1" / "reserve").stat()
        assert status.st_size == size
        inodes.append((status.st_ino, status.st_mtime_ns))
    assert inodes[0] == inodes[1] != inodes[2]


def test_disk_that_a_killed_run_was_given_and_didnt_use_is_given_back(opened: Open, tmp_path: Path) -> None:
    with opened() as first:
        first.write(RecordKind.CARRIED, {})
        assert first.path.stat().st_size >= 1 << 20
        used = first.path.read_bytes().rstrip(b"\0")
    killed = first.path
    assert killed.stat().st_size == len(used)
    killed.chmod(0o600)
    killed.write_bytes(used + bytes(1 << 20))

    second = opened()

    assert (len(second.past), second.recovered) == (2, "")
    assert killed.read_bytes() == used


def test_a_file_gets_more_of_the_disk_as_it_grows(opened: Open) -> None:
    disk = FaultyDisk()
    writer = opened(disk=disk)
    before = disk.calls["allocate"]
    for _ in range(5):
        writer.write(RecordKind.NOTE, {"text": "x" * 500_000})
    assert before < disk.calls["allocate"] < before + 4
    writer.close()
    assert len(read_journal(writer.path).records) == 6


def test_damage_stops_a_run_before_anything_is_changed(opened: Open) -> None:
    with opened() as writer:
        writer.write(RecordKind.CARRIED, {})
        write_day(writer, 2)
    data = bytearray(writer.path.read_bytes())
    data[-10] ^= 1
    writer.path.chmod(0o600)
    writer.path.write_bytes(data)

    with pytest.raises(JournalDamaged, match=r"000001.journal, byte \d+: record 10 isn't what was written") as caught:
        opened()

    assert caught.value.offset == ends(data)[-2]
    assert writer.path.read_bytes() == data
    assert list(journal_files(writer.path.parent)) == [1]


def test_secrets_never_get_there(opened: Open) -> None:
    secret = 'a"b/ü-3f2a9c'

    def hide(text: str) -> str:
        return text.replace(secret, REDACTED).replace(secret.replace('"', '\\"'), REDACTED).replace("771", REDACTED)

    writer = opened(run={"tag": "a1", "token": secret}, redact=hide)
    writer.write(RecordKind.NOTE, {"text": f"got {secret}", secret: [1, (None, secret)], "lots": 771, "part": "is 771"})
    writer.close()

    assert secret.encode() not in writer.path.read_bytes()
    assert b"3f2a9c" not in writer.path.read_bytes()
    run, note = read_journal(writer.path).records
    assert run.facts["token"] == REDACTED
    # A number with these digits stays a number: hiding a part of it would leave no JSON.
    assert note.facts == {"text": "got ***", "***": [1, [None, "***"]], "lots": 771, "part": "is ***"}


def test_odd_facts_become_words_and_dont_fail(opened: Open) -> None:
    loop: dict[str, object] = {}
    loop["in"] = loop
    writer = opened()
    writer.write(RecordKind.HEARD, {"text": "\ud800 lone", "big": 10**30, "path": Path("/x"), "nan": float("nan")})
    writer.write(RecordKind.HEARD, {"loop": loop})
    writer.close()

    odd, deep = list(read_journal(writer.path).records)[1:]
    assert odd.facts == {"text": "\\ud800 lone", "big": str(10**30), "path": "/x", "nan": None}
    assert "…" in str(deep.facts)


def test_a_record_that_is_too_long_is_refused_and_the_next_one_isnt(opened: Open) -> None:
    writer = opened()
    with pytest.raises(JournalError, match="is too long; a journal's have up to 16777216"):
        writer.write(RecordKind.NOTE, {"text": "x" * (16 << 20)})
    assert writer.failed is None
    assert writer.write(RecordKind.NOTE, {"text": "x" * (15 << 20)}) == 2
    writer.close()
    assert len(read_journal(writer.path).records[1].facts["text"]) == 15 << 20


def test_a_closed_journal_takes_nothing(opened: Open) -> None:
    writer = opened()
    writer.close()
    writer.close()
    with pytest.raises(JournalError, match="is closed; nothing can be written to it any more"):
        writer.write(RecordKind.NOTE, {})
    assert writer.path.stat().st_mode & 0o777 == 0o400


def test_a_number_that_stands_twice_is_told(opened: Open) -> None:
    writer = opened()
    writer.close()
    writer.path.with_name("0000001.journal").write_bytes(b"")
    with pytest.raises(JournalError, match=r"has file 1 twice: 0000001.journal and 000001.journal"):
        opened()


def test_a_journal_is_read_while_it_is_written(opened: Open) -> None:
    with opened() as writer:

        def write() -> None:
            for _ in range(300):
                writer.write(RecordKind.NOTE, {"text": "n" * 60_000})

        writing = threading.Thread(target=write)
        writing.start()
        while writing.is_alive():
            assert read_journal(writer.path).damage is None
        writing.join()
    assert len(read_journal(writer.path).records) > 300
