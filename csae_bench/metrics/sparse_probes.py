"""k-sparse probes: how well the k best latents predict a factor's value on unseen templates.

After SAE-Bench's sparse_probing (arXiv:2503.09532, section 4; Gurnee et al. 2023,
arXiv:2305.01610): the k latents with the largest difference between the classes' means, and a
logistic regression on them. A dense probe on the model's activations is the ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.inputs import CodesLike, FactorsLike, same_samples

MAX_PASSES = 1000
_MAX_CELLS = 2**24
"""Cells of a dense table of columns standardised at once: 128 MiB."""


@dataclass(frozen=True, eq=False)
class HeldOutDecisions:
    """Decisions of one-vs-rest probes on samples that they were not fitted on."""

    values: Float[NDArray[Any], "n n_values_total"]
    """Above 0 where a probe sees the value; NaN throughout a half that no probe could be fitted
    for. Those of the two halves come from two probes, and are not comparable."""
    half: Bool[NDArray[Any], " n"]
    """Half that a sample is in: its probes were fitted on the other."""
    latents: tuple[tuple[int, ...], ...]
    """For each value the latents of the two halves' probes together, in order; empty for dense."""


_Columns = Callable[
    [int, Bool[NDArray[Any], " n"]], tuple[Float[NDArray[Any], "n k"], tuple[int, ...]]
]
"""Function that returns a value's probe input and latents, given a mask of training samples."""


def sparse_probes(
    codes: CodesLike,
    factors: FactorsLike,
    half: Bool[NDArray[Any], " n"],
    *,
    n_latents: Sequence[int],
) -> dict[int, HeldOutDecisions]:
    """Make decisions of k-sparse probes, by k, each half of the samples by the other's probes.

    Latents are chosen on the half that the probe is fitted on. Two things differ from SAE-Bench:
    classes are weighted to be equal where it drops samples until they are, and columns are divided
    by their standard deviation, since pooled codes are small and its penalty would rule them.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        half: a mask of about half of the samples, in whole clusters; see `split_clusters`.
        n_latents: the k of each probe, such as SAE-Bench's 1, 2 and 5; where fewer latents vary,
            it has all of them.

    Raises:
        MetricInputError: malformed or mismatched input, an empty half, or a k below 1.
    """
    codes, factors = same_samples(codes, factors)
    _check_half(half, codes.n)
    if any(k < 1 for k in n_latents):
        raise MetricInputError(f"n_latents is {list(n_latents)}; each must be at least 1.")
    most = max(n_latents)
    ranked = {side: _ranked_latents(codes, factors, half == side, most) for side in (False, True)}
    wanted = np.unique(np.concatenate([each.ravel() for each in ranked.values()]))
    dense = codes.latents(wanted).scaled.toarray() if len(wanted) else np.zeros((codes.n, 0))

    def columns_of(k: int) -> _Columns:
        def columns(
            value: int, train: Bool[NDArray[Any], " n"]
        ) -> tuple[Float[NDArray[Any], "n k"], tuple[int, ...]]:
            chosen = ranked[bool(half[train][0])][value, :k]
            return dense[:, np.searchsorted(wanted, chosen)], tuple(chosen.tolist())

        return columns

    return {k: _decisions(columns_of(k), factors, half) for k in n_latents}


def dense_probes(
    acts: Float[NDArray[Any], "n d_in"], factors: FactorsLike, half: Bool[NDArray[Any], " n"]
) -> HeldOutDecisions:
    """Make decisions of the same probes on all dimensions of the model's activations.

    Raises:
        MetricInputError: malformed or mismatched input, or an empty half.
    """
    factors = Factors.of(factors)
    acts = np.asarray(acts, dtype=np.float64)
    if acts.ndim != 2 or len(acts) != factors.n or not np.isfinite(acts).all():
        raise MetricInputError(
            f"acts have the shape {acts.shape} for {factors.n} samples; they must be finite numbers"
            " [n, d_in]."
        )
    _check_half(half, factors.n)
    return _decisions(lambda *_: (acts, ()), factors, half)


