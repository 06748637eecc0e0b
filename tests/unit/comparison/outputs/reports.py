"""Reports made by hand, as the reader and the judge would make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from csae_bench.comparison.model import (
    Broken,
    Comparison,
    Family,
    Finding,
    Interval,
    Judgement,
    Reading,
    Report,
    ResultSet,
    RunReading,
    Verdict,
)

RELEASE = "tiny-gemma2-it_layer_2_sae"
CUSTOM, TOPK = Family(RELEASE, "custom_sae"), Family(RELEASE, "topk")
EVIL = "<script>alert('x')</script> | `code` [link](x) **b** & \"q\" @team"

TYPICAL = {
    "core": {
        "core.ce_loss_score": 0.91,
        "core.corrected.explained_variance": 0.78,
        "core.explained_variance": 0.79,
        "core.l0": 18.0,
        "core.frac_alive": 0.97,
        "core.mse": 0.0411,
    },
    "mig": {"mig.value_mig": 0.41, "mig.mig": 0.05, "mig.mig_sup": 0.22},
}
"""Values such as a trained SAE of the bundled model has."""
CONDITIONS = {
    "model": "tiny-gemma2-it",
    "hook_name": "blocks.2.hook_resid_post",
    "dtype": "float32",
}


def readings(
    family: Family,
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    shift: float = 0.0,
    l0: float = 18.0,
    curve: str = "",
    invalid: tuple[str, ...] = (),
) -> list[Reading]:
    """One reading an eval and seed, with noise of its own for each."""
    collected: list[Reading] = []
    for seed in seeds:
        rng = np.random.default_rng([seed, len(family.name)])
        sae_id = family.name if seed == 0 else f"{family.name}_seed{seed}"
        for eval_name, typical in TYPICAL.items():
            values: dict[str, float | None] = {
                metric: value + shift + float(rng.normal(0, 0.005))
                for metric, value in typical.items()
            }
            if eval_name == "core":
                values["core.l0"] = l0 + float(rng.normal(0, 0.2))
            collected.append(
                Reading(
                    path=Path(eval_name) / f"{family.release}_{sae_id}_eval_results.json",
                    eval_name=eval_name,
                    family=family,
                    sae_id=sae_id,
                    seed=seed,
                    values=values,
                    conditions=CONDITIONS,
                    invalid=invalid,
                    curve=curve or family.name,
                    architecture="jumprelu",
                    d_sae=1024,
                )
            )
    return collected


def run(family: Family, *, seed: int = 0, status: str = "ok", **changes: object) -> RunReading:
    """A run record's reading, of a training that went well unless said otherwise."""
    sae_id = family.name if seed == 0 else f"{family.name}_seed{seed}"
    reading = RunReading(
        path=Path("runs") / f"{family.release}_{sae_id}.json",
        family=family,
        sae_id=sae_id,
        seed=seed,
        status=status,
        cells={"training": status},
        planned_steps=800,
        executed_steps=800,
        final_loss=62.5 + seed,
        d_sae=1024,
        learning_rate=2e-3,
        sparsity=18.0,
        wall_seconds=300.0,
    )
    return replace(reading, **changes)  # pyright: ignore[reportArgumentType]


def comparison(metric: str, verdict: Verdict, by: float, **changes: object) -> Comparison:
    """A comparison of custom_sae with topk over five seeds."""
    made = Comparison(
        metric=metric,
        candidate=CUSTOM,
        baseline=TOPK,
        verdict=verdict,
        reasons=("The paired 95% interval says so.",),
        n_pairs=5,
        candidate_mean=0.91 + by,
        baseline_mean=0.91,
        difference=by,
        interval=Interval(low=by - 0.01, high=by + 0.01, level=0.95,
                          method="paired t"),
        p=0.01,
        p_holm=0.04,
        smallest_detectable=0.012,
        margin=0.01,
        gates=True,
    )  # fmt: skip
    return replace(made, **changes)  # pyright: ignore[reportArgumentType]


