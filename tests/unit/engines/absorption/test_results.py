"""Means over letters, their intervals, and what is undefined."""

from __future__ import annotations

import math
import statistics

import pytest

from csae_bench.engines.absorption.fields import MEANS
from csae_bench.engines.absorption.results import (
    ONE_LETTER,
    Letter,
    Letters,
    corrected,
    sae_bench_means,
)

RATES = (0.0, 0.1, 0.2, 0.6)


def letters(n_known: int, *, min_letters: int = 2) -> Letters:
    return Letters(
        letters=tuple(
            Letter(
                letter="abcd"[i],
                n_train=80,
                n_test=20,
                probe_f1=0.9 if i < n_known else 0.4,
                counts=i < n_known,
                split_feats=tuple(range(i + 1)),
                split_f1=0.5,
                mean_absorption_fraction=rate,
                full_absorption_rate=rate / 2,
                num_full_absorption=2,
                num_probe_true_positives=20,
            )
            for i, rate in enumerate(RATES)
        ),
        min_letters=min_letters,
        min_f1=0.6,
    )


def test_means_and_spreads_are_of_the_letters_that_count() -> None:
    means = sae_bench_means(letters(3))
    assert means["mean_absorption_fraction_score"] == statistics.mean(RATES[:3])
    assert means["std_dev_full_absorption_score"] == statistics.stdev(r / 2 for r in RATES[:3])
    assert means["mean_num_split_features"] == 2
    assert [detail["first_letter"] for detail in letters(3).details()] == ["a", "b", "c"]


def test_an_interval_holds_the_mean_and_varies_with_the_letters() -> None:
    values, reasons = corrected(letters(4), undefined=None, n_resamples=1000, seed=0)
    assert reasons == {}
    for name in MEANS:
        low, mean, high = (values[each] for each in (f"{name}_low", name, f"{name}_high"))
        assert low is not None
        assert mean is not None
        assert high is not None
        assert low < mean < high
    assert values["n_letters"] == 4
    assert values == corrected(letters(4), undefined=None, n_resamples=1000, seed=0)[0]


def test_too_few_letters_give_no_score_but_a_reason() -> None:
    few = letters(3, min_letters=20)
    assert few.details() == []
    assert all(math.isnan(value) for value in sae_bench_means(few).values())
    values, reasons = corrected(few, undefined=None, n_resamples=1000, seed=0)
    assert values["mean_absorption_fraction_score"] is None
    assert values["n_letters"] == 3
    assert values["mean_probe_f1"] == pytest.approx((0.9 * 3 + 0.4) / 4)
    assert reasons["mean_absorption_fraction_score"] == (
        "the probes on the model's activations have an F1 above 0.6 for 3 of 4 letters, and 20 are "
        "needed (min_feats_for_eval)"
    )
    assert reasons.keys() == {name for name, value in values.items() if value is None}


def test_one_letter_has_no_interval() -> None:
    values, reasons = corrected(letters(1, min_letters=1), undefined=None, n_resamples=1000, seed=0)
    assert values["mean_absorption_fraction_score"] == 0
    assert set(reasons.values()) == {ONE_LETTER}


def test_what_has_no_right_value_says_why() -> None:
    values, reasons = corrected(letters(4), undefined="normalized", n_resamples=1000, seed=0)
    assert values["mean_full_absorption_score"] is None
    assert set(reasons.values()) == {"normalized"}
