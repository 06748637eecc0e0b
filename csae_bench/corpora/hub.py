"""Datasets on the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from csae_bench.corpora.files import no_column
from csae_bench.errors import DataError, did_you_mean, reason_of

if TYPE_CHECKING:
    from datasets import IterableDataset


def hub_stream(
    name: str,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    remedy: str = "",
    split: str = "train",
    names: Iterable[str] = (),
) -> IterableDataset:
    """Stream a split of a dataset on the hub, with these columns alone.

    Those in `optional` are read where they are. `NAME:SUBSET` names one configuration of a dataset
    that has several. `remedy` is what to do about a missing column, `names` what the name may have
    been meant to be.

    Raises:
        DataError: there is none of that name, no network, or no such column.
    """
    import datasets

    try:
        repository, _, subset = name.partition(":")
        stream: Any = datasets.load_dataset(repository, subset or None, split=split, streaming=True)
        present = stream.column_names or list(next(iter(stream), {}))
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"dataset '{name}': there is no such folder, and it cannot be had from the hub: "
            f"{reason_of(error)}.{did_you_mean(name, names)}"
        ) from error
    for column in columns:
        if column not in present:
            raise DataError(f"dataset '{name}': {no_column(column, present, remedy)}")
    # SAELens prefers a column of tokens where there is one, whatever tokenizer made them
    return stream.select_columns([*columns, *(each for each in optional if each in present)])
