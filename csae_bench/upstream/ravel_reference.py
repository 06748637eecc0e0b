"""SAE-Bench's own `run_eval_single_sae` of RAVEL, for parity tests.

With what makes it run at all with transformers 5 and other architectures (`ravel_sees`), which its
other side has too; it asks the model, makes its files and runs every pass itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sae_bench.evals.ravel import main as ravel_main
from sae_bench.evals.ravel.eval_config import RAVELEvalConfig
from transformer_lens import HookedTransformer

from csae_bench.engines.ravel.data import EntityTable
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.adapting import formatted_copy
from csae_bench.upstream.ravel_isolation import ravel_sees


def reference_ravel(
    sae: AnySae,
    hooked: HookedTransformer,
    model: Any,
    tables: Sequence[EntityTable],
    config: RAVELEvalConfig,
    hook_name: str,
    folder: Path,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return SAE-Bench's scores and its scores by class.

    Args:
        folder: empty; holds its files afterwards.
    """
    for table in tables:
        table.write(folder / "base")
    own = formatted_copy(sae, hooked, config.model_name, hook_name)
    asked = replace(config, artifact_dir=str(folder))
    with ravel_sees(hooked.tokenizer, seed=config.random_seed):
        return ravel_main.run_eval_single_sae(asked, own, model, "cpu", str(folder))  # pyright: ignore[reportArgumentType]
