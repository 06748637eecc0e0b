"""A training step with the term `sparse_shift` against the same step without it.

The steps of `contrastive_step`; a quarter of the 4096 rows are in minimal pairs.
"""

from __future__ import annotations

from benchmarks.contrastive_step import compare

FIGURES = ("sparse_shift_step_ratio",)


def main() -> None:
    """Print the figure."""
    compare({"sparse_shift_step_ratio": ("sparse_shift", "no terms")})


if __name__ == "__main__":
    main()
