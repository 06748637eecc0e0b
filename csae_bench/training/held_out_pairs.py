"""What an SAE makes of held-out pairs: how much more alike their codes are than those of others,
and how many latents make the change over a minimal pair.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from sae_lens.saes.sae import SAE
from torch import Tensor

from csae_bench.config.loss_terms import POSITIVE_KINDS
from csae_bench.pairs import PairBatches
from csae_bench.saes.losses.shifts import participation
from csae_bench.saes.pair_ids import PairIds
from csae_bench.saes.views import split

N_ROWS = 16_384
"""Number of rows of held-out pairs that it is measured on."""


class HeldOutPairScores(NamedTuple):
    """Measurements of the codes of held-out pairs; None where there are no such pairs."""

    separation: float | None
    """Mean cosine of pairs of alike rows minus mean cosine of rows of different pairs."""
    separation_by_kind: dict[str, float | None]
    """The same of each kind of pairs whose rows are alike."""
    shift_participation: float | None
    """Mean number of latents that make the change over a minimal pair, see `participation`."""


@torch.no_grad()
def measure_held_out_pairs(
    sae: SAE[Any], held_out: PairBatches, n_rows: int = N_ROWS
) -> HeldOutPairScores:
    """Measure how alike the codes of pairs are, and how concentrated the changes of minimal ones.

    Separation is the mean over pairs i of cos(z_i, z+_i), minus the mean over i and the pairs j
    that share neither sequence nor group with i of cos(z_i, z+_j); z and z+ are the codes of anchor
    and positive. Rows without an active latent have the cosine 0. Shuffled positives are the pairs
    j: what an SAE gives to any two rows, however alike its codes are, is taken off.
    """
    overall, by_kind, shifts = _Sums(), dict[str, _Sums](), list[Tensor]()
    for _ in range(-(-n_rows // held_out.batch_size)):
        codes = sae.encode(next(held_out).to(sae.device)).float()
        pairs = held_out.pairs.to(codes.device)
        if "minimal" in pairs.kinds:
            shifts.append(minimal_participation(codes, pairs, sae.W_dec))
        alike, places = pairs.of_kinds(None)
        codes = codes / codes.norm(dim=1, keepdim=True).clamp_min(1e-12)
        one, other = (side if places is None else places.of(side) for side in split(codes))
        cosines, negatives = one @ other.T, alike.negatives()
        overall.add(cosines, negatives)
        for kind, part in _places(pairs).items():
            by_kind.setdefault(kind, _Sums()).add(cosines[part, part], negatives[part, part])
    changed = torch.cat(shifts) if shifts else torch.empty(0)
    return HeldOutPairScores(
        overall.difference(),
        {kind: sums.difference() for kind, sums in by_kind.items()},
        changed.mean().item() if len(changed) else None,
    )


def minimal_participation(
    codes: Float[Tensor, "n_rows d_sae"], pairs: PairIds, W_dec: Float[Tensor, "d_sae d_in"]
) -> Float[Tensor, " n_changed"]:
    """Return the `participation` of each minimal pair of a batch whose code changes.

    Args:
        codes: of the whole batch, dense.
        pairs: of the batch, with minimal pairs among them.
    """
    of_minimal = pairs.kinds["minimal"]
    anchors, changed = split(codes.detach())
    shift = (changed[of_minimal] - anchors[of_minimal]).float()
    return participation(shift * W_dec.detach().float().norm(dim=1))


def _places(pairs: PairIds) -> dict[str, slice]:
    """Places of the kinds of alike rows among all of these."""
    places: dict[str, slice] = {}
    start = 0
    for kind, place in pairs.kinds.items():
        if kind in POSITIVE_KINDS:
            n = place.stop - place.start
            places[kind] = slice(start, start + n)
            start += n
    return places


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
