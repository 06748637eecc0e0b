"""Latents chosen on one split and scored on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from csae_bench.metrics.data import MetricInputError
from csae_bench.metrics.mig import mig, value_mig
from csae_bench.metrics.splits import held_out_mig, held_out_value_mig, split_clusters
from tests.unit.metrics.codes import firing_at, grid, one_per_value

HELD_OUT = [held_out_mig, held_out_value_mig]


def test_clusters_stay_whole_and_both_sides_are_half() -> None:
    templates = np.random.default_rng(0).integers(20, size=1000)
    mask = split_clusters(templates)
    assert not set(templates[mask]) & set(templates[~mask])
    assert 0.4 < mask.mean() < 0.6
    assert not np.array_equal(mask, split_clusters(templates, seed=1))


def test_two_clusters_go_to_either_side() -> None:
    mask = split_clusters(["a"] * 9 + ["b"])
    assert set(mask[:9].tolist()) != set(mask[9:].tolist())


@pytest.mark.parametrize(("clusters", "share"), [([1, 1], 0.5), ([1, 2], 0.0), ([1, 2], 1.0)])
def test_a_split_that_leaves_a_side_empty_is_refused(clusters: list[int], share: float) -> None:
    with pytest.raises(MetricInputError, match="to split at a share"):
        split_clusters(clusters, share=share)


def test_a_good_code_keeps_its_score_on_held_out_samples() -> None:
    factors = grid(3, 4, 20)
    chosen_on = split_clusters(np.arange(len(factors)) % 10)
    result = held_out_value_mig(one_per_value(factors), factors, chosen_on)
    assert result.value == pytest.approx(1)
    assert result.best_information["factor_0"] == pytest.approx(1)
    assert held_out_mig(factors + 1.0, factors, chosen_on).value == pytest.approx(1)
    assert result.settings["n_chosen_on"] + result.settings["n_scored_on"] == len(factors)


@pytest.mark.parametrize(
    ("metric", "held_out"), [(mig, held_out_mig), (value_mig, held_out_value_mig)]
)
def test_the_luck_of_the_best_of_many_is_gone_on_held_out_samples(
    metric: Callable[..., Any], held_out: Callable[..., Any]
) -> None:
    lucky, sober = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        factors = grid(3, 4, 10)
        codes = firing_at(0.1, len(factors), 300, rng)
        chosen_on = rng.random(len(factors)) < 0.5
        lucky.append(metric(codes[chosen_on], factors[chosen_on]).value)
        sober.append(held_out(codes, factors, chosen_on).value)
    assert np.mean(lucky) > 0.001
    # unbiased: 0 within three standard errors, and some of them below
    assert abs(np.mean(sober)) < 3 * np.std(sober) / np.sqrt(30)
    assert np.mean(sober) < np.mean(lucky)
    assert min(sober) < 0


@pytest.mark.parametrize("held_out", HELD_OUT)
@pytest.mark.usefixtures("unchecked_shapes")
def test_a_mask_that_is_none_is_refused(held_out: Callable[..., Any]) -> None:
    codes, factors = np.eye(4), [0, 1, 0, 1]
    for mask in (np.ones(4, bool), np.zeros(4, bool), np.array([0, 1]), np.ones(3, bool)):
        with pytest.raises(MetricInputError, match="chosen_on is"):
            held_out(codes, factors, mask)


@pytest.mark.parametrize("held_out", HELD_OUT)
def test_what_is_undefined_on_a_split_has_a_reason(held_out: Callable[..., Any]) -> None:
    mask = np.array([True, True, False, False])
    result = held_out(np.ones((4, 2)), [0, 1, 0, 1], mask)
    assert result.value is None
    assert result.reason == "on one split no latent varies over the samples"
    result = held_out(np.tile(np.eye(2), (2, 1)), [0, 1, 0, 0], mask)
    assert result.value is None
    assert "one value on one of the splits" in result.reason


def test_one_latent_is_scored_by_value_only() -> None:
    factors = grid(2, 2, 20)
    mask = np.arange(80) < 40
    assert held_out_mig(factors[:, :1] + 1.0, factors[:, :1], mask).value is None
    assert held_out_value_mig(factors[:, :1] + 1.0, factors[:, :1], mask).value == pytest.approx(1)
