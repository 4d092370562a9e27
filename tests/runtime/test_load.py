"""Strategy files: the one class in each, and the one line that a bad file gets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from strategykit.errors import StrategyError
from strategykit.runtime.load import find_strategy, load_strategy, sample_names

HEAD = "from strategykit import Strategy, define, param\n\n"
GOOD = HEAD + "@define\nclass Good(Strategy):\n    instrument: str\n    fast: int = 3\n"


def written(folder: Path, text: str, name: str = "mine.py") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def failure(file: str) -> str:
    with pytest.raises(StrategyError) as caught:
        load_strategy(file)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_the_class_of_a_file_is_given(tmp_path: Path) -> None:
    cls = load_strategy(written(tmp_path, GOOD))

    assert cls.__name__ == "Good"
    assert cls(instrument="SBER").fast == 3  # type: ignore[call-arg, attr-defined]  # parameters of a class not known here


def test_a_sample_is_found_by_name() -> None:
    assert "cross" in sample_names()
    assert load_strategy("sample:cross").__name__ == "Cross"


@pytest.mark.parametrize("name", sample_names())
def test_every_sample_can_be_loaded(name: str) -> None:
    assert load_strategy(f"sample:{name}").__doc__


def test_an_unknown_sample_is_told_with_those_there_are() -> None:
    assert failure("sample:crossing").startswith("no sample is called 'crossing'; there are")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert failure(str(tmp_path / "none.py")).endswith("no such file; name a Python file with one strategy")
    assert failure(str(tmp_path / "cross.py")).endswith("sample:cross comes with strategykit")


def test_a_directory_is_told(tmp_path: Path) -> None:
    assert "is a directory; name one strategy file" in failure(str(tmp_path))


def test_a_file_that_is_not_python_is_told(tmp_path: Path) -> None:
    assert "isn't a Python file" in failure(written(tmp_path, "x", "notes.txt"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import math\n\nimport nowhere_to_be_found\n", "line 3: doesn't import: ModuleNotFoundError: No module named"),
        ("x = 1\ndef broken(:\n", "line 2: doesn't import: SyntaxError"),
        (
            "def inner():\n    return 1 / 0\n\n\ninner()\n",
            "line 2: doesn't import: ZeroDivisionError: division by zero",
        ),
        ("import sys\nsys.exit('away')\n", "line 2: doesn't import: SystemExit: away"),
        ("raise ValueError\n", "line 1: doesn't import: ValueError"),
        ("raise ValueError('two\\nlines')\n", "line 1: doesn't import: ValueError: two"),
        ("x = '\x00'\n", "doesn't import"),
    ],
)
def test_a_file_that_does_not_import_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = written(tmp_path, text)

    assert f"{file}, line" in failure(file)
    assert words in failure(file)


def test_a_failure_in_a_module_beside_names_the_line_that_imports_it(tmp_path: Path) -> None:
    written(tmp_path, "\n\n\n\n1 / 0\n", "beside_broken.py")

    assert "line 2: doesn't import: ZeroDivisionError" in failure(written(tmp_path, "x = 1\nimport beside_broken\n"))


def test_an_import_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    before, path = set(sys.modules), [*sys.path]
    failure(written(tmp_path, "1 / 0\n"))

    assert not [name for name in set(sys.modules) - before if name.startswith("strategykit_file")]
    assert sys.path == path


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    written(tmp_path, "LEVEL = 4\n", "levels_beside.py")
    file = written(tmp_path, "from levels_beside import LEVEL\n" + GOOD.replace("= 3", "= LEVEL"))

    assert load_strategy(file)(instrument="A").fast == 4  # type: ignore[call-arg, attr-defined]  # as above
    del sys.modules["levels_beside"]


def test_what_lies_beside_cannot_stand_in_for_a_library(tmp_path: Path) -> None:
    written(tmp_path, "1 / 0\n", "decimal.py")
    written(tmp_path, "1 / 0\n", "colorsys.py")

    assert load_strategy(written(tmp_path, "import colorsys, decimal\n" + GOOD)).__name__ == "Good"


def test_no_strategy_is_told(tmp_path: Path) -> None:
    assert "holds no strategy" in failure(written(tmp_path, ""))
    assert "holds no strategy" in failure(written(tmp_path, "from strategykit import Strategy\n"))


def test_two_strategies_are_told(tmp_path: Path) -> None:
    two = GOOD + "\n@define\nclass Other(Strategy):\n    pass\n"

    assert "holds 2 strategies (Good, Other); a file holds one" in failure(written(tmp_path, two))


def test_what_a_strategy_is_built_on_is_no_second_strategy(tmp_path: Path) -> None:
    built = GOOD + "\n@define\nclass Better(Good):\n    pass\n\n\n@define\nclass _Hidden(Strategy):\n    pass\n"

    assert load_strategy(written(tmp_path, built)).__name__ == "Better"


def test_an_imported_strategy_does_not_count(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "base_beside.py")
    file = written(tmp_path, HEAD + "from base_beside import Good\n\n@define\nclass Mine(Good):\n    pass\n")

    assert load_strategy(file).__name__ == "Mine"
    del sys.modules["base_beside"]


def test_a_forgotten_decorator_is_told(tmp_path: Path) -> None:
    assert "Good lacks @define" in failure(written(tmp_path, GOOD.replace("@define", "")))


def test_an_annotation_that_names_nothing_is_told(tmp_path: Path) -> None:
    later = "from __future__ import annotations\n" + GOOD.replace("fast: int", "fast: Missing")

    assert "Good: name 'Missing' is not defined" in failure(written(tmp_path, later))


def test_annotations_may_be_texts(tmp_path: Path) -> None:
    file = written(tmp_path, "from __future__ import annotations\n" + GOOD)

    assert load_strategy(file).__name__ == "Good"


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = load_strategy(written(tmp_path, GOOD)), load_strategy(written(tmp_path / "other", GOOD))

    assert first is not second
    assert first.__module__ != second.__module__


def test_a_file_is_found_without_being_imported(tmp_path: Path) -> None:
    assert find_strategy(written(tmp_path, "1 / 0\n")) == tmp_path / "mine.py"
