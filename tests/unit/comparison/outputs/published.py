"""Fifteen published SAEs: three sparsity curves of five, one seed each, and no runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.model import Reading, Report
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.result_files import live_core, reading
from tests.unit.comparison.result_files import published as published_result

ARCHITECTURES = ("Standard", "TopK", "Matryoshka")
L0S = (20.0, 40.0, 80.0, 160.0, 320.0)
SHARED = "_google_gemma-2-2b__blocks.12.hook_resid_post__"


def published() -> Report:
    """Each compared with each, as `compare` does without --against."""
    results = reports.results(list(_readings()))
    compared = compare(results, None, CompareOptions())
    return reports.report(results, comparisons=compared.comparisons, warnings=compared.warnings)


def _readings() -> Iterator[Reading]:
    for a, architecture in enumerate(ARCHITECTURES):
        for i, l0 in enumerate(L0S):
            sae_id = f"{architecture}{SHARED}trainer_{i}"
            score = 0.94 + 0.01 * i + 0.002 * a
            metrics = {
                "core": live_core(l0=l0, ce_loss_score=score, explained_variance=score - 0.2),
                "autointerp": {"autointerp": {"autointerp_score": 0.9 - 0.01 * i - 0.001 * a}},
            }
            for name, of_eval in metrics.items():
                result = published_result(name, of_eval, sae_id=sae_id)
                result["sae_cfg_dict"]["architecture"] = architecture.lower()
                yield reading(result, str(Path(name) / f"{sae_id}_eval_results.json"))
