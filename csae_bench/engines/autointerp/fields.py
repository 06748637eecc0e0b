"""Metrics of the autointerp eval. Importing this imports neither torch nor sae_bench."""

from __future__ import annotations

from typing import Any

from csae_bench.evals.metric_rows import Direction, Metric

NOTE = "Informs and does not gate: it depends on the judge as much as on the SAE."
_OF_JUDGE = "compare SAEs under one judge and one text only."


def _right(title: str, description: str, **more: Any) -> Metric:
    return Metric(title=title, description=description, category="corrected", gates=False, **more)


def _beside(title: str, description: str, **more: Any) -> Metric:
    return _right(title, description, direction=Direction.NONE, is_supporting=True, **more)


METRICS = {
    "corrected.balanced_accuracy": _right(
        "AutoInterp, balanced accuracy",
        "Mean of the shares that the judge predicts right among the examples in which a latent "
        "fires and among those in which it does not, mean over latents; .5 where the explanation "
        "tells nothing.",
        direction=Direction.HIGHER,
        short="balanced accuracy",
        gist="how well a judge predicts latents from their explanations; .5: not at all",
        note=f"Informs and does not gate: {_OF_JUDGE}",
    ),
    "autointerp_score": Metric(
        title="AutoInterp score",
        description="Share of the examples that the judge predicts right, mean over latents. Who "
        "answers None to everything has 10/14, and random examples count as silent even where the "
        "latent fires.",
        direction=Direction.HIGHER,
        short="autointerp",
        category="autointerp",
        is_sae_bench=True,
        gates=False,
        comparable_from=None,
        note=NOTE,
    ),
    "corrected.autointerp_score": _right(
        "AutoInterp score, right labels",
        "The same share without examples that are labelled silent though the latent fires in them, "
        "with either sign.",
        direction=Direction.HIGHER,
        short="corrected",
        note=f"Informs and does not gate: {_OF_JUDGE}",
    ),
    "autointerp_std_dev": Metric(
        title="AutoInterp score, standard deviation",
        description="Of the score over latents.",
        direction=Direction.NONE,
        category="autointerp",
        high=None,
        is_sae_bench=True,
        is_displayed=False,
        is_supporting=True,
        comparable_from=None,
    ),
    **{
        f"corrected.{name}_{end}": _beside(
            f"{title}, {end} end", f"The {end} end of the 95% interval from resampling latents."
        )
        for name, title in (
            ("balanced_accuracy", "AutoInterp, balanced accuracy"),
            ("autointerp_score", "AutoInterp score, right labels"),
        )
        for end in ("low", "high")
    },
    "corrected.autointerp_score_null_mean": _beside(
        "AutoInterp score, chance",
        "Corrected score of the same predictions where examples are shuffled within each latent.",
        short="chance",
    ),
    "corrected.autointerp_score_p": _beside(
        "p", "(1 + shuffles that score as high) / (1 + shuffles), one-sided."
    ),
    "corrected.wrong_label_share": _beside(
        "Wrong labels",
        "Share of the examples that are labelled silent though the latent fires in them.",
    ),
    "corrected.n_latents_drawn": _beside(
        "Latents drawn", "Latents that were drawn among those alive.", high=None, unit="latents"
    ),
    "corrected.n_latents_scored": _beside(
        "Latents scored", "Latents that SAE-Bench has a score of.", high=None, unit="latents"
    ),
    "corrected.n_answers_unparsed": _beside(
        "Answers not parsed",
        "Answers that are no list of numbers; SAE-Bench drops their latents.",
        high=None,
        unit="answers",
    ),
    "corrected.judge_known": _beside(
        "Judge on known latents",
        "Balanced accuracy of the judge on latents that fire on the words of one value of one "
        "factor; null where it was not scored.",
        short="judge",
    ),
    "corrected.judge_random": _beside(
        "Judge on random latents", "The same on latents that fire as often, anywhere."
    ),
}
