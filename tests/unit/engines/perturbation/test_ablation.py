"""Texts with latents ablated, against decoding everything again."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from csae_bench.engines.perturbation.ablation import AblatedTexts


class Sae:
    """Latents with thresholds; some are active at zero."""

    def __init__(self, *, active_at_zero: bool) -> None:
        generator = torch.Generator().manual_seed(0)
        self.W_dec = torch.randn(40, 12, generator=generator)
        self.b_dec = torch.randn(12, generator=generator) * (0.5 if active_at_zero else 0)

    def encode(self, x: Tensor) -> Tensor:
        pre = (x - self.b_dec) @ self.W_dec.T
        return torch.where(pre > 1.5, pre, 0.0)

    def decode(self, codes: Tensor) -> Tensor:
        return codes @ self.W_dec + self.b_dec


def _acts() -> Tensor:
    acts = torch.randn(9, 20, 12, generator=torch.Generator().manual_seed(1))
    acts[:, 0] = 0
    for text in range(9):
        acts[text, 5 + text :] = 0
    return acts


def _decoded_again(sae: Sae, acts: Tensor, is_ablated: Tensor) -> Tensor:
    codes = sae.encode(acts)
    error = acts - sae.decode(codes)
    codes[..., is_ablated] = 0
    counts = (acts.sum(2) != 0).float().sum(1)
    return (sae.decode(codes) + error).sum(1) / counts[:, None]


@pytest.mark.parametrize("active_at_zero", [False, True])
@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_the_means_are_those_of_decoding_everything_again(active_at_zero: bool, n: int) -> None:
    sae, acts = Sae(active_at_zero=active_at_zero), _acts()
    texts = AblatedTexts(sae, acts)
    for start in (0, 17):
        is_ablated = torch.zeros(40, dtype=torch.bool)
        is_ablated[start : start + n] = True
        expected = _decoded_again(sae, acts, is_ablated)
        # another matrix library may add up in another order; upstream's own test is of bits
        torch.testing.assert_close(texts.mean_acts(is_ablated), expected, rtol=0, atol=1e-5)
