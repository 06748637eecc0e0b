"""Vital signs are measured in one pass of the model, and equal those of three."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.config import ModelActivations
from csae_bench.runs.vital_signs import _loss, _text_batches

SETTINGS = ModelActivations(context_size=24)


def half(acts: Tensor, hook: Any) -> Tensor:
    return acts * 0.5


def zero(acts: Tensor, hook: Any) -> Tensor:
    return torch.zeros_like(acts)


def whole_pass(model: HookedTransformer, tokens: Tensor, *hooks: Any) -> float:
    return float(model.run_with_hooks(tokens, return_type="loss", fwd_hooks=list(hooks)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("hook_name", "continues"),
    [("blocks.2.hook_resid_post", True), ("blocks.1.hook_resid_pre", True),
     ("blocks.3.hook_resid_post", True), ("blocks.1.hook_mlp_out", False)],
)  # fmt: skip
@torch.no_grad()
def test_losses_are_those_of_passes_from_the_start(
    dtype: str, hook_name: str, continues: bool
) -> None:
    model = models.load("tiny-gemma2-it", dtype=dtype)
    for batch in _text_batches(model, hook_name, SETTINGS)[:2]:
        assert (batch.acts is not None) is continues
        assert batch.clean == whole_pass(model, batch.tokens)
        assert batch.ablated == whole_pass(model, batch.tokens, (hook_name, zero))
        changed = whole_pass(model, batch.tokens, (hook_name, half))
        assert _loss(model, hook_name, batch, half) == changed
