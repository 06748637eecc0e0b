"""compare_2000 with SAEs of 16,384 latents: 500 core results of 5 MB each, 2.6 GB in all."""

from __future__ import annotations

from benchmarks.compare_2000 import report, seconds_of_compare

FIGURES = (
    "compare_2000_16k_first_ratio",
    "compare_2000_16k_next_ratio",
    "compare_2000_16k_first",
    "compare_2000_16k_next",
)


def main() -> None:
    """Print the figures."""
    report("compare_2000_16k", seconds_of_compare(d_sae=16_384))
