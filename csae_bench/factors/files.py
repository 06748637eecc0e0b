"""A user's own factors: a CSV or JSONL file of texts with a column for each factor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csae_bench.corpora import files
from csae_bench.corpora.csv_files import check_names, csv_lines
from csae_bench.errors import DataError
from csae_bench.factors.dataset import FactorDataset, FactorSplit
from csae_bench.support import old_names

SUFFIXES = (".csv", ".jsonl")

TEXT, TEMPLATE, SPLIT, MARK = RESERVED_COLUMNS = ("text", "template", "split", "mark")
"""Columns that are no factors. `text` is the prompt. `template`, where there is one, names its
template; without it each text is a template of its own. `split` is train or reserved. `mark` is a
word of the text that occurs in it once: its last token is read, instead of the mean over all."""

_SPLITS = ("train", "test")
_MISSING = "give it a value, or leave the row out"


class _Row(NamedTuple):
    place: str
    cells: dict[str, str]


def read_factors(path: str | Path, split: FactorSplit = "test") -> FactorDataset:
    """Read the rows in `split` of a .csv file with a header, or of a .jsonl file of objects.

    Every column but `RESERVED_COLUMNS` is a factor; its values are numbered in the order of their
    names, whole numbers by size. In JSON a value is a string, a whole number or a truth value.
    Without a column `split`, `test` is all rows, and there is no `train`.

    Raises:
        DataError: the file is missing, empty or malformed, a cell is empty, or a column is no
            factor; the message names file and line.
    """
    path = Path(path).expanduser()
    _check_file(path)
    every = list(_csv_rows(path) if path.suffix.lower() == ".csv" else _jsonl_rows(path))
    if not every:
        raise DataError(f"{path}: has no rows; add rows with a text and at least one factor.")
    columns = list(every[0].cells)
    names = tuple(name for name in columns if name not in RESERVED_COLUMNS)
    if not names:
        raise DataError(
            f"{path}: has no factor; its columns are {', '.join(columns)}. Add a column for each "
            "factor, with its value in each text."
        )
    marked = MARK in columns
    marks = {row.place: _mark(row) for row in every} if marked else {}
    chosen = _in_split(path, every, split)
    columns_of_values = [[row.cells[name] for row in chosen] for name in names]
    # of all rows: a value has one number in both splits
    value_names = tuple(_values(path, name, [row.cells[name] for row in every]) for name in names)
    return FactorDataset(
        name=str(path),
        prompts=tuple(row.cells[TEXT] for row in chosen),
        factors=np.array(
            [
                [values.index(cell) for cell in cells]
                for values, cells in zip(value_names, columns_of_values, strict=True)
            ],
            dtype=np.int64,
        ).T,
        names=names,
        value_names=value_names,
        templates=tuple(
            row.cells.get(TEMPLATE, f"row {number}") for number, row in enumerate(chosen, start=1)
        ),
        split=split if SPLIT in columns else "all",
        pooling="marked" if marked else "mean",
        marks=tuple(marks[row.place] for row in chosen) if marked else None,
    )


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path}: there is no such file.")
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: is no {' or '.join(SUFFIXES)} file.")


def _csv_rows(path: Path) -> Iterator[_Row]:
    lines = csv_lines(path)
    place, names = next(lines, ("", []))
    header = [old_names.column(name) for name in names]
    if not header:
        raise DataError(f"{path}: is empty; it must have a header with '{TEXT}' and factors.")
    if TEXT not in header:
        remedy = f"Call the column of prompts '{TEXT}'."
        raise DataError(f"{place}: {files.no_column(TEXT, header, remedy)}")
    check_names(place, header)
    for place, cells in lines:
        yield _checked(place, dict(zip(header, cells, strict=True)))


def _jsonl_rows(path: Path) -> Iterator[_Row]:
    columns: list[str] = []
    for place, row in files.rows(path, [TEXT], remedy=f"Call the column of prompts '{TEXT}'."):
        columns = columns or list(row)
        if set(row) != set(columns):
            differing = ", ".join(f"'{name}'" for name in sorted(set(row) ^ set(columns)))
            raise DataError(
                f"{place}: has other columns than the rows before ({differing}); each row must "
                f"have {', '.join(columns)}."
            )
        cells = {old_names.column(name): _cell(place, name, row[name]) for name in columns}
        yield _checked(place, cells)


def _cell(place: str, column: str, value: Any) -> str:
    if column == TEXT and not isinstance(value, str):
        raise DataError(f"{place}: {column} is {value!r}; it must be a string.")
    if value is None:
        return ""
    if isinstance(value, (str, bool, int)):
        return str(value)
    raise DataError(
        f"{place}: {column} is {value!r}; it must be a string, a whole number or a truth value."
    )


def _checked(place: str, cells: dict[str, str]) -> _Row:
    kept = {name: cell if name == TEXT else cell.strip() for name, cell in cells.items()}
    for name, cell in kept.items():
        if not cell.strip():
            raise DataError(f"{place}: {name} is empty; {_MISSING}.")
    if SPLIT in kept:
        kept[SPLIT] = old_names.value_of(SPLIT, kept[SPLIT])
    if kept.get(SPLIT, "train") not in _SPLITS:
        raise DataError(f"{place}: split is '{kept[SPLIT]}'; it must be {' or '.join(_SPLITS)}.")
    return _Row(place, kept)


def _in_split(path: Path, every: list[_Row], split: FactorSplit) -> list[_Row]:
    if SPLIT not in every[0].cells:
        if split == "train":
            raise DataError(
                f"{path}: has no column '{SPLIT}', so nothing of it is for training; add one that "
                f"is {' or '.join(_SPLITS)} in each row."
            )
        return every
    chosen = [row for row in every if row.cells[SPLIT] == split]
    if not chosen:
        raise DataError(f"{path}: no row's split is '{split}'.")
    return chosen


def _values(path: Path, name: str, cells: list[str]) -> tuple[str, ...]:
    values = sorted(set(cells), key=_by_size)
    if len(values) == 1:
        raise DataError(
            f"{path}: '{name}' is '{values[0]}' in all {len(cells)} rows; a factor has at least "
            "two values. Leave the column out, or add rows."
        )
    if 2 * len(values) > len(cells) and len(values) > 2:
        raise DataError(
            f"{path}: '{name}' has {len(values)} values in {len(cells)} rows; a factor's values "
            "recur. Leave the column out, or group its values."
        )
    return tuple(values)


def _by_size(value: str) -> tuple[bool, int, str]:
    is_whole = value.removeprefix("-").isdecimal()
    return (not is_whole, int(value) if is_whole else 0, value)


def _mark(row: _Row) -> int:
    text, word = row.cells[TEXT], row.cells[MARK]
    if text.count(word) != 1:
        raise DataError(
            f"{row.place}: mark is '{word}', which occurs {text.count(word)} times in the text; it "
            "must occur once."
        )
    return text.index(word) + len(word) - 1
