"""Attention in one kernel: the same logits in every architecture, and only where nobody looks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations.fused_attention import fused_attention
from csae_bench.models.architectures import ARCHITECTURES
from tests.model_folders import LONG, save_model

CAPPED = {"Gemma2ForCausalLM"}
"""Architectures whose scores are capped in every layer."""


@pytest.fixture(scope="module", params=ARCHITECTURES)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> HookedTransformer:
    return models.load(str(save_model(tmp_path_factory.mktemp("model") / "m", request.param)))


@pytest.fixture
def n_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    kernel = functional.scaled_dot_product_attention

    def counted(*args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(1)
        return kernel(*args, **kwargs)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", counted)
    return calls


def n_plain(model: HookedTransformer) -> int:
    """Count the layers that may be computed in one kernel."""
    blocks: Any = model.blocks
    if model.cfg.original_architecture in CAPPED:
        return 0
    return sum(block.attn.attn_type == "global" for block in blocks)


@torch.no_grad()
def test_logits_and_activations_are_the_same_but_for_rounding(
    model: HookedTransformer, n_calls: list[int]
) -> None:
    hooks = [f"blocks.{layer}.hook_resid_post" for layer in range(model.cfg.n_layers)]
    expected, cache = model.run_with_cache(LONG, names_filter=hooks)
    with fused_attention(model):
        logits, fused = model.run_with_cache(LONG, names_filter=hooks)
    assert len(n_calls) == n_plain(model)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    for hook in hooks:
        torch.testing.assert_close(fused[hook], cache[hook], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_after_the_context_it_is_computed_as_before(
    model: HookedTransformer, n_calls: list[int]
) -> None:
    expected = model(LONG)
    with pytest.raises(ZeroDivisionError), fused_attention(model):
        _ = 1 / 0
    assert torch.equal(model(LONG), expected)
    assert n_calls == []


@torch.no_grad()
def test_whoever_reads_the_pattern_gets_it(model: HookedTransformer, n_calls: list[int]) -> None:
    _, expected = model.run_with_cache(LONG)
    read: list[torch.Tensor] = []
    name = "blocks.0.attn.hook_pattern"
    hooks: list[Any] = [(name, lambda pattern, hook: read.append(pattern))]
    with model.hooks(fwd_hooks=hooks), fused_attention(model):
        model(LONG)
    assert torch.equal(read[0], expected[name])
    assert len(n_calls) == max(0, n_plain(model) - is_plain(model, 0))


def is_plain(model: HookedTransformer, layer: int) -> bool:
    blocks: Any = model.blocks
    return blocks[layer].attn.attn_type == "global"


@torch.no_grad()
def test_a_pass_with_padding_on_the_left_is_computed_as_always(model: HookedTransformer) -> None:
    mask = torch.ones_like(LONG)
    mask[0, :5] = 0
    expected = model(LONG, attention_mask=mask)
    with fused_attention(model):
        assert torch.equal(model(LONG, attention_mask=mask), expected)


def test_what_has_no_such_layers_is_left_alone() -> None:
    with fused_attention(torch.nn.Linear(2, 2)):
        pass
