"""csae_bench/engines/autointerp/scores.py."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.autointerp.scores import Predictions, estimate, latent_score, shuffled_p


def made(predicted: str, active: str, fires: str | None = None) -> Predictions:
    def mask(text: str) -> np.ndarray:
        return np.array([character == "x" for character in text])

    return Predictions(mask(predicted), mask(active), mask(fires or active))


def test_none_for_all_has_ten_fourteenths_and_half_of_the_balanced_accuracy() -> None:
    score = latent_score(made("." * 14, "xxxx" + "." * 10))
    assert score is not None
    assert score.accuracy == pytest.approx(10 / 14)
    assert score.balanced == 0.5
    assert score.expected == pytest.approx(10 / 14)


def test_right_answers_have_one() -> None:
    score = latent_score(made("xx..", "xx.."))
    assert score is not None
    assert (score.accuracy, score.balanced, score.expected) == (1.0, 1.0, 0.5)


def test_examples_with_a_wrong_label_are_left_out() -> None:
    score = latent_score(made("xxx.", "xx..", "xxx."))
    assert score is not None
    assert score.accuracy == 1.0
    assert latent_score(made("xxxx", "xx..", "xxxx")) is None


def test_the_interval_of_one_latent_is_undefined_and_of_none_all_is() -> None:
    assert estimate([], n_resamples=1000, seed=0) == (None, None, None)
    assert estimate([0.7], n_resamples=1000, seed=0) == (0.7, None, None)
    several = estimate([0.5, 0.7, 0.9] * 10, n_resamples=1000, seed=0)
    assert several.value == pytest.approx(0.7)
    assert several.low is not None
    assert several.high is not None
    assert 0.6 < several.low < 0.7 < several.high < 0.8


def test_p_is_small_for_right_answers_and_large_for_answers_by_chance() -> None:
    rng = np.random.default_rng(0)
    right = [made("xx....", "xx....")] * 5
    assert shuffled_p(right, n_shuffles=999, rng=rng) == 1 / 1000
    none = [made("......", "xx....")] * 5
    assert shuffled_p(none, n_shuffles=999, rng=rng) == 1.0
    assert shuffled_p([], n_shuffles=999, rng=rng) is None


def test_p_agrees_with_shuffling_by_hand() -> None:
    answers = [made("xx..xx", "xxx..."), made("x.....", "xx....")]
    rng = np.random.default_rng(0)

    def accuracy(shuffled: bool) -> float:
        total = 0.0
        for answer in answers:
            active = rng.permutation(answer.is_active) if shuffled else answer.is_active
            total += float((answer.predicted == active).mean())
        return total

    by_hand = np.mean([accuracy(True) >= accuracy(False) - 1e-9 for _ in range(20_000)])
    p = shuffled_p(answers, n_shuffles=20_000, rng=np.random.default_rng(1))
    assert p == pytest.approx(by_hand, abs=0.02)  # four standard errors of either are .014
