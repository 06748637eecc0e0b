"""All named metrics of one set of codes and factors, never averaged into one number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from csae_bench.metrics.data import Codes, Factors
from csae_bench.metrics.dci import dci
from csae_bench.metrics.explicitness import explicitness
from csae_bench.metrics.factor_vae import factor_vae, factor_vae_population
from csae_bench.metrics.importance_nulls import IMPORTANCE_SCORES, importance_nulls
from csae_bench.metrics.importance_nulls import N_PERMUTATIONS as N_IMPORTANCE_PERMUTATIONS
from csae_bench.metrics.importances import information_importances
from csae_bench.metrics.inputs import CodesLike, FactorsLike, LabelsLike, same_samples
from csae_bench.metrics.mig import mig, mig_sup, value_mig
from csae_bench.metrics.modularity import modularity_of
from csae_bench.metrics.nulls import Null, ScoreNull, permutation_null
from csae_bench.metrics.resampling import SCORES
from csae_bench.metrics.sap import sap
from csae_bench.metrics.score import Score

METRICS = (
    "mig",
    "value_mig",
    "mig_sup",
    "factor_vae",
    "factor_vae_population",
    "dci_disentanglement",
    "dci_completeness",
    "sap",
    "modularity",
    "explicitness",
)
"""Names in display order; the rows of the evals describe each."""

N_PERMUTATIONS = 100
"""The smallest p is 1 / (1 + this)."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Values of every metric of `METRICS`, and the nulls of those that have one."""

    scores: dict[str, Score]
    nulls: dict[str, ScoreNull]
    """Nulls by metric, if it has one, and of `maximum`: a factor's best latent's information."""
    n: int
    d_sae: int
    settings: dict[str, Any]
    """Settings that the metrics share: the seed, and how the nulls were drawn."""

    def to_json(self) -> dict[str, Any]:
        """Return `metrics`, `factors`, `settings`, `reasons` as in `csae-bench metrics --json`.

        A factor has each metric's value and, of metrics with a null, `<metric>_null_mean`,
        `<metric>_adjusted` (value minus that mean) and `<metric>_p`; `maximum` is the information
        of its best latent in units of its entropy. Reasons are by metric, and by metric and factor
        as `<metric>.<factor>` where only a factor's value is null.
        """
        return {
            "metrics": {name: score.value for name, score in self.scores.items()},
            "factors": self._by_factor(),
            "settings": {
                "n": self.n,
                "d_sae": self.d_sae,
                **self.settings,
                **{name: score.settings for name, score in self.scores.items()},
            },
            "reasons": self._reasons(),
        }

    def _by_factor(self) -> dict[str, dict[str, float | None]]:
        factors = next(iter(self.scores.values())).by_factor
        table: dict[str, dict[str, float | None]] = {}
        for factor in factors:
            row = {name: score.by_factor[factor] for name, score in self.scores.items()}
            for name, null in self.nulls.items():
                row |= _null_fields(name, null.by_factor[factor])
            table[factor] = row
        return table

    def _reasons(self) -> dict[str, str]:
        reasons: dict[str, str] = {}
        for name, score in self.scores.items():
            if score.value is None:
                reasons[name] = score.reason or "undefined"
            else:
                reasons |= {f"{name}.{k}": why for k, why in score.reason_by_factor.items()}
        return reasons


def all_metrics(
    codes: CodesLike,
    factors: FactorsLike,
    *,
    clusters: LabelsLike | None = None,
    n_permutations: int = N_PERMUTATIONS,
    seed: int = 0,
) -> Summary:
    """Compute every metric of `METRICS` at its default settings, with permutation nulls.

    Args:
        codes: [n, d_sae], dense or sparse; see `Codes.of`.
        factors: labels [n, n_factors]; see `Factors.of`.
        clusters: [n] labels, such as of templates, that the splits of `sap` and `explicitness` do
            not part.
        n_permutations: of the nulls.
        seed: of everything that draws.

    Raises:
        MetricInputError: malformed or mismatched input, or no permutation.
    """
    codes, factors = same_samples(codes, factors)
    return Summary(
        scores=_scores(codes, factors, clusters, n_permutations=n_permutations, seed=seed),
        nulls=_nulls(codes, factors, clusters, n_permutations=n_permutations, seed=seed),
        n=codes.n,
        d_sae=codes.d_sae,
        settings={"seed": seed, "n_permutations": _null_settings(n_permutations)},
    )


def _scores(
    codes: Codes, factors: Factors, clusters: LabelsLike | None, *, n_permutations: int, seed: int
) -> dict[str, Score]:
    importances = information_importances(codes, factors)
    of_importances = dci(importances)
    return {
        "mig": mig(codes, factors),
        "value_mig": value_mig(codes, factors),
        "mig_sup": mig_sup(codes, factors),
        "factor_vae": factor_vae(codes, factors, seed=seed),
        "factor_vae_population": factor_vae_population(
            codes, factors, n_permutations=n_permutations, seed=seed
        ),
        "dci_disentanglement": of_importances.disentanglement,
        "dci_completeness": of_importances.completeness,
        "sap": sap(codes, factors, clusters=clusters, seed=seed),
        "modularity": modularity_of(importances),
        "explicitness": explicitness(codes, factors, clusters=clusters, seed=seed),
    }


def _nulls(
    codes: Codes, factors: Factors, clusters: LabelsLike | None, *, n_permutations: int, seed: int
) -> dict[str, ScoreNull]:
    of_information = permutation_null(codes, factors, n_permutations=n_permutations, seed=seed)
    return {
        **{name: getattr(of_information, name) for name in SCORES},
        **importance_nulls(
            codes,
            factors,
            clusters=clusters,
            n_permutations=min(n_permutations, N_IMPORTANCE_PERMUTATIONS),
            seed=seed,
        ),
    }


def _null_settings(n_permutations: int) -> dict[str, int]:
    of_importances = min(n_permutations, N_IMPORTANCE_PERMUTATIONS)
    return {
        **dict.fromkeys(SCORES, n_permutations),
        **dict.fromkeys(IMPORTANCE_SCORES, of_importances),
    }


def _null_fields(name: str, null: Null | None) -> dict[str, float | None]:
    fields: dict[str, float | None] = {name: null and null.observed} if name == "maximum" else {}
    return fields | {
        f"{name}_null_mean": null and null.mean,
        f"{name}_adjusted": null and null.adjusted,
        f"{name}_p": null and null.p,
    }
