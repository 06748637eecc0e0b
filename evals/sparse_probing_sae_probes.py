"""sae-probes, by SAE-Bench's name for it: how well do a few latents tell two kinds of text?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from csae_bench.engines.sae_probes.results import FORM, METRICS, K, detail_model
from csae_bench.evals import EvalConfig, EvalContext, EvalResult, Preset, register_eval
from csae_bench.evals.inputs import Needs, Status

QUICK_DATASETS = (
    "5_hist_fig_ismale",
    "24_headline_isiran",
    "41_truthqa_tf",
    "105_click_bait",
    "118_us_state_CA",
    "120_us_timezone_Chicago",
    "124_world_country_United_States",
    "127_art_type_song",
    "130_temp_cat_Frequency",
    "154_athlete_sport_football",
)
"""Datasets of `--preset quick`."""


class SaeProbesConfig(EvalConfig):
    """Settings of the eval, named as in sae-probes and in SAE-Bench's eval of it."""

    data: str = "package"
    """`package`, the 113 datasets that sae-probes ships, or a folder of <name>.csv.zst files with
    the columns `prompt` and `target`, two classes of equal size in each."""

    datasets: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Names of datasets, such as `5_hist_fig_ismale`; none: all."""

    ks: Annotated[tuple[K, ...], Field(min_length=1)] = (1, 2, 5)
    """Numbers of latents to probe on."""

    reg_type: Literal["l1", "l2"] = "l1"
    """Penalty of the logistic regressions on latents; the dense probe's is l2."""

    binarize: bool = False
    """Probe on whether a latent fires instead of on how much."""

    mean_diff_normalization: Literal["mean", "none"] = "mean"
    """Latents are chosen by the difference of their means over the classes; `mean` divides it by
    their mean where they fire."""

    include_llm_baseline: bool = True
    """Also probe on the model's activations."""

    random_seed: Annotated[int, Field(ge=0, lt=2**31)] = 42
    """Seed of splits, probes and resamples."""

    max_seq_len: Annotated[int, Field(ge=2)] = 1024
    """Tokens of a prompt that are read, its last; never more than the model's context."""

    llm_batch_size: Annotated[int, Field(ge=1)] = 32
    """Prompts in a forward pass."""

    n_resamples: Annotated[int, Field(ge=1000)] = 1000
    """Number of resamples of the datasets, for the 95% intervals."""

    def needs(self, model: str | None) -> Needs:
        """Return the datasets; prompts that are too long for the model are cut."""
        return Needs(inputs=(ProbesInput(self.data, self.datasets),))


@dataclass(frozen=True)
class ProbesInput:
    """Labelled texts, as sae-probes ships them."""

    name: str
    datasets: tuple[str, ...] | None
    key: str = ""
    kind: str = "probes"

    def status(self) -> list[Status]:
        """Return what is wrong with the datasets; they are read."""
        from csae_bench.engines.sae_probes.data import data_problem

        problem = data_problem(self.name, self.datasets)
        return [("ok", "")] if problem is None else [("problem", problem)]

    def fingerprint(self) -> str:
        """Return a hash of the datasets and of the version of sae-probes."""
        from csae_bench.engines.sae_probes.data import data_fingerprint

        return data_fingerprint(self.name, self.datasets)


@register_eval(
    "sparse_probing_sae_probes",
    config=SaeProbesConfig,
    metrics=METRICS,
    headline=("sae_top_1_test_auc", "sae_top_5_test_auc", "llm_test_auc"),
    form=FORM,
    detail=detail_model(),
    presets={
        "quick": Preset(
            settings={"datasets": list(QUICK_DATASETS)},
            about=f"{len(QUICK_DATASETS)} of the 113 datasets: short texts on ten subjects.",
        ),
        "published": Preset(
            settings={
                "data": "package",
                "datasets": None,
                "ks": [1, 2, 5],
                "reg_type": "l1",
                "binarize": False,
                "include_llm_baseline": True,
                "random_seed": 42,
            },
            about="SAE-Bench's defaults for it, on all 113 datasets.",
            unverified=("ks", "reg_type", "binarize", "include_llm_baseline", "random_seed"),
        ),
    },
)
def sparse_probing_sae_probes(ctx: EvalContext, cfg: SaeProbesConfig) -> EvalResult:
    """sae-probes: probes on few latents and on activations, on 113 text datasets or on your own.

    What it measures: how well a logistic regression on the k latents that differ most between two
    kinds of text tells them apart, next to one on all activations (Kantamneni et al. 2025,
    arXiv:2502.16681).

    Data: the 113 datasets of two classes that sae-probes ships, or files of the same form.

    Cost: a pass over each dataset, shared by all SAEs, and seconds a probe.

    When not to trust it: the best measured of SAE-Bench's evals, by an audit of 2026
    (arXiv:2605.18229), but a random dictionary gets far above .5, so the difference counts, not the
    value. `random_seed` draws splits: repeat it with `--eval-seeds`.
    """
    from csae_bench.engines.sae_probes import results
    from csae_bench.engines.sae_probes.data import chosen_files, installed_version
    from csae_bench.upstream.isolation import halving_batch
    from csae_bench.upstream.sae_probes import ProbeSettings, ProbesOutcome, run_sae_probes

    files = chosen_files(cfg.data, cfg.datasets)

    def run(batch_size: int) -> ProbesOutcome:
        settings = ProbeSettings(
            hook_name=ctx.hook_name,
            ks=cfg.ks,
            reg_type=cfg.reg_type,
            binarize=cfg.binarize,
            mean_diff_normalization=cfg.mean_diff_normalization,
            seed=cfg.random_seed,
            batch_size=batch_size,
            max_seq_len=cfg.max_seq_len,
            with_baseline=cfg.include_llm_baseline,
            device=ctx.device,
            progress=ctx.progress,
        )
        return run_sae_probes(ctx.sae, ctx.model(), files, settings, ctx.shared)

    halved = halving_batch(run, cfg.llm_batch_size)
    datasets = halved.result.datasets
    metrics = results.metrics(datasets, n_resamples=cfg.n_resamples, seed=cfg.random_seed)
    return EvalResult(
        metrics=metrics,
        details=results.details(datasets),
        unstructured={
            "data": {
                "datasets": cfg.data,
                "n_datasets": len(datasets),
                "n_truncated": sum(outcome.n_truncated for outcome in datasets),
                "sae_probes": installed_version(),
            },
            "reasons": results.reasons(metrics),
            "batch_halvings": halved.halvings,
            "warnings": halved.result.warnings,
        },
    )
