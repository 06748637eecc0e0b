"""csae_bench/comparison/outputs/conclusions.py."""

from __future__ import annotations

from dataclasses import replace

from csae_bench.comparison.comparisons import CompareOptions, compare
from csae_bench.comparison.model import Family, Report, Verdict
from csae_bench.comparison.outputs.conclusions import (
    curves_in_words,
    pairs_in_words,
    told,
    tops,
)
from csae_bench.comparison.outputs.leaderboard import leaderboards
from tests.unit.comparison.outputs import reports
from tests.unit.comparison.outputs.published import published


def _two_saes() -> Report:
    results = reports.results(
        reports.readings(reports.CUSTOM), reports.readings(reports.TOPK, shift=-0.2)
    )
    compared = compare(results, None, CompareOptions())
    return reports.report(results, comparisons=compared.comparisons)


def test_a_pair_with_seeds_has_its_verdicts_in_words() -> None:
    report = _two_saes()
    (pair,) = pairs_in_words(report, told(report))
    assert (pair.candidate, pair.baseline, pair.n_pairs) == ("topk", "custom_sae", 5)
    said = dict(pair.said)
    assert any(text.startswith("CE loss score -0.2") for text in said[Verdict.WORSE])


def test_pairs_without_seeds_or_a_baseline_are_not_told() -> None:
    report = published()
    assert report.comparisons
    assert told(report) == []
    assert told(replace(report, against="x")) == list(report.comparisons)
    assert told(replace(report, baseline=report.candidate)) == list(report.comparisons)


def test_who_is_first_among_single_seeds_is_said_not_to_be_known() -> None:
    (board,) = leaderboards(published())
    first = tops(board)[0]
    assert first.certainty == "not known"
    assert first.sentence.startswith(
        "Matryoshka\N{HORIZONTAL ELLIPSIS}trainer_4 is first with 0.984, then TopK"
    )


def test_who_shares_the_first_place_is_named() -> None:
    (board,) = leaderboards(
        reports.report(reports.results(
            reports.readings(reports.CUSTOM), reports.readings(reports.TOPK),
            reports.readings(Family(reports.RELEASE, "far"), shift=-0.3),
        ))
    )  # fmt: skip
    top = next(top for top in tops(board) if top.title == "CE loss score")
    assert top.certainty == "shared"
    assert top.sentence.endswith("is within its noise.")
    assert "far" not in top.sentence


def test_curves_are_compared_at_equal_l0_and_single_seeds_establish_nothing() -> None:
    report = published()
    words, shared = curves_in_words(report, leaderboards(report))
    assert "blocks.12.hook_resid_post" in shared
    standard = next(one for one in words if "Standard" in one.baseline and "TopK" in one.candidate)
    (sentence,) = [text for text in standard.sentences if text.startswith("CE loss score")]
    assert "better at all 5 places (L0 20.0 to 320.0)" in sentence
    assert "gain +0.002" in sentence
    assert sentence.endswith("not established, one seed each")
