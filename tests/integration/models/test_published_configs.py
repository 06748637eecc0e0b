"""Published configs of every architecture, read by us and by transformer-lens.

transformer-lens asks the hub for most of them: its AutoConfig is replaced by the published values.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformer_lens import HookedTransformerConfig, loading_from_pretrained
from transformer_lens.loading_from_pretrained import get_pretrained_model_config
from transformers import AutoConfig

from csae_bench.models.architectures import ARCHITECTURES, hooked_config
from csae_bench.models.hf_config import HfConfig
from csae_bench.models.table import MODELS

# From https://huggingface.co/<name>/raw/main/config.json, without the keys that only generation,
# dropout and the file's own history use.
PUBLISHED: dict[str, dict[str, Any]] = {
    "EleutherAI/pythia-70m-deduped": {
        "architectures": ["GPTNeoXForCausalLM"],
        "hidden_act": "gelu",
        "hidden_size": 512,
        "initializer_range": 0.02,
        "intermediate_size": 2048,
        "layer_norm_eps": 1e-05,
        "max_position_embeddings": 2048,
        "model_type": "gpt_neox",
        "num_attention_heads": 8,
        "num_hidden_layers": 6,
        "rotary_emb_base": 10000,
        "rotary_pct": 0.25,
        "tie_word_embeddings": False,
        "use_parallel_residual": True,
        "vocab_size": 50304,
    },
    "meta-llama/Llama-3.2-1B": {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 2048,
        "initializer_range": 0.02,
        "intermediate_size": 8192,
        "max_position_embeddings": 131072,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 16,
        "num_key_value_heads": 8,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 32.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 8192,
            "rope_type": "llama3",
        },
        "rope_theta": 500000.0,
        "tie_word_embeddings": True,
        "vocab_size": 128256,
    },
    "01-ai/Yi-6B": {
        "architectures": ["LlamaForCausalLM"],
        "hidden_act": "silu",
        "hidden_size": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 11008,
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 5000000.0,
        "tie_word_embeddings": False,
        "vocab_size": 64000,
    },
    "mistralai/Mistral-7B-v0.1": {
        "architectures": ["MistralForCausalLM"],
        "hidden_act": "silu",
        "hidden_size": 4096,
        "initializer_range": 0.02,
        "intermediate_size": 14336,
        "max_position_embeddings": 32768,
        "model_type": "mistral",
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "sliding_window": 4096,
        "tie_word_embeddings": False,
        "vocab_size": 32000,
    },
    "Qwen/Qwen2.5-0.5B": {
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_act": "silu",
        "hidden_size": 896,
        "initializer_range": 0.02,
        "intermediate_size": 4864,
        "max_position_embeddings": 32768,
        "max_window_layers": 24,
        "model_type": "qwen2",
        "num_attention_heads": 14,
        "num_hidden_layers": 24,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": True,
        "use_mrope": False,
        "use_sliding_window": False,
        "vocab_size": 151936,
    },
    "Qwen/Qwen3-0.6B": {
        "architectures": ["Qwen3ForCausalLM"],
        "attention_bias": False,
        "head_dim": 128,
        "hidden_act": "silu",
        "hidden_size": 1024,
        "initializer_range": 0.02,
        "intermediate_size": 3072,
        "max_position_embeddings": 40960,
        "max_window_layers": 28,
        "model_type": "qwen3",
        "num_attention_heads": 16,
        "num_hidden_layers": 28,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-06,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "use_sliding_window": False,
        "vocab_size": 151936,
    },
    "google/gemma-3-1b-it": {
        "architectures": ["Gemma3ForCausalLM"],
        "attention_bias": False,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 1152,
        "initializer_range": 0.02,
        "intermediate_size": 6912,
        "max_position_embeddings": 32768,
        "model_type": "gemma3_text",
        "num_attention_heads": 4,
        "num_hidden_layers": 26,
        "num_key_value_heads": 1,
        "query_pre_attn_scalar": 256,
        "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10000,
        "rope_scaling": None,
        "rope_theta": 1000000,
        "sliding_window": 512,
        "sliding_window_pattern": 6,
        "vocab_size": 262144,
    },
    "google/gemma-3-270m": {
        "_sliding_window_pattern": 6,
        "architectures": ["Gemma3ForCausalLM"],
        "attention_bias": False,
        "attn_logit_softcapping": None,
        "final_logit_softcapping": None,
        "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh",
        "hidden_size": 640,
        "initializer_range": 0.02,
        "intermediate_size": 2048,
        "layer_types": [*["sliding_attention"] * 5, "full_attention"] * 3,
        "max_position_embeddings": 32768,
        "model_type": "gemma3_text",
        "num_attention_heads": 4,
        "num_hidden_layers": 18,
        "num_key_value_heads": 1,
        "query_pre_attn_scalar": 256,
        "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10000.0,
        "rope_scaling": None,
        "rope_theta": 1000000.0,
        "sliding_window": 512,
        "use_bidirectional_attention": False,
        "vocab_size": 262144,
    },
}

NOT_COMPARED = {
    "model_name",  # ours is the full name, set on loading
    "tokenizer_name",  # a name to fetch it by; ours comes from the folder
    "trust_remote_code",  # nothing remote is run
    "initializer_range",  # weights are read, not drawn
    "tokenizer_prepends_bos",  # loading asks the tokenizer, whatever is written here
}
CONTEXT = "n_ctx"  # cut to 2048 or 8192, for the masks of transformer-lens's earlier versions
BOS = "default_prepend_bos"  # ours puts a <bos> first in every model
NORM = "final_rms"  # says nothing where normalization_type is RMS: the final norm is one anyway
DIFFERENT: dict[str, set[str]] = {
    "EleutherAI/pythia-70m-deduped": {BOS},
    "meta-llama/Llama-3.2-1B": {CONTEXT},
    "mistralai/Mistral-7B-v0.1": {CONTEXT, NORM},
    "Qwen/Qwen2.5-0.5B": {BOS},
    "Qwen/Qwen3-0.6B": {BOS, CONTEXT},
    "google/gemma-3-1b-it": {CONTEXT},
    "google/gemma-3-270m": {CONTEXT},
}
"""Fields in which transformer-lens simplifies, or ours does otherwise on purpose; no others."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_our_config_is_transformer_lens_s_field_by_field(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def published(asked: str, **_: Any) -> Any:
        assert asked == name
        values = dict(PUBLISHED[asked])
        return AutoConfig.for_model(values.pop("model_type"), **values)

    monkeypatch.setattr(loading_from_pretrained.AutoConfig, "from_pretrained", published)
    theirs = vars(get_pretrained_model_config(name, device="cpu"))
    fields = hooked_config(HfConfig(PUBLISHED[name], name))
    ours = vars(HookedTransformerConfig.from_dict({**fields, "device": "cpu"}))
    assert ours["dtype"] == theirs["dtype"] == torch.float32
    different = {key for key in theirs if ours[key] != theirs[key]} - NOT_COMPARED
    assert different == DIFFERENT.get(name, set())
    assert ours["n_ctx"] == PUBLISHED[name]["max_position_embeddings"]
    assert ours["normalization_type"] == "RMS" or NORM not in different


def test_every_architecture_has_a_published_config() -> None:
    in_table = [row.published_config for row in MODELS.values() if row.published_config]
    known = {config["architectures"][0] for config in [*PUBLISHED.values(), *in_table]}
    assert known >= set(ARCHITECTURES)