def results(*groups: Sequence[Reading], runs: Sequence[RunReading] = (), root: str = "results",
            broken: Sequence[Broken] = ()) -> ResultSet:  # fmt: skip
    """A folder with these readings."""
    return ResultSet(
        root=Path(root),
        readings=tuple(reading for group in groups for reading in group),
        runs=tuple(runs),
        broken=tuple(broken),
    )


def report(
    candidate: ResultSet,
    baseline: ResultSet | None = None,
    *,
    comparisons: Sequence[Comparison] = (),
    findings: Sequence[Finding] = (),
    exit_code: int = 0,
    warnings: Sequence[str] = (),
    allowed: Sequence[str] = (),
) -> Report:
    """A report with 95% intervals."""
    return Report(
        candidate=candidate,
        baseline=baseline,
        comparisons=tuple(comparisons),
        findings=tuple(findings),
        warnings=tuple(warnings),
        allowed_mismatches=tuple(allowed),
        exit_code=exit_code,
        alpha=0.05,
    )


def every_verdict() -> Report:
    """One comparison of each verdict, a failed and an invalid run, a broken file, a gate."""
    third = Family(RELEASE, "jumprelu")
    nothing: dict[str, object] = {
        "difference": None, "interval": None, "p": None, "p_holm": None,
        "smallest_detectable": None,
    }  # fmt: skip
    comparisons = (
        comparison("core.ce_loss_score", Verdict.WORSE, -0.03),
        comparison("core.corrected.explained_variance", Verdict.EQUIVALENT, 0.001,
                   interval=Interval(low=-0.003, high=0.005, level=0.95, method="paired t")),
        comparison("core.l0", Verdict.INCONCLUSIVE, 0.12, candidate_mean=18.12, baseline_mean=18.0,
                   interval=Interval(low=-0.31, high=0.55, level=0.95, method="paired t"),
                   p=0.4, p_holm=None, gates=False, margin=None),
        comparison("mig.value_mig", Verdict.BETTER, 0.06),
        comparison("mig.mig", Verdict.INCOMPARABLE, 0, **nothing, candidate_mean=0.05,
                   mismatches={"dataset": ("tinyworld", "other")},
                   reasons=("dataset differs: tinyworld here, other there.",)),
        comparison("mig.mig_sup", Verdict.UNMEASURED, 0, **nothing,
                   candidate_mean=None, baseline_mean=None,
                   reasons=("Not measured: the results of the baseline have null.",)),
        comparison("core.ce_loss_score", Verdict.INVALID, 0, **nothing, candidate=third,
                   candidate_mean=None, reasons=("jumprelu is invalid: no latent is active.",)),
        comparison("mig.value_mig", Verdict.MISSING, 0, **nothing, candidate=third,
                   candidate_mean=None, reasons=("jumprelu has no result of mig.",)),
    )  # fmt: skip
    return report(
        results(
            readings(CUSTOM, shift=-0.03),
            readings(third, seeds=(0,), invalid=("L0 is 0: no latent is active",)),
            runs=[
                run(CUSTOM),
                run(Family(RELEASE, "original_run_1"), status="failed", executed_steps=0,
                    planned_steps=0, final_loss=None,
                    problems=("1000 tokens / batch 2048 = 0 steps.",)),
            ],
            broken=[Broken(Path("core/broken.json"), "is no JSON: line 3, column 1.")],
        ),
        results(readings(TOPK), root="baseline"),
        comparisons=comparisons,
        findings=(
            Finding(rule="core.ce_loss_score:-0.01", metric="core.ce_loss_score", candidate=CUSTOM,
                    judgement=Judgement.REGRESSED,
                    message="CE loss score fell by 0.03; 0.01 is allowed."),
            Finding(rule="mig.*:ci", metric="mig.value_mig", candidate=CUSTOM,
                    judgement=Judgement.PASSED, message="better."),
        ),
        exit_code=4,
        warnings=("Seed 7 of topk has no partner.",),
        allowed=("dtype",),
    )  # fmt: skip


def five_good_runs() -> Report:
    """Five seeds of two SAEs, nothing compared."""
    return report(
        results(
            readings(CUSTOM, curve="custom_sae"),
            readings(TOPK, curve="topk", shift=-0.02),
            runs=[run(CUSTOM, seed=seed) for seed in range(5)],
        )
    )
