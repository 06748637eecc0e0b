"""Our configs against transformer-lens's own, and the traps that make csae_bench.models needed.

A test fails when upstream mends its trap: then the code that it names can go.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.loading_from_pretrained import (
    get_pretrained_model_config,
    make_model_alias_map,
)
from transformer_lens.pretrained import weight_conversions
from transformer_lens.utilities.activation_functions import SUPPORTED_ACTIVATIONS
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    Gemma2Config,
    GPT2Config,
    GPT2LMHeadModel,
)
from transformers.activations import ACT2FN

from csae_bench.models.architectures import ACTIVATIONS, ARCHITECTURES, hooked_config
from csae_bench.models.hf_config import HfConfig
from csae_bench.models.names import resolve
from csae_bench.models.table import MODELS
from tests.model_configs import NEEDED, SMALL

# Gemma-2-2B's config as transformers writes it today, from the numbers of its model card.
GEMMA_2_2B = {
    "architectures": ["Gemma2ForCausalLM"],
    **Gemma2Config(
        hidden_size=2304,
        num_hidden_layers=26,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=256,
        intermediate_size=9216,
        sliding_window=4096,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        query_pre_attn_scalar=256,
        vocab_size=256000,
        max_position_embeddings=8192,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
    ).to_diff_dict(),
}

NAMED_DIFFERENTLY = {
    "model_name",  # ours is the full name, set on loading
    "tokenizer_name",  # a name to fetch it by; ours comes from the folder
}


def as_transformer_lens_has_it(fields: dict[str, Any]) -> dict[str, Any]:
    config = HookedTransformerConfig.from_dict({**fields, "device": "cpu", "dtype": torch.float32})
    return {key: value for key, value in vars(config).items() if key not in NAMED_DIFFERENTLY}


@pytest.mark.parametrize("name", ["google/gemma-2-2b", "google/gemma-2-2b-it"])
def test_our_config_of_gemma_2_2b_is_transformer_lens_s_field_by_field(name: str) -> None:
    theirs = vars(get_pretrained_model_config(name, device="cpu"))
    expected = {key: value for key, value in theirs.items() if key not in NAMED_DIFFERENTLY}
    assert as_transformer_lens_has_it(hooked_config(HfConfig(GEMMA_2_2B, name))) == expected


@pytest.mark.parametrize("name", [name for name, row in MODELS.items() if row.published_config])
def test_a_published_config_in_the_table_is_transformer_lens_s(name: str, tmp_path: Path) -> None:
    published = MODELS[name].published_config
    assert published is not None
    ours = as_transformer_lens_has_it(hooked_config(HfConfig(published, name)))
    if name.startswith("google/gemma-2"):
        source = name
    else:  # transformer-lens reads these from config.json: hand it one
        source = str(tmp_path)
        config = GPT2Config(**published).to_dict()
        (tmp_path / "config.json").write_text(
            json.dumps({**config, "n_ctx": config["n_positions"]})
        )
    theirs = vars(get_pretrained_model_config(source, device="cpu"))
    assert ours == {key: value for key, value in theirs.items() if key not in NAMED_DIFFERENTLY}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_a_config_leaves_out_is_what_transformers_puts_in(architecture: str) -> None:
    model_type = str(SMALL[architecture]["model_type"])
    config = AutoConfig.for_model(model_type)
    whole = {**config.to_dict(), "architectures": [architecture]}
    bare = {key: whole[key] for key in (*NEEDED[architecture], "architectures")}
    assert hooked_config(HfConfig(bare, "bare")) == hooked_config(HfConfig(whole, "whole"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_has_its_weight_converter(architecture: str) -> None:
    assert callable(getattr(weight_conversions, ARCHITECTURES[architecture].converter))


def test_both_libraries_have_every_activation_we_allow() -> None:
    assert set(ACTIVATIONS) <= set(SUPPORTED_ACTIVATIONS)
    assert set(ACTIVATIONS) <= set(ACT2FN)
    x = torch.linspace(-4, 4, 101)
    for name in ACTIVATIONS:
        torch.testing.assert_close(SUPPORTED_ACTIVATIONS[name](x), ACT2FN[name](x))


def test_names_read_from_the_file_are_those_of_transformer_lens() -> None:
    for alias, official in make_model_alias_map().items():
        assert resolve(alias).name == official


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    sizes: dict[str, Any] = {"n_embd": 8, "n_head": 2, "n_layer": 1, "n_positions": 8}
    GPT2LMHeadModel(
        GPT2Config(vocab_size=9, bos_token_id=2, eos_token_id=1, **sizes)
    ).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore:HookedTransformer:DeprecationWarning")
def test_fence_hooked_transformer_cannot_load_a_folder(tiny_folder: Path) -> None:
    # once it can, csae_bench/models/architectures and most of loading.py can go
    with pytest.raises(ValueError, match="not found"):
        HookedTransformer.from_pretrained_no_processing(str(tiny_folder), device="cpu")


def test_fence_transformer_lens_drops_the_organisation() -> None:
    # once it does not, load() need not set cfg.model_name
    assert get_pretrained_model_config("google/gemma-2-2b", device="cpu").model_name == "gemma-2-2b"


def test_fence_transformer_lens_needs_a_key_that_transformers_no_longer_writes(
    tiny_folder: Path,
) -> None:
    # get_pretrained_model_config takes a folder, but reads GPT-2's n_ctx, gone in transformers 5
    with pytest.raises(AttributeError, match="n_ctx"):
        get_pretrained_model_config(str(tiny_folder), device="cpu")


def test_fence_transformers_makes_an_empty_tokenizer_from_nothing(tiny_folder: Path) -> None:
    # once it refuses, check_tokenizer_files can go
    assert AutoTokenizer.from_pretrained(tiny_folder)("any text").input_ids == []


def test_fence_transformers_fills_missing_weights_at_random(tiny_folder: Path) -> None:
    # once it refuses, load() need not read the loading report
    config = json.loads((tiny_folder / "config.json").read_text())
    (tiny_folder / "config.json").write_text(json.dumps({**config, "n_layer": 2}))
    assert AutoModelForCausalLM.from_pretrained(tiny_folder).config.n_layer == 2
