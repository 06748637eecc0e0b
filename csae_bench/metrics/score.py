"""Results of metrics: a number or the reason why there is none, overall and by factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from csae_bench.metrics.data import Codes, Factors


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric's value; None, with a reason, where it is undefined."""

    value: float | None
    reason: str | None
    """Reason for `value` being None."""
    by_factor: dict[str, float | None]
    reason_by_factor: dict[str, str]
    """Reasons of the factors whose value is None; they are left out of `value`."""
    settings: dict[str, Any]


def no_score(factors: Factors, reason: str) -> dict[str, Any]:
    """Return the fields of a Score that is undefined for every factor, but its settings."""
    return {
        "value": None,
        "reason": reason,
        "by_factor": dict.fromkeys(factors.names),
        "reason_by_factor": dict.fromkeys(factors.names, reason),
    }


def score_fields(
    factors: Factors,
    by_factor: NDArray[np.float64],
    why: Mapping[str, str] | None = None,
    value: float | None = None,
) -> dict[str, Any]:
    """Return the fields of a Score, its parts [n_factors] None where they are NaN.

    Args:
        why: reasons by factor; that it has one value, for the others.
        value: the score where it is not the mean of its parts.
    """
    reasons = {
        name: (why or {}).get(name, f"factor '{name}' has one value in these samples")
        for name, part in zip(factors.names, by_factor, strict=True)
        if np.isnan(part)
    }
    defined = by_factor[~np.isnan(by_factor)]
    if value is None and len(defined):
        value = float(defined.mean())
    return {
        "value": value,
        "reason": None if value is not None else "; ".join(dict.fromkeys(reasons.values())),
        "by_factor": {
            name: none_if_nan(part) for name, part in zip(factors.names, by_factor, strict=True)
        },
        "reason_by_factor": reasons,
    }


def none_if_nan(value: float) -> float | None:
    """Convert to a float for JSON: None where it is undefined."""
    return None if np.isnan(value) else float(value)


def why_no_latent_varies(codes: Codes) -> str | None:
    """Return the reason for no score if every latent is constant, as in a dead SAE; else None."""
    return None if codes.varies.any() else "no latent varies over the samples"
