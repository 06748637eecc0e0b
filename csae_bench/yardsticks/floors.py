"""Codes computed from a factor dataset alone: what a bag of words scores, and what an oracle does.

They bound what an SAE's score means. `every word`: a latent for each word, which no model is needed
for. `oracle`: these and a latent for each value of each factor, which fires on it and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from typing_extensions import override

from csae_bench.evals import EvalContext
from csae_bench.factors.encoding import FactorCodes

if TYPE_CHECKING:
    from csae_bench.factors import FactorDataset, FactorSplit, Pooling

_WORD = re.compile(r"\w+|[^\w\s]")


def word_codes(dataset: FactorDataset, pooling: Pooling) -> Any:
    """Return the codes of a latent for each word and punctuation mark, as it is written.

    Pooled over tokens by `mean`, a code is the word's share of the prompt; by `max`, 1 where the
    prompt has it; at one token, 1 where the prompt has had it by then.

    Returns:
        scipy csr_array float32 [n, n_words], words in the order of their first use.
    """
    columns: dict[str, int] = {}
    rows: list[int] = []
    places: list[int] = []
    shares: list[float] = []
    for row, prompt in enumerate(dataset.prompts):
        words = _words(
            prompt, dataset.marks[row] if pooling == "marked" and dataset.marks else None
        )
        for word in words:
            rows.append(row)
            places.append(columns.setdefault(word, len(columns)))
            shares.append(1 / len(words))
    shape = (len(dataset.prompts), len(columns))
    # 32 bits: scikit-learn takes no others
    at = np.array(rows, dtype=np.int32), np.array(places, dtype=np.int32)
    counted: Any = sparse.csr_array((shares, at), shape=shape, dtype=np.float32)
    counted.sum_duplicates()
    if pooling != "mean":
        counted.data[:] = 1
    return counted


def value_codes(dataset: FactorDataset) -> Any:
    """Return the codes of a latent for each value of each factor: 1 where a sample has it.

    Returns:
        scipy csr_array float32 [n, n_values].
    """
    columns: list[NDArray[np.float32]] = []
    for factor, values in enumerate(dataset.value_names):
        of_factor = dataset.factors[:, factor][:, None] == np.arange(len(values))
        columns.append(of_factor.astype(np.float32))
    return sparse.csr_array(np.concatenate(columns, axis=1))


@dataclass(frozen=True, kw_only=True)
class DatasetContext(EvalContext):
    """The context of an eval whose codes are computed from the dataset; there is no SAE."""

    has_value_latents: bool
    """Whether there is a latent for each value of each factor as well."""

    @override
    def codes_and_factors(
        self,
        dataset: str = "auto",
        *,
        split: FactorSplit = "test",
        seed: int = 0,
        pooling: Pooling | None = None,
        **_: Any,
    ) -> FactorCodes:
        """Return the codes of the dataset in the unit that is asked for."""
        from csae_bench.factors import open_factors

        read = open_factors(dataset, split=split, seed=seed)
        unit = pooling or read.pooling
        codes = word_codes(read, unit)
        if self.has_value_latents:
            codes = sparse.csr_array(sparse.hstack([value_codes(read), codes], format="csr"))
        return FactorCodes(
            codes=codes,
            dataset=read,
            pooling=unit,
            n_tokens=np.ones(read.n, dtype=np.int64),
            n_truncated=0,
        )


def _words(prompt: str, mark: int | None) -> list[str]:
    """Return the words of a prompt, up to the one that holds a marked character."""
    words = list(_WORD.finditer(prompt))
    return [word[0] for word in words if mark is None or word.start() <= mark]
