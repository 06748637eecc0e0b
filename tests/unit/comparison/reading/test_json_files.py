"""csae_bench/comparison/reading/json_files.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csae_bench.comparison.reading.json_files import DETAILS, load_object
from csae_bench.errors import ResultError
from tests.unit.comparison.result_files import OUR_CORE, OUR_MIG, loaded, write

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from([DETAILS, f'"{DETAILS}"', "eval_type_id"]) | st.text()


@pytest.mark.parametrize("path", [OUR_CORE, OUR_MIG], ids=["flat details", "nested details"])
def test_all_but_the_details_is_as_json_loads_has_it(path: Path) -> None:
    assert load_object(path) == {**loaded(path), DETAILS: []}


def test_details_are_there_where_they_are_wanted() -> None:
    assert load_object(OUR_CORE, with_details=True) == loaded(OUR_CORE)


@settings(deadline=None)  # it writes files
@given(st.dictionaries(KEYS, JSON, max_size=4), JSON, st.sampled_from([None, 2]))
def test_any_object_is_read_without_its_details_and_else_unchanged(
    tmp_path_factory: pytest.TempPathFactory,
    value: dict[str, Any],
    details: object,
    indent: int | None,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps({**value, DETAILS: details}, indent=indent), encoding="utf-8")
    assert load_object(path) == {**value, DETAILS: []}


@pytest.mark.parametrize(
    "value",
    [
        {"inner": {DETAILS: [1, 2]}},
        {"text": f'"{DETAILS}": [1]'},
        {"inner": {DETAILS: [1]}, DETAILS: [{"name": "a ] in a text"}]},
        {DETAILS: [{"name": 'a " in a text'}], "after": [1]},
        {DETAILS: [{"name": "a [ in a text"}], "after": "]"},
        {DETAILS: {"not": ["an", "array"]}, "after": 1},
    ],
)
def test_what_only_looks_like_the_details_is_kept(tmp_path: Path, value: dict[str, Any]) -> None:
    read = load_object(write(tmp_path / "x.json", value))
    assert read == {**value, DETAILS: []}


def test_flat_details_are_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(f'{{"a": 1, "{DETAILS}": [{{"index": not JSON}}], "b": 2}}')
    assert load_object(path) == {"a": 1, DETAILS: [], "b": 2}


def test_bare_nan_and_infinity_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"a": Infinity, "b": -Infinity, "c": NaN}')
    read = load_object(path)
    assert (read["a"], read["b"]) == (float("inf"), float("-inf"))
    assert read["c"] != read["c"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("[1, 2]", "holds a JSON array"),
        ("null", "holds a JSON null"),
        ('"text"', "holds a JSON string"),
        ("true", "holds a JSON boolean"),
        ("1.5", "holds a JSON number"),
        ('{"a": 1', "is not JSON"),
        (f'{{"{DETAILS}": [{{"index": 1}}, {{"ind', "is not JSON"),
        ("\xff\xfe", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON"),
    ],
)
def test_what_is_no_object_is_an_error_that_names_the_file(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(ResultError, match=why) as caught:
        load_object(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_file_that_is_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"gone\.json: cannot be read"):
        load_object(tmp_path / "gone.json")
