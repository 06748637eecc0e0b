"""The whole way on a GPU, on the bundled model: training, core, factor codes and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens.saes.sae import SAE
from transformer_lens import HookedTransformer

from csae_bench import models
from csae_bench.activations.cache.draws import activation_cache
from csae_bench.activations.sources import Sequences
from csae_bench.config import ResolvedConfig, RunConfig
from csae_bench.corpora import open_corpus
from csae_bench.factors.encoding import codes_of_prompts
from csae_bench.factors.opening import open_factors
from csae_bench.metrics.data import Codes, Factors
from csae_bench.training.data import activation_source
from csae_bench.training.train import train
from csae_bench.upstream.core import CoreOutcome, CoreSettings, run_core

MODEL, HOOK = "tiny-gemma2-it", "blocks.2.hook_resid_post"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an SAE that was trained on the GPU."""
    if not torch.cuda.is_available():
        pytest.skip("no GPU: torch finds no CUDA device")
    config = RunConfig.model_validate(
        {
            "model": MODEL,
            "model_dtype": "bfloat16",
            "activations": {"pairs_in_buffer": 2048},
            "sae": {
                "architecture": "contrastive_batchtopk",
                "d_sae": 512,
                "k": 16,
                "losses": {"rows": {"weight": 0.1}, "columns": {"weight": 0.1}},
            },
            "training": {"n_tokens": 60 * 1024, "batch_size": 1024, "calibration_tokens": 8192},
        }
    )
    resolved = ResolvedConfig(name="gpu", path=Path("gpu.yaml"), config=config, origins={})
    model = models.load(MODEL, device="cuda", dtype="bfloat16")
    place = tmp_path_factory.mktemp("gpu")
    outcome = train(resolved, model, place, device="cuda", progress=False)
    assert outcome.executed_steps == outcome.planned_steps == 60
    return place / "inference"


def test_training_on_a_gpu_lowers_the_loss(folder: Path) -> None:
    lines = (folder.parent / "training_log.jsonl").read_text().splitlines()
    losses = [float(line.partition('"mse_loss": ')[2].partition(",")[0]) for line in lines]
    assert losses[-1] < 0.5 * losses[0]


def loaded(folder: Path, device: str) -> tuple[SAE[Any], HookedTransformer]:
    return SAE.load_from_disk(folder, device=device), models.load(MODEL, device=device)


def core(folder: Path, device: str) -> CoreOutcome:
    settings = CoreSettings(
        dataset_name="tinyworld",
        model_name=MODEL,
        hook_name=HOOK,
        context_size=64,
        batch_size_prompts=8,
        n_eval_reconstruction_batches=2,
        n_eval_sparsity_variance_batches=4,
    )
    return run_core(*loaded(folder, device), open_corpus("tinyworld", split="core"), settings)


def test_core_is_equal_on_gpu_and_cpu(folder: Path) -> None:
    on_cpu, on_gpu = core(folder, "cpu").corrected.values, core(folder, "cuda").corrected.values
    assert on_gpu.keys() == on_cpu.keys()
    for name, value in on_cpu.items():
        # float32 on both: sums in another order, and codes at the threshold that switch
        assert on_gpu[name] == pytest.approx(value, rel=5e-3, abs=1e-3), name


def test_factor_codes_are_equal_on_gpu_and_cpu(folder: Path) -> None:
    dataset = open_factors("tinyworld")
    on_cpu, on_gpu = (
        codes_of_prompts(*loaded(folder, device), dataset, HOOK).codes.toarray()
        for device in ("cpu", "cuda")
    )
    switched = (on_cpu > 0) != (on_gpu > 0)
    assert switched.mean() < 1e-4  # a code at the threshold may fall on either side
    assert np.allclose(on_cpu[~switched], on_gpu[~switched], rtol=1e-3, atol=1e-3)


def test_metrics_take_tensors_from_the_gpu() -> None:
    codes = torch.rand(12, 4).relu()
    factors = torch.arange(12) % 3
    assert np.array_equal(Codes.of(codes.to("cuda")).csc.toarray(), Codes.of(codes).csc.toarray())
    assert np.array_equal(Factors.of(factors.to("cuda")).values, Factors.of(factors).values)
    named = Factors.of({"shape": factors.to("cuda")})
    assert np.array_equal(named.values, Factors.of({"shape": factors}).values)


def test_cached_activations_are_those_that_the_gpu_computed(tmp_path: Path) -> None:
    config = RunConfig.model_validate({"activations": {"batch_size_prompts": 8}})
    model = models.load(MODEL, device="cuda", dtype="bfloat16")

    def drawn() -> list[Sequences]:
        with activation_cache(tmp_path, 1) as cache:
            source = activation_source(config, model, device="cuda", cache=cache)
            return [source.next_sequences() for _ in range(5)]

    for first, second in zip(drawn(), drawn(), strict=True):
        assert second.acts.device.type == "cuda"
        assert second.acts.dtype == first.acts.dtype == torch.float32
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
