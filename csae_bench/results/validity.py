"""Validity of an SAE: whether its numbers mean anything, and if not, why.

A dead SAE can score well: it has perfect sparsity and no absorption. So it is judged before it is
scored, from a handful of vital signs, and again when somebody else's result is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

MIN_L0 = 0.01
MIN_OUTPUT_NORM_RATIO = 1e-3
MIN_ALIVE_FRACTION = 0.01


@dataclass(frozen=True, kw_only=True)
class VitalSigns:
    """Measurements on which validity is judged; None if not measured."""

    l0: float | None = None
    """Mean number of active latents per token."""
    output_norm_ratio: float | None = None
    """Mean norm of the reconstruction over mean norm of the activation."""
    alive_fraction: float | None = None
    """Share of the latents that fired at least once."""
    ce_loss_with_sae: float | None = None
    ce_loss_with_ablation: float | None = None
    ce_loss_without_sae: float | None = None


def reasons_invalid(signs: VitalSigns, *, is_control: bool = False) -> list[str]:
    """Return why the SAE is invalid, one sentence each; empty if it is valid.

    Args:
        is_control: a control such as a permuted decoder is meant to be bad: a cross-entropy
            worse than with the activation ablated does not make it invalid, being dead does.
    """
    reasons = [
        f"{name} is {value}; the SAE's output is not finite"
        for name, value in vars(signs).items()
        if value is not None and not math.isfinite(value)
    ]
    if _below(signs.l0, MIN_L0):
        reasons.append(f"L0 is {signs.l0:.3g}: no latent is active")
    if _below(signs.output_norm_ratio, MIN_OUTPUT_NORM_RATIO):
        reasons.append(
            f"the reconstruction's norm is {signs.output_norm_ratio:.3g} of the activation's: "
            "the output is all zero"
        )
    if _below(signs.alive_fraction, MIN_ALIVE_FRACTION):
        reasons.append(f"{signs.alive_fraction:.2%} of the latents ever fire: the SAE is dead")
    if not is_control and is_worse_than_ablation(signs):
        reasons.append(
            f"cross-entropy with the SAE is {signs.ce_loss_with_sae:.4g}, worse than with the "
            f"activation ablated, {signs.ce_loss_with_ablation:.4g}"
        )
    return reasons


def is_worse_than_ablation(signs: VitalSigns) -> bool:
    """Return whether the language model does worse with the SAE than with nothing at its place."""
    if signs.ce_loss_with_sae is None or signs.ce_loss_with_ablation is None:
        return False
    return signs.ce_loss_with_sae > signs.ce_loss_with_ablation


def vital_signs_of_core(result: Mapping[str, Any]) -> VitalSigns:
    """Read vital signs from a core `eval_result` of any SAE-Bench version; None if missing."""
    metrics = cast(Mapping[str, Mapping[str, Any]], result.get("eval_result_metrics") or {})

    def value(category: str, name: str) -> float | None:
        stored = (metrics.get(category) or {}).get(name)
        return float(stored) if isinstance(stored, int | float) else None

    performance = "model_performance_preservation"
    return VitalSigns(
        l0=value("sparsity", "l0"),
        output_norm_ratio=value("shrinkage", "l2_ratio"),
        alive_fraction=value("misc_metrics", "frac_alive"),
        ce_loss_with_sae=value(performance, "ce_loss_with_sae"),
        ce_loss_with_ablation=value(performance, "ce_loss_with_ablation"),
        ce_loss_without_sae=value(performance, "ce_loss_without_sae"),
    )


def _below(value: float | None, bound: float) -> bool:
    return value is not None and value < bound