@threadpool_limits.wrap(limits=1, user_api="blas")
def _decisions(
    columns: _Columns, factors: Factors, half: Bool[NDArray[Any], " n"]
) -> HeldOutDecisions:
    # one thread: for products this small, waking a second takes four times as long as the fit
    ptr = factors.value_ptr
    decisions = np.full((factors.n, int(ptr[-1])), np.nan)
    latents: list[dict[int, None]] = [{} for _ in range(int(ptr[-1]))]
    for k, values in enumerate(factors.values.T):
        present = np.unique(values)
        for train in (~half, half):
            for value in present if len(present) > 2 else present[1:]:
                has_value = values == value
                if any(np.ptp(has_value[side].astype(int)) == 0 for side in (train, ~train)):
                    continue
                column = int(ptr[k] + value)
                inputs, chosen = columns(column, train)
                decisions[~train, column] = _fit_and_decide(inputs, has_value, train)
                latents[column] |= dict.fromkeys(chosen)
        if len(present) == 2:
            # both ask the same question
            first, second = (int(ptr[k] + value) for value in present)
            decisions[:, first], latents[first] = -decisions[:, second], latents[second]
    return HeldOutDecisions(decisions, half, tuple(tuple(each) for each in latents))


def _fit_and_decide(
    inputs: Float[NDArray[Any], "n k"],
    has_value: Bool[NDArray[Any], " n"],
    train: Bool[NDArray[Any], " n"],
) -> Float[NDArray[Any], " n_held_out"]:
    from sklearn.linear_model import LogisticRegression

    seen = inputs[train]
    mean, spread = seen.mean(0), seen.std(0)
    spread[spread <= 1e-12 * np.abs(seen).max(0, initial=0)] = np.inf
    probe = LogisticRegression(class_weight="balanced", max_iter=MAX_PASSES)
    if not inputs.shape[1]:
        return np.zeros(int((~train).sum()))
    probe.fit((seen - mean) / spread, has_value[train])
    return probe.decision_function((inputs[~train] - mean) / spread)


def _ranked_latents(
    codes: Codes, factors: Factors, train: Bool[NDArray[Any], " n"], most: int
) -> Int[NDArray[Any], "n_values_total k"]:
    """Rank latents by the difference of means between samples with and without each value.

    Only latents that vary in training are ranked; of equals the first comes first.
    """
    seen = codes.samples(train)
    alive = np.flatnonzero(seen.varies)
    one_hot = factors.samples(train).one_hot(np.float64)
    counts = one_hot.sum(0)
    k = min(most, len(alive))
    ranked = np.zeros((len(counts), k), np.int64)
    if not k:
        return ranked
    columns = seen.csc[:, alive].T.tocsr()
    # one power of two for all latents, so that sums stay finite
    exponent = -int(np.frexp(seen.largest.max())[1])
    by_latent = type(columns)(
        (np.ldexp(columns.data, exponent), columns.indices, columns.indptr), shape=columns.shape
    )
    n_block = max(1, _MAX_CELLS // len(alive))
    total = np.asarray(by_latent.sum(1)).ravel()[:, None]
    for first in range(0, len(counts), n_block):
        block = slice(first, first + n_block)
        sums = by_latent @ one_hot[:, block]
        with_value = sums / np.maximum(counts[block], 1)
        without = (total - sums) / np.maximum(seen.n - counts[block], 1)
        order = np.argsort(-np.abs(with_value - without), axis=0, kind="stable")
        ranked[block] = alive[order[:k].T]
    return ranked


def _check_half(half: Any, n: int) -> None:
    mask = np.asarray(half)
    if mask.dtype != np.bool_ or mask.shape != (n,) or mask.all() or not mask.any():
        raise MetricInputError(
            f"half is {mask.dtype} of shape {mask.shape}; it must be a mask of {n} samples with "
            "some on either side."
        )
