"""The contrastive loss terms: pure functions of the two views of a batch of pairs.

Each public function here is a row of `csae_bench/loss_terms.py`, which holds its settings. It gets
the views, then its own settings by keyword, and gives one number to minimise, 0 or above, together
with how many things it compared. Everything is computed in float32 or better, outside autocast: in
bfloat16 a sum of exponentials of cosines / 0.2 has an error as large as the signal. NaN and
infinity in what a term compares come out as NaN: training has to notice them.

`rows` and `triplet` compare samples, `columns`, `barlow` and `cross_view` compare latents by their
pattern across the batch, `push_up` and `mixing` look at single latents of single pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Literal, NamedTuple, ParamSpec

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench.config.loss_terms import TermInput
from csae_bench.saes.active_codes import rows_and_latents, weighted_block
from csae_bench.saes.similarities import (
    SMALLEST_NORM,
    active_cosines,
    cosines,
    cross_correlation,
    info_nce,
    may_be_told_apart,
    sample_latents,
    segment_cosine,
)
from csae_bench.saes.views import Views, split

_SMALLEST_CORRELATED = 1e-4
"""Added to the denominator of a correlation."""


class TermValue(NamedTuple):
    """A term's value, and how many pairs or latents it was computed on."""

    value: Float[Tensor, ""]
    """To minimise; exactly 0, without a gradient, where there was nothing to compare."""
    n_compared: int
    """Number of pairs, latents or mixtures that took part."""
    compared: str
    """Name of what is counted, which is missing where the count is 0."""


P = ParamSpec("P")


def _precisely(
    term: Callable[Concatenate[Views, P], TermValue],
) -> Callable[Concatenate[Views, P], TermValue]:
    @wraps(term)
    def without_autocast(views: Views, *args: P.args, **kwargs: P.kwargs) -> TermValue:
        if not views.n_pairs:
            return _nothing(views, "pairs of the kinds that the term looks at")
        with torch.autocast(views.codes.device.type, enabled=False):
            return term(views, *args, **kwargs)

    return without_autocast


@_precisely
def rows(
    views: Views,
    *,
    temperature: float | Literal["learned"] = 0.2,
    latent_fraction: float = 1.0,
    on: TermInput = "codes",
    invariance_weighted: bool = False,
) -> TermValue:
    """Compute symmetric InfoNCE: each row must find its partner among the other pairs' rows.

    With s_ij = cos(anchor_i, positive_j) / temperature and N(i) the pairs that share neither
    sequence nor group with pair i, the mean over pairs i of

        1/2 log(1 + sum over j in N(i) of exp(s_ij - s_ii))
      + 1/2 log(1 + sum over j in N(i) of exp(s_ji - s_ii)),

    in nats: log(1 + |N|) where codes do not tell pairs apart.
    InfoNCE: van den Oord et al. 2018, arXiv:1807.03748, eq. 4; cosine and temperature: Chen et al.
    2020 (SimCLR), arXiv:2002.05709, eq. 1, here with the other view's rows alone as negatives.

    A row without an active latent has cosine 0 with every row and gets no gradient from its own
    side. A pair without a negative is left out of the mean; if no pair has one, the loss is 0.
    """
    block = _first(latent_fraction, views)
    weights = views.statistics.invariance()[block] if invariance_weighted else None
    if on == "codes" and views.active_codes is not None and views.head is None:
        codes = weighted_block(views.active_codes, block.stop, weights)
        similarity = active_cosines(*codes.split(), views.n_pairs, block.stop)
    else:
        anchors, positives = views.read(on, block)
        if weights is not None:
            anchors, positives = anchors * weights, positives * weights
        if views.head is not None:
            anchors, positives = views.head(anchors), views.head(positives)
        similarity = cosines(anchors, positives)
    if temperature == "learned":
        assert views.learned_temperature is not None
        similarity = similarity / views.learned_temperature
    else:
        similarity = similarity / temperature
    negatives = views.pairs.negatives()
    per_pair = info_nce(similarity, negatives)
    # A product, not an index: a NaN in a pair without negatives has to show as well.
    has_negatives = negatives.any(1)
    n = int(has_negatives.sum())
    return TermValue((per_pair * has_negatives).sum() / max(n, 1), n, "pairs with a negative")


@_precisely
def triplet(
    views: Views, *, margin: float = 0.2, latent_fraction: float = 1.0, on: TermInput = "codes"
) -> TermValue:
    """Pull each row closer to its partner than to its hardest negative, by a margin.

    With c_ij = cos(anchor_i, positive_j) and N(i) as in `rows`, the mean over pairs i of

        1/2 [margin + max over j in N(i) of c_ij - c_ii]_+
      + 1/2 [margin + max over j in N(i) of c_ji - c_ii]_+,

    within 0 and 2 + margin. Batch-hard triplets: Hermans et al. 2017, arXiv:1703.07737, eq. 5.
    """
    similarity = cosines(*views.read(on, _first(latent_fraction, views)))
    negatives = views.pairs.negatives()
    others = similarity.masked_fill(~negatives, -torch.inf)
    own = similarity.diagonal()
    per_pair = sum(((margin + others.amax(d) - own).relu() for d in (0, 1)), torch.zeros(())) / 2
    has_negatives = negatives.any(1)
    n = int(has_negatives.sum())
    return TermValue((per_pair * has_negatives).sum() / max(n, 1), n, "pairs with a negative")


