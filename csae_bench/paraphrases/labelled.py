"""Paraphrases that people wrote and labelled: MRPC's and QQP's, which sae-probes ships."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from random import Random

from csae_bench.corpora import CollectedParaphrases
from csae_bench.corpora.files import file_stamps, sha256
from csae_bench.corpora.probing_files import OF_PACKAGE
from csae_bench.corpora.sae_probes_sources import PARAPHRASES
from csae_bench.corpora.sae_probes_text import dataset_paths, files_hash, prompts
from csae_bench.errors import DataError, UsageError

BETWEEN = " | "
"""Separator of the two texts of a row."""
_SAY_THE_SAME = "1"
"""Class of the rows whose texts say the same."""


def labelled_paraphrases(seed: int) -> CollectedParaphrases:
    """Read the texts that people called paraphrases of each other, in an order that `seed` decides.

    Pairs with a text in common, whatever its case and spaces, make one group: else what says the
    same would be another group's negative. So some groups have more than two texts.

    Raises:
        UsageError: sae-probes is not installed.
        DataError: one of its files is missing or broken.
    """
    paths = dataset_paths(PARAPHRASES)
    read = _read(paths, tuple(file_stamps(paths)))
    groups = list(read.groups)
    Random(f"sae_probes/paraphrases/{seed}").shuffle(groups)
    return CollectedParaphrases(tuple(groups), read.n_alone)


def labelled_fingerprint() -> str:
    """Hash the package's files and this code; a missing package has no files."""
    code = sha256(Path(__file__).read_bytes())
    try:
        return sha256(f"{code} {files_hash(dataset_paths(PARAPHRASES))}".encode())
    except (UsageError, OSError):
        return code


@lru_cache(maxsize=1)
def _read(paths: tuple[Path, ...], stamps: tuple[str, ...]) -> CollectedParaphrases:
    """Read files that have these stamps, group by group in the order in which they begin."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number: dict[str, int] = {}
    texts: list[str] = []
    pairs: list[tuple[int, int]] = []
    for pair in _pairs(paths):
        for text in pair:
            if number.setdefault(_key(text), len(texts)) == len(texts):
                texts.append(text)
        pairs.append((number[_key(pair[0])], number[_key(pair[1])]))
    if not pairs:
        names = ", ".join(path.name for path in paths)
        raise DataError(f"{names}: none of their rows is a pair of class 1. {OF_PACKAGE}")
    first, second = np.array(pairs, dtype=np.int64).T
    edges = coo_array((np.ones(len(pairs)), (first, second)), shape=(len(texts), len(texts)))
    group_of = connected_components(edges, directed=False)[1]
    groups: dict[int, list[str]] = {}
    for text, group in zip(texts, group_of.tolist(), strict=True):
        groups.setdefault(group, []).append(text)
    whole = tuple(tuple(group) for group in groups.values() if len(group) > 1)
    return CollectedParaphrases(whole, len(groups) - len(whole))


def _pairs(paths: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for path in paths:
        for row in prompts(path, _SAY_THE_SAME):
            first, between, second = row.partition(BETWEEN)
            if between and first.strip() and second.strip():
                yield first.strip(), second.strip()


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
