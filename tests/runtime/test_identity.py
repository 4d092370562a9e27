"""The identity of a run: each thing that it comes out by changes it, and nothing else does."""

from __future__ import annotations

import shutil
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import attrs
import pytest

from strategykit.errors import StrategyError
from strategykit.model.risk_limits import NO_PLAN
from strategykit.runtime.identity import code_digest, data_digest, parameters_of, program_version, run_identity
from strategykit.runtime.load import load_strategy, make_strategy
from strategykit.sim.fees import FeeModel
from strategykit.sim.models.fill_models import DEFAULT_MODELS

FACTS: dict[str, Any] = {
    "code": ["c"],
    "parameters": [{"fast": "3", "slow": "4"}],
    "data": "d",
    "models": DEFAULT_MODELS,
    "seed": None,
    "cash": Decimal(1000),
    "version": "1.0",
}


@pytest.mark.parametrize(
    "change",
    [
        {"code": ["other"]},
        {"parameters": [{"fast": "3", "slow": "5"}]},
        {"parameters": [{"fast": "3"}]},
        {"code": ["c", "c"], "parameters": [{"fast": "3", "slow": "4"}] * 2},
        {"data": "other"},
        {"models": attrs.evolve(DEFAULT_MODELS, fees=FeeModel(taker_rate=Decimal("0.1")))},
        {"seed": 0},
        {"cash": Decimal(1001)},
        {"limits": NO_PLAN},
        {"window": (1, 2)},
        {"version": "1.1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_run_comes_out_by_changes_its_identity(change: dict[str, Any]) -> None:
    assert run_identity(**FACTS) != run_identity(**{**FACTS, **change})


def test_how_the_same_is_written_changes_nothing() -> None:
    again = {**FACTS, "parameters": [{"slow": "4", "fast": "3"}], "cash": Decimal("1000.00")}

    assert run_identity(**FACTS) == run_identity(**again)


def test_a_parameter_that_is_given_as_it_would_be_anyway_makes_no_other_run() -> None:
    cls = load_strategy("sample:cross")

    said = make_strategy(cls, {"instrument": "X", "fast": "10"})

    assert parameters_of(said) == parameters_of(make_strategy(cls, {"instrument": "X"}))
    assert parameters_of(said)["fast"] == "10"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "parts").mkdir(parents=True)
    (home / "main.py").write_text("import near\nfrom parts import deep\nimport json\n")
    (home / "near.py").write_text("import main\nX = 1\n")
    (home / "parts" / "__init__.py").write_text("")
    (home / "parts" / "deep.py").write_text("from . import sibling\nfrom .. import outside\nfrom ... import beyond\n")
    (home / "parts" / "sibling.py").write_text("this is no Python\n")
    (home / "stranger.py").write_text("Y = 1\n")
    return home


@pytest.mark.parametrize("name", ["main.py", "near.py", "parts/__init__.py", "parts/deep.py", "parts/sibling.py"])
def test_a_change_to_any_module_that_a_strategy_imports_makes_it_another_one(folder: Path, name: str) -> None:
    before = code_digest(str(folder / "main.py"))

    with (folder / name).open("a") as file:
        file.write("# another\n")

    assert code_digest(str(folder / "main.py")) != before


def test_where_a_strategy_is_and_what_it_has_nothing_to_do_with_don_t_count(folder: Path, tmp_path: Path) -> None:
    before = code_digest(str(folder / "main.py"))
    (folder / "stranger.py").write_text("Y = 2\n")

    shutil.copytree(folder, tmp_path / "elsewhere")

    assert code_digest(str(tmp_path / "elsewhere" / "main.py")) == before


@pytest.mark.parametrize("name", ["main.py", "near.py", "parts/__init__.py", "parts/sibling.py", "stranger.py"])
def test_a_change_to_any_source_of_the_program_makes_it_another_version(folder: Path, name: str) -> None:
    before = program_version(folder)

    with (folder / name).open("a") as file:
        file.write("# another\n")

    assert program_version(folder) != before


def test_a_source_that_comes_goes_or_gets_another_name_makes_another_version(folder: Path) -> None:
    seen = [program_version(folder)]
    (folder / "stranger.py").rename(folder / "parts" / "stranger.py")
    seen.append(program_version(folder))
    (folder / "parts" / "stranger.py").unlink()
    seen.append(program_version(folder))
    (folder / "more.py").touch()
    seen.append(program_version(folder))

    assert len(set(seen)) == 4


def test_where_the_program_is_and_what_isn_t_its_source_don_t_count(folder: Path, tmp_path: Path) -> None:
    before = program_version(folder)
    shutil.copytree(folder, tmp_path / "elsewhere")
    installed = tmp_path / "elsewhere"
    (installed / "samples").mkdir()
    (installed / "samples" / "cross.py").write_text("X = 1\n")
    (installed / "__pycache__").mkdir()
    (installed / "__pycache__" / "main.cpython-311.pyc").write_bytes(b"compiled")
    (installed / ".#main.py").symlink_to(tmp_path / "nowhere")

    assert program_version(installed) == before


def test_the_version_that_runs_has_the_number_of_its_release_first() -> None:
    number, digest = program_version().split()

    assert number == version("strategykit")
    assert len(digest) == 64
    assert program_version() == f"{number} {digest}"


def test_there_is_no_identity_of_what_isn_t_there(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match="no such file"):
        code_digest(str(tmp_path / "none.py"))


def test_each_byte_of_a_tape_counts_and_its_place_doesn_t(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00000001.seg").write_bytes(b"frames" if name != "c" else b"framez")
    (tmp_path / "b" / "lock").write_text("somebody")

    digests = [data_digest(tmp_path / name) for name in ("a", "b", "c")]

    assert digests[0] == digests[1] != digests[2]


def test_an_archive_is_known_by_its_manifest_which_knows_its_files(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    before = data_digest(tmp_path)
    (tmp_path / "note.txt").write_text("mine")

    assert data_digest(tmp_path) == before
    (tmp_path / "manifest.json").write_text('{"streams": []}')
    assert data_digest(tmp_path) != before
