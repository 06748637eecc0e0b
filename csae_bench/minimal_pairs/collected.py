"""Minimal pairs of files and of datasets on the hub, whose rows have a group and a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from csae_bench.config.pairs import MinimalSettings
from csae_bench.corpora.grouped import GroupedDataset, GroupedText
from csae_bench.corpora.minimal_pairs import MinimalPair
from csae_bench.errors import DataError
from csae_bench.minimal_pairs.factors import KEY, allowed_factors


@dataclass(frozen=True)
class CollectedMinimalPairs:
    """Those of a dataset, all in memory."""

    groups: tuple[tuple[MinimalPair, ...], ...]
    """Groups of one or more pairs, in the order in which they first occur."""
    n_alone: int = 0
    """Groups of one text, which are left out."""
    n_without_anchor: int = 0
    """Groups all of whose texts name a change, which are left out."""
    n_unchanged: int = 0
    """Texts that equal their anchor, which are left out."""

    value_names: tuple[str, ...] = ()

    @property
    def n_groups(self) -> int:
        """Groups in one pass."""
        return len(self.groups)

    @property
    def factor_counts(self) -> Counter[str | None]:
        """Pairs in one pass, by the factor that differs."""
        return Counter(pair.factor for pairs in self.groups for pair in pairs)

    @property
    def summary(self) -> str:
        """Counts of groups and pairs, and of what is left out."""
        counts = self.factor_counts
        of_each = ", ".join(
            f"{factor or 'a factor that is not named'} ({n})" for factor, n in counts.items()
        )
        left_out = self.left_out
        return (
            f"{self.n_groups} groups of {counts.total()} pairs, which differ in {of_each}"
            f"{left_out and f'; left out: {left_out}'}"
        )

    @property
    def left_out(self) -> str:
        """Counts of what is left out, in words; empty: nothing is."""
        counts = (
            (self.n_alone, "groups of one text"),
            (self.n_without_anchor, "groups without an anchor"),
            (self.n_unchanged, "texts that equal their anchor"),
        )
        return ", ".join(f"{n} {what}" for n, what in counts if n)

    def pairs(self, group: int) -> tuple[MinimalPair, ...]:
        """Return the pairs of a group, in the order of the dataset."""
        return self.groups[group]


def read_minimal_pairs(settings: MinimalSettings, names: Iterable[str]) -> CollectedMinimalPairs:
    """Read the pairs of a file, a folder or a hub dataset, whose split is `train`.

    A group's texts may be anywhere in the dataset: it is read to its end, all at once. In a group
    in which changes are named, texts without a change say the same: the first is the anchor, the
    next that is not equal to it the paraphrase, and each text with a change makes a pair with the
    anchor. Where none is named, each text but the first makes a pair with the first, of a factor
    that is not known, and there is no paraphrase.

    Left out and counted: groups of one text, groups all of whose texts name a change, and texts
    that equal their anchor. Two texts may otherwise differ in any number of words: how much of
    them corresponds is seen by who makes tokens of them.

    Args:
        names: what the dataset's name may have been meant to be.

    Raises:
        DataError: the dataset is missing, empty or malformed, there is no pair, a factor in
            `settings.factors` does not occur, or there are such and a pair names none.
    """
    column = settings.changed_column
    columns = (settings.group_column, settings.text_column, column)
    if len(set(columns)) < len(columns):
        raise DataError(
            f"{KEY}.group_column, text_column and changed_column are "
            f"{', '.join(map(repr, columns))}; they must be three columns."
        )
    dataset = GroupedDataset(
        key=KEY,
        dataset=settings.dataset,
        group_column=settings.group_column,
        text_column=settings.text_column,
        optional_columns=(column,),
        suffixes=".jsonl or .parquet, or a .csv table",
    )
    collected = _collected(dataset.groups(names).values(), settings)
    if not collected.groups:
        raise DataError(
            f"{dataset.what}: has no minimal pair; left out are {collected.left_out}. A group "
            f"needs an anchor, whose {column} is empty, and a text that differs from it; see "
            f"whether {KEY}.group_column, '{settings.group_column}', is what they have in common."
        )
    if settings.factors is None:
        return collected
    available = sorted(factor for factor in collected.factor_counts if factor is not None)
    allowed = allowed_factors(settings.factors, available, what=dataset.what)
    kept = (tuple(p for p in pairs if p.factor in allowed) for pairs in collected.groups)
    return replace(collected, groups=tuple(pairs for pairs in kept if pairs))


def _collected(
    groups: Iterable[list[GroupedText]], settings: MinimalSettings
) -> CollectedMinimalPairs:
    every: list[tuple[MinimalPair, ...]] = []
    n_alone = n_without_anchor = n_unchanged = 0
    for rows in groups:
        texts = [(row, _change(row, settings.changed_column)) for row in rows]
        anchors = [row.text for row, change in texts if not change]
        others = [(row, change) for row, change in texts if change]
        if len(texts) == 1:
            n_alone += 1
        elif not anchors:
            n_without_anchor += 1
        else:
            anchor, *same = anchors
            if not others:
                same, others = [], texts[1:]
            paraphrase = next((text for text in same if text != anchor), None)
            changed = [(row, change) for row, change in others if row.text != anchor]
            n_unchanged += len(others) - len(changed)
            _check_named(changed, settings)
            pairs = tuple(
                MinimalPair(anchor, row.text, paraphrase, change or None) for row, change in changed
            )
            every += [pairs] if pairs else []
    return CollectedMinimalPairs(tuple(every), n_alone, n_without_anchor, n_unchanged)


def _change(row: GroupedText, column: str) -> str:
    """Return the factor that the row names, without spaces around it; empty: none."""
    value = row.cells.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise DataError(
            f"{row.place}: {column} is {value!r}; it must be the name of the factor that differs, "
            "or empty in an anchor."
        )
    return value.strip()


def _check_named(changed: list[tuple[GroupedText, str]], settings: MinimalSettings) -> None:
    for row, change in changed:
        if settings.factors is not None and not change:
            raise DataError(
                f"{row.place}: the group names no factor in column '{settings.changed_column}', "
                f"so pairs of {', '.join(settings.factors) or 'none'} cannot be told from others. "
                f"Name it, or leave {KEY}.factors out."
            )
