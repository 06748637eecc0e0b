"""Results of the probing eval, as the fields of its details."""

from __future__ import annotations

from typing import Any

import numpy as np

from csae_bench.engines.probing.effects import OPERATIONS
from csae_bench.engines.probing.fields import AbsorbedChild
from csae_bench.engines.probing.measuring import PROBES, Probing, probe_name
from csae_bench.metrics.classification import MEASURES, NO_PROBE
from csae_bench.metrics.score import none_if_nan
from csae_bench.metrics.specificity import EffectEstimate


def of_factor(probing: Probing, factor: str) -> dict[str, Any]:
    """Return the fields of `ProbingFactorDetail` in addition to those of every eval."""
    factors = probing.samples.factors
    k = factors.names.index(factor)
    first = int(factors.value_ptr[k])
    return {
        "values": [
            _of_value(probing, first + place, value)
            for place, value in enumerate(factors.value_names[k])
        ],
        "absorbed": [
            {
                "value": one.child[1],
                "parent_value": one.parent[1],
                **{
                    name: getattr(one, name)
                    for name in AbsorbedChild.model_fields
                    if name not in ("value", "parent_value")
                },
            }
            for one in probing.absorption.children
            if one.child[0] == factor
        ],
    }


def controls(probing: Probing) -> list[dict[str, Any]]:
    """Return the random control of each latent that was intervened on."""
    names = value_names(probing)
    return [
        {
            "factor": names[value][0],
            "value": names[value][1],
            "latent": probing.latents.value_latents[value],
            "control": control,
        }
        for value, control in probing.intervened.controls.items()
    ]


def value_names(probing: Probing) -> list[tuple[str, str]]:
    """Return factor and value of each value, in order."""
    factors = probing.samples.factors
    return [
        (name, value)
        for name, values in zip(factors.names, factors.value_names, strict=True)
        for value in values
    ]


def _of_value(probing: Probing, value: int, name: str) -> dict[str, Any]:
    latents = probing.latents
    latent = latents.value_latents[value]
    return {
        "value": name,
        "n": int(probing.samples.factors.value_counts[value]),
        "latent": latent,
        "information": None if latent is None else float(latents.shares[latent, value]),
        "control": probing.intervened.controls.get(value),
        "assigned_latents": np.flatnonzero(latents.assigned_value == value).tolist(),
        "probes": [_of_probe(probing, probe, value) for probe in PROBES],
        "operations": [_of_operation(probing, operation, value) for operation in OPERATIONS],
    }


def _of_probe(probing: Probing, probe: str, value: int) -> dict[str, Any]:
    of_probe = probing.probes.get(probe)
    values: dict[str, float | None] = {
        name: None if of_probe is None else none_if_nan(of_probe.by_value[name][value])
        for name in MEASURES
    }
    reason = probing.why_no_probe(probe) if of_probe is None else NO_PROBE
    chosen = {probe_name(k): of_values[value] for k, of_values in probing.probe_latents.items()}
    return {
        "probe": probe,
        "latents": list(chosen.get(probe, ())),
        **values,
        "reason": "" if values["auroc"] is not None else reason,
    }


def _of_operation(probing: Probing, operation: str, value: int) -> dict[str, Any]:
    best = probing.intervened.best[operation].by_value[value]
    random = probing.intervened.random[operation].by_value[value]["own"]
    each: dict[str, EffectEstimate] = {**best, "random_own": random}
    return {
        "operation": operation,
        **{name: one.value for name, one in each.items()},
        "own_low": best["own"].low,
        "own_high": best["own"].high,
        "random_low": random.low,
        "random_high": random.high,
        "reasons": {name: one.reason for name, one in each.items() if one.value is None},
    }
