"""What a metric means: which way is better, in what unit, what counts as equal, may it gate.

One table, `METRICS`; `lookup` finds a metric's row. A metric that no row names has no direction and
never gates. Values are named `<eval>.<metric>`, see `reading.values`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import translate
from functools import cache, lru_cache, partial


class Direction(StrEnum):
    """Which change of a value is a gain."""

    HIGHER = "higher"
    LOWER = "lower"
    TARGET = "target"
    """Nearer to `MetricSpec.target`."""
    NONE = "none"
    """Neither: it describes."""


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What is known of a metric."""

    name: str
    """`core.ce_loss_score`, or a glob: `scr.*`."""
    title: str
    """For people."""
    direction: Direction = Direction.NONE
    target: float | None = None
    """The best value, where the direction is TARGET."""
    unit: str = ""
    """Empty for a share or a score without unit."""
    noise_floor: float | None = None
    """Difference between two SAEs, one seed each, that chance may well make; None: not measured."""
    sd_between_seeds: float | None = None
    """Standard deviation between training seeds on `SD_MODEL`, all else equal; None: unknown."""
    margin: float | None = None
    """Half width of what counts as equivalent; None: nothing does."""
    may_gate: bool = False
    """Whether a gate may fail on it unless a policy says so expressly."""
    is_supporting: bool = False
    """Whether it stands beside a score, as a null, an end of an interval or a count does: compared
    only where a rule names it."""
    comparable_from: str | None = None
    """The first sae-bench version whose values compare with those of later ones; `0` is every
    version, None the same version only. Ours, which SAE-Bench does not measure, have `0`."""
    note: str = ""
    """How it is defined, or why it does not gate; a sentence."""


ANY_VERSION = "0"
_SHARE = 0.01
"""Margin of shares and scores from 0 to 1: the loss of explained variance that a gain may cost."""
_UNRELIABLE = (
    "Informs and does not gate: it does not separate good SAEs from bad ones reliably "
    "(arXiv:2605.18229)."
)
_TENFOLD = "Its values changed tenfold between versions of SAE-Bench. A dead SAE scores 0."
_SHARED = "About 0 on an ideal SAE, whose latents share a factor's values: read value MIG."
_BATCHED = "SAE-Bench's value depends on the batch size; core.corrected has the right one."


SD_MODEL = "tiny-gemma2-it"
"""The language model that `SD_BETWEEN_SEEDS` was measured on; nothing is known of others."""

SD_BETWEEN_SEEDS = {
    "core.ce_loss_score": 0.0015,
    "core.kl_div_score": 0.0016,
    "core.frac_alive": 0.01,
    "core.corrected.explained_variance": 0.0027,
    "mig.value_mig": 0.055,
    "mig.mig_sup": 0.02,
    "factor_vae.factor_vae": 0.052,
    "factor_vae.factor_vae_population": 0.08,
    "feature_correlation.best_correlation": 0.017,
    "feature_correlation.dci_disentanglement": 0.013,
    "feature_correlation.dci_completeness": 0.0061,
    "feature_correlation.modularity": 0.0057,
    "feature_correlation.near_duplicates": 0.014,
}
"""Standard deviations between training seeds on the embedded model, taken high: the larger of
custom_sae_small's over three seeds and the upper end of the 95% interval of what custom_sae, its
twin without terms and contrastive_full have in common over three seeds each."""


@lru_cache(maxsize=4096)
def lookup(metric: str) -> MetricSpec:
    """The row of a metric, named for it: the first of the table whose name or glob fits.

    A metric that no row fits has no direction, no margin, and may not gate. What stands behind an
    `@` says where a metric was read, `core.ce_loss_score@l0=18`: it has the metric's row, and may
    not gate.
    """
    measured, at, place = metric.partition("@")
    row = row_of(measured)
    if row == len(METRICS):
        note = "Not in the registry: shown, never judged."
        return MetricSpec(name=metric, title=metric, note=note)
    spec = METRICS[row]
    title = _title(spec, measured) + (f" at {place}" if at else "")
    return replace(spec, name=metric, title=title, may_gate=spec.may_gate and not at)


def row_of(measured: str) -> int:
    """The place in `METRICS` of the first row that fits; their number where none does."""
    fitting = (i for i, pattern in enumerate(_patterns()) if pattern.fullmatch(measured))
    return next(fitting, len(METRICS))


def _row(
    direction: Direction,
    name: str,
    title: str,
    *,
    target: float | None = None,
    comparable_from: str | None = ANY_VERSION,
    gates: bool = True,
    margin: float | None = _SHARE,
    unit: str = "",
    note: str = "",
) -> MetricSpec:
    return MetricSpec(
        name=name,
        title=title,
        direction=direction,
        target=target,
        unit=unit,
        margin=margin,
        may_gate=gates,
        sd_between_seeds=SD_BETWEEN_SEEDS.get(name),
        comparable_from=comparable_from,
        note=note,
    )


