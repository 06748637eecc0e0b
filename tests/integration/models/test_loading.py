"""Folders become HookedTransformers with transformers' own logits; broken ones become errors."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from csae_bench.errors import ModelError
from csae_bench.models import describe, load, weights_fingerprint
from tests.model_configs import N_CTX, TOKENS
from tests.model_folders import (
    LONG,
    change_config,
    logits_of_ours,
    logits_of_transformers,
    save_model,
    save_tokenizer,
)

KINDS = {"gemma2": "Gemma2ForCausalLM", "gpt2": "GPT2LMHeadModel"}


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders never to be written to."""
    root = tmp_path_factory.mktemp("models")
    return {kind: save_model(root / kind, architecture) for kind, architecture in KINDS.items()}


@pytest.fixture(scope="session")
def logits(saved: dict[str, Path]) -> dict[str, torch.Tensor]:
    """What transformers says of the unbroken models."""
    return {kind: logits_of_transformers(folder) for kind, folder in saved.items()}


@pytest.fixture
def broken(saved: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(saved["gpt2"], tmp_path / "broken")


# Logits. 1e-4: the worst seen is 8e-6; both sides work in float32 and differ in the order of sums.


@pytest.mark.parametrize("kind", ["gemma2", "gpt2"])
def test_logits_are_those_of_transformers(
    saved: dict[str, Path], logits: dict[str, torch.Tensor], kind: str
) -> None:
    assert logits[kind].std() > 0.5  # flat logits would agree whatever we did
    torch.testing.assert_close(logits_of_ours(saved[kind]), logits[kind], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    "without",
    [
        {"sliding_window": 4096},
        {"attn_logit_softcapping": None},
        {"final_logit_softcapping": None},
        {"query_pre_attn_scalar": 12},
        {"rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"}},
        {"layer_types": ["full_attention", "sliding_attention"] * 2},
    ],
    ids=lambda without: next(iter(without)),
)
def test_every_mechanism_of_gemma2_shows_in_the_logits_and_in_ours(
    saved: dict[str, Path],
    logits: dict[str, torch.Tensor],
    tmp_path: Path,
    without: dict[str, Any],
) -> None:
    changed = shutil.copytree(saved["gemma2"], tmp_path / "changed")
    change_config(changed, **without)
    expected = logits_of_transformers(changed)
    assert (expected - logits["gemma2"]).abs().max() > 1e-2
    torch.testing.assert_close(logits_of_ours(changed), expected, atol=1e-4, rtol=0)


