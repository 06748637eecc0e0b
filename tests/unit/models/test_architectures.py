"""Configs of every architecture: what they need, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from csae_bench.errors import ModelError
from csae_bench.models import describe
from csae_bench.models.architectures import ARCHITECTURES, hooked_config
from csae_bench.models.hf_config import HfConfig
from tests.model_configs import NEEDED, SMALL

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def bare(architecture: str) -> dict[str, Any]:
    """The least that a config.json must have, and heads that fit."""
    keys = NEEDED[architecture] | (SMALL[architecture].keys() & {"num_key_value_heads"})
    return {"architectures": [architecture], **{key: SMALL[architecture][key] for key in keys}}


def fields(architecture: str, **changes: Any) -> dict[str, Any]:
    return hooked_config(HfConfig({**bare(architecture), **changes}, "config.json"))


@every_architecture
def test_every_size_that_is_missing_or_no_number_is_named(architecture: str) -> None:
    for key in NEEDED[architecture]:
        values = {name: value for name, value in bare(architecture).items() if name != key}
        with pytest.raises(ModelError, match=f"config.json: {key} is missing; it must be"):
            hooked_config(HfConfig(values, "config.json"))
        for wrong in ("8", 2.5, None, [1], -1):
            expected = re.escape(f"config.json: {key} is {wrong!r}; it must be")
            with pytest.raises(ModelError, match=expected):
                fields(architecture, **{key: wrong})


ROTARY = [name for name in ARCHITECTURES if name != "GPT2LMHeadModel"]
ONE_ROPE = [name for name in ROTARY if name != "Gemma3ForCausalLM"]
NO_LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0}
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    *(
        (name, {"rope_scaling": {"rope_type": kind, "factor": 2.0}}, f"rope_type is '{kind}'")
        for name in ROTARY
        for kind in ("yarn", "dynamic", "longrope")
    ),
    *((name, {"rope_scaling": {"factor": 2.0}}, "rope_scaling is {'factor'") for name in ROTARY),
    *((name, {"rope_scaling": "linear"}, "rope_scaling is 'linear'") for name in ROTARY),
    *((name, {"rope_theta": -1.0}, "rope_theta is -1.0") for name in ROTARY[1:]),
    *((name, {"rope_parameters": {"rope_theta": "x"}}, "rope_theta is 'x'") for name in ONE_ROPE),
    *(
        (name, {"rope_parameters": {"full_attention": {}}}, "rope_parameters is {'full_attention'")
        for name in ONE_ROPE
    ),
    *((name, {"rope_parameters": NO_LLAMA3}, "high_freq_factor is 1.0") for name in ONE_ROPE),
    *(
        (name, {"num_key_value_heads": 3}, "num_key_value_heads is 3; it must be a divisor of num")
        for name in ROTARY[1:]
    ),
    *((name, {"num_attention_heads": 5}, "num_attention_heads is 5") for name in ROTARY[:4]),
    *((name, {"head_dim": 7}, "head_dim is 7; it must be such that") for name in ROTARY[1:]),
    *((name, {"hidden_act": "swish"}, "hidden_act is 'swish'") for name in ROTARY[:5]),
    *((name, {"quantization_config": {"bits": 4}}, "quantization_config is") for name in ROTARY),
    *(
        (name, {"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5")
        for name in ROTARY[1:]
    ),
    ("GPTNeoXForCausalLM", {"attention_bias": False}, "attention_bias is False"),
    ("GPTNeoXForCausalLM", {"head_dim": 4}, "head_dim is 4; it must be absent"),
    ("GPTNeoXForCausalLM", {"use_parallel_residual": 1}, "use_parallel_residual is 1"),
    ("GPTNeoXForCausalLM", {"rotary_pct": 0.4}, "rotary_pct is 0.4; it must be a share of 8"),
    ("GPTNeoXForCausalLM", {"rotary_pct": 1.5}, "rotary_pct is 1.5"),
    ("LlamaForCausalLM", {"attention_bias": True}, "attention_bias is True"),
    ("LlamaForCausalLM", {"mlp_bias": True}, "mlp_bias is True"),
    ("MistralForCausalLM", {"sliding_window": 0}, "sliding_window is 0"),
    ("MistralForCausalLM", {"rope_scaling": {"type": "linear", "factor": 2}}, "type is 'linear'"),
    ("Qwen2ForCausalLM", {"use_sliding_window": "yes"}, "use_sliding_window is 'yes'"),
    ("Qwen2ForCausalLM", {"layer_types": ["sliding_attention"] * 4}, "use_sliding_window is miss"),
    ("Qwen2ForCausalLM", {"layer_types": ["full_attention"]}, "layer_types is ['full_attention']"),
    ("Qwen3ForCausalLM", {"use_sliding_window": True, "max_window_layers": -1}, "max_window_lay"),
    ("Qwen3ForCausalLM", {"attention_bias": True}, "attention_bias is True"),
    ("Gemma3ForCausalLM", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping is 50.0"),
    ("Gemma3ForCausalLM", {"use_bidirectional_attention": True}, "use_bidirectional_attention is"),
    ("Gemma3ForCausalLM", {"rope_parameters": {"rope_theta": 5.0}}, "rope_parameters is {'rope_t"),
    ("Gemma3ForCausalLM", {"rope_local_base_freq": 0}, "rope_local_base_freq is 0"),
    ("Gemma3ForCausalLM", {"sliding_window": None}, "sliding_window is None"),
    (
        "Gemma3ForCausalLM",
        {"rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2}}},
        "sliding_attention: rope_type is 'linear'; it must be one of default",
    ),
]


@pytest.mark.parametrize(("architecture", "change", "message"), REFUSED)
def test_what_cannot_be_represented_is_refused_by_name(
    architecture: str, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=re.escape(message)):
        fields(architecture, **change)


@pytest.mark.parametrize(
    "architecture",
    ["Gemma3ForConditionalGeneration", "MambaForCausalLM", "OlmoeForCausalLM", "Phi3ForCausalLM",
     "Qwen3MoeForCausalLM"],
)  # fmt: skip
def test_an_architecture_without_a_row_is_refused_with_the_list_of_rows(architecture: str) -> None:
    with pytest.raises(ModelError, match=f"architecture is {architecture}; supported") as error:
        hooked_config(HfConfig({"architectures": [architecture]}, "config.json"))
    assert all(name in str(error.value) for name in ARCHITECTURES)


def test_attention_and_mlp_side_by_side_leave_no_residual_stream_between(tmp_path: Path) -> None:
    values = bare("GPTNeoXForCausalLM")
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    for is_parallel in (True, False):
        (tmp_path / "config.json").write_text(
            json.dumps({**values, "use_parallel_residual": is_parallel})
        )
        assert describe(str(tmp_path)).has_resid_mid is not is_parallel


def test_qwens_window_is_that_of_the_last_layers_and_only_if_asked_for() -> None:
    window = {"sliding_window": 5, "max_window_layers": 3}
    assert "attn_types" not in fields("Qwen2ForCausalLM", **window)
    asked = fields("Qwen2ForCausalLM", use_sliding_window=True, **window)
    assert asked["attn_types"] == ["global"] * 3 + ["local"]
    assert asked["window_size"] == 5


def test_gemma3_attends_to_everything_in_every_sixth_layer() -> None:
    types = fields("Gemma3ForCausalLM", num_hidden_layers=13)["attn_types"]
    assert [layer for layer, kind in enumerate(types) if kind == "global"] == [5, 11]


def test_llama3_scaling_starts_from_the_models_context_where_no_other_is_named() -> None:
    rope = {**NO_LLAMA3, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    context = {"rope_scaling": rope, "max_position_embeddings": 64}
    assert fields("LlamaForCausalLM", **context)["NTK_original_ctx_len"] == 64
    outside = {**context, "original_max_position_embeddings": 16}
    assert fields("LlamaForCausalLM", **outside)["NTK_original_ctx_len"] == 16