_higher = partial(_row, Direction.HIGHER)
_lower = partial(_row, Direction.LOWER)
_near = partial(_row, Direction.TARGET, gates=False)
_plain = partial(_row, Direction.NONE, gates=False, margin=None)

_CORE = (
    _higher("core.ce_loss_score", "CE loss score", note="1: nothing lost; 0: as bad as ablation."),
    _higher("core.corrected.explained_variance", "Explained variance, corrected"),
    _higher("core.explained_variance", "Explained variance", gates=False, note=_BATCHED),
    _plain("core.l0", "L0", unit="latents", note="Compare SAEs at equal L0."),
    _higher("core.frac_alive", "Alive latents"),
    _higher("core.kl_div_score", "KL divergence score"),
    _higher("core.cossim", "Cosine similarity", gates=False),
    _near("core.l2_ratio", "L2 ratio", target=1.0, note="Below 1 the SAE shrinks activations."),
    _near("core.relative_reconstruction_bias", "Relative reconstruction bias", target=1.0,
          note="E|y|^2 / E[x . y]; arXiv:2404.16014, eq. 10."),
    _lower("core.mse", "MSE", gates=False, margin=None, note=_BATCHED),
    _lower("core.ce_loss_with_sae", "CE with the SAE", gates=False, margin=None, unit="nats"),
    _lower("core.kl_div_with_sae", "KL with the SAE", gates=False, margin=None, unit="nats"),
    _higher("core.explained_variance_legacy", "Explained variance, legacy", gates=False,
            note="A mean of ratios, one for each token: SAE-Bench's earlier formula."),
    _plain("core.l1", "L1"),
    _higher("core.corrected.ce_loss_score", "CE loss score, corrected", gates=False),
    _higher("core.corrected.kl_div_score", "KL divergence score, corrected", gates=False),
    _higher("core.corrected.frac_alive", "Alive latents, corrected", gates=False),
    _lower("core.corrected.dead_fraction", "Dead latents, corrected", gates=False),
    _higher("core.corrected.cossim", "Cosine similarity, corrected", gates=False),
    _higher("core.corrected.cossim_where_defined", "Cosine similarity where defined", gates=False,
            note="Leaves out tokens whose reconstruction is 0, so a dead SAE may look good."),
    _near("core.corrected.l2_ratio", "L2 ratio, corrected", target=1.0),
    _near("core.corrected.relative_reconstruction_bias", "Relative reconstruction bias, corrected",
          target=1.0),
    _lower("core.corrected.mse", "MSE, corrected", gates=False, margin=None,
           unit="squared activation"),
    _lower("core.corrected.ce_loss_with_sae", "CE with the SAE, corrected", gates=False,
           margin=None, unit="nats"),
    _lower("core.corrected.kl_div_with_sae", "KL with the SAE, corrected", gates=False,
           margin=None, unit="nats"),
    _plain("core.corrected.l0", "L0, corrected", unit="latents"),
)  # fmt: skip
"""Of two that say the same, such as a loss and its score, one may gate: each costs the others
power through Holm's correction."""

_SAE_BENCH = (
    _lower("absorption*.mean_absorption_fraction_score", "Absorption fraction",
           comparable_from=None, note=_TENFOLD),
    _lower("absorption*.mean_full_absorption_score", "Full absorption",
           comparable_from=None, note=_TENFOLD),
    _lower("absorption*.mean_absorption_score", "Absorption",
           comparable_from=None, note=_TENFOLD),
    _lower("absorption*.mean_num_split_features", "Split features",
           comparable_from=None, gates=False, margin=None, unit="latents"),
    _higher("autointerp.autointerp_score", "AutoInterp score", comparable_from=None, gates=False,
            note="Depends on the judging model, which the result does not name."),
    _higher("ravel.disentanglement_score", "RAVEL disentanglement", comparable_from=None),
    _higher("ravel.cause_score", "RAVEL cause", comparable_from=None, gates=False),
    _higher("ravel.isolation_score", "RAVEL isolation", comparable_from=None, gates=False),
    _higher("sparse_probing*.sae_top_*_test_*", "Sparse probing", comparable_from=None),
    _higher("sparse_probing*.sae_test_*", "Probe on all latents", comparable_from=None),
    _plain("sparse_probing*.llm_*", "Probe on activations", comparable_from=None,
           note="Describes the language model, not the SAE."),
    _higher("scr.scr_metric_threshold_*", "SCR", comparable_from=None, gates=False,
            note=_UNRELIABLE),
    _higher("tpp.tpp_threshold_*_total_metric", "TPP", comparable_from=None, gates=False,
            note=_UNRELIABLE),
    _higher("unlearning.unlearning_score", "Unlearning", comparable_from=None, gates=False,
            note="Informs and does not gate: the best of 16 settings, so it flatters."),
    _higher("unlearning.held_out.unlearning_score_held_out", "Unlearning, held out", gates=False),
    _higher("unlearning.chance.unlearning_score_adjusted", "Unlearning less chance", gates=False),
)  # fmt: skip

