"""Whole programs under random faults, a few of them; `make chaos` tries as many as one likes."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from strategykit.config import StrategySpec
from tests.chaos.record import play
from tests.chaos.trial import judge
from tests.chaos.worlds import SYMBOLS, draw_world, read_world, write_world

REGRESSIONS = sorted(Path(__file__).with_name("regressions").glob("*.json"))

SCHEDULES = [
    *(("alor", seed) for seed in range(101, 107)),
    *(("t4", seed) for seed in range(101, 107)),
    *(("coinapi", seed) for seed in (101, 102)),
    *(("backpack", seed) for seed in (101, 102)),
    *(("binance", seed) for seed in (101, 102)),
    *(("seed", seed) for seed in (101, 102)),
]


@pytest.mark.parametrize(("venue", "seed"), SCHEDULES)
def test_whatever_goes_wrong_the_books_end_as_the_venue_has_them(venue: str, seed: int) -> None:
    lines, struck = judge(draw_world(venue, seed, faults=20, seconds=16.0))

    assert lines == []
    assert struck >= 15


@pytest.mark.slow
@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_once_went_wrong_goes_well(path: Path) -> None:
    lines, _ = judge(read_world(json.loads(path.read_text(encoding="utf-8"))["world"]))

    assert lines == []


def test_a_seed_gives_the_same_again() -> None:
    world = draw_world("alor", 103, faults=20, seconds=10.0)

    first, again = (play(world, symbols=SYMBOLS["alor"]) for _ in range(2))

    assert first["ours"]["orders"]
    assert first["ours"]["digest"] == again["ours"]["digest"]
    assert first == again


def test_a_seed_gives_the_same_again_with_files_threads_and_a_second_run(tmp_path: Path) -> None:
    world = attrs.evolve(draw_world("alor", 103, faults=20, seconds=12.0), cut_off_at=5.0)

    folders = [tmp_path / "first", tmp_path / "again"]
    records = [play(world, symbols=SYMBOLS["alor"], folder=folder) for folder in folders]

    assert len(records[0]["tapes"]) == 2
    first, again = (json.dumps(one).replace(str(folder), "") for one, folder in zip(records, folders, strict=True))
    assert first == again


def test_a_world_that_was_kept_is_the_same_world() -> None:
    world = draw_world("t4", 1)

    assert read_world(json.loads(json.dumps(write_world(world)))) == world


def test_some_worlds_have_two_strategies_in_one_instrument_and_some_a_kill_switch_that_is_pulled() -> None:
    worlds = [draw_world("alor", seed, faults=1, seconds=5.0) for seed in range(200)]
    specs = [[spec for spec in world.strategies if isinstance(spec, StrategySpec)] for world in worlds]
    together = [one for one in specs if one[0].params["instrument"] == one[1].params["instrument"]]
    killed = [world for world, names in zip(worlds, specs, strict=True) if names[-1].name == "killer"]

    assert 40 < len(together) < 100
    assert {world.on_kill for world in killed} == {"cancel", "flatten"}
    assert all(world.cut_off_at is None for world in killed)
