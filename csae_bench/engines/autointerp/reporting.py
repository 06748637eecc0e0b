"""Fields of a result of the autointerp eval, made of what SAE-Bench's run gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from csae_bench.engines.autointerp.scores import (
    Estimate,
    Predictions,
    estimate,
    latent_score,
    shuffled_p,
)
from csae_bench.support.printable import shortened

N_SHUFFLES = 1000
_MAX_SHOWN = 80


class Examples(Protocol):
    """A latent's scoring examples, in order."""

    @property
    def is_active(self) -> Sequence[bool]: ...
    @property
    def fires(self) -> Sequence[bool]: ...
    @property
    def is_random(self) -> Sequence[bool]: ...


class Latent(Protocol):
    """SAE-Bench's result of one latent."""

    @property
    def latent(self) -> int: ...
    @property
    def explanation(self) -> str: ...
    @property
    def predictions(self) -> Sequence[int]: ...
    @property
    def score(self) -> float: ...
    @property
    def examples(self) -> Examples: ...


class Outcome(Protocol):
    """What SAE-Bench's run gave."""

    @property
    def latents(self) -> Sequence[Latent]: ...
    @property
    def n_drawn(self) -> int: ...
    @property
    def n_without_examples(self) -> int: ...
    @property
    def unparsed(self) -> Sequence[str]: ...
    @property
    def negative_share(self) -> float: ...


class Corrected(NamedTuple):
    """Values by name, and why one is null."""

    values: dict[str, float | int | None]
    reasons: dict[str, str]


def corrected(
    outcome: Outcome,
    known: Outcome | None,
    random: Outcome | None,
    *,
    n_resamples: int,
    seed: int,
    rng: np.random.Generator,
) -> Corrected:
    """Return the corrected values.

    Args:
        known: the judge on latents whose explanation is known; None: it was not scored.
        random: the judge on as many random ones.
        seed: of the resamples.
        rng: of the shuffles.
    """
    answers = [predictions_of(latent) for latent in outcome.latents]
    scores = [score for score in map(latent_score, answers) if score is not None]
    balanced = estimate([s.balanced for s in scores], n_resamples=n_resamples, seed=seed)
    accuracy = estimate([s.accuracy for s in scores], n_resamples=n_resamples, seed=seed)
    silent = [~answer.is_active for answer in answers]
    wrong = [~answer.has_right_label & quiet for answer, quiet in zip(answers, silent, strict=True)]
    n_silent = int(sum(quiet.sum() for quiet in silent))
    values: dict[str, float | int | None] = {
        **_named("balanced_accuracy", balanced),
        **_named("autointerp_score", accuracy),
        "autointerp_score_null_mean": _mean([score.expected for score in scores]),
        "autointerp_score_p": shuffled_p(answers, n_shuffles=N_SHUFFLES, rng=rng),
        "wrong_label_share": int(sum(of.sum() for of in wrong)) / n_silent if n_silent else None,
        "n_latents_drawn": outcome.n_drawn,
        "n_latents_scored": len(outcome.latents),
        "n_answers_unparsed": len(outcome.unparsed),
        "judge_known": None if known is None else _balanced(known),
        "judge_random": None if random is None else _balanced(random),
    }
    unscored = "the judge was not scored: n_control is 0, or no factors are known of the text"
    nothing = "no latent has both an example in which it fires and one in which it does not"
    few = "there is one latent, nothing to resample" if len(scores) == 1 else nothing
    reasons = {
        name: unscored if name.startswith("judge") else few if name.endswith(_ENDS) else nothing
        for name, value in values.items()
        if value is None
    }
    return Corrected(values, reasons)


def predictions_of(latent: Latent) -> Predictions:
    """Return a latent's predictions and labels as masks; numbers of no example are left out."""
    examples = latent.examples
    numbers = set(latent.predictions)
    return Predictions(
        predicted=np.array([i in numbers for i in range(1, len(examples.is_active) + 1)]),
        is_active=np.array(examples.is_active, dtype=bool),
        fires=np.array(examples.fires, dtype=bool),
    )


def latents(outcome: Outcome) -> list[dict[str, Any]]:
    """Return an entry for each latent, as JSON."""
    entries: list[dict[str, Any]] = []
    for latent in outcome.latents:
        score = latent_score(predictions_of(latent))
        examples = latent.examples
        entries.append(
            {
                "latent": latent.latent,
                "explanation": latent.explanation,
                "predictions": list(latent.predictions),
                "correct seqs": [i for i, a in enumerate(examples.is_active, start=1) if a],
                "wrongly labelled": [
                    i
                    for i, (a, f) in enumerate(
                        zip(examples.is_active, examples.fires, strict=True), start=1
                    )
                    if a != f
                ],
                "score": latent.score,
                "balanced_accuracy": None if score is None else score.balanced,
            }
        )
    return entries


def warnings(outcome: Outcome, n_asked: int) -> list[str]:
    """Return what a reader of the score should know, a sentence each.

    Args:
        n_asked: latents that were asked for.
    """
    said: list[str] = []
    if outcome.unparsed:
        first = shortened(outcome.unparsed[0], _MAX_SHOWN)
        said.append(
            f"{len(outcome.unparsed)} answers of the judge could not be parsed, such as '{first}'; "
            "their latents are not in the score"
        )
    if outcome.n_drawn < n_asked:
        said.append(f"{outcome.n_drawn} latents are alive on this text; {n_asked} were asked for")
    if outcome.n_without_examples:
        said.append(
            f"{outcome.n_without_examples} of {outcome.n_drawn} latents fire too rarely to be "
            "judged"
        )
    if outcome.negative_share:
        said.append(
            f"{outcome.negative_share:.0%} of the latents' codes are negative, which SAE-Bench "
            "takes for silence; examples with them are left out of corrected values"
        )
    return said


def control(values: Sequence[str], known: Outcome, random: Outcome) -> Mapping[str, Any]:
    """Return what the judge made of latents whose explanation is known."""

    def named(outcome: Outcome) -> list[dict[str, Any]]:
        return [{"value": values[entry["latent"]], **entry} for entry in latents(outcome)]

    return {"known": named(known), "random": named(random)}


_ENDS = ("_low", "_high")


def _named(name: str, of: Estimate) -> dict[str, float | int | None]:
    return {name: of.value, f"{name}_low": of.low, f"{name}_high": of.high}


def _balanced(outcome: Outcome) -> float | None:
    scores = [latent_score(predictions_of(latent)) for latent in outcome.latents]
    return _mean([score.balanced for score in scores if score is not None])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
