"""Grids of `--sweep`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from csae_bench.config.yaml_files import parse_value, read_yaml
from csae_bench.errors import ConfigError
from csae_bench.runs.sweep import MAX_COMBINATIONS, read_sweep


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return path


def test_every_combination_is_there_and_the_last_key_varies_fastest(tmp_path: Path) -> None:
    text = "sae.k: [9, 18]\nsae:\n  losses: {rows: {weight: [0, 0.2]}}\nseed: [0, 1]\n"
    combinations = read_sweep(_file(tmp_path, text))
    assert len(combinations) == 8
    assert combinations[:3] == [
        ("sae.k=9", "sae.losses.rows.weight=0", "seed=0"),
        ("sae.k=9", "sae.losses.rows.weight=0", "seed=1"),
        ("sae.k=9", "sae.losses.rows.weight=0.2", "seed=0"),
    ]


VALUES = st.recursive(
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
    | st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(value=VALUES)
def test_set_reads_the_value_that_the_file_has(
    value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _assert_set_reads(value, tmp_path_factory.getbasetemp() / "one.yaml")


@pytest.mark.parametrize("space", ["\xa0", "\u3000", "\x85", "\u2028", " \n"])
def test_spaces_of_unicode_are_kept(space: str, tmp_path: Path) -> None:
    _assert_set_reads(f"{space}a{space}", tmp_path / "one.yaml")
    _assert_set_reads(space, tmp_path / "one.yaml")


def _assert_set_reads(value: Any, path: Path) -> None:
    path.write_text(yaml.safe_dump({"key": [value]}, allow_unicode=True), encoding="utf-8")
    in_file = read_yaml(path)["key"][0]  # not PyYAML's: 0E0 is a number to us
    ((text,),) = read_sweep(path)
    again = parse_value(text.removeprefix("key="))
    assert again == in_file or math.isclose(again, in_file)
    assert type(again) is type(in_file)


@pytest.mark.parametrize(
    ("text", "given_keys", "problem"),
    [
        ("sae.k: 9", (), "sae.k is 9; write its values as a list, as [9]"),
        ("sae: {k: []}", (), "sae.k has no values"),
        ("sae.k: [9, 18, 9]", (), "sae.k has the value 9 twice"),
        ("sae.k: [9]\nsae: {k: [18]}", (), "sae.k is given twice"),
        ("sae.k: [9]", ("sae.k",), "sae.k is in the sweep, and the command line sets sae.k"),
        ("sae.k: [9]", ("sae",), "the command line sets sae;"),
        ("sae: [{k: 9}]", ("sae.k",), "the command line sets sae.k;"),
        ("", (), "is empty"),
        ("[1, 2]", (), "holds a list; it must be a mapping"),
        ("a: [1", (), "sweep.yaml:"),
        ("a: [" + "1, " * 0 + ", ".join(map(str, range(101))) + "]\nb: [" + ", ".join(
            map(str, range(100))) + "]", (), f"at most {MAX_COMBINATIONS:,} are run"),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_told_with_the_file_and_the_key(
    text: str, given_keys: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        read_sweep(path, given=given_keys)
    assert problem in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_a_key_whose_name_begins_like_a_set_one_is_another(tmp_path: Path) -> None:
    assert read_sweep(_file(tmp_path, "sae.k: [9]"), given=("sae.kk", "sa")) == [("sae.k=9",)]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml: cannot be read: no such file"):
        read_sweep(tmp_path / "nothing.yaml")
