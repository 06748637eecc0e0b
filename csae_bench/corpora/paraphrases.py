"""Groups of texts that say the same, from files and from datasets on the hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from csae_bench.config import ParaphraseSettings
from csae_bench.corpora.grouped import GroupedDataset
from csae_bench.errors import DataError

KEY = "pairs.paraphrase"


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
    dataset = GroupedDataset(
        key=KEY,
        dataset=settings.dataset,
        group_column=settings.group_column,
        text_column=settings.text_column,
    )
    groups = [tuple(row.text for row in rows) for rows in dataset.groups(names).values()]
    whole = tuple(texts for texts in groups if len(texts) > 1)
    if not whole:
        raise DataError(
            f"{dataset.what}: each of its {len(groups)} groups has one text, "
            f"and a pair needs two; see whether {KEY}.group_column, "
            f"'{settings.group_column}', is what paraphrases have in common."
        )
    return CollectedParaphrases(whole, len(groups) - len(whole))
