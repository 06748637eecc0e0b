"""Every architecture of the table: transformers' own logits, sizes, memory, damage."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AutoTokenizer

from csae_bench.errors import ModelError
from csae_bench.models import describe, load
from csae_bench.models.architectures import ARCHITECTURES
from tests.model_configs import SMALL, TOKENS, layers_key
from tests.model_folders import (
    LONG,
    change_config,
    logits_of_ours,
    logits_of_transformers,
    save_model,
    save_tokenizer,
)

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """At these sizes two threads mostly wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder per architecture, never to be written to."""
    root = tmp_path_factory.mktemp("models")
    return {name: save_model(root / name, name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def logits(saved: dict[str, Path]) -> dict[str, torch.Tensor]:
    """What transformers says of the unbroken models."""
    return {name: logits_of_transformers(folder) for name, folder in saved.items()}


@pytest.fixture
def copied(saved: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """Makes a copy to change."""
    return lambda architecture: shutil.copytree(saved[architecture], tmp_path / "model")


# Logits. 1e-4: both sides work in float32 and differ in the order of sums.


def assert_same_logits(folder: Path, expected: torch.Tensor) -> None:
    torch.testing.assert_close(logits_of_ours(folder), expected, atol=1e-4, rtol=0)


@every_architecture
def test_logits_are_those_of_transformers(
    saved: dict[str, Path], logits: dict[str, torch.Tensor], architecture: str
) -> None:
    assert logits[architecture].std() > 0.5  # flat logits would agree whatever we did
    assert_same_logits(saved[architecture], logits[architecture])


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
    logits: dict[str, torch.Tensor],
    architecture: str,
    change: dict[str, Any],
) -> None:
    changed = copied(architecture)
    change_config(changed, **change)
    expected = logits_of_transformers(changed)
    assert (expected - logits[architecture]).abs().max() > 1e-2
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


# Context


def test_a_long_context_takes_no_memory_before_it_is_used(tmp_path: Path) -> None:
    folder = save_model(tmp_path / "model", LLAMA, max_position_embeddings=131_072)
    model = load(str(folder))
    assert model.cfg.n_ctx == describe(str(folder)).n_ctx == 131_072
    # a mask [n_ctx, n_ctx] would be 16 GiB a layer; rotary tables start at 2048 positions
    assert sum(b.numel() * b.element_size() for b in model.buffers()) < 2**20
    with torch.no_grad():
        model(LONG)
    assert sum(b.numel() * b.element_size() for b in model.buffers()) < 2**20


def test_positions_beyond_the_first_rotary_table_are_those_of_transformers(tmp_path: Path) -> None:
    folder = save_model(
        tmp_path / "model", MISTRAL, max_position_embeddings=4096, num_hidden_layers=2
    )
    tokens = torch.randint(4, 34, (1, 2100), generator=torch.Generator().manual_seed(0))
    expected = logits_of_transformers(folder, tokens)
    # angles of 2000 radians have 1e-4 of rounding in float32
    torch.testing.assert_close(logits_of_ours(folder, tokens), expected, atol=2e-3, rtol=0)


# What else is loaded


@every_architecture
def test_the_description_is_true_of_the_loaded_model(
    saved: dict[str, Path], architecture: str
) -> None:
    info, model = describe(str(saved[architecture])), load(str(saved[architecture]))
    assert info.n_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (info.d_model, info.n_layers) == (model.cfg.d_model, model.cfg.n_layers)
    assert (info.n_ctx, info.d_vocab) == (model.cfg.n_ctx, model.cfg.d_vocab)
    assert info.architecture == model.cfg.original_architecture == architecture
    assert info.default_hook_name in model.hook_dict
    assert info.has_resid_mid == ("blocks.0.hook_resid_mid" in model.hook_dict)


@every_architecture
def test_weights_are_the_models_own_and_multiplied_without_a_copy(
    saved: dict[str, Path], architecture: str
) -> None:
    model = load(str(saved[architecture]))
    parameters = dict(model.named_parameters())
    assert all(
        p.untyped_storage().nbytes() == p.numel() * p.element_size() for p in parameters.values()
    )
    assert len({p.data_ptr() for p in parameters.values()}) == len(parameters)
    smallest = min(p.numel() for name, p in parameters.items() if "W_" in name)

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            result = func(*args, **(kwargs or {}))
            if func in (torch.ops.aten.clone.default, torch.ops.aten._to_copy.default):
                assert result.numel() < smallest, func
            return result

    with torch.no_grad(), Watching():
        model(torch.tensor([[2, 10, 11]]))


@every_architecture
def test_the_order_of_weights_in_memory_changes_no_bit(
    saved: dict[str, Path], architecture: str
) -> None:
    model = load(str(saved[architecture]))
    with torch.no_grad():
        expected = model(LONG)
        for parameter in model.parameters():
            parameter.data = parameter.data.contiguous()
        assert torch.equal(model(LONG), expected)


@every_architecture
def test_bfloat16_logits_are_near_those_of_float32(
    saved: dict[str, Path], logits: dict[str, torch.Tensor], architecture: str
) -> None:
    model = load(str(saved[architecture]), dtype="bfloat16")
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        rounded = model(LONG).float()
    # 8 bits of mantissa through four random layers
    assert (rounded - logits[architecture]).abs().mean() < 0.1 * logits[architecture].std()


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


def test_fence_transformers_ignores_the_tokenizer_json_of_a_qwen_2(saved: dict[str, Path]) -> None:
    # once it does not, the tokenizer need not be compared with its file
    written = Tokenizer.from_file(str(saved[QWEN2] / "tokenizer.json")).encode("a b").ids
    assert AutoTokenizer.from_pretrained(saved[QWEN2])("a b")["input_ids"] != written


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


# Damage


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
    "other", sorted(set(SMALL) - {"GPT2LMHeadModel", "GPTNeoXForCausalLM", "LlamaForCausalLM"})
)
def test_the_config_of_a_llama_beside_other_weights_is_refused_or_gives_the_same_as_transformers(
    saved: dict[str, Path], copied: Callable[[str], Path], other: str
) -> None:
    folder = copied("LlamaForCausalLM")
    shutil.copy(saved[other] / "model.safetensors", folder)
    if other == MISTRAL:  # the same weights by name and shape: no one can tell
        assert_same_logits(folder, logits_of_transformers(folder))
        return
    with pytest.raises(ModelError, match="in the weights"):
        load(str(folder))
