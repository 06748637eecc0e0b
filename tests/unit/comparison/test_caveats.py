"""csae_bench/comparison/caveats.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from csae_bench.comparison.caveats import caveats
from csae_bench.comparison.model import Comparison, Family, Verdict

NEW, OLD = Family("release", "new"), Family("release", "old")


def _row(metric: str, new: float, old: float, verdict: Verdict, *, gates: bool) -> Comparison:
    return Comparison(
        metric=metric,
        candidate=NEW,
        baseline=OLD,
        verdict=verdict,
        candidate_mean=new,
        baseline_mean=old,
        difference=new - old,
        gates=gates,
    )


def _said(l0: float, variance: float, *, gain: Verdict = Verdict.BETTER) -> list[str]:
    rows = [
        _row("core.l0", l0, 18.0, Verdict.INCONCLUSIVE, gates=False),
        _row("core.corrected.explained_variance", variance, 0.6, Verdict.EQUIVALENT, gates=True),
        _row("mig.value_mig", 0.6, 0.5, gain, gates=True),
    ]
    return list(caveats(rows))


def test_a_gain_at_equal_l0_and_variance_has_none() -> None:
    assert _said(18.3, 0.595) == []


@pytest.mark.parametrize("l0", [17.0, 19.0])
def test_a_gain_at_another_l0_is_said(l0: float) -> None:
    (sentence,) = _said(l0, 0.6)
    assert f"its L0 is {l0:g} against 18" in sentence


def test_a_gain_that_costs_explained_variance_is_said() -> None:
    (sentence,) = _said(18.0, 0.57)
    assert "explains 0.03 less of the variance" in sentence


def test_without_a_gain_nothing_is_said() -> None:
    assert _said(30.0, 0.1, gain=Verdict.INCONCLUSIVE) == []


@pytest.mark.parametrize(("l0", "said"), [(9.0, True), (18.3, False)])
def test_a_loss_is_the_others_gain_and_has_the_same_caveats(l0: float, said: bool) -> None:
    result = _said(l0, 0.6, gain=Verdict.WORSE)
    expected = (
        "old is better than new in some respects, but its L0 is 18 against 9 (+100%); "
        "compare at equal L0."
    )
    assert result == ([expected] if said else [])


def test_a_loss_of_an_sae_that_explains_more_says_so() -> None:
    (sentence,) = _said(18.0, 0.63, gain=Verdict.WORSE)
    assert sentence.startswith("old is better than new")
    assert "explains 0.03 less of the variance" in sentence


def test_of_two_with_one_name_it_is_said_which_is_meant() -> None:
    row = replace(_row("mig.value_mig", 0.6, 0.5, Verdict.BETTER, gates=True), baseline=NEW)
    l0 = replace(_row("core.l0", 36.0, 18.0, Verdict.INCONCLUSIVE, gates=False), baseline=NEW)
    (sentence,) = caveats([row, l0])
    assert sentence.startswith("new of the candidate is better than new of the baseline")
