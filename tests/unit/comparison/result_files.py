"""Result files: ours, the original experiment's, and published ones, changed where asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from csae_bench.comparison.model import Reading
from csae_bench.comparison.reading.result import reading_of

DATA = Path(__file__).parents[2] / "data"
ORIGINAL_RUN_0 = DATA / "original_run_0_core_eval_results.json"
OURS = DATA / "results"
"""What csae-bench run wrote: core of `pca`, mig of `random`, its run record."""
OUR_CORE = OURS / "core" / "tiny-gemma2-it_layer_2_sae_pca_eval_results.json"
OUR_MIG = OURS / "mig" / "tiny-gemma2-it_layer_2_sae_random_eval_results.json"
OUR_RECORD = OURS / "runs" / "tiny-gemma2-it_layer_2_sae_random.json"

RELEASE = "sae_bench_gemma-2-2b_topk_width-2pow12_date-1109"


def loaded(path: Path) -> dict[str, Any]:
    """The JSON of a file, details included."""
    return json.loads(path.read_text(encoding="utf-8"))


def published(
    eval_name: str,
    metrics: Mapping[str, Mapping[str, Any]],
    *,
    sae_id: str = "blocks.12.hook_resid_post__trainer_0",
    **changes: Any,
) -> dict[str, Any]:
    """A result of an SAE of SAELens's directory, from before SAELens 6."""
    return {
        "eval_type_id": eval_name,
        "eval_config": {"model_name": "gemma-2-2b", "random_seed": 42, "llm_dtype": "bfloat16"},
        "eval_id": "0c057d5e-973e-410e-8e32-32569323b5e6",
        "datetime_epoch_millis": 1736553167253,
        "eval_result_metrics": {name: dict(values) for name, values in metrics.items()},
        "eval_result_details": [],
        "sae_bench_commit_hash": "57e9be0ac9199dba6b9f87fe92f80532e9aefced",
        "sae_lens_id": sae_id,
        "sae_lens_release_id": RELEASE,
        "sae_lens_version": "5.3.0",
        "sae_cfg_dict": {
            "architecture": "topk",
            "d_sae": 4096,
            "hook_name": "blocks.12.hook_resid_post",
        },
        **changes,
    }


def live_core(**values: Any) -> dict[str, dict[str, Any]]:
    """Core's metrics of an SAE that is alive, some of them changed."""
    metrics: dict[str, dict[str, Any]] = {
        "model_behavior_preservation": {
            "kl_div_score": 0.98,
            "kl_div_with_ablation": 10.0,
            "kl_div_with_sae": 0.2,
        },
        "model_performance_preservation": {
            "ce_loss_score": 0.97,
            "ce_loss_with_ablation": 12.4,
            "ce_loss_with_sae": 3.2,
            "ce_loss_without_sae": 2.9,
        },
        "reconstruction_quality": {
            "explained_variance": 0.7,
            "explained_variance_legacy": 0.6,
            "mse": 1.5,
            "cossim": 0.9,
        },
        "shrinkage": {
            "l2_norm_in": 300.0,
            "l2_norm_out": 290.0,
            "l2_ratio": 0.96,
            "relative_reconstruction_bias": 0.99,
        },
        "sparsity": {"l0": 40.0, "l1": 200.0},
        "misc_metrics": {"frac_alive": 0.9},
    }
    for of_category in metrics.values():
        of_category.update({name: values[name] for name in values if name in of_category})
    return metrics


def write(path: Path, content: object) -> Path:
    """Writes JSON, NaN and Infinity as Python does, and gives the path back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    return path


def reading(result: Mapping[str, Any], name: str = "some_eval_results.json") -> Reading:
    """The reading of a result that lies nowhere."""
    return reading_of(result, Path(name))
