"""csae_bench/comparison/outputs/in_words.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from csae_bench.comparison.model import Comparison, Family, Report, Verdict
from csae_bench.comparison.outputs.card_evals import EvalPart
from csae_bench.comparison.outputs.in_words import card_in_words, comparison_in_words
from csae_bench.comparison.outputs.sae_cards import Card
from csae_bench.comparison.outputs.scores import ScaleMark, ShownScore
from tests.unit.comparison.outputs import reports

RELEASE = reports.RELEASE


def _row(verdict: Verdict, metric: str = "mig.value_mig", other: str = "topk") -> Comparison:
    return Comparison(
        metric=metric,
        candidate=Family(RELEASE, "custom_sae"),
        baseline=Family(RELEASE, other),
        verdict=verdict,
        n_pairs=3,
    )


def _report(*rows: Comparison) -> Report:
    return replace(reports.every_verdict(), comparisons=rows, findings=())


def test_what_is_better_worse_and_undecided_is_named_with_its_seeds() -> None:
    words = comparison_in_words(
        _report(
            _row(Verdict.BETTER),
            _row(Verdict.WORSE, "core.ce_loss_score"),
            _row(Verdict.INCONCLUSIVE, "core.corrected.explained_variance"),
        )
    )
    assert words == (
        "custom_sae against topk: better at Value MIG, worse at CE loss score, undecided in "
        "Explained variance. That rests on 3 training seeds, paired, with Holm's correction for "
        "many metrics."
    )


def test_what_lacks_is_said() -> None:
    words = comparison_in_words(_report(_row(Verdict.BETTER), _row(Verdict.MISSING, "mig.mig")))
    assert words.endswith("One of custom_sae and topk has no result for MIG.")


def test_one_seed_is_said_to_be_little() -> None:
    words = comparison_in_words(_report(replace(_row(Verdict.BETTER), n_pairs=1)))
    assert "That rests on 1 training seed: only what exceeds the known spread" in words


def test_a_value_without_a_direction_is_neither_better_nor_worse() -> None:
    assert comparison_in_words(_report(_row(Verdict.INCONCLUSIVE, "core.l0"))) == ""


def test_of_many_pairs_the_number_that_differ_and_the_best_one_are_named() -> None:
    rows = [
        *(_row(Verdict.BETTER, other=f"sae_{n}") for n in range(4)),
        *(_row(Verdict.INCONCLUSIVE, other=f"other_{n}") for n in range(3)),
    ]
    words = comparison_in_words(_report(*rows))
    assert words.startswith("4 of 7 pairs of SAEs differ in a shown metric by more than the noise.")
    assert "custom_sae is better most often, in 4 comparisons." in words


def test_nothing_compared_has_no_words() -> None:
    assert comparison_in_words(_report()) == ""


def _score(metric: str, title: str, value: float, **yardsticks: float) -> ShownScore:
    marks = tuple(ScaleMark(label, mark) for label, mark in yardsticks.items())
    return ShownScore(
        metric=metric, title=title, gist="", scale="", value=value, reason="", yardsticks=marks
    )


def _card(*scores: ShownScore, status: str = "ok") -> Card:
    part = EvalPart(eval_name="mig", summary="", status=status, why="", seconds=None, scores=scores)
    return Card(
        sae_id="custom_sae", release=RELEASE, about="", status="valid", reasons=(), facts=(),
        evals=(part,), pages=(Path("report.html"),),
    )  # fmt: skip


def test_a_card_says_what_is_better_and_worse_than_a_yardstick() -> None:
    value_mig = _score("mig.value_mig", "Value MIG", 0.4, PCA=0.2)
    dead = _score("core.corrected.dead_fraction", "Dead latents", 0.3, PCA=0.0)
    words = card_in_words(_card(value_mig, dead))
    assert words.startswith("Better than PCA at Value MIG, worse at Dead latents. That is one SAE")


def test_a_yardstick_against_itself_says_nothing() -> None:
    value_mig = _score("mig.value_mig", "Value MIG", 0.16744580, PCA=0.1674)
    dead = _score("core.corrected.dead_fraction", "Dead latents", 0.3, PCA=0.3)
    assert card_in_words(_card(value_mig, dead)) == ""


def test_a_yardstick_of_one_score_and_an_undefined_score_say_nothing() -> None:
    assert card_in_words(_card(_score("mig.value_mig", "Value MIG", 0.4, PCA=0.2))) == ""
    undefined = replace(_score("mig.mig", "MIG", 0.4, PCA=0.2), value=None)
    assert card_in_words(_card(undefined, undefined)) == ""


def test_a_card_names_the_evals_without_scores() -> None:
    assert card_in_words(_card(status="failed")) == "Without scores: mig (failed)."
