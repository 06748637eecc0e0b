"""`csae-bench compare DIR --json` on 2000 files: 500 SAEs of d_sae 1024 x 4 evals, with details.

compare_2000_first reads every file, compare_2000_next finds what the first left in its index; both
are of the whole command, from outside. The files were written just before, so they come from the
page cache. The ratios are to Python's `json.loads` of the same files in this process.
compare_help_ratio is the median of five `csae-bench compare --help` over that of starts of Python
with libraries that it needs.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.timing import N_STARTS, seconds, seconds_of_command, seconds_of_start
from csae_bench.config import RunConfig
from csae_bench.results.envelope import Provenance, eval_result
from csae_bench.results.store import Store

FIGURES = (
    "compare_2000_first_ratio",
    "compare_2000_next_ratio",
    "compare_help_ratio",
    "compare_2000_first",
    "compare_2000_next",
    "compare_help",
)
N_FAMILIES, N_SEEDS = 100, 5
N_CONTENTS = 8
"""Distinct details: they are most of the bytes, and nothing reads them."""
RELEASE = "tiny-gemma2-it_layer_2_sae"

CORE: dict[str, tuple[str, ...]] = {
    "model_behavior_preservation": ("kl_div_score", "kl_div_with_ablation", "kl_div_with_sae"),
    "model_performance_preservation": (
        "ce_loss_score",
        "ce_loss_with_ablation",
        "ce_loss_with_sae",
        "ce_loss_without_sae",
    ),
    "reconstruction_quality": ("explained_variance", "explained_variance_legacy", "mse", "cossim"),
    "shrinkage": ("l2_norm_in", "l2_norm_out", "l2_ratio", "relative_reconstruction_bias"),
    "sparsity": ("l0", "l1"),
    "token_stats": ("total_tokens_eval_reconstruction", "total_tokens_eval_sparsity_variance"),
    "misc_metrics": (
        "freq_over_1_percent",
        "freq_over_10_percent",
        "normalized_freq_over_1_percent",
        "normalized_freq_over_10_percent",
        "average_max_encoder_cosine_sim",
        "average_max_decoder_cosine_sim",
        "frac_alive",
    ),
}
OF_A_LATENT = (
    "feature_density",
    "consistent_activation_heuristic",
    "encoder_bias",
    "encoder_norm",
    "encoder_decoder_cosine_sim",
    "max_decoder_cosine_sim",
    "max_encoder_cosine_sim",
)
FACTOR_EVALS = ("mig", "factor_vae", "feature_correlation")
N_FACTORS, N_VALUES = 8, 8


class Taken(NamedTuple):
    """Seconds."""

    first: float
    next: float
    parsing: float
    """`json.loads` of all files."""


def main() -> None:
    """Print the figures."""
    report("compare_2000", seconds_of_compare(d_sae=1024))
    help_ = statistics.median(seconds_of_command("compare", "--help") for _ in range(N_STARTS))
    print(f"BENCH compare_help_ratio {help_ / seconds_of_start():.2f} ratio")
    print(f"BENCH compare_help {help_:.2f} s")


def report(name: str, taken: Taken) -> None:
    """Print the figures of a folder."""
    print(f"json.loads of all files: {taken.parsing:.2f} s", file=sys.stderr)
    print(f"BENCH {name}_first_ratio {taken.first / taken.parsing:.2f} ratio")
    print(f"BENCH {name}_next_ratio {taken.next / taken.parsing:.2f} ratio")
    print(f"BENCH {name}_first {taken.first:.2f} s")
    print(f"BENCH {name}_next {taken.next:.2f} s")


def seconds_of_compare(d_sae: int) -> Taken:
    """Time the first and the next `compare` of a folder of 2000 files."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        write_results(Path(folder), d_sae)
        files = list(Path(folder).rglob("*_eval_results.json"))
        print(
            f"wrote {len(files)} files, {sum(f.stat().st_size for f in files) / 2**20:.0f} MiB, in "
            f"{time.perf_counter() - started:.0f} s",
            file=sys.stderr,
        )
        return Taken(
            first=seconds_of_command("compare", folder, "--json"),
            next=seconds_of_command("compare", folder, "--json"),
            parsing=seconds(lambda: _parse(files)),
        )


def _parse(files: list[Path]) -> None:
    for file in files:
        json.loads(file.read_bytes())