_PROBE_SCORES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "auroc": "AUROC",
}

_OURS = (
    _higher("mig.value_mig", "Value MIG", note="1: a latent of its own for each value."),
    _higher("mig.mig", "MIG", gates=False, note=_SHARED),
    _higher("mig.mig_sup", "MIG-sup"),
    _higher("mig.held_out.value_mig_held_out", "Value MIG, held out", gates=False),
    _higher("mig.chance.value_mig_adjusted", "Value MIG less chance", gates=False),
    _higher("factor_vae.factor_vae", "FactorVAE"),
    _higher("factor_vae.factor_vae_population", "FactorVAE, population"),
    _higher("factor_vae.mean_margin", "FactorVAE margin", gates=False),
    _higher("feature_correlation.best_correlation", "Best correlation"),
    _higher("feature_correlation.dci_disentanglement", "DCI disentanglement"),
    _higher("feature_correlation.dci_completeness", "DCI completeness"),
    _higher("feature_correlation.modularity", "Modularity"),
    _higher("feature_correlation.sap", "SAP", gates=False, note=_SHARED),
    _higher("feature_correlation.explicitness", "Explicitness"),
    _lower("feature_correlation.near_duplicates", "Near-duplicates"),
    _plain("feature_correlation.effective_rank", "Effective rank", unit="dimensions"),
    _higher("feature_correlation.mean_correlation_coefficient", "Mean correlation coefficient"),
)  # fmt: skip

_DENSE = "Describes the language model: what a probe on its activations reaches."
_PROBING = (
    *(
        _higher(f"factor_probing.top_{k}_{score}", f"Probe on {k} latent{'s' * (k > 1)}, {title}",
                gates=(k, score) == (1, "balanced_accuracy"))
        for score, title in _PROBE_SCORES.items()
        for k in (1, 2, 5, 20)
    ),
    *(
        _plain(f"factor_probing.dense_{score}", f"Dense probe, {title}", note=_DENSE)
        for score, title in _PROBE_SCORES.items()
    ),
    _higher("factor_probing.tied_latents", "Tied latents"),
    _higher("factor_probing.covered_values", "Covered values", gates=False),
    _higher("factor_probing.selectivity", "Selectivity", gates=False),
    _lower("factor_probing.factor_entropy", "Entropy over factors", gates=False),
    _lower("factor_probing.absorption", "Absorption on the known hierarchy"),
    _lower("factor_probing.absorption_excess", "Absorption beyond recall", gates=False),
    _higher("factor_probing.clamp_effect", "Clamping, effect", gates=False, margin=None,
            unit="nats", note="Read it beside that of random latents."),
    _higher("factor_probing.clamp_specificity", "Clamping, specificity", gates=False),
    _higher("factor_probing.ablation_effect", "Ablation, effect", gates=False, margin=None,
            unit="nats"),
    _higher("factor_probing.ablation_specificity", "Ablation, specificity", gates=False),
    *(
        _plain(f"factor_probing.random_{way}_{what}", f"{title} of random latents, {what}")
        for way, title in (("clamp", "Clamping"), ("ablation", "Ablation"))
        for what in ("effect", "specificity")
    ),
)  # fmt: skip

_OTHERS = tuple(
    replace(_plain(f"{name}.*", ""), is_supporting=True)
    for name in ("core", "mig", "factor_vae", "feature_correlation", "factor_probing",
                 "unlearning", "sparse_probing_sae_probes")
)  # fmt: skip
"""What else these evals report: counts, parts of scores, nulls, ends of intervals."""

METRICS: tuple[MetricSpec, ...] = (*_CORE, *_SAE_BENCH, *_OURS, *_PROBING, *_OTHERS)
"""Every metric that is known, of each eval the ones that say most first."""


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(translate(spec.name)) for spec in METRICS)


def _title(spec: MetricSpec, metric: str) -> str:
    """The row's title, with the number of latents where it is for several; or the metric's name."""
    if not spec.title:
        return metric
    n_latents = re.search(r"_(?:threshold|top)_(\d+)", metric)
    score = re.search(r"_test_(auc|f1)$", metric)
    parts = [f"top {n_latents[1]}"] if n_latents else []
    return ", ".join([spec.title, *parts, *([score[1].upper()] if score else [])])
