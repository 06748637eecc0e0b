"""Paraphrases that the settings name: opened, checked and identified."""

from __future__ import annotations

from typing import Literal

from csae_bench.config import ParaphraseSettings
from csae_bench.corpora import CollectedParaphrases, Paraphrases
from csae_bench.corpora.grouped import dataset_fingerprint, is_local, said_of_the_hub
from csae_bench.corpora.paraphrases import KEY, read_paraphrases
from csae_bench.errors import UsageError
from csae_bench.paraphrases.named import NAMED_PARAPHRASES


def open_paraphrases(settings: ParaphraseSettings, *, seed: int) -> Paraphrases:
    """Open the groups that the settings name; `seed` decides those that are made up.

    A group's texts may be anywhere in the dataset: it is read to its end, all at once. Groups of
    one text are left out. Of a hub dataset the split `train` is read.

    Raises:
        DataError: the dataset is missing, empty or malformed, or no group has two texts.
        UsageError: the package that a named set is read from is not installed.
    """
    if settings.dataset in NAMED_PARAPHRASES:
        return NAMED_PARAPHRASES[settings.dataset].open(seed)
    return read_paraphrases(settings, NAMED_PARAPHRASES)


def paraphrase_status(
    settings: ParaphraseSettings,
) -> tuple[Literal["ok", "problem", "unknown"], str]:
    """Check paraphrases as far as possible without a model: files are read to their end.

    `unknown`: they are on the hub.
    """
    name = settings.dataset
    is_named = name in NAMED_PARAPHRASES
    if not is_named and not is_local(name):
        return "unknown", said_of_the_hub(KEY, name, NAMED_PARAPHRASES)
    try:
        texts = open_paraphrases(settings, seed=0)
    except UsageError as error:
        return "problem", f"{KEY}.dataset '{name}': {error}" if is_named else str(error)
    what = NAMED_PARAPHRASES[name].what if is_named else name
    if not isinstance(texts, CollectedParaphrases):
        return "ok", what
    alone = f"; {texts.n_alone} groups of one text are left out" if texts.n_alone else ""
    return "ok", f"{what}: {texts.n_groups} groups of {texts.n_texts} texts{alone}"


def paraphrase_fingerprint(settings: ParaphraseSettings) -> str:
    """Return a fingerprint of the paraphrases, as far as possible without reading them.

    As `corpus_fingerprint`; columns are settings, and not part of it.
    """
    if settings.dataset in NAMED_PARAPHRASES:
        return NAMED_PARAPHRASES[settings.dataset].fingerprint()
    return dataset_fingerprint(settings.dataset, is_on_disk=is_local(settings.dataset))
