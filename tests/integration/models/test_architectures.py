"""Every architecture of the table: transformers' own logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from csae_bench.models.architectures import ARCHITECTURES
from tests.model_folders import (
    change_config,
    logits_of_ours,
    logits_of_transformers,
    save_model,
)

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


# 1e-4: both sides work in float32 and differ in the order of sums


def assert_same_logits(folder: Path, expected: torch.Tensor) -> None:
    torch.testing.assert_close(logits_of_ours(folder), expected, atol=1e-4, rtol=0)


@every_architecture
def test_logits_are_those_of_transformers(
    every_saved: dict[str, Path], every_logits: dict[str, torch.Tensor], architecture: str
) -> None:
    assert every_logits[architecture].std() > 0.5  # flat logits would agree whatever we did
    assert_same_logits(every_saved[architecture], every_logits[architecture])


GPT_NEOX, LLAMA, MISTRAL = "GPTNeoXForCausalLM", "LlamaForCausalLM", "MistralForCausalLM"
QWEN2, QWEN3, GEMMA2 = "Qwen2ForCausalLM", "Qwen3ForCausalLM", "Gemma2ForCausalLM"
GEMMA3 = "Gemma3ForCausalLM"

FULL = ["full_attention"] * 4
LATE = ["full_attention"] * 3 + ["sliding_attention"]
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,  # wavelengths of all three kinds are among the heads'
}
LINEAR = {"rope_type": "linear", "rope_theta": 500.0, "factor": 4.0}
PLAIN = {"rope_type": "default", "rope_theta": 500.0}
OTHER_BASE = {"rope_type": "default", "rope_theta": 10_000.0}


def by_type(of_global: dict[str, Any], of_local: dict[str, Any]) -> dict[str, Any]:
    return {"full_attention": of_global, "sliding_attention": of_local}


MECHANISMS: list[tuple[str, dict[str, Any]]] = [
    (GPT_NEOX, {"use_parallel_residual": False}),
    (GPT_NEOX, {"hidden_act": "relu"}),
    (GPT_NEOX, {"layer_norm_eps": 0.3}),
    (GPT_NEOX, {"rope_parameters": {**PLAIN, "partial_rotary_factor": 0.25}}),
    (GPT_NEOX, {"rope_parameters": {**PLAIN, "partial_rotary_factor": 1.0}}),
    (GPT_NEOX, {"rope_parameters": {**OTHER_BASE, "partial_rotary_factor": 0.5}}),
    (GPT_NEOX, {"rope_parameters": {**LINEAR, "partial_rotary_factor": 0.5}}),
    (LLAMA, {"rope_parameters": OTHER_BASE}),
    (LLAMA, {"rope_parameters": LLAMA3}),
    (LLAMA, {"rope_parameters": LINEAR}),
    (LLAMA, {"hidden_act": "gelu"}),
    (LLAMA, {"rms_norm_eps": 0.3}),
    (MISTRAL, {"rope_parameters": OTHER_BASE}),
    (MISTRAL, {"sliding_window": 20}),
    (MISTRAL, {"sliding_window": None}),
    (MISTRAL, {"sliding_window": None, "rope_parameters": LINEAR}),
    (QWEN2, {"rope_parameters": OTHER_BASE}),
    (QWEN2, {"rope_parameters": LLAMA3}),
    (QWEN2, {"sliding_window": 20}),
    (QWEN2, {"layer_types": LATE}),
    (QWEN2, {"use_sliding_window": False, "layer_types": FULL}),
    (QWEN3, {"rope_parameters": OTHER_BASE}),
    (QWEN3, {"layer_types": LATE}),
    (QWEN3, {"use_sliding_window": False, "layer_types": FULL}),
    (GEMMA2, {"rope_parameters": LLAMA3}),
    (GEMMA3, {"sliding_window": 20}),
    (GEMMA3, {"layer_types": LATE}),
    (GEMMA3, {"final_logit_softcapping": None}),
    (GEMMA3, {"query_pre_attn_scalar": 12}),
    (GEMMA3, {"rope_parameters": by_type(PLAIN, {**PLAIN, "rope_theta": 50.0})}),
    (
        GEMMA3,
        {"rope_parameters": by_type({**LINEAR, "factor": 2.0}, {**PLAIN, "rope_theta": 50.0})},
    ),
    (GEMMA3, {"rope_parameters": by_type(LINEAR, OTHER_BASE)}),
]


def named(case: object) -> str | None:
    if isinstance(case, str):
        return case.removesuffix("ForCausalLM")
    return next(iter(case), "today") if isinstance(case, dict) else None


@pytest.mark.parametrize(("architecture", "change"), MECHANISMS, ids=named)
def test_every_mechanism_shows_in_the_logits_and_in_ours(
    copied: Callable[[str], Path],
    every_logits: dict[str, torch.Tensor],
    architecture: str,
    change: dict[str, Any],
) -> None:
    changed = copied(architecture)
    change_config(changed, **change)
    expected = logits_of_transformers(changed)
    assert (expected - every_logits[architecture]).abs().max() > 1e-2
    assert_same_logits(changed, expected)


WRITTEN_NOW = ("rope_parameters", "layer_types")
BEFORE_TRANSFORMERS_5: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # architecture, keys of old, and what they are today
    (GPT_NEOX, {"rotary_emb_base": 500.0, "rotary_pct": 0.5}, {}),
    (LLAMA, {"rope_theta": 500.0}, {}),
    (LLAMA, {"rope_theta": 500.0, "rope_scaling": LLAMA3}, {"rope_parameters": LLAMA3}),
    (LLAMA, {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 4.0}},
     {"rope_parameters": LINEAR}),
    (MISTRAL, {"rope_theta": 500.0}, {}),
    (QWEN2, {"rope_theta": 500.0}, {}),
    (QWEN3, {"rope_theta": 500.0, "max_window_layers": 2},
     {"layer_types": ["full_attention"] * 2 + ["sliding_attention"] * 2}),
    (GEMMA3, {"rope_theta": 500.0, "rope_local_base_freq": 50.0, "sliding_window_pattern": 2,
              "rope_scaling": {"rope_type": "linear", "factor": 4.0}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("architecture", "old", "new"), BEFORE_TRANSFORMERS_5, ids=named)
def test_a_config_written_before_transformers_5_gives_the_same_logits(
    copied: Callable[[str], Path], architecture: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    folder = copied(architecture)
    change_config(folder, **new)
    today = logits_of_ours(folder)
    change_config(folder, drop=WRITTEN_NOW, **old)
    assert torch.equal(logits_of_ours(folder), today)
    assert_same_logits(folder, logits_of_transformers(folder))


@pytest.mark.parametrize(
    ("architecture", "change"),
    [
        (GPT_NEOX, {"tie_word_embeddings": True}),
        (LLAMA, {"tie_word_embeddings": True}),
        (LLAMA, {"head_dim": None}),
        (LLAMA, {"num_key_value_heads": None}),
        (LLAMA, {"num_key_value_heads": 1}),
        (MISTRAL, {"head_dim": None}),
        (MISTRAL, {"num_key_value_heads": 4}),
        (QWEN2, {"tie_word_embeddings": True}),
        (QWEN2, {"num_key_value_heads": 4}),
        (QWEN3, {"tie_word_embeddings": True}),
        (GEMMA3, {"tie_word_embeddings": False}),
        (GEMMA3, {"num_key_value_heads": 1}),
    ],
    ids=named,
)
def test_every_option_that_changes_the_weights_gives_the_logits_of_transformers(
    tmp_path: Path, architecture: str, change: dict[str, Any]
) -> None:
    folder = save_model(tmp_path / "model", architecture, **change)
    assert_same_logits(folder, logits_of_transformers(folder))


def test_positions_beyond_the_first_rotary_table_are_those_of_transformers(tmp_path: Path) -> None:
    folder = save_model(
        tmp_path / "model", MISTRAL, max_position_embeddings=4096, num_hidden_layers=2
    )
    tokens = torch.randint(4, 34, (1, 2100), generator=torch.Generator().manual_seed(0))
    expected = logits_of_transformers(folder, tokens)
    # angles of 2000 radians have 1e-4 of rounding in float32
    torch.testing.assert_close(logits_of_ours(folder, tokens), expected, atol=2e-3, rtol=0)
