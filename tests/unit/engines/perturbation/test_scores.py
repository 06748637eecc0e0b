"""TPP and SCR from which test texts are right."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.engines.perturbation.reporting import corrected_scr, corrected_tpp
from csae_bench.engines.perturbation.scores import ScrTexts, TppTexts, scr, tpp


def _right(n_right: int, n: int = 100) -> np.ndarray:
    return np.arange(n) < n_right


def _tpp(own: int, other: int) -> TppTexts:
    classes = ("a", "b", "c")
    return TppTexts(
        classes=classes,
        clean={name: _right(90) for name in classes},
        ablated={
            (name, 2): {probe: _right(own if probe == name else other) for probe in classes}
            for name in classes
        },
    )


def test_tpp_is_what_the_own_probe_loses_less_what_the_others_lose() -> None:
    values = tpp([_tpp(own=60, other=85)], 2, n_resamples=1000, seed=0)
    assert values["intended_diff_only"].value == pytest.approx(0.30)
    assert values["unintended_diff_only"].value == pytest.approx(0.05)
    total = values["total_metric"]
    assert total.value == pytest.approx(0.25)
    assert total.low is not None
    assert total.high is not None
    assert 0.15 < total.low < 0.25 < total.high < 0.35


def test_the_same_latents_for_each_class_score_zero() -> None:
    values = tpp([_tpp(own=60, other=60)], 2, n_resamples=1000, seed=0)
    assert values["total_metric"].value == pytest.approx(0, abs=1e-12)


def test_tpp_is_a_mean_over_datasets() -> None:
    values = tpp([_tpp(60, 85), _tpp(90, 90)], 2, n_resamples=1000, seed=0)
    assert values["total_metric"].value == pytest.approx(0.125)


def _scr(clean: int, biased: int, ablated: int) -> ScrTexts:
    return ScrTexts(clean=_right(clean), biased=_right(biased), ablated={2: _right(ablated)})


def test_scr_is_the_share_of_what_was_lost_that_comes_back() -> None:
    value, low, high = scr([_scr(90, 60, 75)], 2, n_resamples=1000, seed=0)
    assert value == pytest.approx(0.5)
    assert low is not None
    assert high is not None
    assert 0.2 < low < 0.5 < high < 0.8
    assert scr([_scr(90, 60, 50)], 2, n_resamples=1000, seed=0).value == pytest.approx(-1 / 3)


def test_pairs_that_lose_next_to_nothing_do_not_rule_the_score() -> None:
    pairs = [_scr(90, 60, 75), _scr(90, 89, 80)]
    assert scr(pairs, 2, n_resamples=1000, seed=0).value == pytest.approx((15 - 9) / 31)
    # SAE-Bench's mean of ratios is (0.5 - 9) / 2


def test_where_nothing_is_lost_there_is_no_score() -> None:
    assert scr([_scr(90, 88, 95)], 2, n_resamples=1000, seed=0) == (None, None, None)


class _Pair:
    def __init__(self, chosen: int | None, *, gap: int = 30, n_control: int = 1) -> None:
        texts = (_scr(90, 90 - gap, 75), _scr(90, 90 - gap, 60))
        self.directions = texts
        self.chosen = chosen
        self.control = (texts,) * n_control


def test_directions_that_tie_give_null_with_a_reason() -> None:
    values, reasons = corrected_scr({"a": _Pair(None)}, [2], n_resamples=1000, seed=0)
    assert values["scr_metric_threshold_2"] is None
    assert "no direction is the worse" in reasons["corrected.scr_metric_threshold_2"]
    assert values["scr_dir1_threshold_2"] == pytest.approx(0.5)
    assert "10 is not among" in reasons["corrected.scr_dir1_threshold_10"]


def test_the_chosen_direction_is_scored_beside_random_latents() -> None:
    values, reasons = corrected_scr({"a": _Pair(1)}, [2], n_resamples=1000, seed=0)
    assert values["scr_metric_threshold_2"] == values["scr_dir2_threshold_2"] == 0
    assert values["scr_metric_threshold_2_null_mean"] == 0
    values, reasons = corrected_scr({"a": _Pair(1, n_control=0)}, [2], n_resamples=1000, seed=0)
    assert values["scr_metric_threshold_2_null_mean"] is None
    assert reasons["corrected.scr_metric_threshold_2_null_mean"] == "evals.scr.n_control is 0"


def test_a_small_loss_is_a_reason() -> None:
    values, reasons = corrected_scr({"a": _Pair(0, gap=3)}, [2], n_resamples=1000, seed=0)
    assert values["scr_metric_threshold_2"] is None
    assert "costs the probe 0.030" in reasons["corrected.scr_metric_threshold_2"]
    assert values.keys() == {name.removeprefix("corrected.") for name in _names("scr")}


def test_every_row_has_a_value_or_a_reason() -> None:
    values, reasons = corrected_tpp({"d": _tpp(60, 85)}, [2], n_resamples=1000, seed=0)
    assert {f"corrected.{name}" for name, value in values.items() if value is None} == set(reasons)
    assert values.keys() == {name.removeprefix("corrected.") for name in _names("tpp")}
    values, reasons = corrected_tpp({}, [2], n_resamples=1000, seed=0)
    assert "not affine" in reasons["corrected.tpp_threshold_2_total_metric"]


def _names(eval_name: str) -> list[str]:
    from csae_bench.evals import get_eval

    return [name for name in get_eval(eval_name).metrics if name.startswith("corrected.")]
