"""Published sparse-probing results, with nulls for numbers of latents that were not asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.unit.comparison.result_files import published, write

ALL_K = (1, 2, 5, 10, 20, 50, 100)
"""Numbers of latents that SparseProbingSaeMetrics has a field for."""
EVAL = "sparse_probing"
RELEASE = "saebench_gemma-2-2b_width-2pow12_date-0108"


def sparse_probing(
    accuracy: float, *, ks: Sequence[int] = (1, 2, 5), sae_id: str = "sae", **changes: Any
) -> dict[str, Any]:
    """A result with `accuracy` at one latent, more at several, and the model's probes beside it."""

    def probes(side: str, of_all: float, at_one: float) -> dict[str, float | None]:
        names = {f"{side}_top_{k}_test_accuracy": k for k in ALL_K}
        of_few = {name: at_one + k / 1000 if k in ks else None for name, k in names.items()}
        return {f"{side}_test_accuracy": of_all, **of_few}

    metrics = {"llm": probes("llm", 0.95, 0.65), "sae": probes("sae", 0.94, accuracy)}
    return published(EVAL, metrics, sae_id=sae_id, sae_lens_release_id=RELEASE, **changes)


def write_published(folder: Path, n: int = 15, **changes: Any) -> Path:
    """`n` SAEs of one release, in the published layout; returns the folder."""
    for i in range(n):
        sae_id = f"TopK_gemma-2-2b__0108_resid_post_layer_12_trainer_{i}"
        result = sparse_probing(0.7 + i / 100, sae_id=sae_id, **changes)
        write(folder / EVAL / RELEASE / f"{RELEASE}_{sae_id}_eval_results.json", result)
    return folder
