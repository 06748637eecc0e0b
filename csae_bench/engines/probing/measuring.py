"""Measurements of the probing eval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.engines.factors.reporting import ONE_TEMPLATE, Measured
from csae_bench.engines.factors.samples import Samples
from csae_bench.engines.probing.effects import OPERATIONS, Intervened, intervene
from csae_bench.engines.probing.fields import N_LATENTS
from csae_bench.evals import EvalContext
from csae_bench.factors import Pooling
from csae_bench.metrics.absorption import Absorption, absorption
from csae_bench.metrics.classification import MEASURES, Classification, classification
from csae_bench.metrics.data import Codes
from csae_bench.metrics.monosemanticity import Monosemanticity, monosemanticity
from csae_bench.metrics.score import Score, no_score
from csae_bench.metrics.sparse_probes import HeldOutDecisions, dense_probes, sparse_probes

DENSE = "dense"
NO_ACTS = "the activations of the dataset are too many to be kept"


def probe_name(k: int) -> str:
    """Return the name of the probe on k latents in names of metrics."""
    return f"top_{k}"


POOLED_PROBE = f"{probe_name(1)}_balanced_accuracy"
PROBES = (*(probe_name(k) for k in N_LATENTS), DENSE)


@dataclass(frozen=True, kw_only=True, eq=False)
class Probing:
    """Everything that the probing eval measures of an SAE's latents."""

    samples: Samples
    probes: Mapping[str, Classification]
    """By `PROBES`; empty where there is one template, `dense` missing where acts were not kept."""
    pooled_probes: Mapping[Pooling, Score]
    """`POOLED_PROBE` on codes pooled over all tokens."""
    probe_latents: Mapping[int, tuple[tuple[int, ...], ...]]
    """k -> for each value the latents that its probes chose."""
    latents: Monosemanticity
    absorption: Absorption
    intervened: Intervened

    def measured(self) -> dict[str, Measured]:
        """Return every metric by name, as `reporting.Report` takes them."""
        return self._of_probes() | self._of_latents() | self._of_interventions()

    def _of_probes(self) -> dict[str, Measured]:
        measured: dict[str, Measured] = {}
        for probe in PROBES:
            for measure in MEASURES:
                name = f"{probe}_{measure}"
                if probe in self.probes:
                    of_probe = self.probes[probe]
                    measured[name] = Measured(
                        score=of_probe.scores[measure],
                        null=of_probe.nulls[measure],
                        interval=of_probe.intervals[measure],
                        poolings=self.pooled_probes if name == POOLED_PROBE else {},
                    )
                else:
                    measured[name] = Measured(
                        score=_undefined(self.samples, self.why_no_probe(probe))
                    )
        return measured

    def why_no_probe(self, probe: str) -> str:
        """Return the reason why a probe is missing."""
        return NO_ACTS if probe == DENSE and self.samples.n_templates > 1 else ONE_TEMPLATE

    def _of_latents(self) -> dict[str, Measured]:
        return {
            "assigned_latents": Measured(
                score=self.latents.assigned, null=self.latents.assigned_null
            ),
            "value_coverage": Measured(
                score=self.latents.coverage, null=self.latents.coverage_null
            ),
            "selectivity": Measured(
                score=self.latents.mean_selectivity, null=self.latents.selectivity_null
            ),
            "factor_entropy": Measured(score=self.latents.mean_entropy),
            "absorption": Measured(score=self.absorption.rate),
            "absorption_excess": Measured(score=self.absorption.excess),
        }

    def _of_interventions(self) -> dict[str, Measured]:
        measured: dict[str, Measured] = {}
        for operation in OPERATIONS:
            best, random = self.intervened.best[operation], self.intervened.random[operation]
            for prefix, of in (("", best), ("random_", random)):
                measured[f"{prefix}{operation}_effect"] = Measured(
                    score=of.own, interval=of.own_interval
                )
                measured[f"{prefix}{operation}_specificity"] = Measured(
                    score=of.specificity, interval=of.specificity_interval
                )
        return measured


def measure(
    ctx: EvalContext,
    samples: Samples,
    *,
    n_permutations: int,
    n_resamples: int,
    n_quantiles: int,
    n_prompts: int,
    seed: int,
) -> Probing:
    """Measure probes, monosemanticity, absorption and interventions of the SAE's latents.

    Raises:
        DataError, ModelError: see `Interventions`.
    """
    codes, factors = samples.codes, samples.factors
    latents = monosemanticity(
        codes,
        factors,
        samples.parents,
        n_quantiles=n_quantiles,
        n_permutations=n_permutations,
        seed=seed,
    )
    half = samples.half_of_templates(seed)
    decisions = {} if half is None else _decisions(samples, half)
    resampled: dict[str, Any] = {"n_resamples": n_resamples, "seed": seed}
    return Probing(
        samples=samples,
        probes={
            name: classification(
                each, factors, samples.templates, n_permutations=n_permutations, **resampled
            )
            for name, each in decisions.items()
        },
        pooled_probes={
            pooling: _balanced_accuracy(each, samples, half)
            for pooling, each in samples.over_tokens()
            if half is not None
        },
        probe_latents={
            k: decisions[probe_name(k)].latents for k in N_LATENTS if probe_name(k) in decisions
        },
        latents=latents,
        absorption=absorption(codes, factors, samples.parents, latents.value_latents),
        intervened=intervene(ctx, samples, latents, n_prompts=n_prompts, **resampled),
    )


def _decisions(samples: Samples, half: NDArray[np.bool_]) -> dict[str, HeldOutDecisions]:
    sparse = sparse_probes(samples.codes, samples.factors, half, n_latents=N_LATENTS)
    decisions = {probe_name(k): each for k, each in sparse.items()}
    if samples.encoded.acts is not None:
        decisions[DENSE] = dense_probes(samples.encoded.acts, samples.factors, half)
    return decisions


def _balanced_accuracy(codes: Codes, samples: Samples, half: NDArray[np.bool_]) -> Score:
    decisions = sparse_probes(codes, samples.factors, half, n_latents=(1,))[1]
    # one permutation and few draws: the score alone is wanted
    scores = classification(decisions, samples.factors, samples.templates, n_permutations=1)
    return scores.scores["balanced_accuracy"]


def _undefined(samples: Samples, why: str) -> Score:
    return Score(**no_score(samples.factors, why), settings={})
