"""SAP: the gap in held-out accuracy between the two best latents."""

from __future__ import annotations

import numpy as np
import pytest

from csae_bench.metrics.errors import MetricInputError
from csae_bench.metrics.sap import sap
from tests.unit.metrics.code_worlds import grid, one_hot, random, rare, scalar


def test_one_latent_a_factor_leads_by_all_but_chance() -> None:
    score = sap(*scalar())
    assert score.value == pytest.approx(1 - 1 / 4)
    assert score.best_latents == {"factor_0": 0, "factor_1": 1, "factor_2": 2}


def test_duplicated_latents_have_no_gap() -> None:
    codes, factors = scalar()
    assert sap(np.hstack([codes, codes]), factors).value == pytest.approx(0)


@pytest.mark.parametrize("seed", range(3))
def test_latents_that_share_a_factor_have_no_gap(seed: int) -> None:
    assert sap(*one_hot(seed)).value == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_random_codes_have_next_to_none(seed: int) -> None:
    assert sap(*random(seed)).value == pytest.approx(0, abs=0.02)


def test_a_threshold_of_a_heavy_tailed_latent_is_found() -> None:
    factors = grid(2)
    codes = np.where(factors, 0, np.random.default_rng(0).lognormal(0, 2, factors.shape))
    # the runner-up's luck on 60 held-out samples
    assert sap(codes, factors).value == pytest.approx(0.5, abs=0.03)


def test_accuracy_is_the_mean_over_values_so_a_common_value_gains_nothing() -> None:
    factor = np.repeat([0, 1], [900, 100])
    codes = np.stack([np.ones(1000), rare(0, 1000, 1)[:, 0]], axis=1)
    assert sap(codes, factor).value == pytest.approx(0, abs=0.03)


def test_dead_latents_change_nothing() -> None:
    codes, factors = random(0)
    more = np.hstack([codes, np.zeros((len(codes), 30))])
    assert sap(more, factors).value == sap(codes, factors).value
    one = sap(scalar().codes[:, :1], scalar().factors[:, :1])
    assert one.value == pytest.approx(0.75)


def test_the_scale_of_a_latent_does_not_matter() -> None:
    codes, factors = random(1)
    scale = 10.0 ** np.arange(-20, 20)
    assert sap(codes * scale, factors).value == sap(codes, factors).value


def test_a_value_that_the_held_out_samples_lack_is_left_out() -> None:
    factor = np.array([0, 1] * 50 + [2])
    codes = np.stack([factor == 0, factor == 2], axis=1)
    assert sap(codes, factor).value == pytest.approx(0.5)


def test_what_cannot_be_scored_has_a_reason() -> None:
    codes, factors = scalar()
    assert sap(np.zeros((len(codes), 3)), factors).reason == "no latent varies over the samples"
    assert sap([[1.0]], [[0]]).value is None
    constant = sap(codes, np.zeros(len(codes)))
    assert constant.value is None
    assert "one value" in str(constant.reason)
    distinct = sap(np.eye(4), np.arange(4))
    assert "both training and test" in str(distinct.reason)


def test_clusters_are_not_parted() -> None:
    # each cluster has its own value: nothing of a held-out one was seen
    cluster = np.repeat(np.arange(8), 10)
    score = sap(np.eye(8)[cluster], cluster, clusters=cluster)
    assert score.value is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"train_share": 1.0}, "share"),
        ({"n_quantiles": 0}, "n_quantiles is 0"),
        ({"clusters": [1, 2]}, r"clusters have the shape \(2,\)"),
    ],
)
def test_a_setting_out_of_range_is_an_error(settings: dict[str, object], expected: str) -> None:
    with pytest.raises(MetricInputError, match=expected):
        sap(*scalar(), **settings)
