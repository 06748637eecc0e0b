"""Texts in groups: the rows of files, and of datasets on the hub, that have a group and a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from csae_bench.corpora.files import SUFFIXES, data_files, file_stamps, is_folder, rows, sha256
from csae_bench.corpora.hub import hub_stream
from csae_bench.corpora.text import corpus_fingerprint
from csae_bench.errors import DataError, did_you_mean


class GroupedText(NamedTuple):
    """One row: a text and what else it has."""

    place: str
    """File and line, or the hub dataset and the row's number."""
    text: str
    cells: dict[str, Any]
    """The row itself; an optional column may be missing."""


@dataclass(frozen=True, kw_only=True)
class GroupedDataset:
    """A dataset as settings describe it."""

    key: str
    """Key of the settings, for messages: `pairs.paraphrase`."""
    dataset: str
    """A .jsonl or .parquet file, a folder of such files, or a name on the hub."""
    group_column: str
    text_column: str
    optional_columns: tuple[str, ...] = ()
    """Columns that are read where they are."""
    suffixes: str = " or ".join(SUFFIXES)
    """Files that the settings may name, for messages."""

    @property
    def what(self) -> str:
        """Subject of a sentence about the dataset."""
        return f"{self.key}.dataset '{self.dataset}'"

    def groups(self, names: Iterable[str]) -> dict[str | int, list[GroupedText]]:
        """Read the dataset to its end; groups are in the order in which they first occur.

        Of a hub dataset the split `train` is read.

        Args:
            names: what the dataset's name may have been meant to be.

        Raises:
            DataError: the dataset is missing, empty or malformed.
        """
        groups: dict[str | int, list[GroupedText]] = {}
        numbered = self._local_rows() if is_local(self.dataset) else self._hub_rows(names)
        for place, row in numbered:
            text = _text(place, row, self.text_column)
            group = _group(place, row, self.group_column)
            groups.setdefault(group, []).append(GroupedText(place, text, row))
        if not groups:
            raise DataError(f"{self.what}: is empty; add rows to it.")
        return groups

    def _local_rows(self) -> Iterator[tuple[str, dict[str, Any]]]:
        path = Path(self.dataset).expanduser()
        if not path.exists():
            raise DataError(f"{self.what}: there is no such file or folder.")
        if path.is_file() and path.suffix.lower() not in SUFFIXES:
            suffix = path.suffix or "plain"
            raise DataError(f"{self.what}: is a {suffix} file; it must be {self.suffixes}.")
        files = local_files(self.dataset)
        if not files:
            raise DataError(f"{self.what}: holds no {' or '.join(SUFFIXES)} file.")
        form = f'rows {{"{self.group_column}": ..., "{self.text_column}": "..."}}'
        for file in files:
            n_rows = 0
            for place, row in rows(
                file, self._columns, optional=self.optional_columns, remedy=self._remedy
            ):
                n_rows += 1
                yield place, row
            if not n_rows:
                raise DataError(f"{file}: is empty; remove it, or fill it with {form}.")

    def _hub_rows(self, names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        stream: Iterable[dict[str, Any]] = hub_stream(
            self.dataset,
            self._columns,
            optional=self.optional_columns,
            remedy=self._remedy,
            names=names,
        )
        for number, row in enumerate(stream, start=1):
            yield f"dataset '{self.dataset}', row {number}", row

    @property
    def _columns(self) -> list[str]:
        return [self.group_column, self.text_column]

    @property
    def _remedy(self) -> str:
        return f"Name the columns in {self.key}.group_column and {self.key}.text_column."


def is_local(dataset: str) -> bool:
    """Test whether this is a file or a folder, or written as one."""
    return is_folder(dataset) or Path(dataset).suffix.lower() in SUFFIXES


def local_files(dataset: str) -> list[Path]:
    """List the files of a file or folder; none where it is missing."""
    path = Path(dataset).expanduser()
    return [path] if path.is_file() else data_files(path)


def _group(place: str, row: dict[str, Any], column: str) -> str | int:
    value = row[column]
    if type(value) not in (str, int):
        raise DataError(f"{place}: {column} is {value!r}; it must be a string or a whole number.")
    return value


def _text(place: str, row: dict[str, Any], column: str) -> str:
    value = row[column]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{place}: {column} is {value!r}; it must be a string that is not empty.")
    return value


def said_of_the_hub(key: str, dataset: str, names: Iterable[str]) -> str:
    """Say that a dataset is on the hub, and which of the named sets may have been meant."""
    suggestion = did_you_mean(dataset, names)
    return f"{key}.dataset '{dataset}' is on the hub: not checkable here.{suggestion}"


def dataset_fingerprint(dataset: str, *, is_on_disk: bool) -> str:
    """Return a fingerprint of texts that have no name, as far as possible without reading them.

    As `corpus_fingerprint`.
    """
    if not is_on_disk:
        return corpus_fingerprint(dataset, split="sae")
    return sha256("\n".join(file_stamps(local_files(dataset))).encode())
