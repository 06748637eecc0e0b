"""Conversion of the strengths of the contrastive terms to their coefficients in the loss.

All of it is plain arithmetic on what the trainer measures every few steps. To add a kind: a file
here, a row of the table, and its name in `csae_bench.config.weighting`.
"""

from __future__ import annotations

from csae_bench.config.weighting import WeightingSettings
from csae_bench.saes.weighting.constant import Constant
from csae_bench.saes.weighting.gradnorm import GradNorm
from csae_bench.saes.weighting.kind import Measurement, Weighting
from csae_bench.saes.weighting.ratio import Ratio
from csae_bench.saes.weighting.uncertainty import Uncertainty

__all__ = ["KINDS", "Measurement", "Weighting", "weighting"]

KINDS: dict[str, type[Weighting]] = {
    "ratio": Ratio,
    "constant": Constant,
    "gradnorm": GradNorm,
    "uncertainty": Uncertainty,
}
"""Name in the settings -> class."""


def weighting(settings: WeightingSettings) -> Weighting:
    """Create the weighting of the kind that the settings name, before its first step."""
    return KINDS[settings.kind](settings)
