"""Looking a journal through, and making a whole one of a damaged one."""

from __future__ import annotations

from pathlib import Path

import pytest

from strategykit.errors import JournalDamaged, JournalError, JournalLocked
from strategykit.journal.format import RecordKind
from strategykit.journal.reader import read_journal
from strategykit.journal.salvage import Checked, check_journal, salvage_journal
from tests.journal.conftest import FaultyDisk, Open, ends, write_day


@pytest.fixture
def three(opened: Open, tmp_path: Path) -> Path:
    """A journal of three runs."""
    for _ in range(3):
        with opened() as writer:
            writer.write(RecordKind.CARRIED, {})
            write_day(writer, 2)
    for path in (tmp_path / "alor-D1").glob("*.journal"):
        path.chmod(0o600)
    return tmp_path / "alor-D1"


def change(path: Path, record: int) -> int:
    """Flip a bit in a record, 0 being the head; give where that record begins."""
    data = bytearray(path.read_bytes())
    at = [0, *ends(data)][record]
    data[at + 20] ^= 4
    path.write_bytes(data)
    return at


def salvage(source: Path, target: Path) -> list[tuple[str, int, int]]:
    done = salvage_journal(source, target, now=lambda: 7, disk=FaultyDisk())
    return [(item.path.name, item.records, item.lost) for item in done]


def sound(checked: list[Checked]) -> bool:
    return all(item.ok and item.torn is None for item in checked)


def test_a_whole_journal_is_whole(three: Path) -> None:
    checked = list(check_journal(three))
    assert sound(checked)
    assert [item.records for item in checked] == [10, 10, 10]
    assert sound(list(check_journal(three / "000002.journal")))


def test_each_damaged_file_is_told_and_the_others_are_still_read(three: Path) -> None:
    at = change(three / "000001.journal", 4)
    change(three / "000003.journal", 0)

    first, second, third = check_journal(three)

    assert isinstance(first.damage, JournalDamaged)
    assert (first.damage.offset, first.records) == (at, 3)
    assert second.ok
    assert isinstance(third.damage, JournalDamaged)
    assert (third.journal, third.records) == (None, 0)


def test_files_that_dont_belong_together_are_told(three: Path) -> None:
    (three / "000002.journal").unlink()
    first, third = check_journal(three)
    assert first.ok
    assert "000003.journal, byte 0: it was begun as file 3 with record 21" in str(third.damage)

    (three / "000001.journal").unlink()
    assert sound(list(check_journal(three))), "older files may be put away"


def test_what_was_cut_at_a_records_end_is_found_by_the_next_file(three: Path) -> None:
    path = three / "000002.journal"
    path.write_bytes(path.read_bytes()[: ends(path.read_bytes())[-2]])
    assert [item.ok for item in check_journal(three)] == [True, True, False]


@pytest.mark.parametrize("name", ["nowhere", "a\0b", "empty"])
def test_what_is_no_journal_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(JournalError):
        list(check_journal(f"{tmp_path}/{name}"))


def test_the_folder_above_names_the_accounts(three: Path) -> None:
    with pytest.raises(JournalError, match="give one of the folders in it: alor-D1"):
        list(check_journal(three.parent))


def test_a_damaged_journal_is_salvaged_and_a_run_goes_on_with_it(three: Path, opened: Open, tmp_path: Path) -> None:
    newest = three / "000003.journal"
    size, at = newest.stat().st_size, change(newest, 8)
    with pytest.raises(JournalDamaged, match=f"byte {at}: record 28"):
        opened()

    (three / "lock").unlink()  # As in a copy.
    before = {path.name: path.read_bytes() for path in three.iterdir()}

    done = salvage(three, tmp_path / "whole")

    assert done == [("000001.journal", 10, 0), ("000002.journal", 10, 0), ("000003.journal", 7, size - at)]
    assert {path.name: path.read_bytes() for path in three.iterdir()} == before
    assert sound(list(check_journal(tmp_path / "whole")))
    past = list(opened(tmp_path / "whole").past)
    assert past[:-1] == list(read_journal(newest, damaged=True).records)
    assert past[-1].kind is RecordKind.RECOVERED
    assert past[-1].facts["bytes"] == size - at
    assert f"byte {at}: record 28" in past[-1].facts["why"]


def test_of_every_file_all_that_is_whole_is_taken(three: Path, tmp_path: Path) -> None:
    change(three / "000001.journal", 0)
    change(three / "000002.journal", 1)
    third = three / "000003.journal"
    third.write_bytes(third.read_bytes()[:-3])

    done = salvage(three, tmp_path / "whole")

    assert [(name, records) for name, records, _ in done] == [
        ("000001.journal", 0),
        ("000002.journal", 0),
        ("000003.journal", 9),
    ]
    assert sound(list(check_journal(tmp_path / "whole")))
    kinds = [
        record.kind.value
        for path in sorted((tmp_path / "whole").glob("*.journal"))
        for record in read_journal(path).records
    ]
    assert kinds.count("recovered") == 3


def test_nothing_is_salvaged_where_that_makes_no_sense(three: Path, opened: Open, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "x").touch()
    with pytest.raises(JournalError, match="isn't empty; give a new folder"):
        salvage(three, full)
    with pytest.raises(JournalError, match="is no folder; a journal is salvaged as a whole"):
        salvage(three / "000001.journal", tmp_path / "new")
    with pytest.raises(JournalError, match="can't be written: Input/output error"):
        salvage_journal(three, tmp_path / "new", now=lambda: 7, disk=FaultyDisk("rename", 1, 5))
    writer = opened()
    with pytest.raises(JournalLocked, match=r"is being written .process .*; stop that run first"):
        salvage(three, tmp_path / "new2")
    writer.close()
    newest = three / "000004.journal"
    newest.chmod(0o600)
    newest.write_bytes(newest.read_bytes()[:8] + b"\x07" + newest.read_bytes()[9:])
    with pytest.raises(JournalError, match="has format 7, and this version reads up to 1"):
        salvage(three, tmp_path / "new3")
