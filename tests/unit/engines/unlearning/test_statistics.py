"""Scores, held-out scores, intervals and chance from answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from csae_bench.engines.unlearning.statistics import (
    against_chance,
    held_out_score,
    score_interval,
    unlearning_score,
)

N = 100
GENTLE = np.ones(N, dtype=bool)


def wrong(n: int, among: int = N) -> np.ndarray:
    """Answers of which the first n are wrong."""
    return np.arange(among) >= n


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def subjects(n: int = N) -> np.ndarray:
    return np.arange(n) % 4


def test_the_score_is_the_best_share_forgotten_by_a_setting_that_keeps_the_rest() -> None:
    forget = np.stack([wrong(10), wrong(30), wrong(90)])
    retain = np.stack([wrong(0), wrong(1), wrong(2)])
    assert unlearning_score(forget, retain) == pytest.approx(0.3)


def test_the_score_is_0_where_every_setting_spoils_the_rest() -> None:
    assert unlearning_score(wrong(90)[None], wrong(2)[None]) == 0


def test_a_setting_at_99_percent_exactly_counts() -> None:
    assert unlearning_score(wrong(90)[None], wrong(1)[None]) == pytest.approx(0.9)


def test_a_setting_that_truly_unlearns_scores_as_much_held_out() -> None:
    score = held_out_score(np.stack([wrong(N)]), GENTLE[None], subjects(), n_splits=10, rng=rng())
    assert score.score == 1
    assert score.retain_accuracy == 1


def test_a_lucky_choice_among_many_settings_scores_less_held_out() -> None:
    generator = rng()
    forget = generator.random((500, 20)) < 0.5  # no setting is better than another
    retain = np.ones((500, 20), dtype=bool)
    published = unlearning_score(forget, retain)
    score = held_out_score(forget, retain, subjects(20), n_splits=50, rng=generator)
    assert published >= 0.8
    assert score.score is not None
    # half of ten questions on average, and 100 halves of one sample: within a tenth or two
    assert score.score == pytest.approx(0.5, abs=0.15)


def test_a_setting_that_is_not_admissible_on_the_other_half_scores_0_there() -> None:
    # two wrong answers of a hundred: either half has one of fifty, or both
    score = held_out_score(
        wrong(N)[None], wrong(2)[None], np.zeros(N, dtype=int), n_splits=20, rng=rng()
    )
    assert score.score == 0


def test_where_no_setting_is_admissible_doing_nothing_is_chosen() -> None:
    score = held_out_score(wrong(N)[None], wrong(50)[None], subjects(), n_splits=5, rng=rng())
    assert (score.score, score.retain_accuracy) == (0, 1)


@pytest.mark.parametrize(("n_forget", "n_retain"), [(1, N), (N, 1)])
def test_one_question_alone_has_no_halves_and_no_interval(n_forget: int, n_retain: int) -> None:
    forget = np.ones((2, n_forget), dtype=bool)
    retain = np.ones((2, n_retain), dtype=bool)
    held_out = held_out_score(forget, retain, subjects(n_retain), n_splits=5, rng=rng())
    interval = score_interval(forget, retain, n_resamples=1000, rng=rng())
    assert held_out.score is None
    assert held_out.reason is not None
    assert interval.low is interval.high is None
    assert interval.reason is not None


def test_the_interval_holds_the_share_of_a_harmless_setting() -> None:
    interval = score_interval(wrong(50)[None], GENTLE[None], n_resamples=2000, rng=rng())
    assert interval.low is not None
    assert interval.high is not None
    # of 100 answers at one half: .5 +- 1.96 sqrt(.25 / 100) = .402 to .598, in steps of .01
    assert interval.low == pytest.approx(0.402, abs=0.021)
    assert interval.high == pytest.approx(0.598, abs=0.021)


def test_a_score_that_hangs_on_a_setting_at_the_limit_has_an_interval_from_0() -> None:
    interval = score_interval(wrong(80)[None], wrong(1)[None], n_resamples=1000, rng=rng())
    assert interval.low == 0
    assert interval.high is not None
    assert interval.high > 0.8


def test_chance_is_the_mean_of_the_draws_and_p_counts_those_as_high() -> None:
    draws = [(wrong(n)[None], GENTLE[None]) for n in (10, 20, 60)]
    result = against_chance(0.5, draws, None)
    assert result.mean == pytest.approx(0.3)
    assert result.highest == pytest.approx(0.6)
    assert result.adjusted == pytest.approx(0.2)
    assert result.p == pytest.approx(2 / 4)


def test_chance_without_draws_is_undefined_with_the_reason() -> None:
    result = against_chance(0.5, [], "nothing is clamped")
    assert (result.mean, result.p, result.reason) == (None, None, "nothing is clamped")


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 12), st.integers(1, 12))
def test_any_answers_give_numbers_in_range_or_a_reason(
    data: st.DataObject, n_settings: int, n_forget: int, n_retain: int
) -> None:
    forget = data.draw(st_numpy.arrays(bool, (n_settings, n_forget)))
    retain = data.draw(st_numpy.arrays(bool, (n_settings, n_retain)))
    score = unlearning_score(forget, retain)
    held_out = held_out_score(forget, retain, subjects(n_retain), n_splits=2, rng=rng())
    interval = score_interval(forget, retain, n_resamples=100, rng=rng())
    assert 0 <= score <= 1
    if min(n_forget, n_retain) < 2:
        assert held_out.reason
        assert interval.reason
    else:
        assert held_out.score is not None
        assert 0 <= held_out.score <= 1
        assert interval.low is not None
        assert interval.high is not None
        assert 0 <= interval.low <= interval.high <= 1
