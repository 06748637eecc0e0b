"""The shipped model loads as any other does, and is what the package says it is."""

from __future__ import annotations

import pytest
import torch
from transformer_lens import HookedTransformer
from transformers import AutoModelForCausalLM

from csae_bench import tinyworld
from csae_bench.models import describe, load


@pytest.fixture(scope="module")
def model() -> HookedTransformer:
    return load("tiny-gemma2-it")


def test_the_bundled_model_is_described_as_its_world_says() -> None:
    info = describe("tiny-gemma2-it")
    assert (info.name, info.kind, info.path) == (
        "tiny-gemma2-it",
        "tinyworld",
        tinyworld.model_dir(),
    )
    assert info.architecture == "Gemma2ForCausalLM"
    assert info.default_hook_name == tinyworld.DEFAULT_HOOK


def test_the_description_is_true_of_the_bundled_model(model: HookedTransformer) -> None:
    info = describe("tiny-gemma2-it")
    assert info.n_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert info.default_hook_name in model.hook_dict
    assert model.cfg.model_name == "tiny-gemma2-it"


def test_every_mechanism_of_gemma2_is_on_in_the_bundled_model(model: HookedTransformer) -> None:
    cfg = model.cfg
    assert cfg.attn_types is not None
    assert set(cfg.attn_types) == {"local", "global"}
    assert cfg.window_size is not None
    assert cfg.window_size < cfg.n_ctx
    assert cfg.n_key_value_heads is not None
    assert cfg.n_key_value_heads < cfg.n_heads
    assert cfg.attn_scores_soft_cap > 0
    assert cfg.output_logits_soft_cap > 0
    assert cfg.use_normalization_before_and_after


def test_the_bundled_model_s_logits_are_those_of_transformers(model: HookedTransformer) -> None:
    published = AutoModelForCausalLM.from_pretrained(
        tinyworld.model_dir(), attn_implementation="eager"
    )
    seeded = torch.Generator().manual_seed(0)
    tokens = torch.randint(model.cfg.d_vocab, (2, model.cfg.n_ctx), generator=seeded)
    with torch.no_grad():
        expected = published.eval()(tokens).logits
        # float32 on both sides, sums in another order; logits reach 30
        torch.testing.assert_close(model(tokens), expected, atol=1e-4, rtol=0)


def test_the_bundled_model_s_text_gets_exactly_one_bos(model: HookedTransformer) -> None:
    assert model.tokenizer is not None
    text = "A B C D"
    bare = model.tokenizer.encode(text, add_special_tokens=False)
    assert model.to_tokens(text).tolist() == [[model.tokenizer.bos_token_id, *bare]]
    assert model.to_tokens(text, prepend_bos=False).tolist() == [bare]
