"""A report as JSON: all that it knows, in a layout that stays.

    schema_version      1; a change that breaks readers raises it
    exit_code, outcome  outcome: {word, sentence}
    alpha               level of the tests; intervals have 1 - alpha
    allowed_mismatches  conditions that --allow-mismatch let pass
    shown_metrics       names and globs of --metrics; where there are any, comparisons, families and
                        results have these metrics alone. Findings are of all
    warnings            sentences
    failed_runs         [{side, release, sae_id, status, problems, path}], failed and invalid ones
    findings            [{rule, metric, candidate, judgement, message}], the gate's
    comparisons         [{metric, title, direction, unit, candidate, baseline, verdict, reasons,
                        n_pairs, candidate_mean, baseline_mean, difference, interval, p, p_holm,
                        permutation_p, bootstrap, noise_of_eval, by_item,
                        smallest_detectable, margin, gates, mismatches}]
    families            [{side, family, sae, variant, metrics: {metric: {mean, n, interval}}}],
                        valid SAEs alone; families of one `sae` are results of one SAE
    candidate           {root, results, runs, broken, ignored, other_sets}; broken, ignored:
                        [{path, message}]; other_sets: [{path, message, n_results}]
    baseline            the same, or null
    conditions          {id: {name: value}}; a result's `conditions` is an id

A family is {release, name}, its name followed by the variant in brackets where it is not the first
result of its SAE and eval, an interval {low, high, level, method}. Paths are relative to `root`
where they lie in it. What is undefined is null; `reasons` of a result says why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from csae_bench.comparison.metrics import lookup
from csae_bench.comparison.model import (
    Broken,
    Comparison,
    Condition,
    Family,
    Interval,
    Reading,
    Report,
    ResultSet,
    RunReading,
)
from csae_bench.comparison.outputs import selection
from csae_bench.comparison.outputs.overview import outcome
from csae_bench.comparison.outputs.troubles import troubles
from csae_bench.comparison.outputs.values import family_values

SCHEMA_VERSION = 1

T = TypeVar("T")


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values; `json.dumps(..., allow_nan=False)` takes it."""
    verdict = outcome(report)
    conditions = _Conditions()
    sides = {"candidate": report.candidate, "baseline": report.baseline}
    return {
        "schema_version": SCHEMA_VERSION,
        "exit_code": report.exit_code,
        "outcome": {"word": verdict.word, "sentence": verdict.sentence},
        "alpha": report.alpha,
        "allowed_mismatches": list(report.allowed_mismatches),
        "shown_metrics": list(report.shown_metrics),
        "warnings": list(report.warnings),
        "failed_runs": [
            {**asdict(trouble), "path": _path(trouble.path, sides[trouble.side])}
            for trouble in troubles(report)
        ],
        "findings": [
            {
                "rule": finding.rule,
                "metric": finding.metric,
                "candidate": _family(finding.candidate),
                "judgement": finding.judgement.value,
                "message": finding.message,
            }
            for finding in report.findings
        ],
        "comparisons": [
            _comparison(comparison)
            for comparison in report.comparisons
            if selection.is_shown(comparison.metric, report)
        ],
        "families": [
            {"side": side, **_family_values(family, _asked(values, report))}
            for side, results in sides.items()
            if results is not None
            for family, values in family_values(results, report.alpha).items()
        ],
        **{side: _results(results, conditions, report) for side, results in sides.items()},
        "conditions": conditions.as_json(),
    }


class _Conditions:
    """Assigns one id to equal sets of conditions: thousands of results share a few."""

    def __init__(self) -> None:
        self._ids: dict[tuple[tuple[str, Condition], ...], str] = {}

    def id_of(self, conditions: Mapping[str, Condition]) -> str:
        key = tuple((name, _plain(conditions[name])) for name in sorted(conditions))
        return self._ids.setdefault(key, f"c{len(self._ids)}")

    def as_json(self) -> dict[str, dict[str, Condition]]:
        return {name: dict(key) for key, name in self._ids.items()}


