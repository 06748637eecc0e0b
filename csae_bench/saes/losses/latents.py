"""Terms that compare latents by their pattern across the batch."""

from __future__ import annotations

from csae_bench.config.loss_terms import TermInput
from csae_bench.saes.losses.term import TermValue, nothing, precisely
from csae_bench.saes.similarities import (
    cross_correlation,
    info_nce,
    may_be_told_apart,
    sample_latents,
)
from csae_bench.saes.views import Views

_SMALLEST_CORRELATED = 1e-4
"""Added to the denominator of a correlation."""


@precisely
def columns(
    views: Views,
    *,
    temperature: float = 0.2,
    n_latents: int = 2048,
    min_firings: int = 8,
    max_co_firing: float = 0.5,
    on: TermInput = "union",
) -> TermValue:
    """Compute symmetric InfoNCE on latents: a latent's firing pattern across the anchors must
    identify the same latent across the positives, and vice versa.

    With A and B the values of M sampled latents in the two views, standardised by their running
    mean and standard deviation, s = A^T B / (n_pairs * temperature), and N(f) the sampled latents
    that f may be contrasted with, the mean over latents f of

        1/2 log(1 + sum over g in N(f) of exp(s_fg - s_ff))
      + 1/2 log(1 + sum over g in N(f) of exp(s_gf - s_ff)).

    The InfoNCE of `rows` on the transposed batch, as contrastive clustering does it on clusters: Li
    et al. 2021, arXiv:2009.09687, eq. 5. Two latents of which one fires in more than
    `max_co_firing` of the rows where the other does are not in each other's N: a parent and its
    child, if contrasted, would end in absorption.
    """
    latents = sample_latents(views, n_latents, min_firings)
    if len(latents) < 2:
        return nothing(views, f"latents that fire {min_firings} times in each view")
    correlation = cross_correlation(views, latents, on)
    negatives = may_be_told_apart(views.active.index_select(1, latents), max_co_firing)
    per_latent = info_nce(correlation / temperature, negatives)
    has_negatives = negatives.any(1)
    n = int(has_negatives.sum())
    value = (per_latent * has_negatives).sum() / max(n, 1)
    return TermValue(value, n, f"latents that fire {min_firings} times in each view")


@precisely
def barlow(
    views: Views,
    *,
    off_diagonal: float = 5e-3,
    n_latents: int = 2048,
    min_firings: int = 8,
    on: TermInput = "union",
) -> TermValue:
    """Push the cross-correlation of the two views' latents towards the identity.

    With C = A^T B / n_pairs of M sampled latents, standardised as in `columns`,

        1/M [sum over f of (1 - C_ff)^2 + off_diagonal * sum over f != g of C_fg^2].

    Barlow Twins: Zbontar et al. 2021, arXiv:2103.03230, eq. 1, divided by the number of latents.
    """
    latents = sample_latents(views, n_latents, min_firings)
    if len(latents) < 2:
        return nothing(views, f"latents that fire {min_firings} times in each view")
    correlation = cross_correlation(views, latents, on)
    own = correlation.diagonal()
    redundancy = correlation.square().sum() - own.square().sum()
    value = ((1 - own).square().sum() + off_diagonal * redundancy) / len(latents)
    return TermValue(value, len(latents), f"latents that fire {min_firings} times in each view")


@precisely
def cross_view(
    views: Views, *, min_invariance: float = 0.1, min_latents: int = 8, on: TermInput = "codes"
) -> TermValue:
    """Maximise each latent's correlation between the two views, weighted by its invariance:

        1 - sum over A of w_f corr(z1_f, z2_f) / sum over A of w_f,

    within 0 and 2, with corr taken over the batch (1e-4 in the denominator, gradients through both
    views), w the detached invariance, and A the latents with w above `min_invariance` that fire
    more than once in each view. Feature-wise and contrastive for each latent by itself: agreement
    within pairs against variation between them. Without off-diagonals it needs no temperature.
    """
    weights = views.statistics.invariance()
    eligible = (weights > min_invariance) & (views.firings.amin(0) > 1)
    latents = eligible.nonzero().squeeze(1)
    counted = f"latents with an invariance above {min_invariance}"
    if len(latents) < min_latents:
        return nothing(views, counted)
    anchors, positives = (one - one.mean(0) for one in views.read(on, latents))
    covariance = (anchors * positives).mean(0)
    # The tiny number keeps the root's gradient finite where a latent is constant.
    spread = (anchors.square().mean(0) * positives.square().mean(0) + 1e-16).sqrt()
    correlation = covariance / (spread + _SMALLEST_CORRELATED)
    chosen = weights[latents].to(correlation.dtype)
    return TermValue(1 - (chosen * correlation).sum() / chosen.sum(), len(latents), counted)
