"""Targeted feature mixing: activations in which some latents come from another sequence."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from sae_lens.saes.sae import TrainingSAE
from torch import Tensor

from csae_bench.saes.active_codes import rows_and_latents
from csae_bench.saes.views import Mixture, Views

_NORM_QUANTILES = (0.01, 0.99)
"""A mixture whose norm lies outside these quantiles of the batch's activations is rejected."""

_ROUNDING = 1e-4
"""Taken off before rounding up: 0.3 * 50 is above 15 in float32."""


def mix(
    sae: TrainingSAE[Any],
    rows: Float[Tensor, "n_rows d_in"],
    views: Views,
    *,
    targeting: Literal["targeted", "random"],
    temperature: float,
    share: float,
) -> Mixture:
    """Exchange latents of the anchors for those of donors, decode, and encode again.

    For anchor i and a random donor j that shares neither sequence nor group with it, S is the union
    of the latents chosen of each (see `choose_latents`), z_mix equals z_j on S and z_i elsewhere,
    and the mixed activation is x_i + decode(z_mix) - decode(z_i): the reconstruction error of the
    anchor is kept, so that it stays near real activations. It is detached; gradients flow through
    its encoding alone. Left out are anchors without a donor, those with nothing to exchange
    (neither they nor the donor have an active latent), and those whose mixture has a norm outside
    the 1% to 99% range of the batch; all, where a row is NaN.
    """
    with torch.no_grad():
        anchors = views.codes.detach()[0::2]
        donor, has_donor = donors(views)
        chosen = choose_latents(views, targeting=targeting, temperature=temperature, share=share)
        exchanged = chosen | chosen.index_select(0, donor)
        mixed = rows[0::2] + _decoded_difference(sae, anchors, donor, exchanged)
        kept = (has_donor & exchanged.any(1) & _has_usual_norm(mixed, rows)).nonzero().squeeze(1)
        mixed = mixed[kept].to(rows.dtype)
    codes, pre_activations = sae.encode_with_hidden_pre(mixed)
    return Mixture(
        kept,
        codes.to_dense() if codes.is_sparse else codes,
        pre_activations,
        exchanged.index_select(0, kept),
    )


def donors(views: Views) -> tuple[Int64[Tensor, " n_pairs"], Bool[Tensor, " n_pairs"]]:
    """Draw for each pair another one, evenly from those that share neither sequence nor group with
    it; and whether there is one.
    """
    up_to = views.pairs.negatives().cumsum(1, dtype=torch.int32)
    n_negatives = up_to[:, -1]
    draw = torch.rand(len(up_to), device=up_to.device, generator=views.generator)
    # number of the one that is drawn, from 1; float32 may round draw * n up to n
    number = ((draw * n_negatives).int() + 1).minimum(n_negatives)
    donor = torch.searchsorted(up_to, number[:, None]).squeeze(1)
    return donor, n_negatives > 0


def choose_latents(
    views: Views, *, targeting: Literal["targeted", "random"], temperature: float, share: float
) -> Bool[Tensor, "n_pairs d_sae"]:
    """Draw a share of each anchor's active latents, rounded up, without replacement.

    `targeted`: with odds lift^(1 / temperature), where lift = P(active in the positive | active in
    the anchor) / P(active): what a pair has in common is exchanged first, the harder the lower the
    temperature. `random`: with equal odds. Drawn as the largest log-odds plus Gumbel noise (Kool et
    al. 2019, arXiv:1903.06059).
    """
    row, latent = views.active_anchors()
    noise = torch.rand(len(row), device=row.device, generator=views.generator)
    score = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
    if targeting == "targeted":
        score += views.statistics.lift().clamp_min(1e-12).log()[latent] / temperature
    order = score.argsort(descending=True)
    order = order[row[order].argsort(stable=True)]
    pair = torch.arange(views.n_pairs, device=row.device)
    starts = torch.searchsorted(row, pair)
    n_active = torch.searchsorted(row, pair, right=True) - starts
    rank = torch.arange(len(row), device=row.device) - starts[row[order]]
    wanted = (share * n_active - _ROUNDING).ceil().clamp_min(1)
    order = order[rank < wanted[row[order]]]
    chosen = torch.zeros_like(views.codes[0::2], dtype=torch.bool)
    chosen[row[order], latent[order]] = True
    return chosen


def _decoded_difference(
    sae: TrainingSAE[Any],
    codes: Float[Tensor, "n_pairs d_sae"],
    donor: Int64[Tensor, " n_pairs"],
    exchanged: Bool[Tensor, "n_pairs d_sae"],
) -> Float[Tensor, "n_pairs d_in"]:
    """decode(z_mix) - decode(z), from the latents that differ alone: decoders are linear."""
    row, latent = rows_and_latents(exchanged)
    difference = codes[donor[row], latent] - codes[row, latent]
    if getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
        difference = difference / sae.W_dec.norm(dim=-1)[latent]
    starts = torch.searchsorted(row, torch.arange(len(codes), device=row.device))
    return torch.nn.functional.embedding_bag(
        latent,
        sae.W_dec,
        starts,
        mode="sum",
        per_sample_weights=difference.to(sae.W_dec.dtype),
    )


def _has_usual_norm(
    mixed: Float[Tensor, "n_pairs d_in"], rows: Float[Tensor, "n_rows d_in"]
) -> Bool[Tensor, " n_pairs"]:
    quantiles = torch.tensor(_NORM_QUANTILES, device=rows.device)
    low, high = rows.float().norm(dim=1).quantile(quantiles)
    norms = mixed.float().norm(dim=1)
    return (norms >= low) & (norms <= high)
