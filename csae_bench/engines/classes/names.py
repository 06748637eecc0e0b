"""Names of datasets of text classes, as settings have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from csae_bench.errors import UnknownNameError
from csae_bench.factors import factor_names

AUTO, HUB = "auto", "sae_bench"
"""`auto`: what suits the model. `sae_bench`: SAE-Bench's own datasets, which are on the hub."""

Kind = Literal["factors", "file", "shipped", "hub"]

FILE_SUFFIXES = (".csv", ".jsonl")
PACKAGE = "sae_probes"
"""Prefix of the datasets that sae-probes ships, by their own names."""


class Part(NamedTuple):
    """A dataset of sae-probes whose texts are a class."""

    dataset: str
    target: str
    label: str


SHIPPED: Mapping[str, tuple[Part, ...]] = {
    "ag_news": (
        # the other class of these three is program code
        Part("161_agnews_0", "1", "World"),
        Part("162_agnews_1", "1", "Sports"),
        Part("163_agnews_2", "1", "Business"),
    ),
    "amazon_reviews": (
        Part("157_amazon_5star", "0", "fewer stars"),
        Part("157_amazon_5star", "1", "five stars"),
    ),
}
"""Classes put together from datasets of sae-probes: three of AG News, and reviews by stars."""

SPARSE_PROBING_HUB = (
    "LabHC/bias_in_bios_class_set1",
    "LabHC/bias_in_bios_class_set2",
    "LabHC/bias_in_bios_class_set3",
    "canrager/amazon_reviews_mcauley_1and5",
    "canrager/amazon_reviews_mcauley_1and5_sentiment",
    "codeparrot/github-code",
    "fancyzhx/ag_news",
    "Helsinki-NLP/europarl",
)
"""SAE-Bench's datasets of sparse_probing."""
SCR_AND_TPP_HUB = SPARSE_PROBING_HUB[0], SPARSE_PROBING_HUB[3]
"""SAE-Bench's datasets of scr and tpp."""


class DatasetName(NamedTuple):
    """A name taken apart."""

    name: str
    kind: Kind
    base: str
    """Factor dataset, path, or dataset of sae-probes or the hub."""
    labels: tuple[str, ...] = ()
    """Columns that are the labels; empty: those that there are."""


def dataset_name(name: str) -> DatasetName:
    """Take a name apart: `english:topic`, `english:sentiment*gender`, `texts.csv:label`.

    Raises:
        UnknownNameError: nothing has this name.
    """
    if name in SPARSE_PROBING_HUB:
        return DatasetName(name, "hub", name)
    if name in SHIPPED:
        return DatasetName(name, "shipped", name)
    base, colon, label = name.rpartition(":")
    if not colon or _is_path(label):
        base, label = name, ""
    labels = tuple(part.strip() for part in label.split("*")) if label else ()
    if base == PACKAGE:
        return DatasetName(name, "shipped", label)
    if base in factor_names():
        return DatasetName(name, "factors", base, labels)
    if _is_path(base):
        return DatasetName(name, "file", base, labels)
    known = (*factor_names(), *SHIPPED, *SPARSE_PROBING_HUB)
    raise UnknownNameError("dataset of text classes", name, known)


def chosen_datasets(
    names: Sequence[str],
    *,
    model: str | None,
    suited: Mapping[str, Sequence[str]],
    on_hub: Sequence[str],
) -> tuple[str, ...]:
    """Resolve `auto` and `sae_bench`; each dataset comes once.

    Args:
        model: name or path of the language model.
        suited: what `auto` stands for, with the bundled model (`tinyworld`) and with any other
            (`english`).
        on_hub: what `sae_bench` stands for.

    Raises:
        UnknownNameError: there is no such model.
    """
    from csae_bench.models.names import resolve

    chosen: list[str] = []
    for name in names:
        if name == AUTO:
            of_world = model is not None and resolve(model).kind == "tinyworld"
            chosen += suited["tinyworld" if of_world else "english"]
        elif name == HUB:
            chosen += on_hub
        else:
            chosen.append(name)
    return tuple(dict.fromkeys(chosen))


def _is_path(name: str) -> bool:
    is_file = Path(name).suffix.lower() in FILE_SUFFIXES
    return is_file or name.startswith((".", "~", "/"))
