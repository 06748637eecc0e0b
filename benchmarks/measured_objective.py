"""The objective and rows that benchmarks of training measure, whatever custom_sae has become."""

from __future__ import annotations


def rows_and_mixing(*, warm_up_steps: int) -> tuple[str, ...]:
    """Return changes to `custom_sae` that give it these two terms, on paraphrases."""
    return (
        "pairs.paraphrase.weight=1",
        "pairs.minimal.weight=0",
        "sae.losses.sparse_shift.weight=0",
        f"sae.losses.rows={{weight: 0.2, temperature: 0.2, warm_up_steps: {warm_up_steps}}}",
        f"sae.losses.mixing={{weight: 0.2, warm_up_steps: {warm_up_steps}}}",
    )
