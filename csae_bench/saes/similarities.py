"""Parts of the loss terms: choice of latents to compare, similarities, and cross-entropy."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import embedding_bag
from typing_extensions import override

from csae_bench.config.loss_terms import TermInput
from csae_bench.saes.active_codes import ActiveCodes
from csae_bench.saes.views import LatentStatistics, Views

SMALLEST_NORM = 1e-6
"""Rows shorter than this have no direction; float32 codes of an active latent are far above."""

_DENSE = 0.02
"""Share of active codes from which a dense product is faster than a sparse one."""

_SMALLEST_SPREAD = 0.1
"""Floor of a latent's standard deviation, in units of the mean one of those sampled with it."""


def sample_latents(views: Views, n_latents: int, min_firings: int) -> Int64[Tensor, " n_sampled"]:
    """Sample latents that fire often enough in both views: all, or `n_latents`, evenly over their
    firing rates: one at random of each of `n_latents` equal strata.
    """
    eligible = (views.firings.amin(0) >= min_firings).nonzero().squeeze(1)
    if len(eligible) <= n_latents:
        return eligible
    by_rate = eligible[views.statistics.rate[eligible].argsort(stable=True)]
    # whole numbers: strata that overlap would draw a latent twice, and tell it from itself
    bounds = torch.arange(n_latents + 1, device=by_rate.device) * len(by_rate) // n_latents
    first_of, width = bounds[:-1], bounds.diff()
    place = torch.rand(n_latents, device=by_rate.device, generator=views.generator)
    chosen = first_of + (place * width).long().minimum(width - 1)
    return by_rate[chosen].sort().values


def may_be_told_apart(
    active: Bool[Tensor, "n_rows n_latents"], max_co_firing: float
) -> Bool[Tensor, "n_latents n_latents"]:
    """Mask negatives: not the diagonal, nor two latents with P(one | other) > `max_co_firing`."""
    fires = active.float()
    is_sparse = active.count_nonzero() < _DENSE * active.numel()
    together = torch.sparse.mm(fires.T.to_sparse(), fires) if is_sparse else fires.T @ fires
    # together / fires of the rarer one is the larger of the two conditional probabilities
    rarer = torch.minimum(together.diagonal()[:, None], together.diagonal()[None, :])
    return (together <= max_co_firing * rarer).fill_diagonal_(False)


def info_nce(
    similarity: Float[Tensor, "n n"],
    negatives: Bool[Tensor, "n n"],
    hard: Float[Tensor, "2 n"] | None = None,
) -> Float[Tensor, " n"]:
    """Compute the symmetric cross-entropy of finding the diagonal among itself and negatives.

    Args:
        hard: similarity of each row, and of each column, with one more negative; -inf: it has none.
    """
    itself = torch.eye(len(negatives), dtype=torch.bool, device=negatives.device)
    candidates = similarity.masked_fill(~(negatives | itself), -torch.inf)
    each: Tensor = _InfoNce.apply(candidates, hard)
    return each


class _InfoNce(torch.autograd.Function):
    """Cross-entropy along and across a matrix; its gradient takes a third of autograd's passes."""

    @staticmethod
    @override
    def forward(ctx: Any, candidates: Tensor, hard: Tensor | None) -> Tensor:
        along, sums_along, logs_along = _exponentials(candidates, 1)
        across, sums_across, logs_across = _exponentials(candidates, 0)
        shares = None
        if hard is not None:
            logs = torch.stack([logs_along, logs_across])
            logs_along, logs_across = totals = torch.logaddexp(logs, hard)
            shares = (hard - totals).exp()
            sums_along, sums_across = torch.stack([sums_along, sums_across]) / (logs - totals).exp()
        ctx.save_for_backward(along, sums_along, across, sums_across, shares)
        return (logs_along + logs_across) / 2 - candidates.diagonal()

    @staticmethod
    @override
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor | None]:
        (of_each,) = grad_outputs
        along, sums_along, across, sums_across, shares = ctx.saved_tensors
        half = of_each / 2
        gradient = along * (half / sums_along)[:, None]
        gradient.addcmul_(across, (half / sums_across)[None])
        gradient.diagonal().sub_(of_each)
        return gradient, None if shares is None else shares * half


