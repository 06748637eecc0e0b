"""Minimal pairs that the settings name: opened, checked and identified."""

from __future__ import annotations

from typing import Literal

from csae_bench.config.pairs import MinimalSettings
from csae_bench.corpora.grouped import dataset_fingerprint, is_local, said_of_the_hub
from csae_bench.corpora.minimal_pairs import MinimalPairTexts
from csae_bench.errors import UsageError
from csae_bench.minimal_pairs.collected import CollectedMinimalPairs, read_minimal_pairs
from csae_bench.minimal_pairs.factors import KEY
from csae_bench.minimal_pairs.named import NAMED_MINIMAL_PAIRS
from csae_bench.minimal_pairs.table import TablePairs, is_table, table_pairs


def open_minimal_pairs(settings: MinimalSettings, *, seed: int) -> MinimalPairTexts:
    """Open the pairs that the settings name; `seed` decides those that are made up.

    Files and hub datasets are read to their end, all at once, in their own order; of a hub dataset
    the split `train` is read. Of a table the seed decides the order and which entities are paired.

    Raises:
        DataError: the dataset is missing, empty or malformed, it has no minimal pair, or
            `settings.factors` names one that it does not have.
    """
    if settings.dataset in NAMED_MINIMAL_PAIRS:
        return NAMED_MINIMAL_PAIRS[settings.dataset].open(seed, settings.factors)
    return _read(settings, seed)


def minimal_pair_status(
    settings: MinimalSettings,
) -> tuple[Literal["ok", "problem", "unknown"], str]:
    """Check minimal pairs as far as possible without a model: files are read to their end.

    `unknown`: they are on the hub.
    """
    name = settings.dataset
    is_named = name in NAMED_MINIMAL_PAIRS
    if not is_named and not is_table(name) and not is_local(name):
        return "unknown", said_of_the_hub(KEY, name, NAMED_MINIMAL_PAIRS)
    try:
        if not is_named:
            return "ok", f"{name}: {_read(settings, seed=0).summary}"
        open_minimal_pairs(settings, seed=0)
    except UsageError as error:
        return "problem", str(error)
    differ = settings.factors and f", which differ in {', '.join(settings.factors)}"
    return "ok", f"{NAMED_MINIMAL_PAIRS[name].what}{differ or ''}"


def minimal_pair_fingerprint(settings: MinimalSettings) -> str:
    """Return a fingerprint of the texts, as far as possible without reading them.

    As `corpus_fingerprint`; columns, templates and factors are settings, and not part of it.
    """
    if settings.dataset in NAMED_MINIMAL_PAIRS:
        return NAMED_MINIMAL_PAIRS[settings.dataset].fingerprint()
    return dataset_fingerprint(
        settings.dataset, is_on_disk=is_table(settings.dataset) or is_local(settings.dataset)
    )


def _read(settings: MinimalSettings, seed: int) -> CollectedMinimalPairs | TablePairs:
    if is_table(settings.dataset):
        return table_pairs(settings, seed=seed)
    return read_minimal_pairs(settings, NAMED_MINIMAL_PAIRS)
