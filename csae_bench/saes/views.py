"""Views: the inputs of contrastive terms for one batch of pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from csae_bench.config.loss_terms import TermInput
from csae_bench.saes.active_codes import ActiveCodes, rows_and_latents
from csae_bench.saes.pair_ids import PairIds


class LatentStatistics(NamedTuple):
    """Statistics of each latent over the batches so far; no gradient flows into them."""

    rate: Float[Tensor, " d_sae"]
    """q: share of the rows in which it is active."""
    both: Float[Tensor, " d_sae"]
    """p: share of the pairs in both of whose rows it is active."""
    mean: Float[Tensor, " d_sae"]
    """Mean code."""
    variance: Float[Tensor, " d_sae"]
    """Variance of the code."""
    threshold: Float[Tensor, ""]
    """Mean, over rows, of a row's smallest active code."""

    def invariance(self) -> Float[Tensor, " d_sae"]:
        """clip((p / q - q) / (1 - q), 0, 1): that a latent which is active in one row of a pair is
        active in the other too, corrected for chance. 0 for latents that are hardly ever active.
        """
        q = self.rate
        above_chance = (self.both / q.clamp_min(1e-12) - q) / (1 - q).clamp_min(1e-12)
        return torch.where(q > RAREST_RATE, above_chance.clamp(0, 1), 0.0)

    def lift(self) -> Float[Tensor, " d_sae"]:
        """P(active in the positive | active in the anchor) / P(active); 1 where it is not known."""
        known = self.rate > 0
        return torch.where(known, self.both / self.rate.square().clamp_min(1e-12), 1.0)


RAREST_RATE = 1e-3
"""A latent that is active less often has no invariance: too few pairs speak of it."""


@dataclass(frozen=True)
class Mixture:
    """Anchors some of whose latents were exchanged for a donor's, encoded again."""

    anchors: Int64[Tensor, " n_mixed"]
    """Pairs whose anchors were mixed; those whose mixture was rejected are not there."""
    codes: Float[Tensor, "n_mixed d_sae"]
    """Codes of the mixed activations, with gradients into the encoder."""
    pre_activations: Float[Tensor, "n_mixed d_sae"]
    """The same before sparsity."""
    exchanged: Bool[Tensor, "n_mixed d_sae"]
    """The latents that were exchanged."""


@dataclass(frozen=True)
class Changed:
    """Rows of minimal pairs whose anchor is that of a pair of alike rows."""

    pairs: Int64[Tensor, " n_changed"]
    """The pairs with the same anchor."""
    codes: Float[Tensor, "n_changed d_sae"]
    """Codes of the texts that differ from the anchor in one factor."""
    pre_activations: Float[Tensor, "n_changed d_sae"]
    """The same before sparsity."""

    def read(self, on: TermInput, latents: slice) -> Float[Tensor, "n_changed n_latents"]:
        """Select what the rows are compared by; of the union it is the codes."""
        if on == "pre_activations":
            return _precise(self.pre_activations[:, latents]).relu()
        return _precise(self.codes[:, latents])


class Shift(NamedTuple):
    """Change of the code over each pair, at the latents that are active in one of its rows; at all
    others it is 0.
    """

    pair: Int64[Tensor, " n_entries"]
    latent: Int64[Tensor, " n_entries"]
    change: Float[Tensor, " n_entries"]
    n_pairs: int

    def sums(self, values: Float[Tensor, " n_entries"]) -> Float[Tensor, " n_pairs"]:
        """Add up values of the entries by pair."""
        return values.new_zeros(self.n_pairs).index_add(0, self.pair, values)


