"""The list of planted defects can't rot: each line that it changes is there, each test, and each name on the page."""

from __future__ import annotations

from pathlib import Path

import attrs

from benchmarks.defects import PAGE, ROOT, Defect, find_faults, make_page, names_on_page, read_list

FILE = "strategykit/secret.py"
SOME = Defect(
    name="some",
    file=FILE,
    old="    __str__ = __repr__\n",
    new="",
    stands_for="a secret is shown",
    tests=("tests/test_secret.py::test_only_reveal_shows_a_secret",),
)


def test_what_is_changed_is_there_once_and_the_tests_are_there() -> None:
    assert find_faults(read_list()) == []


def test_there_are_enough_of_them_and_all_are_on_the_page() -> None:
    names = [item.name for item in read_list()]

    assert len(names) >= 44
    assert names_on_page((ROOT / PAGE).read_text(encoding="utf-8")) == names


def test_a_page_names_each_with_the_test_that_caught_it() -> None:
    page = make_page([SOME], {"some": "tests/a/test_b.py::test_c"})

    assert names_on_page(page) == ["some"]
    assert "| `some` | a secret is shown | `secret.py` | `a/test_b.py test_c` |" in page


def test_what_is_wrong_with_a_list_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("a = 1\nb = 1\n")
    (tmp_path / "test_one.py").write_text("async def test_it(): ...\n")
    good = Defect(name="x", file="one.py", old="a = 1", new="a = 2", stands_for="", tests=("test_one.py::test_it",))

    def told(**changes: object) -> list[str]:
        return find_faults([attrs.evolve(good, **changes)], tmp_path)  # type: ignore[arg-type]  # by name

    assert told() == []
    assert told(old=" = 1") == ["x: its old text is 2 times in one.py, not once"]
    assert told(file="two.py") == ["x: its old text is 0 times in two.py, not once"]
    assert told(new="a = 1") == ["x: changes nothing"]
    assert told(new="a = ")[0].startswith("x: makes no Python")
    assert told(tests=()) == ["x: names no test"]
    assert told(tests=("test_one.py::test_that", "test_two.py::test_it")) == [
        "x: there is no test_one.py::test_that",
        "x: there is no test_two.py::test_it",
    ]
    assert find_faults([good, good], tmp_path) == ["x: stands twice"]
