"""Pair separation: how much more alike the codes of held-out pairs are than those of others."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from sae_lens.saes.sae import SAE
from torch import Tensor

from csae_bench.pairs import PairBatches

N_ROWS = 16_384
"""Number of rows of held-out pairs that it is measured on."""


class Separation(NamedTuple):
    """Mean cosine of pairs minus mean cosine of rows of different pairs; None without either."""

    overall: float | None
    by_kind: dict[str, float | None]


@torch.no_grad()
def pair_separation(sae: SAE[Any], held_out: PairBatches, n_rows: int = N_ROWS) -> Separation:
    """Measure how much more alike the codes of held-out pairs are than those of different pairs.

    That is the mean over pairs i of cos(z_i, z+_i), minus the mean over i and the pairs j that
    share neither sequence nor group with i of cos(z_i, z+_j); z and z+ are the codes of anchor and
    positive.

    Rows without an active latent have the cosine 0. Shuffled positives are the pairs j: what an SAE
    gives to any two rows, however alike its codes are, is taken off.
    """
    overall, by_kind = _Sums(), dict[str, _Sums]()
    for _ in range(-(-n_rows // held_out.batch_size)):
        codes = sae.encode(next(held_out).to(sae.device)).float()
        codes = codes / codes.norm(dim=1, keepdim=True).clamp_min(1e-12)
        cosines = codes[0::2] @ codes[1::2].T
        negatives = held_out.pairs.negatives().to(cosines.device)
        overall.add(cosines, negatives)
        for kind, part in held_out.pairs.kinds.items():
            by_kind.setdefault(kind, _Sums()).add(cosines[part, part], negatives[part, part])
    return Separation(
        overall.difference(), {kind: sums.difference() for kind, sums in by_kind.items()}
    )


class _Sums:
    def __init__(self) -> None:
        self._of_pairs = self._of_others = 0.0
        self._n_pairs = self._n_others = 0

    def add(self, cosines: Float[Tensor, "n n"], negatives: Tensor) -> None:
        self._of_pairs += cosines.diagonal().sum().item()
        self._n_pairs += len(cosines)
        self._of_others += (cosines * negatives).sum().item()
        self._n_others += int(negatives.sum())

    def difference(self) -> float | None:
        if not self._n_pairs or not self._n_others:
            return None
        return self._of_pairs / self._n_pairs - self._of_others / self._n_others
