"""BatchTopK's training step on a CPU, from the active codes alone.

SAELens's step sorts all pre-activations of a batch to find the largest, and decodes and
differentiates codes that are almost all 0: nine tenths of its time are passes over zeros. Here the
largest are found among those above a floor, and only their values are decoded and differentiated.
The loss is the same, up to the order of float32 sums.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE
from sae_lens.saes.sae import TrainStepInput, TrainStepOutput
from torch import Tensor
from torch.nn.functional import embedding_bag
from typing_extensions import override

from csae_bench.saes.active_codes import ActiveCodes, places
from csae_bench.saes.step import SparseStepOutput

_DENSEST = 1 / 32
"""Share of active codes up to which this is faster than SAELens's step."""

_FLOOR = 0.8
"""Of the last batch's smallest active code: hardly ever are fewer than k * n above it."""


class _Encoded(NamedTuple):
    active: ActiveCodes
    codes: Float[Tensor, "n_rows d_sae"]
    pre_activations: Float[Tensor, "n_rows d_sae"]


class SparseBatchTopK(BatchTopKTrainingSAE):
    """SAELens's BatchTopK with a faster step where that is possible; in other places it is theirs.

    It is where the SAE's weights are float32 on a CPU, outside autocast, at most one of 32 latents
    is active, and no hook reads or changes what the step leaves out.
    """

    _floor: float = 0.0
    """Where the next batch's active codes are looked for first; does not change what is found."""

    def may_round_differently(self) -> bool:
        """Decide whether sums may be taken in another order than SAELens's."""
        return True

    @override
    def encode_with_hidden_pre(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes of rows, and their pre-activations."""
        if not self._is_sparse(x):
            return super().encode_with_hidden_pre(x)
        encoded = self._encoded(x)
        return encoded.codes, encoded.pre_activations

    @override
    def training_forward_pass(self, step_input: TrainStepInput) -> TrainStepOutput:
        """Return the losses of a batch, as SAELens's class defines them."""
        x = step_input.sae_in
        if not self._is_sparse(x):
            return super().training_forward_pass(step_input)
        active, codes, pre_activations = self._encoded(x)
        directions = self._directions()
        sae_out = _decoded(active, directions, len(x)) + self.b_dec
        mse_loss = self.mse_loss_fn(sae_out, x).sum(dim=-1).mean()
        auxiliary = self._auxiliary(step_input, pre_activations, sae_out, directions)
        self._follow_threshold(active.values)
        return SparseStepOutput(
            sae_in=x,
            sae_out=sae_out,
            feature_acts=codes,
            hidden_pre=pre_activations,
            loss=mse_loss + auxiliary,
            losses={"mse_loss": mse_loss, "auxiliary_reconstruction_loss": auxiliary},
            metrics={"topk_threshold": self.topk_threshold},
            active_codes=active,
        )

    def _is_sparse(self, x: Tensor) -> bool:
        points = (
            self.hook_sae_input,
            self.hook_sae_acts_pre,
            self.hook_sae_acts_post,
            self.hook_sae_recons,
        )
        return (
            self.may_round_differently()
            and x.ndim == 2
            and x.dtype == self.W_enc.dtype == torch.float32
            and self.cfg.reshape_activations == "none"
            and self.cfg.k <= _DENSEST * self.cfg.d_sae
            and self.cfg.normalize_activations in ("none", "expected_average_only_in")
            and self.W_enc.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and not any(point.fwd_hooks or point.bwd_hooks for point in points)
        )

    def _encoded(self, x: Float[Tensor, "n_rows d_in"]) -> _Encoded:
        weights, bias = self.W_enc, self.b_enc
        if self.cfg.apply_b_dec_to_input:
            # in place of rows - b_dec, whose gradient is a product as large as the encoder's
            bias = bias - self.b_dec @ weights
        if self.cfg.rescale_acts_by_decoder_norm:
            norms = self.W_dec.norm(dim=-1)
            weights, bias = weights * norms, bias * norms
        pre_activations = torch.addmm(bias, x, weights)
        flat = pre_activations.view(-1)
        place = self._places_of_largest(flat.detach(), int(self.cfg.k * len(x)))
        values = flat.index_select(0, place)
        active = ActiveCodes(place // self.cfg.d_sae, place % self.cfg.d_sae, values)
        # the codes' gradient, if a term asks for it, goes to the values alone
        codes = flat.new_zeros(flat.shape).scatter_(0, place, values).view_as(pre_activations)
        return _Encoded(active, codes, pre_activations)

    def _places_of_largest(
        self, values: Float[Tensor, " n_values"], n_wanted: int
    ) -> Int64[Tensor, " n_largest"]:
        """Return the places of the largest values above 0, in order; of equal ones the first.

        NaN counts as larger than any number, so that it shows in the loss.
        """
        candidates = _not_below(values, self._floor)
        if len(candidates) < n_wanted and self._floor > 0:
            candidates = _not_below(values, 0.0)
        if len(candidates) <= n_wanted:
            return candidates
        chosen = values[candidates]
        # numpy's: torch sorts places along with the values, which takes ten times as long
        n_smaller = len(chosen) - n_wanted
        smallest = float(np.partition(chosen.numpy(), n_smaller)[n_smaller])
        self._floor = max(_FLOOR * smallest, 0.0) if math.isfinite(smallest) else 0.0
        is_above = ~(chosen <= smallest)
        n_equal = n_wanted - int(is_above.sum())
        equal = (chosen == smallest).nonzero().squeeze(1)[:n_equal]
        is_above[equal] = True
        return candidates[is_above]

    def _directions(self) -> Float[Tensor, "d_sae d_in"]:
        """Return what a code of 1 adds to the reconstruction."""
        if self.cfg.rescale_acts_by_decoder_norm:
            return self.W_dec / self.W_dec.norm(dim=-1, keepdim=True)
        return self.W_dec

    def _auxiliary(
        self,
        step_input: TrainStepInput,
        pre_activations: Float[Tensor, "n_rows d_sae"],
        sae_out: Float[Tensor, "n_rows d_in"],
        directions: Float[Tensor, "d_sae d_in"],
    ) -> Float[Tensor, ""]:
        """Compute SAELens's `calculate_topk_aux_loss`, from the columns of dead latents alone."""
        is_dead = step_input.dead_neuron_mask
        dead = torch.empty(0) if is_dead is None else is_dead.nonzero().squeeze(1)
        if not len(dead):
            return sae_out.new_tensor(0.0)
        n_half = step_input.sae_in.shape[-1] // 2
        scale = min(len(dead) / n_half, 1.0)
        revived = pre_activations.index_select(1, dead).topk(min(n_half, len(dead)), sorted=False)
        codes = torch.zeros(len(sae_out), len(dead)).scatter(1, revived.indices, revived.values)
        residual = (step_input.sae_in - sae_out).detach()
        error = (codes @ directions.index_select(0, dead) - residual).pow(2).sum(dim=-1).mean()
        return self.cfg.aux_loss_coefficient * scale * error

    @torch.no_grad()
    def _follow_threshold(self, values: Float[Tensor, " n_active"]) -> None:
        """Do what SAELens's `update_topk_threshold` does with dense codes."""
        values = values[values > 0]
        if len(values):
            rate = self.cfg.topk_threshold_lr
            smallest = values.min().to(self.topk_threshold.dtype)
            self.topk_threshold = (1 - rate) * self.topk_threshold + rate * smallest


def _not_below(values: Float[Tensor, " n"], floor: float) -> Int64[Tensor, " n_found"]:
    """Return the places of values above the floor, and of NaN."""
    return places(~(values <= floor))


def _decoded(
    active: ActiveCodes, directions: Float[Tensor, "d_sae d_in"], n_rows: int
) -> Float[Tensor, "n_rows d_in"]:
    starts = torch.searchsorted(active.row, torch.arange(n_rows))
    return embedding_bag(
        active.latent, directions, starts, mode="sum", per_sample_weights=active.values
    )
