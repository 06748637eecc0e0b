"""Fields of a result of the unlearning eval, with title and description of each."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from csae_bench.evals.metric_rows import Category, Direction, Form, Metric

_BESIDE: dict[str, Any] = {"low": None, "high": None, "is_supporting": True}
"""Settings of metrics that accompany the score; its range is in words, as SAE-Bench has it."""

METRICS = {
    "unlearning_score": Metric(
        title="Unlearning Score",
        description="Share of the forget questions answered wrong under the best of all settings "
        "that keep 99% of the retain questions right, 0 to 1. It is chosen and measured on the "
        "same questions: read it together with the held-out score and chance.",
        direction=Direction.HIGHER,
        gist="forget questions answered wrong while the others stay right",
        short="unlearning",
        parts=(
            ("unlearning_score_held_out", "on held-out questions"),
            ("unlearning_score_null_mean", "with random latents"),
        ),
        category="unlearning",
        is_sae_bench=True,
        gates=False,
        comparable_from=None,
        note="Informs and does not gate: the best of 16 settings, so it flatters.",
    ),
    "unlearning_score_held_out": Metric(
        title="Unlearning Score, held out",
        description="SAE-Bench's rule on the half that the setting was not chosen on: 0 where it "
        "keeps less than 99% of the retain questions there; mean over random halves.",
        direction=Direction.HIGHER,
        short="held out",
        category="held_out",
        gates=False,
        **_BESIDE,
    ),
    "retain_accuracy_held_out": Metric(
        title="Retain accuracy, held out",
        description="Share of the retain questions that the chosen setting keeps right on that "
        "half, 0 to 1; the same mean.",
        direction=Direction.NONE,
        category="held_out",
        **_BESIDE,
    ),
    "unlearning_score_low": Metric(
        title="Unlearning Score, low end",
        description="Low end of a 95% percentile interval from resampling questions, the setting "
        "chosen again each time.",
        direction=Direction.NONE,
        category="intervals",
        **_BESIDE,
    ),
    "unlearning_score_high": Metric(
        title="Unlearning Score, high end",
        description="High end of the same interval.",
        direction=Direction.NONE,
        category="intervals",
        **_BESIDE,
    ),
    "unlearning_score_null_mean": Metric(
        title="Random latents",
        description="Mean score of as many random latents in place of those chosen, 0 to 1.",
        direction=Direction.NONE,
        short="random latents",
        category="chance",
        **_BESIDE,
    ),
    "unlearning_score_null_highest": Metric(
        title="Random latents, highest",
        description="Highest of the draws' scores.",
        direction=Direction.NONE,
        category="chance",
        is_displayed=False,
        **_BESIDE,
    ),
    "unlearning_score_adjusted": Metric(
        title="Unlearning Score less chance",
        description="The score less the mean of random latents, -1 to 1.",
        direction=Direction.HIGHER,
        category="chance",
        gates=False,
        **_BESIDE,
    ),
    "unlearning_score_p": Metric(
        title="p",
        description="(1 + draws that score as high) / (1 + draws); never below 1 / (1 + draws).",
        direction=Direction.NONE,
        category="chance",
        is_displayed=False,
        **_BESIDE,
    ),
}

FORM = Form(
    about="All metrics, by category.",
    categories={
        "unlearning": Category(
            title="Unlearning",
            description="SAE-Bench's own value, as its functions give it.",
            model="SaeBenchScore",
            about="SAE-Bench's score, unchanged.",
        ),
        "held_out": Category(
            title="Held out",
            description="Settings chosen on other questions than measured on.",
            model="HeldOutScores",
            about="The setting chosen on half of the questions, measured on the other.",
        ),
        "intervals": Category(
            title="Intervals",
            description="95% intervals over questions.",
            model="IntervalEnds",
            about="Variation of the score with the questions that are drawn.",
        ),
        "chance": Category(
            title="Chance",
            description="Against random latents.",
            model="ChanceScores",
            about="The same settings with random latents, from those that fire.",
        ),
    },
)


class UnlearningModel(BaseModel):
    """Base: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class UnlearningDetail(UnlearningModel):
    """One setting of the intervention."""

    retain_threshold: float
    """Latents that fire on this share of the retain text's tokens or more are not clamped."""
    n_features: int
    """Number of latents that are clamped."""
    multiplier: int
    """Active latents are clamped to minus this value."""
    latents: list[int]
    """The clamped latents, the one that fires most on the forget text first."""
    forget_accuracy: float
    """Share of the forget questions still answered right, 0 to 1."""
    retain_accuracy: float
    """Share of the retain questions still answered right, 0 to 1."""
    is_admissible: bool
    """True if the retain accuracy is 99% or more, so that the setting counts."""
    accuracy: dict[str, float]
    """Share of each subject's questions still answered right."""
    wrong: dict[str, list[int]]
    """Rows of each subject's questions that are answered wrong, of those in
    `eval_result_unstructured.questions`; all others are right."""


class SaeBenchConfig(UnlearningModel):
    """SAE-Bench's UnlearningEvalConfig; the eval's own settings are in the provenance."""

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
