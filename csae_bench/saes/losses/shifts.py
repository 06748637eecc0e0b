"""Terms that look at the change of the code between the two texts of a minimal pair."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench.config.loss_terms import TermInput
from csae_bench.saes.losses.term import TermValue, nothing, precisely
from csae_bench.saes.views import Views

_SMALLEST_L1, _SMALLEST_SQUARE = 1e-4, 1e-8
"""Added to a shift's norms, so that a pair without a change has the ratio 1."""


@precisely
def sparse_shift(views: Views, *, on: TermInput = "union") -> TermValue:
    """Concentrate the change of the code between the two rows of a pair in few latents.

    With u_f = |d_f| (z'_f - z_f), d_f the decoder's rows (detached) and z and z' what the term
    reads of the two rows, the mean over pairs of

        log(|u|_1 + 1e-4) - 1/2 log(|u|_2^2 + 1e-8),

    within 0 and log(d_sae) / 2: half the log of the participation, the number of latents that
    share a change evenly; log sqrt 2 where one latent goes off and another of equal size on. It
    does not depend on the size of a change, and nobody need say which factor makes it. Pairs
    without a change count in the mean, as 0.

    The ratio of norms as a measure of sparsity: Hoyer 2004, JMLR 5, sec. 3.1; sparsity of shifts
    between observations that differ in few concepts: Joshi et al. 2025, arXiv:2502.12179.
    """
    shift = views.shift(on)
    l1 = shift.sums(shift.change.abs())
    # a NaN is a change: it has to show
    n = int((l1.detach() != 0).sum())
    if not n:
        return nothing(views, "pairs whose codes differ")
    squares = shift.sums(shift.change.square())
    per_pair = (l1 + _SMALLEST_L1).log() - (squares + _SMALLEST_SQUARE).log() / 2
    return TermValue(per_pair.mean(), n, "pairs whose codes differ")


@precisely
def swap(views: Views, *, on: TermInput = "union") -> TermValue:
    """Turn the change of the code to the latents of the value that goes and of the one that comes.

    With u as in `sparse_shift` and P_v the value's profile, a running mean of [u]_+ where v came
    on and of [-u]_+ where it went off, the mean over pairs of

        1 - cos(u, P_new^2 / |P_new^2| - P_old^2 / |P_old^2|),

    within 0 and 2. The squares favour a value's strongest latents. Pairs whose values are not
    known, or of values that no profile is known of, are left out.
    """
    counted = "pairs of which the changed values are known"
    values = views.pairs.values
    if values is None or views.profiles is None:
        return nothing(views, counted)
    profiles = views.profiles.square()
    lengths = torch.linalg.vector_norm(profiles, dim=1)
    known = (values >= 0).all(1)
    known &= (lengths[values.clamp_min(0)] > 0).all(1)
    n = int(known.sum())
    if not n:
        return nothing(views, counted)
    directions = profiles / lengths.clamp_min(torch.finfo(lengths.dtype).tiny)[:, None]
    old, new = values.clamp_min(0).unbind(1)
    shift = views.shift(on)
    goal = directions[new[shift.pair], shift.latent] - directions[old[shift.pair], shift.latent]
    along = shift.sums(shift.change * goal.to(shift.change.dtype))
    goal_length = torch.linalg.vector_norm(directions[new] - directions[old], dim=1)
    squares = shift.sums(shift.change.square()) * goal_length.square().to(along.dtype)
    cosine = along / squares.clamp_min(_SMALLEST_SQUARE**2).sqrt()
    return TermValue(1 - (cosine * known).sum() / n, n, counted)


def participation(shift: Float[Tensor, "n_pairs d_sae"]) -> Float[Tensor, " n_changed"]:
    """Compute (|u|_1 / |u|_2)^2 of each change, 1 to d_sae: the number of latents that make it.

    Pairs without a change are left out.
    """
    changed = shift[~(shift == 0).all(1)].double()
    return changed.abs().sum(1).square() / changed.square().sum(1)
