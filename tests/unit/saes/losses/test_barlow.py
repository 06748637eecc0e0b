"""barlow against a slow reference and known answers."""

from dataclasses import replace

import pytest
import torch

from csae_bench.saes.losses import barlow
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    gradient_is_right,
    random_views,
    readings_slowly,
    swap_views,
    term_of,
    unit_statistics,
    views_of,
)


def barlow_slowly(views: Views, off_diagonal: float, min_firings: int, on: str) -> float:
    anchors, positives = readings_slowly(views, on)
    n_pairs, n_latents = len(anchors), len(anchors[0])
    codes = views.codes.tolist()
    latents = [
        f
        for f in range(n_latents)
        if all(sum(row[f] > 0 for row in codes[side::2]) >= min_firings for side in (0, 1))
    ]
    spread = {f: float(views.statistics.variance[f]) ** 0.5 for f in latents}
    floor = 0.1 * sum(spread.values()) / len(latents)
    total = 0.0
    for f in latents:
        for g in latents:
            correlation = 0.0
            for i in range(n_pairs):
                a = (anchors[i][f] - float(views.statistics.mean[f])) / max(spread[f], floor)
                b = (positives[i][g] - float(views.statistics.mean[g])) / max(spread[g], floor)
                correlation += a * b / n_pairs
            total += (1 - correlation) ** 2 if f == g else off_diagonal * correlation**2
    return total / len(latents)


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize("off_diagonal", [0.0, 5e-3, 1.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_barlow_equals_the_definition(seed: int, off_diagonal: float, on: str) -> None:
    views = random_views(n_pairs=24, n_latents=16, seed=seed)
    term = term_of("barlow", off_diagonal=off_diagonal, min_firings=7, on=on)
    expected = barlow_slowly(views, off_diagonal, 7, on)
    assert float(term(views).value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("on", ["codes", "pre_activations"])
def test_barlow_has_the_right_gradient(on: str) -> None:
    assert gradient_is_right(random_views(8, 6), term_of("barlow", off_diagonal=0.5, on=on))


def test_barlow_of_identical_views_with_uncorrelated_latents_is_zero() -> None:
    codes = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    term = barlow(views_of(codes, codes), min_firings=1, off_diagonal=1.0)
    assert float(term.value) == pytest.approx(0.0, abs=1e-12)
    assert term.n_compared == 3


def test_barlow_of_two_copies_of_a_latent_is_their_redundancy() -> None:
    codes = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).repeat(4, 1)
    value = barlow(views_of(codes, codes), min_firings=1, off_diagonal=0.25).value
    # Each of the two has one other latent, with which it correlates fully.
    assert float(value) == pytest.approx(0.25, rel=1e-6)


def test_barlow_of_shuffled_pairs_is_one() -> None:
    anchors, positives = torch.randn(2, 4096, 32, generator=torch.Generator().manual_seed(0)).relu()
    value = barlow(views_of(anchors, positives), off_diagonal=0.0).value
    # Correlations have a standard deviation of 1/64, so (1 - C)^2 one of 0.03: 0.006 in the mean.
    assert float(value) == pytest.approx(1.0, abs=0.02)


def test_barlow_is_symmetric_in_the_views() -> None:
    views, term = random_views(), term_of("barlow")
    assert float(term(views).value) == pytest.approx(
        float(term(swap_views(views)).value), rel=1e-12
    )


def test_barlow_compares_no_latent_with_itself_twice() -> None:
    codes = torch.tensor([[1.0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    views = views_of(codes, codes)
    for seed in range(20):  # two of the three latents, sampled anew
        drawn = replace(views, generator=torch.Generator().manual_seed(seed))
        value = barlow(drawn, min_firings=1, n_latents=2, off_diagonal=1.0).value
        assert float(value) == pytest.approx(0.0, abs=1e-12)


def test_barlow_without_two_latents_that_fire_often_enough_is_zero() -> None:
    codes = torch.zeros(16, 5)
    codes[:, 0] = 1.0
    term = barlow(views_of(codes, codes, statistics=unit_statistics(5)))
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "latents that fire 8 times in each view"
