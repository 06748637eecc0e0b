"""What is to be trained, and which trainings can share their rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csae_bench.config import ResolvedConfig, TrainedSae
from csae_bench.results.keys import digest
from csae_bench.saes.curriculum import Curriculum


@dataclass(frozen=True, kw_only=True)
class TrainingTask:
    """One SAE that is to be trained."""

    resolved: ResolvedConfig
    folder: Path
    """The checkpoint's own, named after the configuration's hash."""
    resume: bool = True
    """False starts over, and discards even a finished training."""

    @property
    def name(self) -> str:
        """Name for people: that of the configuration, with what was changed."""
        from csae_bench.results import identity

        return identity.config_sae_id(self.resolved)


def rows_key(resolved: ResolvedConfig) -> str | None:
    """Return a hash of all that decides the rows of a training, batch by batch.

    Trainings of one machine, model and key can share one stream. None for a training that is to be
    alone: it reports to Weights & Biases, which knows one run a process, or nothing is trained.
    """
    config = resolved.config
    sae, training = config.sae, config.training
    if not isinstance(sae, TrainedSae) or training.wandb is not None:
        return None
    curriculum = Curriculum.of(config)
    shares = [curriculum.shares(stage) for stage in curriculum.stages]
    key: dict[str, Any] = {
        "model": config.model,
        "model_dtype": config.model_dtype,
        "hook_name": config.hook_name,
        "device": config.device,
        "threads": config.threads,
        "seed": config.seed,
        "activations": config.activations.model_dump(mode="json"),
        "pairs": config.pairs.model_dump(mode="json"),
        "batch_size": training.batch_size,
        "n_steps": training.n_steps,
        "shares": _changes(curriculum.starts, shares),
        # rows from which the factor is estimated are not trained on
        "is_scaled": sae.normalize_activations == "expected_average_only_in",
    }
    return digest(key)


def _changes(
    starts: tuple[int, ...], shares: list[dict[str, float]]
) -> list[tuple[int, dict[str, float]]]:
    """Return the steps from which on the shares are others, with the shares."""
    changes: list[tuple[int, dict[str, float]]] = []
    for start, each in zip(starts, shares, strict=True):
        if changes and changes[-1][0] == start:  # the stage before holds no step
            changes.pop()
        if not changes or changes[-1][1] != each:
            changes.append((start, each))
    return changes
