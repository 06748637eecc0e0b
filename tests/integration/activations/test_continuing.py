"""csae_bench/models/continuing.py, on the bundled model."""

from __future__ import annotations

import pytest
import torch
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations.continuing import final_logits, layer_after


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return models.load("tiny-gemma2-it")


def test_the_rest_of_the_model_gives_its_own_logits(model: HookedTransformer) -> None:
    tokens = torch.arange(12).view(2, 6)
    n_layers = model.cfg.n_layers
    with torch.no_grad():
        expected = model(tokens)
        for hook_name in ("blocks.0.hook_resid_pre", "blocks.1.hook_resid_post",
                          f"blocks.{n_layers - 1}.hook_resid_post"):  # fmt: skip
            start = layer_after(hook_name)
            assert start is not None
            acts = model.run_with_cache(tokens, names_filter=hook_name)[1][hook_name]
            last = acts if start == n_layers else model(
                acts, start_at_layer=start, stop_at_layer=n_layers
            )  # fmt: skip
            # the same operations on the same numbers, but for the shape of the batch
            torch.testing.assert_close(final_logits(model, last), expected, atol=1e-5, rtol=1e-5)


def test_logits_are_of_the_type_that_is_asked_for(model: HookedTransformer) -> None:
    resid = torch.randn(1, 2, model.cfg.d_model, generator=torch.Generator().manual_seed(0))
    assert final_logits(model, resid, torch.float64).dtype == torch.float64
    assert final_logits(model, resid).dtype == torch.float32


@pytest.mark.parametrize(
    "hook_name", ["blocks.1.hook_resid_mid", "blocks.1.attn.hook_z", "hook_embed"]
)
def test_no_layer_begins_at_a_hook_within_one(hook_name: str) -> None:
    assert layer_after(hook_name) is None
