"""Description of a model, from its config alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csae_bench.models.architectures import hooked_config
from csae_bench.models.folders import check_tokenizer_files, check_weight_files
from csae_bench.models.held import held_shape
from csae_bench.models.hf_config import HfConfig, read_hf_config
from csae_bench.models.names import ModelKind, ModelReference, prepare, resolve
from csae_bench.models.table import MODELS


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model's name, place and sizes."""

    name: str
    """The true name, as results carry it: `tiny-gemma2-it`, `google/gemma-2-2b`, a folder's."""

    kind: ModelKind
    path: Path | None
    """The model's folder; none for a model on the hub."""

    architecture: str
    """transformers' class, e.g. Gemma2ForCausalLM."""

    d_model: int
    n_layers: int
    n_ctx: int
    d_vocab: int
    n_parameters: int
    """Parameters of the loaded HookedTransformer, which keeps embedding and unembedding apart and
    has every bias: what memory holds, not the model card's count."""

    default_hook_name: str
    """Default hook of an SAE: the residual stream after two thirds of the
    layers, or where the model table says."""

    has_resid_mid: bool = True
    """Whether its layers have a `hook_resid_mid`: not where attention and MLP run side by side."""


def describe(name_or_path: str) -> ModelInfo:
    """Return a model's name, place and sizes, from its config; no weights are read.

    Of a folder it checks also that weights and tokenizer are there and complete. A hub name
    without a row in the table takes transformer-lens, which knows some configs itself and reads
    others from the Hugging Face cache or the hub.

    Raises UnknownNameError for an unknown name, ModelError for a model that cannot be
    loaded or, on the hub, not be described from here.
    """
    model = resolve(name_or_path)
    shape = model_shape(model)
    row = MODELS.get(model.name) if model.kind != "folder" else None
    layer = row.default_layer if row is not None else None
    if layer is None:
        layer = -(-2 * shape["n_layers"] // 3) - 1
    return ModelInfo(
        name=model.name,
        kind=model.kind,
        path=model.path,
        architecture=shape["original_architecture"],
        d_model=shape["d_model"],
        n_layers=shape["n_layers"],
        n_ctx=shape["n_ctx"],
        d_vocab=shape["d_vocab"],
        n_parameters=count_parameters(shape),
        default_hook_name=f"blocks.{layer}.hook_resid_post",
        has_resid_mid=not (shape.get("parallel_attn_mlp") or shape.get("attn_only")),
    )


def model_shape(model: ModelReference) -> dict[str, Any]:
    """Convert the model's config to fields of HookedTransformerConfig."""
    prepare(model)
    if model.path is not None:
        shape = hooked_config(read_hf_config(model.path))
        check_weight_files(model.path)
        check_tokenizer_files(model.path)
        return shape
    held = held_shape(model.name) if model.kind == "memory" else None
    if held is not None:
        return held
    row = MODELS.get(model.name)
    if row is not None and row.published_config is not None:
        return hooked_config(HfConfig(row.published_config, model.name))
    from csae_bench.models.hub import hub_shape

    return hub_shape(model.name)


def count_parameters(shape: Mapping[str, Any]) -> int:
    """Parameters of the HookedTransformer that has this config."""
    d_model, d_head, n_heads = shape["d_model"], shape["d_head"], shape["n_heads"]
    n_key_value_heads = shape.get("n_key_value_heads") or n_heads
    norm = {"LN": 2 * d_model, "RMS": d_model}.get(shape.get("normalization_type") or "", 0)

    query_and_output = 2 * n_heads * d_head * d_model + n_heads * d_head + d_model
    keys_and_values = 2 * n_key_value_heads * d_head * (d_model + 1)
    layer = query_and_output + keys_and_values + norm
    if shape.get("use_qk_norm"):
        layer += 2 * d_head
    if not shape.get("attn_only"):
        d_mlp, n_experts = shape["d_mlp"], shape.get("num_experts")
        matrices = (3 if shape.get("gated_mlp") else 2) * d_model * d_mlp
        # a mixture has a router and no biases
        mlp = n_experts * (matrices + d_model) if n_experts else matrices + d_mlp + d_model
        layer += mlp + norm
    if shape.get("use_normalization_before_and_after"):
        layer += 2 * norm

    embeddings = (2 * d_model + 1) * shape["d_vocab"]
    if shape.get("positional_embedding_type", "standard") != "rotary":
        embeddings += shape["n_ctx"] * d_model
    return shape["n_layers"] * layer + embeddings + norm
