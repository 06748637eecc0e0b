"""Groups of texts that say the same: tinyworld's, files, a dataset on the hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from csae_bench.config import ParaphraseSettings
from csae_bench.corpora.files import SUFFIXES, data_files, file_stamps, is_folder, rows, sha256
from csae_bench.corpora.hub import hub_stream
from csae_bench.corpora.text import TINYWORLD, corpus_fingerprint
from csae_bench.errors import DataError

_KEY = "pairs.paraphrase"
_REMEDY = f"Name the columns in {_KEY}.group_column and {_KEY}.text_column."


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
class TinyworldParaphrases:
    """Tinyworld's, without end; groups of two, in training templates and words alone."""

    seed: int

    n_groups: None = None

    def texts(self, group: int) -> tuple[str, ...]:
        """Return the texts of a group, always the same."""
        from csae_bench.tinyworld import paraphrases

        return next(paraphrases(1, seed=self.seed, start=group))


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


def open_paraphrases(settings: ParaphraseSettings, *, seed: int) -> Paraphrases:
    """Open the groups that the settings name; `seed` decides those of tinyworld.

    A group's texts may be anywhere in the dataset: it is read to its end, all at once. Groups of
    one text are left out. Of a hub dataset the split `train` is read.

    Raises:
        DataError: the dataset is missing, empty or malformed, or no group has two texts.
    """
    if settings.dataset == TINYWORLD:
        return TinyworldParaphrases(seed)
    return _collected(settings)


def paraphrase_status(
    settings: ParaphraseSettings,
) -> tuple[Literal["ok", "problem", "unknown"], str]:
    """Check paraphrases as far as possible without a model: files are read to their end.

    `unknown`: they are on the hub.
    """
    if settings.dataset == TINYWORLD:
        return "ok", "tinyworld's paraphrases"
    if not _is_local(settings.dataset):
        return "unknown", f"{_KEY}.dataset '{settings.dataset}' is on the hub: not checkable here"
    try:
        texts = _collected(settings)
    except DataError as error:
        return "problem", str(error)
    alone = f"; {texts.n_alone} groups of one text are left out" if texts.n_alone else ""
    return "ok", f"{settings.dataset}: {texts.n_groups} groups of {texts.n_texts} texts{alone}"


def paraphrase_fingerprint(settings: ParaphraseSettings) -> str:
    """Return a fingerprint of the paraphrases, as far as possible without reading them.

    As `corpus_fingerprint`; columns are settings, and not part of it.
    """
    if settings.dataset == TINYWORLD or not _is_local(settings.dataset):
        return corpus_fingerprint(settings.dataset, split="sae")
    path = Path(settings.dataset).expanduser()
    return sha256("\n".join(file_stamps(_files(path))).encode())


def _is_local(dataset: str) -> bool:
    return is_folder(dataset) or Path(dataset).suffix.lower() in SUFFIXES


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else data_files(path)


def _collected(settings: ParaphraseSettings) -> CollectedParaphrases:
    groups: dict[str | int, list[str]] = {}
    rows = _local_rows(settings) if _is_local(settings.dataset) else _hub_rows(settings)
    for place, row in rows:
        text = _text(place, row, settings.text_column)
        groups.setdefault(_group(place, row, settings.group_column), []).append(text)
    whole = tuple(tuple(texts) for texts in groups.values() if len(texts) > 1)
    if not groups:
        raise DataError(f"{_KEY}.dataset '{settings.dataset}': is empty; add rows to it.")
    if not whole:
        raise DataError(
            f"{_KEY}.dataset '{settings.dataset}': each of its {len(groups)} groups has one text, "
            f"and a pair needs two; see whether {_KEY}.group_column, "
            f"'{settings.group_column}', is what paraphrases have in common."
        )
    return CollectedParaphrases(whole, len(groups) - len(whole))


def _local_rows(settings: ParaphraseSettings) -> Iterator[tuple[str, dict[str, Any]]]:
    path = Path(settings.dataset).expanduser()
    what = f"{_KEY}.dataset '{settings.dataset}'"
    if not path.exists():
        raise DataError(f"{what}: there is no such file or folder.")
    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{what}: is a {path.suffix or 'plain'} file; it must be {_either()}.")
    files = _files(path)
    if not files:
        raise DataError(f"{what}: holds no {_either()} file.")
    for file in files:
        n_rows = 0
        for place, row in rows(file, _columns(settings), remedy=_REMEDY):
            n_rows += 1
            yield place, row
        if not n_rows:
            raise DataError(f"{file}: is empty; remove it, or fill it with {_form(settings)}.")


def _hub_rows(settings: ParaphraseSettings) -> Iterable[tuple[str, dict[str, Any]]]:
    stream: Iterable[dict[str, Any]] = hub_stream(
        settings.dataset, _columns(settings), remedy=_REMEDY
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