def _asked(values: Mapping[str, T], report: Report) -> dict[str, T]:
    """Select, of values by metric, those that --metrics asks for."""
    return {name: value for name, value in values.items() if selection.is_shown(name, report)}


def _results(
    results: ResultSet | None, conditions: _Conditions, report: Report
) -> dict[str, Any] | None:
    if results is None:
        return None
    return {
        "root": str(results.root),
        "results": [_reading(reading, results, conditions, report) for reading in results.readings],
        "runs": [_run(run, results) for run in results.runs],
        "broken": [_file(broken, results) for broken in results.broken],
        "ignored": [_file(ignored, results) for ignored in results.ignored],
        "other_sets": [
            {**_file(Broken(other.path, other.message), results), "n_results": other.n_results}
            for other in results.other_sets
        ],
    }


def _file(file: Broken, results: ResultSet) -> dict[str, str]:
    return {"path": _path(file.path, results), "message": file.message}


def _reading(
    reading: Reading, results: ResultSet, conditions: _Conditions, report: Report
) -> dict[str, Any]:
    return {
        "path": _path(reading.path, results),
        "eval": reading.eval_name,
        "family": _family(reading.family),
        "sae_id": reading.sae_id,
        "variant": reading.family.variant,
        "seed": reading.seed,
        "n_repetitions": reading.n_repetitions,
        "sd_of_eval": _asked(reading.sd_of_eval, report),
        "curve": reading.curve,
        "architecture": reading.architecture,
        "d_sae": reading.d_sae,
        "epoch_millis": reading.epoch_millis,
        "invalid": list(reading.invalid),
        "values": _asked(reading.values, report),
        "reasons": _asked(reading.reasons, report),
        "conditions": conditions.id_of(reading.conditions),
    }


def _run(run: RunReading, results: ResultSet) -> dict[str, Any]:
    return {
        **asdict(run),
        "path": _path(run.path, results),
        "family": _family(run.family),
        "cells": dict(run.cells),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    spec = lookup(comparison.metric)
    return {
        "metric": comparison.metric,
        "title": spec.title,
        "direction": spec.direction.value,
        "unit": spec.unit,
        "candidate": _family(comparison.candidate),
        "baseline": _family(comparison.baseline),
        "verdict": comparison.verdict.value,
        "reasons": list(comparison.reasons),
        "n_pairs": comparison.n_pairs,
        "candidate_mean": comparison.candidate_mean,
        "baseline_mean": comparison.baseline_mean,
        "difference": comparison.difference,
        "interval": _interval(comparison.interval),
        "p": comparison.p,
        "p_holm": comparison.p_holm,
        "permutation_p": comparison.permutation_p,
        "bootstrap": _interval(comparison.bootstrap),
        "noise_of_eval": comparison.noise_of_eval,
        "by_item": _interval(comparison.by_item),
        "smallest_detectable": comparison.smallest_detectable,
        "margin": comparison.margin,
        "gates": comparison.gates,
        "mismatches": {
            name: {"candidate": _plain(ours), "baseline": _plain(theirs)}
            for name, (ours, theirs) in comparison.mismatches.items()
        },
    }


def _family_values(family: Family, values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "family": _family(family),
        "sae": family.sae,
        "variant": family.variant,
        "metrics": {
            metric: {"mean": value.mean, "n": value.n, "interval": _interval(value.interval)}
            for metric, value in values.items()
        },
    }


def _family(family: Family | None) -> dict[str, str] | None:
    return None if family is None else {"release": family.release, "name": family.name}


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else dict(vars(interval))


def _path(path: Path, results: ResultSet | None) -> str:
    if results is not None and path.is_relative_to(results.root):
        return path.relative_to(results.root).as_posix()
    return path.as_posix()


def _plain(value: Condition) -> Condition:
    """Return a condition in a form that JSON allows: NaN and infinity, from old files, as names."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
