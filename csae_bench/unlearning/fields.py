"""What a result of the unlearning eval holds, with title and description of each field."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

_SHOWN: JsonDict = {"ui_default_display": True}


class Strict(BaseModel):
    """Base: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class SaeBenchScore(Strict):
    """SAE-Bench's, untouched."""

    unlearning_score: float = Field(
        title="Unlearning Score",
        description="Share of the forget questions answered wrong under the best of all settings "
        "that keep 99% of the retain questions right, 0 to 1. It is chosen and measured on the "
        "same questions: read it beside the held-out score and chance.",
        json_schema_extra=_SHOWN,
    )


class HeldOutScores(Strict):
    """The setting chosen on half of the questions, measured on the other."""

    unlearning_score_held_out: float | None = Field(
        title="Unlearning Score, held out",
        description="SAE-Bench's rule on the half that the setting was not chosen on: 0 where it "
        "keeps less than 99% of the retain questions there; mean over random halves.",
        json_schema_extra=_SHOWN,
    )
    retain_accuracy_held_out: float | None = Field(
        title="Retain accuracy, held out",
        description="Share of the retain questions that the chosen setting keeps right on that "
        "half, 0 to 1; the same mean.",
        json_schema_extra=_SHOWN,
    )


class IntervalEnds(Strict):
    """How far the score moves with the questions that are drawn."""

    unlearning_score_low: float | None = Field(
        title="Unlearning Score, low end",
        description="Of a 95% percentile interval from drawing questions anew, the setting chosen "
        "anew each time.",
        json_schema_extra=_SHOWN,
    )
    unlearning_score_high: float | None = Field(
        title="Unlearning Score, high end",
        description="Of the same interval.",
        json_schema_extra=_SHOWN,
    )


class ChanceScores(Strict):
    """The same settings with random latents, from those that fire."""

    unlearning_score_null_mean: float | None = Field(
        title="Random latents",
        description="Mean score of as many random latents in place of those chosen, 0 to 1.",
        json_schema_extra=_SHOWN,
    )
    unlearning_score_null_highest: float | None = Field(
        title="Random latents, highest",
        description="Highest of the draws' scores.",
    )
    unlearning_score_adjusted: float | None = Field(
        title="Unlearning Score less chance",
        description="The score less the mean of random latents, -1 to 1.",
        json_schema_extra=_SHOWN,
    )
    unlearning_score_p: float | None = Field(
        title="p",
        description="(1 + draws that score as high) / (1 + draws); never below 1 / (1 + draws).",
    )


class UnlearningMetrics(Strict):
    """All metrics, by category."""

    unlearning: SaeBenchScore = Field(
        title="Unlearning", description="SAE-Bench's own value, as its functions give it."
    )
    held_out: HeldOutScores = Field(
        title="Held out", description="Settings chosen on other questions than measured on."
    )
    intervals: IntervalEnds = Field(title="Intervals", description="95% intervals over questions.")
    chance: ChanceScores = Field(title="Chance", description="Against random latents.")


class UnlearningDetail(Strict):
    """One setting of the intervention."""

    retain_threshold: float
    """Latents that fire on this share of the retain text's tokens or more are not clamped."""
    n_features: int
    """Latents that are clamped."""
    multiplier: int
    """Minus what a latent is clamped to where it is active."""
    latents: list[int]
    """Those latents, the one that fires most on the forget text first."""
    forget_accuracy: float
    """Share of the forget questions still answered right, 0 to 1."""
    retain_accuracy: float
    """Share of the retain questions still answered right, 0 to 1."""
    is_admissible: bool
    """Whether that is 99% or more, so that the setting counts."""
    accuracy: dict[str, float]
    """Share of each subject's questions still answered right."""
    wrong: dict[str, list[int]]
    """Rows of each subject's questions that are answered wrong, of those in
    `eval_result_unstructured.questions`; all others are right."""


class SaeBenchConfig(Strict):
    """SAE-Bench's UnlearningEvalConfig; the eval's own settings stand in the provenance."""

    random_seed: int
    dataset_names: list[str]
    intervention_method: str
    retain_thresholds: list[float]
    n_features_list: list[int]
    multipliers: list[int]
    dataset_size: int
    seq_len: int
    n_batch_loss_added: int
    target_metric: str
    save_metrics: bool
    model_name: str
    """The true name of the model that was asked."""
    llm_batch_size: int
    llm_dtype: str
