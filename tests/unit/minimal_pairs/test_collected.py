"""Minimal pairs of files: groups of texts, of which some name a change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from csae_bench.minimal_pairs import MinimalPair, minimal_pair_status, open_minimal_pairs
from csae_bench.minimal_pairs.collected import CollectedMinimalPairs
from tests.unit.minimal_pairs.opened import assert_problem, minimal_settings
from tests.unit.pairs.sources import write_jsonl


def _row(group: str | int, text: str, *changed: object) -> dict[str, Any]:
    return {"group": group, "text": text, **({"changed": changed[0]} if changed else {})}


ROWS = (
    _row("a", "I see", None),
    _row(1, "He runs"),
    _row("a", "I saw", "tense"),
    _row("a", "I am seeing", ""),
    _row(1, "They run", "number"),
    _row("a", "We see", " number "),
    _row("a", "I perceive", None),
)
PAIRS = (
    (
        MinimalPair("I see", "I saw", "I am seeing", "tense"),
        MinimalPair("I see", "We see", "I am seeing", "number"),
    ),
    (MinimalPair("He runs", "They run", None, "number"),),
)


def _collected(dataset: Path | str, **options: Any) -> CollectedMinimalPairs:
    result = open_minimal_pairs(minimal_settings(dataset, **options), seed=0)
    assert isinstance(result, CollectedMinimalPairs)
    return result


def _written(folder: Path, *rows: object, **options: Any) -> CollectedMinimalPairs:
    return _collected(write_jsonl(folder / "a.jsonl", *rows), **options)


def test_each_text_with_a_change_makes_a_pair_with_the_first_without(tmp_path: Path) -> None:
    collected = _written(tmp_path, *ROWS)
    assert collected.groups == PAIRS
    assert collected.n_groups == 2
    assert [collected.pairs(group) for group in (1, 0)] == [PAIRS[1], PAIRS[0]]
    assert collected.value_names == ()


def test_an_anchor_may_come_after_its_changes(tmp_path: Path) -> None:
    assert _written(tmp_path, _row(1, "new", "f"), _row(1, "old")).groups == (
        (MinimalPair("old", "new", None, "f"),),
    )


def test_a_second_anchor_that_equals_the_first_is_no_paraphrase(tmp_path: Path) -> None:
    rows = (_row(1, "a"), _row(1, "a"), _row(1, "b", "f"))
    assert _written(tmp_path, *rows).groups == ((MinimalPair("a", "b", None, "f"),),)
    collected = _written(tmp_path, *rows, _row(1, "also a"))
    assert collected.groups == ((MinimalPair("a", "b", "also a", "f"),),)


def test_without_named_changes_every_text_differs_from_the_first(tmp_path: Path) -> None:
    rows = [_row(1, text) for text in ("a", "b", "c")]
    pairs = (MinimalPair("a", "b"), MinimalPair("a", "c"))
    assert _written(tmp_path, *rows).groups == (pairs,)
    assert _written(tmp_path, *({**row, "changed": None} for row in rows)).groups == (pairs,)


def test_texts_may_have_no_word_in_common(tmp_path: Path) -> None:
    assert _written(tmp_path, _row(1, "yes"), _row(1, "no", "answer")).n_groups == 1


@pytest.mark.parametrize("with_changes", [True, False])
def test_a_folder_may_hold_parquet_with_and_without_the_optional_column(
    tmp_path: Path, with_changes: bool
) -> None:
    columns = {"group": ["a", "b"], "text": ["one", "two"], "note": [1, 2]}
    if with_changes:
        columns["changed"] = [None, "f"]  # pyright: ignore[reportArgumentType]
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "1.parquet")
    write_jsonl(tmp_path / "2.jsonl", _row("a", "uno", "g"), _row("b", "dos"))
    assert _collected(tmp_path).groups == (
        (MinimalPair("one", "uno", None, "g"),),
        (MinimalPair("dos", "two", None, "f") if with_changes else MinimalPair("two", "dos"),),
    )


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    rows = ({"id": 7, "s": "one"}, {"id": 7, "s": "two", "what": "f"})
    names = {"group_column": "id", "text_column": "s", "changed_column": "what"}
    pairs = ((MinimalPair("one", "two", None, "f"),),)
    assert _written(tmp_path, *rows, **names).groups == pairs


@pytest.mark.parametrize(
    "columns", [{"changed_column": "text"}, {"group_column": "text"}, {"text_column": "changed"}]
)
def test_one_column_cannot_be_two(tmp_path: Path, columns: dict[str, str]) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    message = "pairs.minimal.group_column, text_column and changed_column are '"
    assert_problem(file, message, **columns)


def test_pairs_of_other_factors_are_held_out(tmp_path: Path) -> None:
    assert _written(tmp_path, *ROWS, factors=["tense"]).groups == ((PAIRS[0][0],),)
    assert _written(tmp_path, *ROWS, factors=["tense", "number"]).groups == PAIRS


def test_a_factor_that_no_pair_names_is_an_error(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    message = "'tens', which is no factor of pairs.minimal.dataset"
    assert_problem(file, message, factors=["number", "tens"])
    assert_problem(file, "Did you mean 'tense'? Its factors are number, tense.", factors=["tens"])


def test_factors_cannot_be_told_of_pairs_that_name_none(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS, _row("x", "one"), _row("x", "two"))
    assert_problem(
        file,
        f"{file}, line 9: the group names no factor in column 'changed', so pairs of tense cannot "
        "be told from others. Name it, or leave pairs.minimal.factors out.",
        factors=["tense"],
    )


def test_what_makes_no_pair_is_left_out_and_counted(tmp_path: Path) -> None:
    left_out = (
        _row("alone", "solo"),
        _row("alone too", "solo", "tense"),
        _row("no anchor", "x", "tense"),
        _row("no anchor", "y", "tense"),
        _row("equal", "same"),
        _row("equal", "same", "tense"),
        _row("a", "I see", "gender"),
    )
    collected = _written(tmp_path, *ROWS, *left_out)
    assert collected.groups == PAIRS
    assert (collected.n_alone, collected.n_without_anchor, collected.n_unchanged) == (2, 1, 2)


def test_status_counts_pairs_by_factor_and_what_is_left_out(tmp_path: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", *ROWS)
    counts = "2 groups of 3 pairs, which differ in tense (1), number (2)"
    assert minimal_pair_status(minimal_settings(file)) == ("ok", f"{file}: {counts}")
    more = (_row("alone", "x"), _row("q", "x"), _row("q", "x"), _row("r", "x"), _row("r", "y"))
    write_jsonl(file, *ROWS, *more)
    assert minimal_pair_status(minimal_settings(file)) == (
        "ok",
        f"{file}: 3 groups of 4 pairs, which differ in tense (1), number (2), a factor that is "
        "not named (1); left out: 1 groups of one text, 1 texts that equal their anchor",
    )


def test_a_dataset_without_a_pair_is_an_error_that_says_what_is_left_out(tmp_path: Path) -> None:
    alone = [_row(i, f"text {i}") for i in range(3)]
    equal = [_row("q", "same"), _row("q", "same", "f")]
    without_anchor = [_row("r", "x", "f"), _row("r", "y", "f")]
    assert_problem(
        write_jsonl(tmp_path / "a.jsonl", *alone, *equal, *without_anchor),
        "has no minimal pair; left out are 3 groups of one text, 1 groups without an anchor, 1 "
        "texts that equal their anchor. A group needs an anchor, whose changed is empty, and a "
        "text that differs from it; see whether pairs.minimal.group_column, 'group', is what they "
        "have in common.",
    )
    for rows, what in (
        (alone, "are 3 groups of one text."),
        (equal, "are 1 texts that equal their anchor."),
        (without_anchor, "are 1 groups without an anchor."),
    ):
        assert_problem(write_jsonl(tmp_path / "a.jsonl", *rows), what)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (_row(1, "x", 3), "changed is 3; it must be the name of the factor that differs, or empty"),
        (_row(1, "x", ["f"]), "changed is ['f']; it must be the name of the factor that differs"),
        (_row(1, "x", False), "changed is False; it must be the name of the factor that differs"),
        ({"group": 1, "text": 3}, "text is 3; it must be a string that is not empty."),
        (_row(1, " "), "text is ' '; it must be a string that is not empty."),
        ({"group": None, "text": "x"}, "group is None; it must be a string or a whole number."),
        (
            {"group": 1, "texts": "x"},
            "there is no column 'text'; its columns are group, texts. Did you mean 'texts'? Name "
            "the columns in pairs.minimal.group_column and pairs.minimal.text_column.",
        ),
    ],
)
def test_a_malformed_row_is_an_error_with_file_and_line(
    tmp_path: Path, row: object, message: str
) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", ROWS[0], row)
    assert_problem(file, f"{file}, line 2: {message}")


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    assert_problem(tmp_path / "a.jsonl", "a.jsonl: is empty; remove it, or fill it with rows {")


def test_a_missing_file_or_one_of_another_format_is_an_error(tmp_path: Path) -> None:
    assert_problem(tmp_path / "no.jsonl", "no.jsonl': there is no such file or folder.")
    (tmp_path / "a.txt").write_text("x")
    message = "is a .txt file; it must be .jsonl or .parquet, or a .csv table."
    assert_problem(tmp_path / "a.txt", message)
    assert_problem(tmp_path, "holds no .jsonl or .parquet file.")
