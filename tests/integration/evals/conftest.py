"""Running the evals on factor datasets, on synthetic worlds and on the bundled model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from sae_lens import SAE

from csae_bench import models
from csae_bench.evals import EvalContext, EvalResult, get_eval

if TYPE_CHECKING:
    from transformer_lens import HookedTransformer

NAMES = ("mig", "factor_vae", "feature_correlation")
MODEL = "tiny-gemma2-it"
HOOK = "blocks.2.hook_resid_post"
QUICK: dict[str, dict[str, Any]] = {
    "mig": {"n_permutations": 20},
    "factor_vae": {"n_permutations": 20, "n_vote_permutations": 3, "n_train": 500, "n_eval": 500},
    "feature_correlation": {"n_permutations": 20, "n_importance_permutations": 3},
    "factor_probing": {"n_permutations": 20, "n_prompts": 6},
}

RunEvals = Callable[..., dict[str, EvalResult]]


@pytest.fixture(scope="session")
def model() -> HookedTransformer:
    return models.load(MODEL)


@pytest.fixture(scope="session")
def run_evals() -> RunEvals:
    """Runs evals as the harness does, sharing codes; with few permutations."""

    def run(
        sae: SAE[Any],
        folder: Path,
        model: HookedTransformer | None = None,
        names: tuple[str, ...] = NAMES,
        encoded: dict[tuple[Any, ...], Any] | None = None,
        **settings: Any,
    ) -> dict[str, EvalResult]:
        shared = {} if encoded is None else encoded
        results: dict[str, EvalResult] = {}
        for name in names:
            spec = get_eval(name)
            context = EvalContext(
                sae=sae,
                sae_id="sae",
                model_name=MODEL if model is not None else "",
                hook_name=HOOK if model is not None else "",
                device="cpu",
                artifacts=folder / name,
                rng=np.random.default_rng(0),
                load_model=lambda _: cast(Any, model),
                encoded=shared,
            )
            with torch.no_grad():
                config = spec.config.model_validate(QUICK[name] | settings)
                results[name] = spec.run(context, config)
        return results

    return run
