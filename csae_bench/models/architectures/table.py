"""The architectures that load from a folder, a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from csae_bench.errors import ModelError
from csae_bench.models.architectures.gemma import build_gemma2, build_gemma3
from csae_bench.models.architectures.gpt2 import build_gpt2
from csae_bench.models.architectures.gpt_neox import build_gpt_neox
from csae_bench.models.architectures.llama import build_llama, build_mistral
from csae_bench.models.architectures.qwen import build_qwen2, build_qwen3
from csae_bench.models.hf_config import HfConfig


@dataclass(frozen=True, kw_only=True)
class ModelArchitecture:
    """Conversion of one of transformers' classes to a HookedTransformer."""

    build: Callable[[HfConfig], dict[str, Any]]
    """config.json -> fields of HookedTransformerConfig."""

    converter: str
    """The function of transformer_lens.pretrained.weight_conversions that renames its weights."""


ARCHITECTURES: Mapping[str, ModelArchitecture] = {
    "GPT2LMHeadModel": ModelArchitecture(build=build_gpt2, converter="convert_gpt2_weights"),
    "GPTNeoXForCausalLM": ModelArchitecture(build=build_gpt_neox, converter="convert_neox_weights"),
    "LlamaForCausalLM": ModelArchitecture(build=build_llama, converter="convert_llama_weights"),
    "MistralForCausalLM": ModelArchitecture(
        build=build_mistral, converter="convert_mistral_weights"
    ),
    "Qwen2ForCausalLM": ModelArchitecture(build=build_qwen2, converter="convert_qwen2_weights"),
    "Qwen3ForCausalLM": ModelArchitecture(build=build_qwen3, converter="convert_qwen3_weights"),
    "Gemma2ForCausalLM": ModelArchitecture(build=build_gemma2, converter="convert_gemma_weights"),
    "Gemma3ForCausalLM": ModelArchitecture(build=build_gemma3, converter="convert_gemma_weights"),
}


def hooked_config(config: HfConfig) -> dict[str, Any]:
    """Fields of the HookedTransformerConfig that a config.json describes.

    Everything but name, device and dtype. Raises ModelError for an architecture or a setting that
    cannot be represented.
    """
    architecture = config.architecture
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"{config.source}: architecture is {architecture}; supported from a folder are "
            f"{', '.join(ARCHITECTURES)}. Use one of these, or a hub name that transformer-lens "
            "knows."
        )
    config.must_be_off("quantization_config")
    return {
        **ARCHITECTURES[architecture].build(config),
        "original_architecture": architecture,
        "init_weights": False,
        "default_prepend_bos": True,
    }
