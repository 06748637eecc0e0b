"""Stages of training: which terms count, how much, and from when on."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    create_model,
    field_validator,
)
from pydantic.fields import FieldInfo

from csae_bench.config.base import NonNegative, Settings
from csae_bench.config.loss_terms import LOSS_TERMS, TermSettings
from csae_bench.config.pairs import PairKinds

HELD_BY_ALL_STAGES = {
    "weight": "use strength, which multiplies it",
    "warm_up_steps": "it counts from the first step at which the term has a strength",
    "pairs": "its running statistics are of these kinds; use the stage's own pairs",
    "latent_fraction": "which latents a term shapes holds for the whole training",
    "projection": "its head is trained from the first step to the last",
    "projection_width": "its head is trained from the first step to the last",
}
"""Settings of terms that no stage can change, each with the reason or what to do instead."""


def _refuse(_: Any, *, reason: str) -> Any:
    raise ValueError(f"cannot differ by stage; {reason}")


def _no_learning(value: Any) -> Any:
    if value == "learned":
        raise ValueError("'learned' cannot differ by stage; set it in sae.losses")
    return value


def _in_a_stage(name: str, field: FieldInfo) -> tuple[Any, Any]:
    """Type and default of a term's setting where a stage names it."""
    if name in HELD_BY_ALL_STAGES:
        refuse = partial(_refuse, reason=HELD_BY_ALL_STAGES[name])
        return Annotated[Any, BeforeValidator(refuse)], None
    annotation: Any = field.annotation
    for constraint in field.metadata:
        annotation = Annotated[annotation, constraint]
    return Annotated[annotation, BeforeValidator(_no_learning)], field.default


def _stage_settings(term: type[TermSettings]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: _in_a_stage(name, field) for name, field in term.model_fields.items()
    }
    return create_model(f"{term.__name__}OfStage", __base__=Settings, **fields)


STAGE_SETTINGS: dict[str, type[BaseModel]] = {
    name: _stage_settings(term) for name, term in LOSS_TERMS.items()
}
"""Name of a term -> what a stage can set of it."""

_TERMS: dict[str, Any] = {name: (model, None) for name, model in STAGE_SETTINGS.items()}
_SETTINGS: type[BaseModel] = create_model("StageTerms", __base__=Settings, **_TERMS)
_STRENGTH_OF_EACH: dict[str, Any] = dict.fromkeys(LOSS_TERMS, (NonNegative, 1.0))
_STRENGTHS: type[BaseModel] = create_model("StageStrengths", __base__=Settings, **_STRENGTH_OF_EACH)
_STRENGTH: TypeAdapter[float] = TypeAdapter(NonNegative)
"""Models generated from the table, so that a wrong key is reported with its term's name."""


class Stage(Settings):
    """Settings that hold until a fraction of training is reached."""

    name: Annotated[str, Field(min_length=1)]
    """Name in the log and in doctor."""

    until: Annotated[float, Field(gt=0, le=1)]
    """Fraction of training's steps at which it ends."""

    strength: float | dict[str, float] = 1.0
    """Factor on the weight of every term; a mapping sets it for the named terms. 0 leaves a term
    out of this stage; at 0 for all there is reconstruction alone."""

    pairs: PairKinds | None = None
    """Kinds of pairs that a batch is made of, in the proportion of their weights; none: all that
    are on."""

    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings of terms that differ in this stage: {mixing: {targeting: random}}. Terms that are
    switched off in sae.losses may be named; they stay off."""

    @field_validator("strength", mode="plain")
    @classmethod
    def _strength_by_name(cls, value: Any) -> float | dict[str, float]:
        if isinstance(value, dict):
            return _STRENGTHS.model_validate(value).model_dump(exclude_unset=True)
        return _STRENGTH.validate_python(value)

    @field_validator("settings", mode="wrap")
    @classmethod
    def _settings_by_name(
        cls, value: Any, is_mapping: ValidatorFunctionWrapHandler
    ) -> dict[str, dict[str, Any]]:
        return _SETTINGS.model_validate(is_mapping(value)).model_dump(exclude_unset=True)

    def strength_of(self, term: str) -> float:
        """Return the factor on the term's weight in this stage."""
        if isinstance(self.strength, dict):
            return self.strength.get(term, 1.0)
        return self.strength
