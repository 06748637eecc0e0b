"""Folders of every architecture, from the command line: a run, and what keeps one from running."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from csae_bench import tinyworld
from csae_bench.models.architectures import ARCHITECTURES
from tests.e2e.conftest import SMALL, CsaeBench
from tests.model_folders import save_model

NOT_GPT2 = [name for name in ARCHITECTURES if name != "GPT2LMHeadModel"]


def folder_with_tokenizer(folder: Path, architecture: str) -> Path:
    """A random model that reads the bundled model's language."""
    bundled = json.loads((tinyworld.model_dir() / "config.json").read_text())
    sizes = {"vocab_size": bundled["vocab_size"], "max_position_embeddings": 256}
    without_cap = {"final_logit_softcapping": None} if "Gemma" in architecture else {}
    save_model(folder, architecture, tie_word_embeddings=False, **sizes, **without_cap)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tinyworld.model_dir() / name, folder)
    return folder


def teach(folder: Path) -> None:
    """Fit the unembedding to tinyworld's texts, so that the residual stream matters.

    An SAE on a random model, which predicts no better without its stream, is not judged.
    """
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    texts = tinyworld.documents("lm", 40, seed=0)
    ids = [token for text in texts for token in tokenizer(text)["input_ids"]]
    tokens = torch.tensor(ids[: 64 * 48]).reshape(64, 48)
    with torch.no_grad():
        stream = model.base_model(tokens).last_hidden_state[:, :-1].flatten(0, 1)
    head = model.get_output_embeddings()
    torch.nn.init.zeros_(head.weight)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.003)
    for _ in range(30):  # few and small steps: a head that is sure of itself fits no other text
        loss = torch.nn.functional.cross_entropy(head(stream), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def flags(folder: Path, hook: str = "hook_resid_post") -> list[str | Path]:
    return ["--sae", "topk", *SMALL, "--set", f"hook_name=blocks.2.{hook}", "--model", folder]


@pytest.mark.parametrize(
    "architecture",
    [
        name if name == "GPTNeoXForCausalLM" else pytest.param(name, marks=pytest.mark.slow)
        for name in NOT_GPT2
    ],
)
def test_an_sae_is_trained_and_judged_on_a_folder_of_each_architecture(
    architecture: str, csae_bench: CsaeBench, tmp_path: Path
) -> None:
    folder = folder_with_tokenizer(tmp_path / "model", architecture)
    teach(folder)
    outcome = csae_bench("run", *flags(folder), "--results", tmp_path / "r")
    assert outcome.exit_code == 0, outcome.stderr
    (result,) = (tmp_path / "r" / "core").glob("*_eval_results.json")
    metrics = json.loads(result.read_text())["eval_result_metrics"]
    assert 0 < metrics["sparsity"]["l0"] <= 256
    assert metrics["reconstruction_quality"]["mse"] > 0


@pytest.mark.parametrize("architecture", NOT_GPT2)
def test_doctor_names_a_truncated_file_and_a_setting_that_would_be_lost(
    architecture: str, csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    folder = folder_with_tokenizer(tmp_path / "model", architecture)
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    outcome = csae_bench("doctor", *flags(folder))
    assert outcome.exit_code == 2
    assert f"{weights} has {len(whole) - 1000} bytes; its header promises" in outcome.stderr
    weights.write_bytes(whole)
    yarn = {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}
    config.write_text(json.dumps({**json.loads(config.read_text()), **yarn}))
    outcome = csae_bench("doctor", *flags(folder))
    assert outcome.exit_code == 2
    assert f"{config}, rope_scaling: rope_type is 'yarn'; it must be one of" in outcome.stderr


def test_doctor_finds_that_a_parallel_layer_has_no_residual_stream_between(
    csae_bench: CsaeBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    folder = folder_with_tokenizer(tmp_path / "model", "GPTNeoXForCausalLM")
    outcome = csae_bench("doctor", *flags(folder, "hook_resid_mid"))
    assert outcome.exit_code != 0
    shown = outcome.stdout + outcome.stderr
    assert "hook_name is 'blocks.2.hook_resid_mid'; model has no such hook" in shown
    outcome = csae_bench("run", *flags(folder, "hook_resid_mid"), "--results", tmp_path / "r")
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.stderr
    assert "hook_resid_mid" in outcome.stderr
