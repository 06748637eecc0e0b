"""Data classes of a comparison: readings, SAEs, comparisons, the gate's findings, the report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

Condition = str | int | float | bool | None
"""A value that must be equal for two numbers to be comparable."""

_MAX_VARIANT = 80
"""Characters of a variant that are part of a name."""


class Verdict(StrEnum):
    """Verdict on a candidate, compared with its baseline on one metric."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    """The whole interval lies within the metric's margin."""
    INCONCLUSIVE = "inconclusive"
    INCOMPARABLE = "incomparable"
    """Measured under conditions that differ; `reasons` names them."""
    INVALID = "invalid"
    """One of the two is an SAE whose numbers mean nothing, or a run that failed."""
    MISSING = "missing"
    """One of the two has no such result."""
    UNMEASURED = "not measured"
    """The baseline has no value because none was asked for, and the candidate has none that is
    undefined: nothing is lost."""


class Family(NamedTuple):
    """SAEs that differ in their seed alone, measured under one set of conditions.

    Comparisons are between families.
    """

    release: str
    sae: str
    """The sae_id without its `_seed<N>`."""
    variant: str = ""
    """Difference of a further result of the same SAE and eval from the first, in full:
    `settings.n_permutations=21`. Empty for the first."""

    @property
    def name(self) -> str:
        """The SAE's name, followed by the variant where there is one, in brackets."""
        return with_variant(self.sae, self.variant)

    @property
    def first(self) -> Family:
        """The family of the same SAEs' first results."""
        return self._replace(variant="")


def with_variant(name: str, variant: str) -> str:
    """Return `topk (seed=3)`; a very long variant is cut and made unique by hex digits."""
    if len(variant) > _MAX_VARIANT:
        digest = hashlib.sha256(variant.encode("utf-8", "surrogatepass")).hexdigest()[:4]
        variant = f"{variant[:_MAX_VARIANT]}... {digest}"
    return f"{name} ({variant})" if variant else name


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One result file, read without its details."""

    path: Path
    eval_name: str
    """The eval_type_id."""
    family: Family
    sae_id: str
    seed: int | None
    """None if a published result does not say."""
    values: Mapping[str, float | None]
    """`core.ce_loss_score` -> value; None if undefined, -1 for NaN included."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a value is None."""
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """Conditions of the values besides the SAE: model, hook_name, dtype, dataset, context_size,
    eval_config.*, sae_bench_version, metric_definition ..."""
    invalid: tuple[str, ...] = ()
    """Why this SAE's numbers are meaningless; empty if they are not."""
    curve: str = ""
    """SAEs that differ in their sparsity (and seed) alone share this: one sparsity curve."""
    architecture: str | None = None
    d_sae: int | None = None
    weights_hash: str | None = None
    """Hash of the weights of the measured SAE; None if the file does not say."""
    model_fingerprint: str | None = None
    """Hash of the language model's weights; None if the file does not say."""
    epoch_millis: int | None = None
    settings: Mapping[str, Condition] = field(default_factory=dict)
    """Further conditions in which two results of an SAE may differ; for ours, all settings of the
    eval by dotted key: `settings.n_permutations`."""
    variant: str = ""
    """8 hex digits that tell a further result of an SAE and eval from the first, whose name ends in
    them; empty for the first, and in results that are not ours."""
    differs: Mapping[str, Condition] = field(default_factory=dict)
    """The conditions that a variant says it differs in, with its values."""
    eval_seed: int = 0
    """Which repetition of the eval it is, on the same SAE with another seed of the eval."""
    repetitions: tuple[Path, ...] = ()
    """The repetitions that the values are means of, its own file first; empty for a single one."""
    sd_of_eval: Mapping[str, float] = field(default_factory=dict)
    """Metric -> standard deviation between these; empty for a single one."""

    @property
    def cell(self) -> str:
        """Name of its cell in the run record of its SAE."""
        return f"{self.eval_name}_{self.variant}" if self.variant else self.eval_name

    @property
    def n_repetitions(self) -> int:
        """How many repetitions the values are means of."""
        return len(self.repetitions) or 1

    @property
    def title(self) -> str:
        """Its sae_id, followed by its variant if it is not the first result of its eval."""
        return with_variant(self.sae_id, self.family.variant)


