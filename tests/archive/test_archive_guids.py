"""Events are led to strategies by guid, so each stream of an archive has one of its own."""

from __future__ import annotations

from pathlib import Path

from strategykit.archive.manifest import Source
from strategykit.archive.reader import Archive
from strategykit.archive.writer import open_archive_writer
from strategykit.model.events import Trade
from strategykit.venues.streams import Stream, StreamKind


def test_streams_that_came_by_no_subscription_have_guids_that_differ(tmp_path: Path) -> None:
    streams = [Stream(kind=StreamKind.TRADES, instrument=symbol) for symbol in ("SBER", "GAZP", "LKOH")]
    with open_archive_writer(tmp_path / "a", source=Source(format="test", names=["a"]), venue="alor") as writer:
        writer.declare(streams[2], guid="told")
        for stream in streams:
            writer.add(stream, Trade(str(stream.instrument), 1.0, 1.0, None, None, 5, 5, ""))

    archive = Archive.open(tmp_path / "a")

    assert [archive.guid(stream) for stream in streams] == ["trades-SBER", "trades-GAZP", "told"]
    assert {event.guid for event in archive.events([streams[0]])} == {"trades-SBER"}