def _exponentials(
    values: Float[Tensor, "n n"], dim: int
) -> tuple[Float[Tensor, "n n"], Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Return exp(values - their largest along `dim`), its sum, and log sum exp(values)."""
    largest = values.amax(dim, keepdim=True)
    shares = (values - largest).exp_()
    sums = shares.sum(dim)
    return shares, sums, sums.log() + largest.squeeze(dim)


def cross_correlation(
    views: Views, latents: Int64[Tensor, " n_latents"], on: TermInput
) -> Float[Tensor, "n_latents n_latents"]:
    """Cross-correlate the two views, by running means and standard deviations.

    Those of the batch would give the few firings of a rare latent a gradient without bound.
    """
    anchors, positives = views.read(on, latents)
    mean, spread = _scale(views.statistics, latents, anchors.dtype)
    return ((anchors - mean) / spread).T @ ((positives - mean) / spread) / views.n_pairs


def _scale(
    statistics: LatentStatistics, latents: Int64[Tensor, " n"], dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    spread = statistics.variance[latents].to(dtype).sqrt()
    floor = (_SMALLEST_SPREAD * spread.mean()).clamp_min(SMALLEST_NORM)
    return statistics.mean[latents].to(dtype), torch.maximum(spread, floor)


def cosines(
    anchors: Float[Tensor, "n_pairs n_latents"], positives: Float[Tensor, "n_pairs n_latents"]
) -> Float[Tensor, "n_pairs n_pairs"]:
    """Compute cosines of each anchor with each positive; 0 with a row that has no direction."""
    return unit(anchors) @ unit(positives).T


def active_cosines(
    anchors: ActiveCodes, positives: ActiveCodes, n_pairs: int, n_latents: int
) -> Float[Tensor, "n_pairs n_pairs"]:
    """Compute the cosines of `cosines` from the active codes: a tenth of the time at 2% active."""
    of_positives = positives.values.new_zeros(n_latents, n_pairs).index_put(
        (positives.latent, positives.row), _unit_values(positives, n_pairs)
    )
    return embedding_bag(
        anchors.latent,
        of_positives,
        torch.searchsorted(anchors.row, torch.arange(n_pairs, device=anchors.row.device)),
        mode="sum",
        per_sample_weights=_unit_values(anchors, n_pairs),
    )


def _unit_values(codes: ActiveCodes, n_rows: int) -> Float[Tensor, " n_active"]:
    """Scale rows to length 1, as `unit` does."""
    squares = codes.values.new_zeros(n_rows).index_add(0, codes.row, codes.values.square())
    # a row that is not there has the root's infinite gradient at 0, times nothing: NaN
    norms = torch.where(squares == 0, 1.0, squares).sqrt()[codes.row]
    return torch.where(norms <= SMALLEST_NORM, 0.0, codes.values / norms.clamp_min(SMALLEST_NORM))


def unit(
    codes: Float[Tensor, "n_pairs n_latents"],
) -> Float[Tensor, "n_pairs n_latents"]:
    """Scale rows to length 1; rows without a direction become 0."""
    norms = torch.linalg.vector_norm(codes, dim=1, keepdim=True)
    # where, not a clamp alone: 1 / the clamp would be the gradient into an all-zero row.
    # norms <= ..., not norms > ...: a NaN has to stay one.
    return torch.where(norms <= SMALLEST_NORM, 0.0, codes / norms.clamp_min(SMALLEST_NORM))


def segment_cosine(
    one: Float[Tensor, " n_entries"],
    other: Float[Tensor, " n_entries"],
    row: Int64[Tensor, " n_entries"],
    n_rows: int,
    among: Bool[Tensor, " n_entries"],
) -> Float[Tensor, " n_rows"]:
    """Compute the cosine of each row's entries, of those in `among`; 0 where a row has none."""
    precise = torch.promote_types(one.dtype, torch.float32)
    one, other = one.to(precise) * among, other.to(precise) * among
    products = torch.stack([one * other, one.square(), other.square()], dim=1)
    sums = products.new_zeros(n_rows, 3).index_add(0, row, products)
    return sums[:, 0] / (sums[:, 1] * sums[:, 2]).clamp_min(SMALLEST_NORM**4).sqrt()
