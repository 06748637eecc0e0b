"""Rows of text with labels, by the name of their dataset. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from csae_bench.corpora.files import file_stamps, sha256
from csae_bench.corpora.probing_files import OF_PACKAGE, installed_version, read_rows
from csae_bench.corpora.sae_probes_text import dataset_paths, files_hash
from csae_bench.engines.classes.names import PACKAGE, SHIPPED, DatasetName, Part
from csae_bench.errors import CsaeBenchError, DataError
from csae_bench.factors import (
    FactorDataset,
    factor_fingerprint,
    factor_status,
    get_factors,
    open_factors,
)
from csae_bench.factors.files import read_factors

MAX_LABELS = 20
"""Classes of a dataset at most; SAE-Bench's have five."""


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Texts, each with its value of one or two labels."""

    texts: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    """For each label the value of each text."""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """All rows of a dataset."""

    name: str
    label_names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    """Values of each label, in the order of the dataset."""
    train: LabelledRows
    test: LabelledRows | None
    """None: the dataset has no split of its own, and both are drawn from `train`."""


def open_pool(asked: DatasetName, *, n_labels: int) -> Pool:
    """Read a dataset that is on this machine.

    Args:
        n_labels: 1 for classes, 2 for what two labels of a text have to do with each other.

    Raises:
        DataError: it is missing or malformed, or has not so many labels, or a label that is named
            has less than two values.
        UsageError: sae-probes is not installed.
    """
    if asked.kind == "hub":
        raise DataError(f"dataset '{asked.name}' is on the hub; SAE-Bench reads it itself.")
    if asked.kind == "shipped":
        return _shipped(asked, n_labels)
    if asked.kind == "file":
        return _of_file(asked, n_labels)
    if not get_factors(asked.base).has_prompts:
        raise DataError(
            f"factor dataset '{asked.base}' has activations, and classes are of texts; name one "
            "with prompts, such as english."
        )
    train, test = (_factors(asked.base, split) for split in ("train", "test"))
    return _of_factors(asked, train, test, n_labels)


def pool_fingerprint(asked: DatasetName) -> str:
    """Return a fingerprint that changes with the dataset; of one on the hub no more than its name.

    A dataset that is missing or broken has that of its name; `open_pool` says what is wrong.
    """
    try:
        return sha256("\n".join([asked.name, *_parts(asked)]).encode())
    except CsaeBenchError:
        return sha256(asked.name.encode())


def _parts(asked: DatasetName) -> list[str]:
    if asked.kind == "hub":
        return []
    if asked.kind == "factors":
        return [factor_fingerprint(asked.base)]
    if asked.kind == "file":
        path = Path(asked.base).expanduser()
        return file_stamps([path] if path.is_file() else [])
    return [installed_version(), files_hash(dataset_paths(_datasets(asked.base)))]


@lru_cache(maxsize=4)
def _factors(name: str, split: str) -> FactorDataset:
    return open_factors(name, split="train" if split == "train" else "test")


def _of_file(asked: DatasetName, n_labels: int) -> Pool:
    path = Path(asked.base).expanduser()
    outcome, said = factor_status(asked.base)
    if outcome == "problem":
        raise DataError(said)
    test = read_factors(path, "test")
    if test.split == "all":
        return _of_factors(asked, test, None, n_labels)
    return _of_factors(asked, read_factors(path, "train"), test, n_labels)


def _of_factors(
    asked: DatasetName, train: FactorDataset, test: FactorDataset | None, n_labels: int
) -> Pool:
    names = asked.labels or train.names
    if len(names) != n_labels:
        wanted = "one label" if n_labels == 1 else "two labels, as in NAME:FIRST*SECOND"
        raise DataError(
            f"dataset '{asked.name}' has {len(names)} labels ({', '.join(names)}); this eval takes "
            f"{wanted}. Name {'it' if n_labels == 1 else 'them'} after a colon; there are "
            f"{', '.join(train.names)}."
        )
    for name in names:
        train.column(name)  # a name that is not there is refused, with those that are
    values = tuple(train.value_names[train.names.index(name)] for name in names)
    for name, of_label in zip(names, values, strict=True):
        if not 2 <= len(of_label) <= MAX_LABELS:
            raise DataError(
                f"dataset '{asked.name}': '{name}' has {len(of_label)} values; classes are 2 to "
                f"{MAX_LABELS}."
            )
    return Pool(
        name=asked.name,
        label_names=tuple(names),
        values=values,
        train=_rows(train, names),
        test=None if test is None else _rows(test, names),
    )


def _rows(dataset: FactorDataset, names: Sequence[str]) -> LabelledRows:
    return LabelledRows(
        texts=dataset.prompts,
        labels=tuple(
            tuple(
                dataset.value_names[dataset.names.index(name)][value]
                for value in dataset.column(name)
            )
            for name in names
        ),
    )


def _datasets(base: str) -> tuple[str, ...]:
    if base in SHIPPED:
        return tuple(dict.fromkeys(part.dataset for part in SHIPPED[base]))
    return (base,)


def _shipped(asked: DatasetName, n_labels: int) -> Pool:
    if n_labels != 1:
        raise DataError(
            f"dataset '{asked.name}' has one label; this eval takes two, as in "
            "english:sentiment*gender or a file's NAME:FIRST*SECOND."
        )
    parts = SHIPPED.get(asked.base) or _all_targets(asked.base)
    label_of: dict[str, str] = {}
    for part in parts:
        # a text that is in two of the files has its first class
        label_of |= {
            text: part.label for text in _texts(part) if text.strip() and text not in label_of
        }
    return Pool(
        name=asked.name,
        label_names=("label",),
        values=(tuple(dict.fromkeys(part.label for part in parts)),),
        train=LabelledRows(texts=tuple(label_of), labels=(tuple(label_of.values()),)),
        test=None,
    )


def _all_targets(dataset: str) -> tuple[Part, ...]:
    (path,) = dataset_paths((dataset,))
    targets = read_rows(path, remedy=OF_PACKAGE)["target"].dropna().astype(str)
    values = sorted(set(targets))
    if not 2 <= len(values) <= MAX_LABELS:
        raise DataError(
            f"dataset '{PACKAGE}:{dataset}' has {len(values)} classes; it must have 2 to "
            f"{MAX_LABELS}."
        )
    return tuple(Part(dataset, value, value) for value in values)


def _texts(part: Part) -> list[str]:
    from csae_bench.corpora.sae_probes_text import prompts

    (path,) = dataset_paths((part.dataset,))
    return prompts(path, part.target)
