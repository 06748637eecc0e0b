"""Measures the yardsticks of the default settings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from csae_bench.comparison.model import Reading
from csae_bench.comparison.outputs.scores import headline_metrics
from csae_bench.comparison.reading.folder import read_result
from csae_bench.comparison.reading.result import reading_of
from csae_bench.comparison.yardsticks import DIGITS, Row, Table, of_dataset_alone
from csae_bench.engines.factors.samples import POOLED_OVER_TOKENS
from csae_bench.errors import EvalError
from csae_bench.evals import get_eval
from csae_bench.factors import factor_fingerprint, factor_names, get_factors
from csae_bench.results.schema import STEPS
from csae_bench.runs.job import EvalJob
from csae_bench.runs.plan import plan
from csae_bench.runs.request import RunRequest
from csae_bench.runs.run import run_all
from csae_bench.support import progress

SAES = {"pca": "PCA", "random": "random decoder", "identity": "raw activations"}
"""Configurations of SAEs that train nothing -> their names for a reader."""

FLOORS = {"every word": False, "oracle and every word": True}
"""Names of codes that are computed from a dataset -> whether each value has a latent of its own."""

EVALS_OF_CODES = ("mig", "factor_vae", "feature_correlation")
"""Evals that read nothing but codes and factors."""

_WITHOUT_NULLS: Mapping[str, Mapping[str, Any]] = {
    "mig": {"n_permutations": 1},
    "factor_vae": {"n_vote_permutations": 1},
    "feature_correlation": {"n_permutations": 1, "n_importance_permutations": 1},
    "unlearning": {"n_control": 0},
}
"""Settings that decide a null and no score: yardsticks have none, and it takes most of the time."""


def made_with() -> dict[str, Any]:
    """Return the settings that the yardsticks belong to, from today's defaults; nothing is run."""
    requests = [RunRequest(source=name) for name in SAES]
    planned = plan(requests)
    if planned.problems:
        raise EvalError(" ".join(planned.problems))
    jobs = [job for job in planned.saes[0].evals if isinstance(job, EvalJob)]
    return {
        "saes": {
            name: _identity(sae.training.made_from)
            for name, sae in zip(SAES, planned.saes, strict=True)
            if sae.training is not None
        },
        "evals": {job.eval_name: default_conditions(job) for job in jobs},
        "factors": {name: factor_fingerprint(name) for name in _with_prompts()},
        "floors": {
            name: get_eval(name).config().model_dump(mode="json") for name in EVALS_OF_CODES
        },
    }


def _identity(made_from: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an SAE that trains nothing is made from."""
    config = made_from["config"]
    return {
        **{key: config[key] for key in ("sae", "activations", "model_dtype", "seed")},
        **{key: made_from[key] for key in ("model", "corpus")},
    }


def default_conditions(job: EvalJob) -> dict[str, Any]:
    """Return what the numbers of a job depend on, besides the SAE, its seed and versions."""
    conditions = {key: value for key, value in job.conditions.items() if key != "seed"}
    return {**conditions, "model": None if job.model is None else job.model.fingerprint}


def make() -> Table:
    """Measure all yardsticks.

    Raises:
        EvalError: an eval failed.
    """
    known = made_with()
    return Table(made_with=known, rows=(*floors(), *_of_saes()))


def floors(
    datasets: Iterable[str] | None = None,
    evals: Iterable[str] = EVALS_OF_CODES,
) -> Iterator[Row]:
    """Yield what codes that are computed from a dataset alone score.

    Args:
        datasets: names of `csae-bench list factors`; None: all that have prompts.
    """
    for dataset in _with_prompts() if datasets is None else datasets:
        for label, has_value_latents in FLOORS.items():
            for eval_name in evals:
                progress.begin(f"{label}, {dataset}, {eval_name}")
                config = {**_WITHOUT_NULLS[eval_name], "factors": dataset}
                reading = _floor(label, eval_name, config, has_value_latents=has_value_latents)
                yield from _rows(label, reading, is_of_dataset=True)


def _floor(
    label: str, eval_name: str, config: Mapping[str, Any], *, has_value_latents: bool
) -> Reading:
    from csae_bench.yardsticks.floors import DatasetContext

    spec = get_eval(eval_name)
    settings = spec.config.model_validate(config)
    with tempfile.TemporaryDirectory(prefix="csae-bench-") as folder:
        nothing: Any = None
        context = DatasetContext(
            sae=nothing,
            sae_id=label,
            model_name="",
            hook_name="",
            device="cpu",
            artifacts=Path(folder),
            rng=np.random.default_rng(0),
            load_model=lambda name: nothing,
            has_value_latents=has_value_latents,
        )
        measured = spec.run(context, settings)
    result = {
        "eval_type_id": eval_name,
        "eval_config": settings.model_dump(mode="json"),
        "eval_result_metrics": measured.metrics,
        "eval_result_unstructured": measured.unstructured,
        "sae_lens_id": label,
        "sae_lens_release_id": config["factors"],
    }
    return reading_of(result, Path(f"{eval_name}_eval_results.json"))


def _of_saes() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="csae-bench-") as folder:
        sets = tuple(
            f"evals.{eval_name}.{name}={value}"
            for eval_name, settings in _WITHOUT_NULLS.items()
            for name, value in settings.items()
        )
        requests = [
            RunRequest(source=name, results=Path(folder), sets=sets, progress=False)
            for name in SAES
        ]
        for name, outcome in zip(SAES, run_all(requests), strict=True):
            if outcome.error is not None:
                raise outcome.error
            assert outcome.record is not None
            for cell_name, cell in outcome.record.cells.items():
                if cell_name in STEPS:
                    continue
                if cell.result is None:
                    why = "; ".join(reason.message for reason in cell.reasons)
                    raise EvalError(f"{name}, {cell_name}: {cell.status}: {why}")
                yield from _rows(SAES[name], read_result(Path(folder) / cell.result))


def _rows(label: str, reading: Reading, *, is_of_dataset: bool = False) -> Iterator[Row]:
    """Yield the row of a result, then those of other units that it has values of."""
    shown = headline_metrics(reading)
    unit = reading.conditions.get("pooling")
    for pooling in (unit, *(other for other in POOLED_OVER_TOKENS if unit not in (None, other))):
        names = {
            metric: metric if pooling == unit else _pooled_name(metric, str(pooling))
            for metric in shown
        }
        values = {metric: reading.values.get(name) for metric, name in names.items()}
        known = {m: round(value, DIGITS) for m, value in values.items() if value is not None}
        conditions = dict(reading.conditions)
        if pooling is not None:
            conditions["pooling"] = pooling
        if known:
            yield Row(
                label=label,
                eval_name=reading.eval_name,
                model_fingerprint=None if is_of_dataset else reading.model_fingerprint,
                conditions=of_dataset_alone(conditions) if is_of_dataset else conditions,
                values=known,
            )


def _pooled_name(metric: str, pooling: str) -> str:
    eval_name, _, name = metric.partition(".")
    return f"{eval_name}.poolings.{name}_{pooling}"


def _with_prompts() -> list[str]:
    """Return the factor datasets of this package that have prompts."""
    return [name for name in factor_names() if get_factors(name).has_prompts]
