"""Tapes of runs that were killed: cut anywhere, what is on them comes again, and nothing counts as different."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import zstandard

from strategykit.config import StrategySpec
from strategykit.runtime.run import rerun_tape
from strategykit.tape.format import Kind
from strategykit.testing.world import World, run_world

HEAD = struct.Struct("<IIBQqH")
"""Of a record: its body's size comes first, its kind third."""
BEGIN = 12
"""Bytes before the first record."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The one segment of a run's tape, as it was before it was compressed."""
    folder = tmp_path_factory.mktemp("tapes")
    maker = StrategySpec(name="maker", file="sample:maker", params={"instrument": "GAZP", "refresh": 0.2})
    outing = run_world(World(strategies=[maker], seconds=0.8, instruments=["GAZP"], seed=4), tape=folder / "run")
    assert outing.report is not None
    (packed,) = folder.rglob("*.zst")
    return zstandard.ZstdDecompressor().stream_reader(packed.read_bytes()).read()


def ends(data: bytes) -> list[int]:
    """Where the commands of a segment begin, and where they end."""
    found, at = [], BEGIN
    while at + HEAD.size <= len(data):
        size, _, kind, *_ = HEAD.unpack_from(data, at)
        end = at + HEAD.size + size
        if kind == Kind.COMMAND:
            found += [at, end]
        at = end
    return sorted(set(found))


def test_a_tape_that_ends_among_commands_differs_in_nothing(whole: bytes, tmp_path: Path) -> None:
    cuts = ends(whole)
    assert len(cuts) > 9
    for cut in cuts[1:9]:
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "000001.tape.part").write_bytes(whole[:cut])
        again = rerun_tape(folder)
        assert again.cut
        assert again.ok, (cut, again.differences)
        assert again.equal == again.recorded > 0