def test_a_gemma2_config_written_before_transformers_5_gives_the_same_logits(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    older = shutil.copytree(saved["gemma2"], tmp_path / "older")
    change_config(older, drop=("layer_types", "rope_parameters"), rope_theta=500.0)
    torch.testing.assert_close(
        logits_of_ours(older), logits_of_ours(saved["gemma2"]), atol=0, rtol=0
    )


@pytest.mark.parametrize(
    "change",
    [
        {"scale_attn_by_inverse_layer_idx": True},
        {"scale_attn_weights": False},
        {"n_inner": 20},
        {"activation_function": "relu"},
        {"tie_word_embeddings": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_option_of_gpt2_gives_the_logits_of_transformers(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    save_model(tmp_path / "gpt2", "GPT2LMHeadModel", **change)
    expected = logits_of_transformers(tmp_path / "gpt2")
    torch.testing.assert_close(logits_of_ours(tmp_path / "gpt2"), expected, atol=1e-4, rtol=0)


def test_sharded_weights_give_the_same_logits(saved: dict[str, Path], tmp_path: Path) -> None:
    sharded = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(saved["gemma2"]).save_pretrained(
        sharded, max_shard_size="40KB"
    )
    save_tokenizer(sharded)
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert not (sharded / "model.safetensors").exists()
    torch.testing.assert_close(
        logits_of_ours(sharded), logits_of_ours(saved["gemma2"]), atol=0, rtol=0
    )
    assert weights_fingerprint(str(sharded)) != weights_fingerprint(str(saved["gemma2"]))


# What else is loaded


@pytest.mark.parametrize("kind", ["gemma2", "gpt2"])
def test_the_description_is_true_of_the_loaded_model(saved: dict[str, Path], kind: str) -> None:
    info, model = describe(str(saved[kind])), load(str(saved[kind]))
    assert info.n_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert (info.d_model, info.n_layers) == (model.cfg.d_model, model.cfg.n_layers)
    assert (info.n_ctx, info.d_vocab) == (model.cfg.n_ctx, model.cfg.d_vocab)
    assert info.architecture == model.cfg.original_architecture
    assert info.default_hook_name in model.hook_dict
    assert info.name == model.cfg.model_name == kind


def test_a_loaded_model_is_in_evaluation_mode_with_trainable_parameters(
    saved: dict[str, Path],
) -> None:
    model = load(str(saved["gemma2"]))
    assert not model.training
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_dtype_is_that_of_every_weight_and_of_the_logits(
    saved: dict[str, Path], dtype: str
) -> None:
    model = load(str(saved["gemma2"]), dtype=dtype)
    expected = getattr(torch, dtype)
    assert {parameter.dtype for parameter in model.parameters()} == {expected}
    assert model.cfg.dtype == expected
    assert model(LONG).dtype == expected


def test_bfloat16_logits_are_near_those_of_float32(saved: dict[str, Path]) -> None:
    exact = logits_of_ours(saved["gemma2"])
    rounded = load(str(saved["gemma2"]), dtype="bfloat16")(LONG).float()
    # 8 bits of mantissa through four random layers; unrelated logits differ by about 1
    assert (rounded - exact).abs().mean() < 0.05


def test_loading_prints_nothing(saved: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    load(str(saved["gemma2"]))
    assert capfd.readouterr() == ("", "")


def test_a_relative_path_loads(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved["gpt2"].parent)
    assert load("./gpt2").to_tokens("a").tolist() == [[2, TOKENS.index("a")]]


# Tokens


@pytest.mark.parametrize(
    ("tokenizer", "bos"),
    [
        ({}, 2),
        ({"template": False}, 2),
        ({"pad_token": None}, 2),
        ({"template": False, "bos_token": None}, 1),
        ({"template": False, "bos_token": "<eos>"}, 1),
    ],
    ids=["template", "no template", "no pad", "eos for want of bos", "eos is bos"],
)
@pytest.mark.parametrize("add_bos_token", [None, True, False])
def test_text_gets_exactly_one_bos(
    saved: dict[str, Path],
    tmp_path: Path,
    tokenizer: dict[str, Any],
    bos: int,
    add_bos_token: bool | None,
) -> None:
    folder = shutil.copytree(saved["gpt2"], tmp_path / "model")
    save_tokenizer(folder, **tokenizer)
    if add_bos_token is not None and "bos_token" not in tokenizer:
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config["add_bos_token"] = add_bos_token
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    model = load(str(folder))
    a, b, space = (TOKENS.index(token) for token in ("a", "b", " "))
    assert model.to_tokens("a b").tolist() == [[bos, a, space, b]]
    assert model.to_tokens("a b", prepend_bos=False).tolist() == [[a, space, b]]
    assert model.tokenizer is not None
    assert model.tokenizer.pad_token_id is not None
    batch = model.to_tokens(["a b", "a"])
    assert batch[1, :2].tolist() == [bos, a]


# Errors


def edit_weights(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return edit


def drop_a_weight(weights: dict[str, torch.Tensor]) -> None:
    del weights["transformer.h.1.attn.c_attn.weight"]


def add_a_weight(weights: dict[str, torch.Tensor]) -> None:
    weights["transformer.h.3.extra"] = torch.ones(2)


def garble(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{]")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (edit_weights(drop_a_weight), r"h\.1\.attn\.c_attn\.weight is missing in the weights"),
        (edit_weights(add_a_weight), r"h\.3\.extra is in the weights, and config\.json has no"),
        (lambda folder: change_config(folder, n_layer=2), r"h\.2\..* \(and 10 more\); use the"),
        (lambda folder: change_config(folder, n_layer=4), r"h\.3\..* is missing in the weights"),
        (lambda folder: change_config(folder, n_embd=64), r"attn\.bias \[96\] has another shape"),
        (lambda folder: change_config(folder, attn_pdrop="x"), "transformers cannot load .*pdrop"),
        (garble, "its tokenizer cannot be read"),
        (lambda folder: save_tokenizer(folder, template=False, bos_token=None, eos_token=None),
         "neither bos_token nor eos_token"),
    ],
    ids=["fewer", "more", "fewer layers", "more layers", "shape", "config", "tokenizer", "no bos"],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_that_names_the_folder(
    broken: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(broken)
    with pytest.raises(ModelError, match=f"{re.escape(str(broken))}.*{message}"):
        load(str(broken))


def test_old_mask_buffers_in_gpt2_weights_are_no_error(broken: Path) -> None:
    edit_weights(lambda weights: weights.update({"transformer.h.0.attn.bias": torch.ones(2)}))(
        broken
    )
    assert load(str(broken)).cfg.n_layers == 3


def test_a_tokenizer_larger_than_the_vocabulary_is_an_error(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    save_model(tmp_path / "model", "GPT2LMHeadModel", vocab_size=20)
    with pytest.raises(ModelError, match=r"token id is 33; with vocab_size=20 .* must be 0 to 19"):
        load(str(tmp_path / "model"))


def test_a_tokenizer_that_adds_a_second_bos_is_an_error(broken: Path) -> None:
    # eos stands in for bos, and the tokenizer puts <bos> in front by itself
    save_tokenizer(broken, bos_token=None)
    with pytest.raises(ModelError, match="must put exactly one bos first"):
        load(str(broken))


def test_a_folder_of_an_unsupported_architecture_is_an_error(broken: Path) -> None:
    change_config(broken, architectures=["MambaForCausalLM"], model_type="mamba")
    with pytest.raises(ModelError, match="MambaForCausalLM; supported from a folder are GPT2LMHe"):
        load(str(broken))


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "meta", "cpu:1"])
def test_a_device_that_is_not_there_is_an_error(saved: dict[str, Path], device: str) -> None:
    with pytest.raises(ModelError, match=f"device is '{device}'"):
        load(str(saved["gpt2"]), device=device)


def test_an_unknown_dtype_lists_the_known(saved: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="dtype is 'int8'; it must be one of float32, bfloat16"):
        load(str(saved["gpt2"]), dtype="int8")


# The hub, as its cache


def test_a_hub_model_without_cache_or_network_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"google/gemma-2-2b: its weights .* `hf download google/"):
        load("gemma-2-2b")


def test_a_hub_model_in_the_cache_loads_with_its_full_name(
    saved: dict[str, Path], tmp_path: Path
) -> None:
    # a tiny model in the place of distilgpt2; a fresh process, since the cache is found at import
    repository = tmp_path / "hub" / "models--distilgpt2"
    shutil.copytree(saved["gpt2"], repository / "snapshots" / "0")
    change_config(repository / "snapshots" / "0", n_ctx=N_CTX)  # the published configs have it
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0")
    code = (
        "import sys, torch; from csae_bench.models import describe, load\n"
        "model = load('distilgpt2')\n"
        "info = describe('distilgpt2')\n"
        "assert info.kind == 'hub' and info.path is None and info.d_model == 32\n"
        "assert info.n_parameters == sum(p.numel() for p in model.parameters())\n"
        "assert model.cfg.model_name == 'distilgpt2' and not model.training\n"
        "torch.save(model(torch.load(sys.argv[1])), sys.argv[2])\n"
    )
    torch.save(LONG, tokens := tmp_path / "tokens.pt")
    result = tmp_path / "logits.pt"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tokens), str(result)],
        env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""  # transformer-lens prints there; stdout is for results
    torch.testing.assert_close(torch.load(result), logits_of_ours(saved["gpt2"]), atol=0, rtol=0)
