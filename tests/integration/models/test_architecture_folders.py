"""Every architecture of the table: sizes, memory, tokens, damage."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer

from csae_bench.errors import ModelError
from csae_bench.models import describe, load
from csae_bench.models.architectures import ARCHITECTURES
from tests.model_configs import SMALL, TOKENS, layers_key
from tests.model_folders import (
    LONG,
    assert_no_matrix_is_copied,
    change_config,
    logits_of_ours,
    logits_of_transformers,
    save_model,
    save_tokenizer,
)

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


GEMMA3, LLAMA = "Gemma3ForCausalLM", "LlamaForCausalLM"
MISTRAL, QWEN2 = "MistralForCausalLM", "Qwen2ForCausalLM"


def test_a_long_context_takes_no_memory_before_it_is_used(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", LLAMA, max_position_embeddings=131_072)
    model = load(str(folder))
    assert model.cfg.n_ctx == describe(str(folder)).n_ctx == 131_072
    # a mask [n_ctx, n_ctx] would be 16 GiB a layer; rotary tables start at 2048 positions
    assert sum(b.numel() * b.element_size() for b in model.buffers()) < 2**20
    with torch.no_grad():
        model(LONG)
    assert sum(b.numel() * b.element_size() for b in model.buffers()) < 2**20


@every_architecture
def test_the_description_is_true_of_the_loaded_model(
    every_saved: dict[str, Path], architecture: str
) -> None:
    info, model = describe(str(every_saved[architecture])), load(str(every_saved[architecture]))
    assert info.n_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (info.d_model, info.n_layers) == (model.cfg.d_model, model.cfg.n_layers)
    assert (info.n_ctx, info.d_vocab) == (model.cfg.n_ctx, model.cfg.d_vocab)
    assert info.architecture == model.cfg.original_architecture == architecture
    assert info.default_hook_name in model.hook_dict
    assert info.has_resid_mid == ("blocks.0.hook_resid_mid" in model.hook_dict)


@every_architecture
def test_weights_are_the_models_own_and_multiplied_without_a_copy(
    every_saved: dict[str, Path], architecture: str
) -> None:
    model = load(str(every_saved[architecture]))
    parameters = dict(model.named_parameters())
    assert all(
        p.untyped_storage().nbytes() == p.numel() * p.element_size() for p in parameters.values()
    )
    assert len({p.data_ptr() for p in parameters.values()}) == len(parameters)
    assert_no_matrix_is_copied(model)


@every_architecture
def test_the_order_of_weights_in_memory_changes_no_bit(
    every_saved: dict[str, Path], architecture: str
) -> None:
    model = load(str(every_saved[architecture]))
    with torch.no_grad():
        expected = model(LONG)
        for parameter in model.parameters():
            parameter.data = parameter.data.contiguous()
        assert torch.equal(model(LONG), expected)


@every_architecture
def test_bfloat16_logits_are_near_those_of_float32(
    every_saved: dict[str, Path], every_logits: dict[str, torch.Tensor], architecture: str
) -> None:
    model = load(str(every_saved[architecture]), dtype="bfloat16")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        rounded = model(LONG).float()
    # 8 bits of mantissa through four random layers
    assert (rounded - every_logits[architecture]).abs().mean() < 0.1 * every_logits[
        architecture
    ].std()


@every_architecture
@pytest.mark.parametrize("bos", ["<bos>", None])
def test_text_is_read_as_the_folders_tokenizer_json_says(
    copied: Callable[[str], Path], architecture: str, bos: str | None
) -> None:
    folder = copied(architecture)
    save_tokenizer(folder, template=False, bos_token=bos)
    model = load(str(folder))
    written = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a b w7 unheard").ids
    first = TOKENS.index(bos or "<eos>")
    assert model.to_tokens("a b w7 unheard", prepend_bos=False).tolist() == [written]
    assert model.to_tokens("a b w7 unheard").tolist() == [[first, *written]]


def test_fence_transformers_ignores_the_tokenizer_json_of_a_qwen_2(
    every_saved: dict[str, Path],
) -> None:
    # once it does not, the tokenizer need not be compared with its file
    written = Tokenizer.from_file(str(every_saved[QWEN2] / "tokenizer.json")).encode("a b").ids
    assert AutoTokenizer.from_pretrained(every_saved[QWEN2])("a b")["input_ids"] != written


def test_a_special_token_beyond_the_vocabulary_is_no_error(copied: Callable[[str], Path]) -> None:
    # Gemma 3's text models have the tokenizer of those that see
    folder = copied(GEMMA3)
    add_token(folder, "<image>", special=True)
    assert load(str(folder)).to_tokens("a").tolist() == [[2, TOKENS.index("a")]]


def test_another_token_beyond_the_vocabulary_is_an_error(copied: Callable[[str], Path]) -> None:
    folder = copied(GEMMA3)
    add_token(folder, "c", special=False)
    with pytest.raises(ModelError, match=f"largest token id is {len(TOKENS)}"):
        load(str(folder))


def add_token(folder: Path, token: str, *, special: bool) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken(token, special=special)], special_tokens=special)
    tokenizer.save_pretrained(folder)


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5])


def drop_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop(sorted(name for name in weights if ".1." in name)[0])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


DAMAGE: dict[str, tuple[Callable[[Path, str], None], str]] = {
    "truncated": (lambda folder, _: cut_weights(folder), r"bytes; its header promises \d+"),
    "fewer": (lambda folder, _: drop_a_weight(folder), r"\.1\..* is missing in the weights"),
    "more layers": (
        lambda folder, layers: change_config(folder, drop=("layer_types",), **{layers: 9}),
        r"\.[34]\..* is missing in the weights",
    ),
    "fewer layers": (
        lambda folder, layers: change_config(folder, drop=("layer_types",), **{layers: 2}),
        "is in the weights, and config.json has no place for it",
    ),
    "more words": (
        lambda folder, _: change_config(folder, vocab_size=99),
        "has another shape in the weights than in config.json",
    ),
    "a setting that transformers does not check": (
        lambda folder, _: change_config(folder, layer_types=7),
        "transformers cannot load it|layer_types is 7",
    ),
    "another's config": (
        lambda folder, _: change_config(folder, model_type="opt"),
        "weights|transformers cannot load it",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@every_architecture
def test_what_does_not_fit_is_an_error_that_names_the_folder(
    copied: Callable[[str], Path], architecture: str, damage: str
) -> None:
    folder = copied(architecture)
    change, message = DAMAGE[damage]
    change(folder, layers_key(architecture))
    with pytest.raises(ModelError, match=f"{re.escape(str(folder))}.*({message})"):
        load(str(folder))


@pytest.mark.parametrize(
    "other", sorted(set(SMALL) - {"GPT2LMHeadModel", "GPTNeoXForCausalLM", LLAMA})
)
def test_the_config_of_a_llama_beside_other_weights_is_refused_or_gives_the_same_as_transformers(
    every_saved: dict[str, Path], copied: Callable[[str], Path], other: str
) -> None:
    folder = copied(LLAMA)
    shutil.copy(every_saved[other] / "model.safetensors", folder)
    if other == MISTRAL:  # the same weights by name and shape: no one can tell
        expected = logits_of_transformers(folder)
        torch.testing.assert_close(logits_of_ours(folder), expected, atol=1e-4, rtol=0)
        return
    with pytest.raises(ModelError, match="in the weights"):
        load(str(folder))
