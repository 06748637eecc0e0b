"""Terms that compare samples."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench.config.loss_terms import TermInput
from csae_bench.saes.active_codes import weighted_block
from csae_bench.saes.losses.term import TermValue, first_latents, precisely
from csae_bench.saes.similarities import active_cosines, cosines, info_nce, unit
from csae_bench.saes.views import Views

COUNTED = "pairs with a negative"


@precisely
def rows(
    views: Views,
    *,
    temperature: float | Literal["learned"] = 0.2,
    latent_fraction: float = 1.0,
    on: TermInput = "codes",
    invariance_weighted: bool = False,
    minimal_negatives: bool = False,
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

    With `minimal_negatives`, a text that differs from the anchor in one factor is a negative of
    both rows of its pair: exp(cos(anchor_i, minimal_i) / temperature - s_ii) is added to the one
    sum, exp(cos(positive_i, minimal_i) / temperature - s_ii) to the other.
    """
    block = first_latents(latent_fraction, views)
    weights = views.statistics.invariance()[block] if invariance_weighted else None
    hard = _minimal_cosines(views, on, block, weights) if minimal_negatives else None
    if on == "codes" and views.active_codes is not None and views.head is None:
        codes = weighted_block(views.active_codes, block.stop, weights)
        similarity = active_cosines(*codes.split(), views.n_pairs, block.stop)
    else:
        similarity = cosines(*(_compared(views, one, weights) for one in views.read(on, block)))
    divisor = views.learned_temperature if temperature == "learned" else temperature
    assert divisor is not None
    return _info_nce(views, similarity / divisor, None if hard is None else hard / divisor)


@precisely
def triplet(
    views: Views,
    *,
    margin: float = 0.2,
    latent_fraction: float = 1.0,
    on: TermInput = "codes",
    minimal_negatives: bool = False,
) -> TermValue:
    """Pull each row closer to its partner than to its hardest negative, by a margin.

    With c_ij = cos(anchor_i, positive_j) and N(i) as in `rows`, the mean over pairs i of

        1/2 [margin + max over j in N(i) of c_ij - c_ii]_+
      + 1/2 [margin + max over j in N(i) of c_ji - c_ii]_+,

    within 0 and 2 + margin. Batch-hard triplets: Hermans et al. 2017, arXiv:1703.07737, eq. 5.

    With `minimal_negatives`, a text that differs from the anchor in one factor is among the
    negatives of both rows of its pair.
    """
    block = first_latents(latent_fraction, views)
    similarity = cosines(*views.read(on, block))
    negatives = views.pairs.negatives()
    others = similarity.masked_fill(~negatives, -torch.inf)
    own, has_negatives = similarity.diagonal(), negatives.any(1)
    hardest = torch.stack([others.amax(1), others.amax(0)])
    if minimal_negatives:
        hard = _minimal_cosines(views, on, block, None)
        hardest = torch.maximum(hardest, hard)
        has_negatives = has_negatives | hard[0].isfinite()
    per_pair = (margin + hardest - own).relu().sum(0) / 2
    n = int(has_negatives.sum())
    return TermValue((per_pair * has_negatives).sum() / max(n, 1), n, COUNTED)


@precisely
def temporal(views: Views, *, latent_fraction: float = 0.2, on: TermInput = "codes") -> TermValue:
    """Compute T-SAE's temporal loss: symmetric InfoNCE by the plain inner product of codes.

    With s_ij the inner product of anchor i's and positive j's codes, of the first latents alone,
    and N(i) as in `rows`, what `rows` computes of its s_ij; no temperature divides it.
    T-SAE: arXiv:2511.05541, the loss between neighbouring tokens on the high-level latents; as
    published every other row of the batch is a negative, here those of the same text are not.
    """
    anchors, positives = views.read(on, first_latents(latent_fraction, views))
    return _info_nce(views, anchors @ positives.T, None)


def _info_nce(
    views: Views,
    similarity: Float[Tensor, "n_pairs n_pairs"],
    hard: Float[Tensor, "2 n_pairs"] | None,
) -> TermValue:
    """Average the InfoNCE of the pairs that have a negative.

    Args:
        hard: similarity of anchors, and of positives, with the pair's minimal pair; -inf where
            there is none.
    """
    negatives = views.pairs.negatives()
    per_pair = info_nce(similarity, negatives, hard)
    # A product, not an index: a NaN in a pair without negatives has to show as well.
    has_negatives = negatives.any(1)
    if hard is not None:
        has_negatives = has_negatives | hard.detach()[0].isfinite()
    n = int(has_negatives.sum())
    return TermValue((per_pair * has_negatives).sum() / max(n, 1), n, COUNTED)


def _compared(views: Views, rows: Tensor, weights: Tensor | None) -> Tensor:
    """Return what cosines are taken of, given what a term reads."""
    weighted = rows if weights is None else rows * weights
    return weighted if views.head is None else views.head(weighted)


def _minimal_cosines(
    views: Views, on: TermInput, block: slice, weights: Tensor | None
) -> Float[Tensor, "2 n_pairs"]:
    """Compute cosines of each pair's anchor, and of its positive, with its minimal pair; -inf
    where it has none.
    """
    changed = views.changed
    own = torch.full((2, views.n_pairs), -torch.inf, device=views.codes.device)
    if changed is None or not len(changed.pairs):
        return own
    anchors, positives = (rows.index_select(0, changed.pairs) for rows in views.read(on, block))
    of_changed = changed.read(on, block)
    sides = (_compared(views, rows, weights) for rows in (anchors, positives, of_changed))
    one, other, third = (unit(rows) for rows in sides)
    cosine = torch.stack([(one * third).sum(1), (other * third).sum(1)])
    return own.to(cosine.dtype).index_copy(1, changed.pairs, cosine)
