"""Noise of an eval on a fixed SAE, from its repetitions with seeds of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from csae_bench.comparison.model import Reading

_Z = 1.96
"""Half width of a 95% interval, in standard errors."""


def noise_of_eval(pairs: Sequence[tuple[Reading, Reading]], metric: str) -> float | None:
    """Return the difference that the eval's own seeds make by chance (95%), in the metric's units.

    It is of the mean over the pairs, each of two means over repetitions: 1.96 standard errors,
    from the standard deviation between the repetitions of each SAE. The SAEs are taken as fixed, so
    that it says nothing of training seeds.

    Returns:
        None if there are no pairs, or one of the results was not repeated.
    """
    readings = [reading for pair in pairs for reading in pair]
    if not readings or any(metric not in reading.sd_of_eval for reading in readings):
        return None
    variances = (reading.sd_of_eval[metric] ** 2 / reading.n_repetitions for reading in readings)
    return _Z * math.sqrt(math.fsum(variances)) / len(pairs)
