"""cross_view against a slow reference and known answers."""

import math
from dataclasses import replace

import pytest
import torch

from csae_bench.saes.losses import cross_view
from csae_bench.saes.views import LatentStatistics, Views
from tests.unit.saes.losses.builders import (
    gradient_is_right,
    gradients,
    invariance_slowly,
    random_views,
    readings_slowly,
    swap_views,
    term_of,
    unit_statistics,
    views_of,
)


def correlation_slowly(one: list[float], other: list[float]) -> float:
    n = len(one)
    mean_one, mean_other = sum(one) / n, sum(other) / n
    covariance = sum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True)) / n
    spread_one = math.sqrt(sum((a - mean_one) ** 2 for a in one) / n)
    spread_other = math.sqrt(sum((b - mean_other) ** 2 for b in other) / n)
    return covariance / (spread_one * spread_other + 1e-4)


def cross_view_slowly(views: Views, min_invariance: float, on: str) -> tuple[float, int]:
    anchors, positives = readings_slowly(views, on)
    weights = invariance_slowly(views.statistics)
    codes = views.codes.tolist()
    weighted, total, n = 0.0, 0.0, 0
    for f, weight in enumerate(weights):
        fires_twice = all(sum(row[f] > 0 for row in codes[side::2]) > 1 for side in (0, 1))
        if weight > min_invariance and fires_twice:
            correlation = correlation_slowly([r[f] for r in anchors], [r[f] for r in positives])
            weighted += weight * correlation
            total += weight
            n += 1
    return 1 - weighted / total, n


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("min_invariance", [0.1, 0.4])
@pytest.mark.parametrize("seed", [0, 1])
def test_cross_view_equals_the_definition(seed: int, min_invariance: float, on: str) -> None:
    views = random_views(seed=seed)
    result = term_of("cross_view", min_invariance=min_invariance, on=on)(views)
    value, n = cross_view_slowly(views, min_invariance, on)
    # The root's tiny number, 1e-16 under it.
    assert float(result.value) == pytest.approx(value, rel=1e-10)
    assert result.n_compared == n > 0


@pytest.mark.parametrize("on", ["codes", "pre_activations"])
def test_cross_view_has_the_right_gradient(on: str) -> None:
    assert gradient_is_right(random_views(10, 6), term_of("cross_view", on=on))


def test_cross_view_of_identical_views_is_zero() -> None:
    codes = torch.randn(32, 12, generator=torch.Generator().manual_seed(0)).relu()
    value = cross_view(views_of(codes, codes, statistics=unit_statistics(12))).value
    # 1e-4 in the denominator, beside variances of about 1/3.
    assert 0 <= float(value) < 1e-3


def test_cross_view_of_shuffled_pairs_is_one() -> None:
    anchors, positives = torch.randn(2, 4096, 16, generator=torch.Generator().manual_seed(0)).relu()
    value = cross_view(views_of(anchors, positives, statistics=unit_statistics(16))).value
    # Correlations have a standard deviation of 1/64: 0.004 in the mean of 16.
    assert float(value) == pytest.approx(1.0, abs=0.015)


def test_cross_view_of_opposite_views_is_two() -> None:
    anchors = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    views = views_of(anchors, 5 - anchors, statistics=unit_statistics(1))
    assert float(cross_view(views, min_latents=1).value) == pytest.approx(2.0, abs=1e-3)


def test_cross_view_is_symmetric_in_the_views() -> None:
    views, term = random_views(), term_of("cross_view")
    assert float(term(views).value) == pytest.approx(
        float(term(swap_views(views)).value), rel=1e-12
    )


def test_cross_view_ignores_offset_and_scale_of_a_latent() -> None:
    views = random_views()
    moved = replace(views, codes=1000 * views.codes)
    value, again = cross_view(views, min_latents=1).value, cross_view(moved, min_latents=1).value
    # Of the offset in the denominator, 1e-4 beside variances of about 0.3, nothing is left.
    assert float(value) == pytest.approx(float(again), abs=2e-3)


def invariances(*weights: float) -> LatentStatistics:
    """Statistics by which latents have these invariances: q = 1/2, p = (w + 1) / 4."""
    statistics = unit_statistics(len(weights))
    return statistics._replace(both=(torch.tensor(weights) + 1) / 4)


def test_only_latents_above_the_least_invariance_get_a_gradient() -> None:
    anchors, positives = torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(0)) + 0.1
    views = views_of(anchors, positives, statistics=invariances(0.05, 0.3, 0.9))
    gradient = gradients(views, term_of("cross_view")).codes.abs().sum(0)
    assert gradient[0] == 0
    assert (gradient[1:] > 0).all()


def test_a_latent_that_fires_once_in_a_view_takes_no_part() -> None:
    anchors, positives = torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(0)) + 0.1
    anchors[1:, 0], positives[1:, 2] = 0, 0
    views = views_of(anchors, positives, statistics=unit_statistics(3))
    assert cross_view(views, min_latents=1).n_compared == 1
    assert gradients(views, term_of("cross_view")).codes.abs().sum(0)[[0, 2]].sum() == 0


def test_a_constant_latent_has_a_finite_gradient() -> None:
    codes = torch.ones(20, 2)
    views = views_of(codes, codes, statistics=unit_statistics(2))
    assert cross_view(views, min_latents=1).value == 1
    assert gradients(views, term_of("cross_view")).codes.isfinite().all()


def test_cross_view_with_fewer_latents_than_it_needs_is_zero() -> None:
    codes = torch.rand(20, 7, generator=torch.Generator().manual_seed(0))
    term = cross_view(views_of(codes, codes, statistics=unit_statistics(7)))
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "latents with an invariance above 0.1"
    enough = cross_view(views_of(codes, codes, statistics=unit_statistics(7)), min_latents=7)
    assert enough.n_compared == 7
