"""What the factor evals cost an SAE, codes and metrics together, extrapolated from fewer prompts.

`mig`, `factor_vae` and `feature_correlation` run as `csae-bench run` runs them, on two random
samples of the factor dataset. Their time is taken to be a + b n for n prompts, neither below 0.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.on_gpu.measuring import GpuReport, seconds_of
from benchmarks.on_gpu.sizes import Size

if TYPE_CHECKING:
    from sae_lens import SAE
    from transformer_lens import HookedTransformer

    from csae_bench.factors.dataset import FactorDataset

EVALS = ("mig", "factor_vae", "feature_correlation")


def time_factor_evals(report: GpuReport, of: Size, model: HookedTransformer, sae: SAE[Any]) -> None:
    """Report the seconds of all of them on the whole dataset."""
    from csae_bench.factors.opening import AUTO, chosen_factors, open_factors

    whole = open_factors(chosen_factors(AUTO, of.model))
    seconds: dict[int, float] = {}
    # not timed: imports, and the first pass of a process
    _run(of, model, sae, sample_of(whole, min(of.n_metric_prompts)), report.device)
    for n in of.n_metric_prompts:
        sample = sample_of(whole, n)
        work = partial(_run, of, model, sae, sample, report.device)
        seconds[n] = seconds_of(work, report.device)
    (few, short), (many, long) = seconds.items()
    in_full = extrapolated(few, short, many, long, whole.n)
    report.figure("gpu_factor_evals_seconds", round(in_full, 1), "s")
    report.detail(
        "factor evals",
        {
            "assumption": "time grows linearly with the prompts",
            "evals": EVALS,
            "seconds_by_prompts": seconds,
            "prompts_scaled_to": whole.n,
        },
    )


def extrapolated(few: int, short: float, many: int, long: float, n: int) -> float:
    """Return a + b n of two measurements: where one would be below 0, of the other alone."""
    slope = (long - short) / (many - few)
    if slope <= 0:
        return max(short, long)
    start = short - slope * few
    return long * n / many if start < 0 else start + slope * n


def sample_of(whole: FactorDataset, n: int) -> FactorDataset:
    """Return n prompts of a dataset, drawn at random, for they stand in the order of a grid."""
    import numpy as np

    kept = np.random.default_rng(0).permutation(whole.n)[:n]
    return replace(
        whole,
        factors=whole.factors[kept],
        templates=tuple(whole.templates[i] for i in kept),
        prompts=tuple(whole.prompts[i] for i in kept),
        marks=None if whole.marks is None else whole.marks[kept],
        readouts={},  # which are of whole datasets, and are not asked here
    )


def _run(
    of: Size, model: HookedTransformer, sae: SAE[Any], sample: FactorDataset, device: str
) -> None:
    import numpy as np
    import torch

    import csae_bench.factors
    from csae_bench.evals import EvalContext, get_eval

    encoded: dict[tuple[Any, ...], Any] = {}
    given = mock.patch.object(csae_bench.factors, "open_factors", return_value=sample)
    with tempfile.TemporaryDirectory() as folder, given, torch.no_grad():
        for name in EVALS:
            spec = get_eval(name)
            context = EvalContext(
                sae=sae,
                sae_id="random",
                model_name=of.model,
                hook_name=of.hook_name,
                device=device,
                artifacts=Path(folder) / name,
                rng=np.random.default_rng(0),
                load_model=lambda _: model,
                encoded=encoded,
            )
            spec.run(context, spec.config.model_validate({}))
