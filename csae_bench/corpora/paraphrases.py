"""Groups of texts that say the same, from files and from datasets on the hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from csae_bench.config import ParaphraseSettings
from csae_bench.corpora.files import SUFFIXES, data_files, is_folder, rows
from csae_bench.corpora.hub import hub_stream
from csae_bench.errors import DataError

KEY = "pairs.paraphrase"
_REMEDY = f"Name the columns in {KEY}.group_column and {KEY}.text_column."


@runtime_checkable
class Paraphrases(Protocol):
    """Numbered groups of texts, each of at least two."""

    @property
    def n_groups(self) -> int | None:
        """Groups in one pass; none: there is no end."""
        ...

    def texts(self, group: int) -> tuple[str, ...]:
        """Return the texts of group number `group`, 0 to n_groups - 1."""
        ...


@dataclass(frozen=True)
class CollectedParaphrases:
    """Those of a dataset, all in memory."""

    groups: tuple[tuple[str, ...], ...]
    """Groups of two or more texts, in the order in which they first occur."""
    n_alone: int
    """Groups of one text, which are left out."""

    @property
    def n_groups(self) -> int:
        """Groups in one pass."""
        return len(self.groups)

    @property
    def n_texts(self) -> int:
        """Texts in one pass."""
        return sum(len(texts) for texts in self.groups)

    def texts(self, group: int) -> tuple[str, ...]:
        """Return the texts of a group, in the order of the dataset."""
        return self.groups[group]


def read_paraphrases(settings: ParaphraseSettings, names: Iterable[str]) -> CollectedParaphrases:
    """Read the groups of a file, a folder or a hub dataset, whose split is `train`.

    A group's texts may be anywhere in the dataset: it is read to its end, all at once. Groups of
    one text are left out.

    Args:
        names: what the dataset's name may have been meant to be.

    Raises:
        DataError: the dataset is missing, empty or malformed, or no group has two texts.
    """
    groups: dict[str | int, list[str]] = {}
    rows = _local_rows(settings) if is_local(settings.dataset) else _hub_rows(settings, names)
    for place, row in rows:
        text = _text(place, row, settings.text_column)
        groups.setdefault(_group(place, row, settings.group_column), []).append(text)
    whole = tuple(tuple(texts) for texts in groups.values() if len(texts) > 1)
    if not groups:
        raise DataError(f"{KEY}.dataset '{settings.dataset}': is empty; add rows to it.")
    if not whole:
        raise DataError(
            f"{KEY}.dataset '{settings.dataset}': each of its {len(groups)} groups has one text, "
            f"and a pair needs two; see whether {KEY}.group_column, "
            f"'{settings.group_column}', is what paraphrases have in common."
        )
    return CollectedParaphrases(whole, len(groups) - len(whole))


def is_local(dataset: str) -> bool:
    """Test whether this is a file or a folder, or written as one."""
    return is_folder(dataset) or Path(dataset).suffix.lower() in SUFFIXES


def paraphrase_files(dataset: str) -> list[Path]:
    """List the files of a file or folder; none where it is missing."""
    path = Path(dataset).expanduser()
    return [path] if path.is_file() else data_files(path)


def _local_rows(settings: ParaphraseSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    path = Path(settings.dataset).expanduser()
    what = f"{KEY}.dataset '{settings.dataset}'"
    if not path.exists():
        raise DataError(f"{what}: there is no such file or folder.")
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{what}: is a {path.suffix or 'plain'} file; it must be {_either()}.")
    files = paraphrase_files(settings.dataset)
    if not files:
        raise DataError(f"{what}: holds no {_either()} file.")
    for file in files:
        n_rows = 0
        for place, row in rows(file, _columns(settings), remedy=_REMEDY):
            n_rows += 1
            yield place, row
        if not n_rows:
            raise DataError(f"{file}: is empty; remove it, or fill it with {_form(settings)}.")


def _hub_rows(
    settings: ParaphraseSettings, names: Iterable[str]
) -> Iterable[tuple[str, dict[str, Any]]]:
    stream: Iterable[dict[str, Any]] = hub_stream(
        settings.dataset, _columns(settings), remedy=_REMEDY, names=names
    )
    return (
        (f"dataset '{settings.dataset}', row {number}", row)
        for number, row in enumerate(stream, start=1)
    )


def _columns(settings: ParaphraseSettings) -> list[str]:
    return [settings.group_column, settings.text_column]


def _form(settings: ParaphraseSettings) -> str:
    return f'rows {{"{settings.group_column}": ..., "{settings.text_column}": "..."}}'


def _either() -> str:
    return " or ".join(SUFFIXES)


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
