"""Stages of training: what counts, and how much, from when on."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator

from csae_bench.config.base import NonNegative, Settings
from csae_bench.config.pairs import PairKinds


class Stage(Settings):
    """What holds until a fraction of training is reached."""

    name: Annotated[str, Field(min_length=1)]
    """What the log and doctor call it."""

    until: Annotated[float, Field(gt=0, le=1)]
    """Fraction of training's steps at which it ends."""

    strength: NonNegative | dict[str, NonNegative] = 1.0
    """Multiplies the weight of every term; a mapping, the weight of those named. 0 leaves a term
    out of this stage; at 0 for all there is reconstruction alone."""

    pairs: PairKinds | None = None
    """Kinds of pairs that a batch is made of, in the proportion of their weights; none: all that
    are on."""

    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of terms that differ in this stage: {mixing: {targeting: random}}."""

    @field_validator("settings")
    @classmethod
    def _no_weights(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for term, settings in value.items():
            for key in ("weight", "projection", "projection_width"):
                if key in settings:
                    raise ValueError(
                        f"{term}.{key} cannot differ by stage"
                        + ("; use strength, which multiplies it" if key == "weight" else "")
                    )
        return value

    def strength_of(self, term: str) -> float:
        """What the term's weight is multiplied by in this stage."""
        if isinstance(self.strength, dict):
            return self.strength.get(term, 1.0)
        return self.strength