@dataclass(frozen=True, kw_only=True)
class RunReading:
    """One run record, ours or converted."""

    path: Path
    family: Family
    sae_id: str
    seed: int | None
    status: str
    """ok, failed, skipped or invalid."""
    problems: tuple[str, ...] = ()
    """Why the run is not ok, one sentence each, training and evals together."""
    cells: Mapping[str, str] = field(default_factory=dict)
    """`training`, `validity` and evals -> status."""
    planned_steps: int | None = None
    executed_steps: int | None = None
    final_loss: float | None = None
    d_sae: int | None = None
    learning_rate: float | None = None
    sparsity: float | None = None
    """The penalty's coefficient, or k."""
    wall_seconds: float | None = None
    changes: tuple[str, ...] = ()
    """Changes that flags made to the configuration: `sae.k=9`."""
    weights_hash: str | None = None
    """Hash of the weights that the run left; None if it left none, or does not say."""


@dataclass(frozen=True)
class Broken:
    """A file that could not be read, and why; the rest is still compared."""

    path: Path
    message: str
    """A sentence that names the file."""

    @property
    def why(self) -> str:
        """The message without the path, for use where the path is shown already."""
        return self.message.removeprefix(f"{self.path}: ")


@dataclass(frozen=True)
class OtherSet:
    """A folder within the one that was read, whose results are not part of it."""

    path: Path
    n_results: int
    why: str
    """Reason why it is another set; a sentence after `not counted: `."""

    @property
    def message(self) -> str:
        """A sentence that names the folder."""
        counted = "1 result" if self.n_results == 1 else f"{self.n_results} results"
        return f"{self.path}: {counted}; {self.why}."


@dataclass(frozen=True, kw_only=True)
class ResultSet:
    """All that a folder holds."""

    root: Path
    readings: tuple[Reading, ...]
    runs: tuple[RunReading, ...]
    broken: tuple[Broken, ...] = ()
    ignored: tuple[Broken, ...] = ()
    """Files that were left out with good reason: no result, or older than another one of the same
    SAE and eval under the same conditions; links that lead nowhere new."""
    other_sets: tuple[OtherSet, ...] = ()
    """Folders whose results are not counted."""

    @property
    def uncounted(self) -> tuple[Broken, ...]:
        """Files and folders that were skipped without being broken, each with the reason."""
        return (*self.ignored, *(Broken(other.path, other.message) for other in self.other_sets))


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A two-sided interval of a difference, in the metric's units."""

    low: float
    high: float
    level: float
    method: str
    """`paired t`, `z with the known sd between seeds`, `bootstrap`, ..."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Comparison of a candidate family with its baseline family on one metric."""

    metric: str
    """`core.ce_loss_score`."""
    candidate: Family
    baseline: Family
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    """Reasons for the verdict, one sentence each, for a person."""
    n_pairs: int = 0
    """Seeds that both have."""
    candidate_mean: float | None = None
    baseline_mean: float | None = None
    difference: float | None = None
    """Candidate minus baseline, mean over pairs; of the distances to it where there is a target."""
    interval: Interval | None = None
    """p of the difference, not corrected for the number of metrics."""
    p: float | None = None
    p_holm: float | None = None
    """p after Holm's correction over the metrics that gate; or else over those that do not."""
    permutation_p: float | None = None
    bootstrap: Interval | None = None
    noise_of_eval: float | None = None
    """Difference that the eval's own seeds make by chance (95%), for means over as many as both
    have; None where an eval was not repeated."""
    by_item: Interval | None = None
    """Interval from resampling the eval's factors or questions, not seeds; if details were read."""
    smallest_detectable: float | None = None
    """Difference that this comparison would find with 80% power."""
    margin: float | None = None
    """Half width of what counts as equivalent."""
    gates: bool = False
    """Whether this metric may gate."""
    mismatches: Mapping[str, tuple[Condition, Condition]] = field(default_factory=dict)
    """Conditions that differ: name -> (candidate's, baseline's)."""


class Judgement(StrEnum):
    """Finding of the gate on one rule."""

    PASSED = "passed"
    WARNED = "warned"
    REGRESSED = "regressed"
    INCOMPARABLE = "incomparable"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A rule of the gate applied to one comparison, or to a result that should be there."""

    rule: str
    """The rule as written: `core.ce_loss_score:-0.01`."""
    metric: str
    candidate: Family | None
    judgement: Judgement
    message: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that `csae-bench compare` knows; every output is drawn from this alone."""

    candidate: ResultSet
    baseline: ResultSet | None
    comparisons: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    """Warnings for the reader: allowed mismatches, broken files, ..."""
    allowed_mismatches: tuple[str, ...]
    """Conditions that --allow-mismatch let pass; marked on every output."""
    exit_code: int
    alpha: float
    """Level of the tests; intervals have 1 - alpha."""
    shown_metrics: tuple[str, ...] = ()
    """Names and globs of the metrics to show; empty for those that say most. The gate judges all
    the same."""
    against: str | None = None
    """The SAE that all others are compared with; None: each with each, or with a baseline."""
