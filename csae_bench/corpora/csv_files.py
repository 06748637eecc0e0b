"""Rows of .csv files with a header, each with its place; a fault names file and line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from csae_bench.errors import DataError, reason_of
from csae_bench.support.regular_files import check_regular


def csv_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield place (file and line) and cells of the header, and then of every row.

    Each row has as many cells as the header; blank lines are passed over. Names of columns are
    stripped of spaces.

    Raises:
        DataError: the file cannot be read, or is malformed.
    """
    try:
        check_regular(path)
        # utf-8-sig: spreadsheets put a byte-order mark before the first column's name
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            filled = (cells for cells in reader if cells)
            header = [name.strip() for name in next(filled, [])]
            if header:
                yield f"{path}, line {reader.line_num}", header
            for cells in filled:
                place = f"{path}, line {reader.line_num}"
                if len(cells) != len(header):
                    raise DataError(
                        f"{place}: has {len(cells)} cells for {len(header)} columns; a cell that "
                        "holds a comma must stand in double quotes."
                    )
                yield place, cells
    except csv.Error as error:
        raise DataError(f"{path}: is not CSV: {reason_of(error)}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {reason_of(error)}.") from error


def check_names(place: str, header: Sequence[str]) -> None:
    """Check that each column has a name of its own.

    Raises:
        DataError: a column has none, or two have the same.
    """
    for number, name in enumerate(header, start=1):
        if not name:
            raise DataError(f"{place}: column {number} has no name.")
    twice = {name for name in header if header.count(name) > 1}
    if twice:
        raise DataError(f"{place}: column '{min(twice)}' occurs twice; rename one.")