@dataclass(frozen=True)
class Views:
    """A batch of pairs as an SAE sees it. Rows 2i and 2i + 1 are the two views of pair i."""

    codes: Float[Tensor, "n_rows d_sae"]
    pre_activations: Float[Tensor, "n_rows d_sae"]
    """The encoder's output before sparsity, equal to the code where a latent is active."""
    pairs: PairIds
    statistics: LatentStatistics
    active_codes: ActiveCodes | None = None
    """The same codes without the zeros, where the SAE gives them: fewer numbers to compute with."""
    mixture: Mixture | None = None
    """Only where the term `mixing` is on."""
    changed: Changed | None = None
    """Only where a term takes minimal pairs as negatives."""
    decoder_norms: Float[Tensor, " d_sae"] | None = None
    """Norms of the decoder's rows, detached; none: all 1."""
    profiles: Float[Tensor, "n_values d_sae"] | None = None
    """Profile of each value of a factor, see the term `swap`; 0 where it is not known."""
    head: Callable[[Tensor], Tensor] | None = None
    """A projection between latents and the cosines of `rows`; none: there is none."""
    learned_temperature: Tensor | None = None
    """The trained temperature of `rows`, where it is trained."""
    generator: torch.Generator | None = field(default=None, repr=False)
    """Generator for sampling latents; none: torch's global generator."""

    @property
    def n_pairs(self) -> int:
        """Pairs in the batch."""
        return len(self.pairs)

    @cached_property
    def active(self) -> Bool[Tensor, "n_rows d_sae"]:
        """Mask of active latents. A NaN counts as active, so that no reading leaves it out."""
        if self.active_codes is None:
            return ~(self.codes.detach() <= 0)
        mask = torch.zeros_like(self.codes, dtype=torch.bool)
        mask[self.active_codes.row, self.active_codes.latent] = True
        return mask

    def active_anchors(self) -> tuple[Int64[Tensor, " n_active"], Int64[Tensor, " n_active"]]:
        """Return the pair and the latent of each latent that is active in an anchor."""
        if self.active_codes is None:
            return rows_and_latents(self.active[0::2])
        anchors, _ = self.active_codes.split()
        return anchors.row, anchors.latent

    @cached_property
    def firings(self) -> Int64[Tensor, "2 d_sae"]:
        """Counts of each latent's being active, in the anchors and in the positives."""
        counts = self.active.new_zeros(2, self.active.shape[1], dtype=torch.int64)
        for part in self.active.split(512):  # even: anchors and positives stay in turn
            row, latent = part.nonzero(as_tuple=True)
            place = (row % 2) * counts.shape[1] + latent
            counts += torch.bincount(place, minlength=counts.numel()).view_as(counts)
        return counts

    def shift(self, on: TermInput) -> Shift:
        """Return the change of the code from each anchor to its partner, in the units of the
        activations: each latent's times the norm of its row of the decoder.
        """
        silent = self.pre_activations.detach() <= 0 if on == "pre_activations" else ~self.active
        first, second = split(silent)
        pair, latent = rows_and_latents(~(first & second))
        # both at once: each selection has a gradient of the size of all codes
        row = torch.stack([2 * pair, 2 * pair + 1])
        latents = latent.expand_as(row)
        if on == "pre_activations":
            values = _precise(self.pre_activations[row, latents]).relu()
        else:
            values = _precise(self.codes[row, latents])
        if on == "union":
            pre = _precise(self.pre_activations[row, latents])
            values = _straight_through(values, pre, silent[row, latents])
        change = values[1] - values[0]
        if self.decoder_norms is not None:
            change = change * self.decoder_norms[latent]
        return Shift(pair, latent, change, self.n_pairs)

    def read(
        self, on: TermInput, latents: slice | Int64[Tensor, " n_latents"] | None = None
    ) -> tuple[Float[Tensor, "n_pairs n_latents"], Float[Tensor, "n_pairs n_latents"]]:
        """Select what the anchors and the positives are compared by, in float32 or better.

        Selected before it is split: one gradient of the whole width then suffices for both.
        """
        if latents is None:
            latents = slice(None)
        if on == "pre_activations":
            return split(_precise(_select(self.pre_activations, latents)).relu())
        codes = _precise(_select(self.codes, latents))
        if on == "codes":
            return split(codes)
        pre = _precise(_select(self.pre_activations, latents))
        active = _select(self.active, latents)
        first, second = split(active)
        silent = (first | second).repeat_interleave(2, dim=0) & ~active
        return split(_straight_through(codes, pre, silent))


def _straight_through(codes: Tensor, pre: Tensor, silent: Tensor) -> Tensor:
    """Pass the gradient of silent codes to their pre-activations; the values are the codes.

    Bengio et al. 2013, arXiv:1308.3432.
    """
    return codes + (pre - pre.detach()).where(silent, 0)


def split(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Split interleaved rows into anchors and positives."""
    return rows[0::2], rows[1::2]


def _select(values: Tensor, latents: slice | Tensor) -> Tensor:
    return values[:, latents] if isinstance(latents, slice) else values.index_select(1, latents)


def _precise(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))
