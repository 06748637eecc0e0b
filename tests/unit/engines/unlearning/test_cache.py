"""What is finished is kept by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from csae_bench.engines.unlearning.cache import Cache
from csae_bench.errors import ResultError


class Maker:
    """Counts how often it makes its value."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.n_made = 0

    def __call__(self) -> dict[str, Any]:
        self.n_made += 1
        return self.value


def test_a_value_is_made_once_for_a_key(tmp_path: Path) -> None:
    make = Maker({"ids": [1, 2]})
    for _ in range(2):
        assert Cache(tmp_path).get_or_make("part", {"seed": 0}, make) == {"ids": [1, 2]}
    assert make.n_made == 1


@pytest.mark.parametrize(("what", "key"), [("part", {"seed": 1}), ("other", {"seed": 0})])
def test_another_key_or_part_is_another_value(
    what: str, key: dict[str, Any], tmp_path: Path
) -> None:
    cache, make = Cache(tmp_path), Maker({"of": "another"})
    cache.get_or_make("part", {"seed": 0}, Maker({"of": "one"}))
    assert cache.get_or_make(what, key, make) == {"of": "another"}


def test_without_a_folder_nothing_is_kept() -> None:
    make = Maker({})
    for _ in range(2):
        Cache(None).part("sae", {}).get_or_make("part", {}, make)
    Cache(None).remove()
    assert make.n_made == 2


def test_what_fails_in_the_making_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path / "new").get_or_make("part", {}, fail)
    assert list(tmp_path.rglob("*.json")) == []


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    cache, make = Cache(tmp_path), Maker({"whole": True})
    cache.get_or_make("part", {}, make)
    (path,) = tmp_path.iterdir()
    path.write_text("{")
    assert cache.get_or_make("part", {}, make) == {"whole": True}
    assert cache.get_or_make("part", {}, make) == {"whole": True}
    assert make.n_made == 2


def test_a_folder_that_a_second_run_removes_meanwhile_costs_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "sae")

    def removed_before_it_is_there(source: Any, target: Any) -> None:
        cache.remove()
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("os.replace", removed_before_it_is_there)
    assert cache.get_or_make("setting", {}, lambda: {"n": 1}) == {"n": 1}


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sae").write_text("a file where a folder should be")
    with pytest.raises(ResultError, match="cannot be written"):
        Cache(tmp_path / "sae").part("model", {}).get_or_make("setting", {}, dict)


def test_removing_a_part_leaves_the_others(tmp_path: Path) -> None:
    root = Cache(tmp_path)
    parts = [root.part("sae", {"weights": weights}) for weights in "ab"]
    for part in parts:
        part.get_or_make("setting", {}, dict)
    parts[0].remove()
    make = Maker({})
    parts[1].get_or_make("setting", {}, make)
    assert make.n_made == 0
    assert len(list(tmp_path.iterdir())) == 1
