"""A user's own factors: what is read, and every fault as a sentence with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from csae_bench.errors import DataError
from csae_bench.factors import open_factors
from csae_bench.factors.files import read_factors

CSV = """text,gender,count,template,split
"The queen, she says, sleeps.",f,10,a,train
The king sleeps.,m,9,a,reserved
The queen wakes.,f,9,b,reserved
The king wakes.,m,10,b,reserved
"""


def _write(folder: Path, content: str, name: str = "f.csv") -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def _jsonl(folder: Path, *rows: Any) -> Path:
    return _write(folder, "\n".join(json.dumps(row) for row in rows), "f.jsonl")


def test_a_csv_file_is_read_with_its_columns_as_factors(tmp_path: Path) -> None:
    dataset = read_factors(_write(tmp_path, CSV))
    assert dataset.names == ("gender", "count")
    assert dataset.value_names == (("f", "m"), ("9", "10"))
    assert dataset.factors.tolist() == [[1, 0], [0, 0], [1, 1]]
    assert dataset.prompts == ("The king sleeps.", "The queen wakes.", "The king wakes.")
    assert dataset.templates == ("a", "b", "b")
    assert (dataset.split, dataset.pooling) == ("test", "mean")


def test_both_splits_of_a_file_number_values_alike(tmp_path: Path) -> None:
    path = _write(tmp_path, CSV)
    train = open_factors(str(path), split="train")
    assert train.prompts == ("The queen, she says, sleeps.",)
    assert train.value_names == read_factors(path).value_names
    assert train.factors.tolist() == [[0, 1]]


def test_a_jsonl_file_may_hold_truth_values_and_whole_numbers(tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "animate": i % 2 == 0, "size": i // 2} for i in range(4)]
    dataset = read_factors(_jsonl(tmp_path, *rows))
    assert dataset.value_names == (("False", "True"), ("0", "1"))
    assert dataset.factors.tolist() == [[1, 0], [0, 0], [1, 1], [0, 1]]


def test_without_columns_for_them_each_text_is_a_template_and_all_rows_are_one_split(
    tmp_path: Path,
) -> None:
    dataset = read_factors(_write(tmp_path, "text,x\na,0\nb,1\n"))
    assert len(set(dataset.templates)) == 2
    assert dataset.split == "all"
    with pytest.raises(DataError, match=r"f\.csv: has no column 'split', so nothing"):
        read_factors(tmp_path / "f.csv", "train")


def test_a_marked_word_is_pooled_at_its_last_character(tmp_path: Path) -> None:
    dataset = read_factors(_write(tmp_path, "text,mark,x\nthe old cat,old,0\na cat,cat,1\n"))
    assert dataset.pooling == "marked"
    assert dataset.marks == (6, 4)
    assert dataset.names == ("x",)


def test_a_byte_order_mark_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("text,x\n\na,0\n\nb,1\n", encoding="utf-8-sig")
    assert read_factors(path).prompts == ("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"f\.csv: is empty; it must have a header with 'text' and factors"),
        ("text,x\n", r"f\.csv: has no rows"),
        ("txt,x\na,0\n", r"line 1: there is no column 'text'; .* Did you mean .*Call the column"),
        ("text\na\nb\n", r"has no factor; its columns are text"),
        ("text,x,\na,0,1\n", r"line 1: column 3 has no name"),
        ("text,x,x\na,0,1\n", r"line 1: column 'x' occurs twice"),
        ("text,x\na,0\nb,c,1\n", r"f\.csv, line 3: has 3 cells for 2 columns; .*double quotes"),
        ("text,x\na,0\nb,\n", r"f\.csv, line 3: x is empty; give it a value"),
        ("text,x\na,0\n  ,1\n", r"f\.csv, line 3: text is empty"),
        ("text,x\na,0\nb,0\n", r"'x' is '0' in all 2 rows; a factor has at least two values"),
        ("text,x\na,0\nb,1\nc,2\nd,3\n", r"'x' has 4 values in 4 rows; a factor's values recur"),
        ("text,x,split\na,0,dev\n", r"line 2: split is 'dev'; it must be train or test"),
        ("text,x,split\na,0,train\nb,1,train\n", r"no row's split is 'test'"),
        ("text,x,mark\na cat,0,dog\n", r"line 2: mark is 'dog', which occurs 0 times"),
        ("text,x,mark\ncat or cat,0,cat\nb,1,b\n", r"line 2: mark is 'cat', which occurs 2 times"),
        ('text,x\n"a,0\n', r"f\.csv: is not CSV"),
    ],
)
def test_a_fault_of_a_csv_file_is_a_sentence(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_factors(_write(tmp_path, content))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a", "x": 0}, {"text": "b"}], r"line 2: has other columns .* \('x'\)"),
        ([{"x": 0}], r"line 1: there is no column 'text'.*Call the column of prompts 'text'"),
        ([[1]], r"line 1: is list"),
        ([{"text": 3, "x": 0}], r"line 1: text is 3; it must be a string"),
        ([{"text": "a", "x": None}], r"line 1: x is empty"),
        ([{"text": "a", "x": 0.5}], r"line 1: x is 0.5; it must be a string, a whole number"),
    ],
)
def test_a_fault_of_a_jsonl_file_is_a_sentence(
    tmp_path: Path, rows: list[Any], message: str
) -> None:
    with pytest.raises(DataError, match=rf"f\.jsonl, {message}"):
        read_factors(_jsonl(tmp_path, *rows))


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_bytes(b"text,x\n\xff,0\n")
    with pytest.raises(DataError, match=r"f\.csv: cannot be read as UTF-8 text"):
        read_factors(tmp_path / "f.csv")


def test_a_line_that_is_no_json_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"f\.jsonl, line 1: is not JSON"):
        read_factors(_write(tmp_path, "{", "f.jsonl"))
