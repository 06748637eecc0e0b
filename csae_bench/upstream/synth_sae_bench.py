"""SAELens's evaluation of an SAE on a synthetic model, from a seed and without side effects.

It draws from torch's global generator, switches the SAE to its evaluation mode, and multiplies
decoder and true features without regard to their types.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sae_lens.synthetic import SyntheticModel, eval_sae_on_synthetic_data
from sae_lens.synthetic.evals import feature_uniqueness, mean_correlation_coefficient
from safetensors import SafetensorError

from csae_bench.activations.shared import SharedPasses
from csae_bench.errors import DataError, EvalError, reason_of
from csae_bench.saes import attributes
from csae_bench.saes.attributes import AnySae
from csae_bench.upstream.adapting import adapted_copy
from csae_bench.upstream.isolation import isolated
from csae_bench.upstream.unlearning_isolation import seeded

NO_CONTROL = "evals.synth_sae_bench.n_control is 0"


@dataclass(frozen=True, kw_only=True)
class SynthSettings:
    """What is drawn."""

    world: str
    """Name of the synthetic model, for messages."""
    num_samples: int
    batch_size: int
    random_seed: int
    n_control: int
    device: str


@dataclass(frozen=True, kw_only=True)
class SynthOutcome:
    """SAELens's values, and those of random directions."""

    scores: dict[str, float]
    random: dict[str, float | None]
    warnings: list[str]


def saved_world(folder: Path) -> SyntheticModel:
    """Load the synthetic model that SAELens's `SyntheticModel.save` wrote.

    Raises:
        DataError: the folder holds no such model, or a damaged one.
    """
    try:
        return SyntheticModel.load_from_disk(folder)
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(
            f"{folder}: SAELens cannot load this synthetic model: {reason_of(error)}."
        ) from error


def run_synth_sae_bench(
    sae: AnySae,
    world: SyntheticModel,
    settings: SynthSettings,
    shared: SharedPasses | None = None,
) -> SynthOutcome:
    """Evaluate the SAE, which is not changed, in float32 on samples of the world.

    Args:
        shared: holds what random directions give, for other SAEs of this width.

    Raises:
        DataError: the SAE reads activations of another width.
        EvalError: a value is not finite.
    """
    d_in = world.cfg.hidden_dim
    if attributes.d_in(sae) != d_in:
        raise DataError(
            f"evals.synth_sae_bench.factors '{settings.world}' has activations of width {d_in}; "
            f"the SAE takes {attributes.d_in(sae)}. Name the synthetic model that it was trained "
            "on."
        )
    kept = SharedPasses(max_bytes=0) if shared is None else shared
    with isolated() as warnings, seeded(settings.random_seed):
        own = adapted_copy(sae).to(device=settings.device, dtype=torch.float32)
        own_world = world.to(settings.device)
        result = eval_sae_on_synthetic_data(
            own,
            own_world.feature_dict,
            own_world.activation_generator,
            num_samples=settings.num_samples,
            batch_size=settings.batch_size,
        ).to_dict()
        random = _of_random_directions(own_world, attributes.d_sae(sae), settings, kept)
    scores: dict[str, Any] = {**result, **result.pop("classification")}
    del scores["classification"]
    wrong = [name for name, value in scores.items() if not math.isfinite(value)]
    if wrong:
        raise EvalError(
            f"synth_sae_bench: {', '.join(wrong)} is not finite on '{settings.world}'; see whether "
            "the SAE's weights are."
        )
    scores["mcc"] = min(scores["mcc"], 1.0)  # a mean of cosines in float32 is above 1 by rounding
    return SynthOutcome(scores=scores, random=random, warnings=list(warnings))


def _of_random_directions(
    world: SyntheticModel, d_sae: int, settings: SynthSettings, kept: SharedPasses
) -> dict[str, float | None]:
    """Return the means over draws of the values that depend on the decoder alone."""
    features = world.feature_dict.feature_vectors.detach()

    def draw(number: int) -> tuple[float, float]:
        generator = torch.Generator().manual_seed(settings.random_seed + number)
        rows = torch.randn(d_sae, features.shape[1], generator=generator).to(features.device)
        return mean_correlation_coefficient(rows, features), feature_uniqueness(rows, features)

    if not settings.n_control:
        return {"mcc_null_mean": None, "uniqueness_null_mean": None}
    seed, world_key = settings.random_seed, (settings.world, world.cfg.seed)
    drawn = [
        kept.get_or_make(
            ("synth_sae_bench", world_key, d_sae, seed + i), lambda number=i: draw(number)
        )
        for i in range(settings.n_control)
    ]
    mcc, uniqueness = (sum(values) / len(drawn) for values in zip(*drawn, strict=True))
    return {"mcc_null_mean": mcc, "uniqueness_null_mean": uniqueness}