def write_results(folder: Path, d_sae: int) -> None:
    """Write the results of 100 families of 5 seeds, 4 evals each, in the layout of `run`."""
    rng = np.random.default_rng(0)
    store = Store(folder)
    evals: dict[str, tuple[Callable[[], Any], list[str]]] = {
        "core": (lambda: _core(rng), [_as_text(_latents(rng, d_sae)) for _ in range(N_CONTENTS)])
    }
    for name in FACTOR_EVALS:
        details = [_as_text(_of_factors(rng, name)) for _ in range(N_CONTENTS)]
        evals[name] = (lambda name=name: _scores(rng, name), details)
    for eval_name, (metrics, details) in evals.items():
        for i in range(N_FAMILIES * N_SEEDS):
            family, seed = divmod(i, N_SEEDS)
            sae_id = f"batchtopk-{family:08x}" + (f"_seed{seed}" if seed else "")
            text = json.dumps(_result(eval_name, sae_id, seed, family, d_sae, metrics()), indent=2)
            path = store.eval_result(eval_name, RELEASE, sae_id)
            path.parent.mkdir(parents=True, exist_ok=True)
            empty = '"eval_result_details": []'
            assert empty in text
            path.write_text(
                text.replace(empty, f'"eval_result_details": {details[i % N_CONTENTS]}')
            )


def _result(
    eval_name: str, sae_id: str, seed: int, family: int, d_sae: int, metrics: dict[str, Any]
) -> dict[str, Any]:
    """Return a result without details; the families are four sparsities of 25 learning rates."""
    config = RunConfig.model_validate(
        {
            "seed": seed,
            "sae": {"architecture": "batchtopk", "d_sae": d_sae, "k": 2 ** (2 + family % 4)},
            "training": {"learning_rate": 1e-4 * (1 + family // 4)},
        }
    )
    core = {name: value for values in metrics.values() for name, value in values.items()}
    return eval_result(
        eval_name=eval_name,
        eval_config={
            "model_name": "tiny-gemma2-it",
            "llm_dtype": "float32",
            "dataset": "tinyworld",
        },
        metrics=metrics,
        details=[],
        unstructured={"corrected": core} if eval_name == "core" else {"settings": {"mig": {}}},
        release=RELEASE,
        sae_id=sae_id,
        sae_cfg={"d_in": 128, "d_sae": d_sae, "architecture": "jumprelu"},
        provenance=Provenance(
            key=f"{family:064x}",
            weights_hash=f"{family * N_SEEDS + seed:064x}",
            training_hash=f"{family * N_SEEDS + seed:016x}",
            model="tiny-gemma2-it",
            hook_name="blocks.2.hook_resid_post",
            training_architecture="batchtopk",
            seed=seed,
            device="cpu",
            config=config.model_dump(mode="json"),
            eval_settings={},
            versions={"csae_bench": "0.1.0", "sae_bench": "0.6.0"},
            wall_seconds=1.0,
            peak_memory_gib=1.0,
        ),
    )


def _core(rng: np.random.Generator) -> dict[str, Any]:
    """Return Core's metrics of an SAE that is alive."""
    metrics = {
        category: {name: float(rng.uniform(0.5, 0.9)) for name in names}
        for category, names in CORE.items()
    }
    metrics["model_performance_preservation"] |= {
        "ce_loss_with_ablation": 7.5,
        "ce_loss_with_sae": float(rng.uniform(3, 4)),
    }
    metrics["sparsity"]["l0"] = float(rng.uniform(4, 64))
    return metrics


def _latents(rng: np.random.Generator, d_sae: int) -> list[dict[str, Any]]:
    return [
        {"index": i, **{name: round(float(rng.normal()), 10) for name in OF_A_LATENT}}
        for i in range(d_sae)
    ]


def _scores(rng: np.random.Generator, eval_name: str) -> dict[str, Any]:
    from csae_bench.evals import get_eval

    fields: Any = get_eval(eval_name).metrics_model
    return {
        category: {name: float(rng.uniform()) for name in field.annotation.model_fields}
        for category, field in fields.model_fields.items()
    }


def _of_factors(rng: np.random.Generator, eval_name: str) -> list[dict[str, Any]]:
    from csae_bench.evals import get_eval

    model: Any = get_eval(eval_name).detail_model
    values = [
        {"value": f"value {v}", "latent": v, "value_mig": float(rng.uniform()), "information": 1.0}
        for v in range(N_VALUES)
    ]
    known = {"reasons": {}, "values": values}
    return [
        {name: known.get(name, float(rng.uniform())) for name in model.model_fields}
        | {"factor": f"factor {k}"}
        for k in range(N_FACTORS)
    ]


def _as_text(details: list[dict[str, Any]]) -> str:
    """Format the result as `json.dumps(result, indent=2)` does, one level deep."""
    return json.dumps(details, indent=2).replace("\n", "\n  ")