@_precisely
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
        return _nothing(views, f"latents that fire {min_firings} times in each view")
    correlation = cross_correlation(views, latents, on)
    negatives = may_be_told_apart(views.active.index_select(1, latents), max_co_firing)
    per_latent = info_nce(correlation / temperature, negatives)
    has_negatives = negatives.any(1)
    n = int(has_negatives.sum())
    value = (per_latent * has_negatives).sum() / max(n, 1)
    return TermValue(value, n, f"latents that fire {min_firings} times in each view")


@_precisely
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
        return _nothing(views, f"latents that fire {min_firings} times in each view")
    correlation = cross_correlation(views, latents, on)
    own = correlation.diagonal()
    redundancy = correlation.square().sum() - own.square().sum()
    value = ((1 - own).square().sum() + off_diagonal * redundancy) / len(latents)
    return TermValue(value, len(latents), f"latents that fire {min_firings} times in each view")


@_precisely
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
        return _nothing(views, counted)
    anchors, positives = (one - one.mean(0) for one in views.read(on, latents))
    covariance = (anchors * positives).mean(0)
    # The tiny number keeps the root's gradient finite where a latent is constant.
    spread = (anchors.square().mean(0) * positives.square().mean(0) + 1e-16).sqrt()
    correlation = covariance / (spread + _SMALLEST_CORRELATED)
    chosen = weights[latents].to(correlation.dtype)
    return TermValue(1 - (chosen * correlation).sum() / chosen.sum(), len(latents), counted)


@_precisely
def push_up(views: Views, *, height: float = 1.25, min_latents: int = 8) -> TermValue:
    """Raise a latent that fires in one view of a pair and is silent in the other.

    With h the pre-activations, s the active latents, w the invariance and t the running mean of a
    row's smallest active code, the mean over pairs of

        sum over f of w_f (s1 (1 - s2) [g - h2]_+ + s2 (1 - s1) [g - h1]_+) / g,  g = height * t.

    0 or above. Only the silent side gets a gradient. A NaN counts as active, so it does not show
    here: the reconstruction and every other term have it.
    """
    weights = views.statistics.invariance()
    counted = "latents with an invariance above 0"
    n = int((weights > 0).sum())
    if n < min_latents:
        return _nothing(views, counted)
    first, second = split(views.active)
    missing = (first ^ second).repeat_interleave(2, dim=0) & ~views.active & (weights > 0)
    row, latent = missing.nonzero(as_tuple=True)
    silent = views.pre_activations[row, latent]
    silent = silent.to(torch.promote_types(silent.dtype, torch.float32))
    goal = height * views.statistics.threshold
    lacking = weights[latent] * (goal - silent).relu() / goal.clamp_min(SMALLEST_NORM)
    return TermValue(lacking.sum() / views.n_pairs, n, counted)


@_precisely
def mixing(views: Views, *, margin: float = 0.5) -> TermValue:
    """Mix features of two rows: each latent must match the example it was taken from.

    Anchor i had the latents S exchanged for a donor's, was decoded, its reconstruction error added,
    and encoded again to z~ (see `csae_bench.saes.mixing`). On S the mixture is a hard negative of
    the anchor, elsewhere a positive: the mean over mixtures of

        [margin + cos_S(z, z~) - cos_S(z, z+)]_+  +  1 - cos_rest(z, z~),

    within 0 and 4 + margin. The values are pre-activations; the rest are the latents outside S that
    are active in the anchor or the mixture.
    """
    mixture = views.mixture
    counted = "mixtures whose norm is that of real activations"
    if mixture is None or not len(mixture.anchors):
        return _nothing(views, counted)
    active = views.active.index_select(0, 2 * mixture.anchors) | ~(mixture.codes.detach() <= 0)
    row, latent = rows_and_latents(active | mixture.exchanged)
    pair = mixture.anchors[row]
    # both at once: each selection has a gradient of the size of all pre-activations
    sides = torch.stack([2 * pair, 2 * pair + 1])
    anchor, positive = views.pre_activations[sides, latent.expand_as(sides)]
    mixed = mixture.pre_activations[row, latent]
    n = len(mixture.anchors)
    inside = mixture.exchanged[row, latent]
    swapped = segment_cosine(anchor, mixed, row, n, inside)
    shared = segment_cosine(anchor, positive, row, n, inside)
    kept = segment_cosine(anchor, mixed, row, n, ~inside)
    per_mixture = (margin + swapped - shared).relu() + 1 - kept
    return TermValue(per_mixture.mean(), n, counted)


def _first(latent_fraction: float, views: Views) -> slice:
    return slice(max(1, round(latent_fraction * views.codes.shape[1])))


def _nothing(views: Views, counted: str) -> TermValue:
    return TermValue(views.codes.new_zeros((), dtype=torch.float32), 0, counted)
