"""The contrastive loss terms: pure functions of the two views of a batch of pairs.

Each function here is a row of `csae_bench/loss_terms.py`, which holds its settings. It gets
anchors, positives and the pairs' ids, then its own settings by keyword, and gives one number to
minimise. Everything is computed in float32 or better, outside autocast: in bfloat16 a sum of
exponentials of cosines / 0.2 has an error as large as the signal.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from csae_bench.saes.pair_ids import PairIds

_SMALLEST_NORM = 1e-6
"""Rows shorter than this have no direction; float32 codes of an active latent are far above."""


def rows(
    anchors: Float[Tensor, "n_pairs n_latents"],
    positives: Float[Tensor, "n_pairs n_latents"],
    pairs: PairIds,
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE: each row must find its partner among the rows of the other pairs.

    With s_ij = cos(anchor_i, positive_j) / temperature and N(i) the pairs that share neither
    sequence nor group with pair i, the mean over pairs i of

        1/2 log(1 + sum over j in N(i) of exp(s_ij - s_ii))
      + 1/2 log(1 + sum over j in N(i) of exp(s_ji - s_ii)),

    in nats: above 0; log(1 + |N|) where codes do not tell pairs apart.
    InfoNCE: van den Oord et al. 2018, arXiv:1807.03748, eq. 4; cosine and temperature: Chen et al.
    2020 (SimCLR), arXiv:2002.05709, eq. 1, here with the other view's rows alone as negatives.

    A row without an active latent has cosine 0 with every row and gets no gradient from its own
    side. A pair without a negative is left out of the mean; if no pair has one, the loss is 0.
    NaN and infinity in the codes come out as NaN: training has to notice them.
    """
    with torch.autocast(device_type=anchors.device.type, enabled=False):
        similarity = _unit(anchors) @ _unit(positives).T / temperature
        negatives = pairs.negatives()
        itself = torch.eye(len(pairs), dtype=torch.bool, device=negatives.device)
        candidates = similarity.masked_fill(~(negatives | itself), -torch.inf)
        per_pair = (candidates.logsumexp(1) + candidates.logsumexp(0)) / 2 - similarity.diagonal()
        # A product, not an index: a NaN in a pair without negatives has to show as well.
        has_negatives = negatives.any(1)
        return (per_pair * has_negatives).sum() / has_negatives.sum().clamp(min=1)


def _unit(
    codes: Float[Tensor, "n_pairs n_latents"],
) -> Float[Tensor, "n_pairs n_latents"]:
    """Rows scaled to length 1, rows without a direction replaced by 0."""
    codes = codes.to(torch.promote_types(codes.dtype, torch.float32))
    norms = torch.linalg.vector_norm(codes, dim=1, keepdim=True)
    # where, not a clamp alone: 1 / the clamp would be the gradient into an all-zero row.
    # norms <= ..., not norms > ...: a NaN has to stay one.
    return torch.where(norms <= _SMALLEST_NORM, 0.0, codes / norms.clamp_min(_SMALLEST_NORM))
