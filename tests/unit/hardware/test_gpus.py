"""csae_bench/gpus.py."""

from __future__ import annotations

import pytest

from csae_bench.config import RunConfig
from csae_bench.config.loading import load_config
from csae_bench.hardware.gpus import GPUS, Gpu, Operations, gpu_estimates, training_operations
from csae_bench.hardware.memory import GIB
from csae_bench.models import describe

D_IN, D_SAE, ROWS = 64, 256, 32


def _config(**changes: object) -> RunConfig:
    return RunConfig.model_validate(
        {
            "activations": {"kind": "generator", "d_in": D_IN},
            "sae": {"architecture": "contrastive_topk", "d_sae": D_SAE},
            "training": {"batch_size": ROWS, "n_tokens": 10 * ROWS},
            **changes,
        }
    )


def test_an_sae_costs_twelve_operations_for_each_row_and_weight() -> None:
    operations = training_operations(_config(), None)
    assert operations == Operations(float32=10 * 12 * ROWS * D_IN * D_SAE)


def test_autocast_moves_the_sae_to_bfloat16_and_leaves_the_terms() -> None:
    losses = {"rows": {"weight": 1, "latent_fraction": 0.5}}
    config = _config(
        sae={"architecture": "contrastive_topk", "d_sae": D_SAE, "losses": losses},
        training={
            "batch_size": ROWS,
            "n_tokens": 10 * ROWS,
            "autocast": True,
            "weighting": {"kind": "constant"},
        },
    )
    n_pairs = ROWS // 2
    assert training_operations(config, None) == Operations(
        bfloat16=10 * 12 * ROWS * D_IN * D_SAE,
        float32=10 * 6 * n_pairs**2 * D_SAE / 2,
    )


def test_terms_cost_only_in_the_stages_in_which_they_count() -> None:
    losses = {"columns": {"weight": 1, "n_latents": 100}}
    stages = [{"name": "a", "until": 0.3, "strength": 0}, {"name": "b", "until": 1}]
    config = _config(
        sae={"architecture": "contrastive_topk", "d_sae": D_SAE, "losses": losses},
        training={
            "batch_size": ROWS,
            "n_tokens": 10 * ROWS,
            "curriculum": stages,
            "weighting": {"kind": "constant"},
        },
    )
    terms = training_operations(config, None).float32 - 10 * 12 * ROWS * D_IN * D_SAE
    assert terms == pytest.approx(7 * 6 * 100**2 * (ROWS // 2))


def test_the_model_costs_its_layers_up_to_the_hook() -> None:
    model = describe("google/gemma-2-2b")
    config = load_config("gemma_2_2b").config
    whole = config.model_copy(update={"hook_name": "blocks.25.hook_resid_post"})
    half = config.model_copy(update={"hook_name": "blocks.12.hook_resid_post"})
    none = training_operations(config.model_copy(update={"hook_name": None}), None)
    costs = [training_operations(c, model) for c in (half, whole)]
    layers = (model.n_parameters - 2 * model.d_model * model.d_vocab) / 26
    assert costs[1].bfloat16 - costs[0].bfloat16 == pytest.approx(
        13 * 2 * layers * config.training.n_steps * config.training.batch_size
    )
    assert costs[0].bfloat16 > none.bfloat16


def test_time_is_operations_over_the_assumed_share_of_the_peak() -> None:
    gpu = Gpu("a gpu", 1, bfloat16_tflops=100, float32_tflops=10)
    assert Operations(bfloat16=40e12 * 3600).hours_on(gpu) == pytest.approx(1)
    assert Operations(float32=4e12 * 3600).hours_on(gpu) == pytest.approx(1)


def test_a_run_fits_where_its_peak_does() -> None:
    fits = {each.memory_gib: each.fits for each in gpu_estimates(_config(), None, 30 * GIB)}
    assert fits == {24: False, 80: True}


def test_the_sentence_says_what_was_assumed() -> None:
    (result, *_) = gpu_estimates(
        load_config("gemma_2_2b").config, describe("google/gemma-2-2b"), GIB
    )
    for part in (GPUS[0].name, "24 GB: fits, 1.0 GiB", "hours at 40% of its peak", "165 TFLOP/s"):
        assert part in str(result)
