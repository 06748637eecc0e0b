"""Rows of .jsonl and .parquet files, each with its place; a fault names file and line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from csae_bench.errors import DataError, did_you_mean, reason_of
from csae_bench.support.regular_files import check_regular

SUFFIXES = (".jsonl", ".parquet")


def is_folder(dataset: str) -> bool:
    """Test whether this is a folder, or written as one: it is absolute or starts with . or ~."""
    return dataset.startswith((".", "~", "/")) or Path(dataset).exists()


def data_files(folder: str | Path) -> list[Path]:
    """List the folder's .jsonl and .parquet files in the order of their names."""
    return sorted(
        path for path in Path(folder).expanduser().glob("*") if path.suffix.lower() in SUFFIXES
    )


def rows(
    path: Path, columns: Sequence[str], *, optional: Sequence[str] = (), remedy: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place (file and line) and contents of every row; each has all of `columns`.

    Blank lines are passed over. Columns in `optional` are read where they are; `remedy` is what to
    do about a missing column.

    Raises:
        DataError: the file cannot be read, or a row is malformed or lacks a column.
    """
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path, columns, optional, remedy)
    else:
        yield from _jsonl_rows(path, columns, remedy)  # a row's object has all its columns


def no_column(name: str, columns: Iterable[str], remedy: str = "") -> str:
    """Say that a column is missing, which columns there are, and what to do about it."""
    columns = list(columns)
    return (
        f"there is no column '{name}'; its columns are {', '.join(columns) or 'none'}."
        f"{did_you_mean(name, columns)}{remedy and ' '}{remedy}"
    )


def file_stamps(paths: Iterable[Path]) -> list[str]:
    """Return name, size and time of change of each file."""
    stats = [(path.name, path.stat()) for path in paths]
    return [f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats]


def sha256(content: bytes) -> str:
    """Hash with SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def files_sha256(paths: Iterable[Path]) -> str:
    """Hash the contents of files, in the order given."""
    return sha256("".join(sha256(path.read_bytes()) for path in paths).encode())


def _jsonl_rows(
    path: Path, columns: Sequence[str], remedy: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        check_regular(path)
        with path.open(encoding="utf-8-sig") as lines:  # a byte order mark is passed over
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    place = f"{path}, line {number}"
                    yield place, _parsed(place, line, columns, remedy)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {reason_of(error)}.") from error


def _parquet_rows(
    path: Path, columns: Sequence[str], optional: Sequence[str], remedy: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow.parquet
    from pyarrow import ArrowException

    number = 0
    try:
        check_regular(path)
        with pyarrow.parquet.ParquetFile(path) as table:
            names = table.schema_arrow.names
            for column in columns:
                if column not in names:
                    raise DataError(f"{path}: {no_column(column, names, remedy)}")
            present = [*columns, *(column for column in optional if column in names)]
            for batch in table.iter_batches(batch_size=1024, columns=present):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except (OSError, ArrowException) as error:
        raise DataError(f"{path}: cannot be read as parquet: {reason_of(error)}.") from error


def _parsed(place: str, line: str, columns: Sequence[str], remedy: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: is not JSON: {reason_of(error)}.") from error
    if not isinstance(row, dict):
        form = ", ".join(f'"{column}": "..."' for column in columns)
        raise DataError(f"{place}: is {type(row).__name__}; it must be {{{form}}}.")
    for column in columns:
        if column not in row:
            raise DataError(f"{place}: {no_column(column, row, remedy)}")
    return row
