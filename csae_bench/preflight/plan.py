"""The curriculum as doctor shows it: what counts in which steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from csae_bench.config import Contrastive, RunConfig
from csae_bench.config.loss_terms import TermSettings
from csae_bench.saes.curriculum import Curriculum


@dataclass(frozen=True)
class StagePlan:
    """One stage of a training."""

    stage: str
    first_step: int
    """Counted from 0."""
    n_steps: int
    pairs: dict[str, float]
    """Share of each kind of pairs in a batch; they add up to 1."""
    weights: dict[str, float]
    """Weight of each term that counts, strength included."""
    settings: dict[str, dict[str, Any]]
    """The settings of active terms that differ from those in `sae.losses`."""


def stage_plans(config: RunConfig) -> list[StagePlan]:
    """Return the stages in order; none if there is neither a curriculum nor a term that counts."""
    terms = config.sae.active_terms() if isinstance(config.sae, Contrastive) else {}
    if not config.is_trained or not (terms or config.training.curriculum):
        return []
    stages = Curriculum.of(config)
    return [
        StagePlan(
            stage=stage.name,
            first_step=start,
            n_steps=length,
            pairs=stages.shares(stage),
            weights={name: term.weight for name, term in stages.objective(terms, stage).items()},
            settings=_differences(terms, stages.objective(terms, stage)),
        )
        for stage, start, length in zip(stages.stages, stages.starts, stages.lengths, strict=True)
    ]


def _differences(
    base: Mapping[str, TermSettings], there: Mapping[str, TermSettings]
) -> dict[str, dict[str, Any]]:
    differing = {
        name: {
            key: value
            for key, value in term.model_dump(mode="json").items()
            if key != "weight" and value != base[name].model_dump(mode="json")[key]
        }
        for name, term in there.items()
    }
    return {name: settings for name, settings in differing.items() if settings}
