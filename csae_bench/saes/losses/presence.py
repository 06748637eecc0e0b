"""Terms that look at single latents of single pairs."""

from __future__ import annotations

import torch

from csae_bench.saes.active_codes import rows_and_latents
from csae_bench.saes.losses.term import TermValue, nothing, precisely
from csae_bench.saes.similarities import SMALLEST_NORM, segment_cosine
from csae_bench.saes.views import Views, split


@precisely
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
        return nothing(views, counted)
    first, second = split(views.active)
    missing = (first ^ second).repeat_interleave(2, dim=0) & ~views.active & (weights > 0)
    row, latent = missing.nonzero(as_tuple=True)
    silent = views.pre_activations[row, latent]
    silent = silent.to(torch.promote_types(silent.dtype, torch.float32))
    goal = height * views.statistics.threshold
    lacking = weights[latent] * (goal - silent).relu() / goal.clamp_min(SMALLEST_NORM)
    return TermValue(lacking.sum() / views.n_pairs, n, counted)


@precisely
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
        return nothing(views, counted)
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
