"""columns against a slow reference, known answers and the hierarchy mask; the latents that it and
barlow sample.
"""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from csae_bench.saes.losses import columns
from csae_bench.saes.similarities import may_be_told_apart, sample_latents
from csae_bench.saes.views import LatentStatistics, Views
from tests.unit.saes.losses.builders import (
    cross_entropy_slowly,
    gradient_is_right,
    gradients,
    random_views,
    readings_slowly,
    swap_views,
    term_of,
    unit_statistics,
    views_of,
)


def eligible_slowly(views: Views, min_firings: int) -> list[int]:
    codes = views.codes.tolist()
    n_latents = len(codes[0])
    fires = [
        [sum(row[f] > 0 for row in codes[side::2]) for f in range(n_latents)] for side in (0, 1)
    ]
    return [f for f in range(n_latents) if min(fires[0][f], fires[1][f]) >= min_firings]


def correlation_slowly(views: Views, latents: list[int], on: str) -> list[list[float]]:
    """A^T B / n_pairs, columns standardised by their running mean and standard deviation.

    The standard deviation is at least a tenth of the mean one.
    """
    anchors, positives = readings_slowly(views, on)
    n_pairs = len(anchors)
    spread = {f: math.sqrt(float(views.statistics.variance[f])) for f in latents}
    floor = 0.1 * sum(spread.values()) / len(latents)

    def standardised(value: float, f: int) -> float:
        return (value - float(views.statistics.mean[f])) / max(spread[f], floor)

    return [
        [
            sum(
                standardised(anchors[i][f], f) * standardised(positives[i][g], g)
                for i in range(n_pairs)
            )
            / n_pairs
            for g in latents
        ]
        for f in latents
    ]


def columns_slowly(
    views: Views, temperature: float, min_firings: int, max_co_firing: float, on: str
) -> float:
    latents = eligible_slowly(views, min_firings)
    active = (views.codes > 0).tolist()

    def may_be_negative(a: int, b: int) -> bool:
        f, g = latents[a], latents[b]
        together = sum(row[f] and row[g] for row in active)
        f_given_g = together / sum(row[g] for row in active)
        g_given_f = together / sum(row[f] for row in active)
        return f_given_g <= max_co_firing and g_given_f <= max_co_firing

    similarity = [
        [value / temperature for value in row] for row in correlation_slowly(views, latents, on)
    ]
    return cross_entropy_slowly(similarity, may_be_negative)


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
@pytest.mark.parametrize(("temperature", "max_co_firing"), [(0.2, 0.5), (0.2, 1.0), (1.0, 0.4)])
@pytest.mark.parametrize("seed", [0, 1])
def test_columns_equals_the_definition(
    seed: int, temperature: float, max_co_firing: float, on: str
) -> None:
    views = random_views(n_pairs=24, n_latents=16, seed=seed)
    term = term_of(
        "columns", temperature=temperature, min_firings=7, max_co_firing=max_co_firing, on=on
    )
    expected = columns_slowly(views, temperature, 7, max_co_firing, on)
    assert float(term(views).value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("on", ["codes", "pre_activations"])
@pytest.mark.parametrize("max_co_firing", [0.5, 1.0])
def test_columns_has_the_right_gradient(on: str, max_co_firing: float) -> None:
    views = random_views(8, 7)
    assert gradient_is_right(views, term_of("columns", on=on, max_co_firing=max_co_firing))


def a_narrow_latent() -> LatentStatistics:
    statistics = unit_statistics(4, torch.float64)
    return statistics._replace(variance=torch.tensor([1.0, 1.0, 1.0, 1e-12], dtype=torch.float64))


def test_the_spread_of_a_latent_has_a_floor_of_a_tenth_of_the_mean() -> None:
    views = replace(random_views(24, 4), statistics=a_narrow_latent())
    expected = columns_slowly(views, 0.2, 2, 1.0, "union")
    value = term_of("columns", max_co_firing=1.0)(views).value
    assert float(value) == pytest.approx(expected, rel=1e-12)


def orthogonal_columns(n_pairs: int) -> Tensor:
    """Hadamard: 0 and 1 in turn, of mean 1/2 and standard deviation 1/2, uncorrelated."""
    signs = torch.ones(1, 1)
    while len(signs) < n_pairs:
        signs = torch.cat([torch.cat([signs, signs], 1), torch.cat([signs, -signs], 1)])
    return (signs[:, 1:] + 1) / 2


def test_columns_of_identical_views_with_uncorrelated_latents_is_the_minimum() -> None:
    codes = orthogonal_columns(16)
    # Two uncorrelated latents that fire half of the time are together in half of each other's rows.
    term = columns(views_of(codes, codes), temperature=0.2, max_co_firing=0.5)
    assert float(term.value) == pytest.approx(math.log(1 + 14 * math.exp(-1 / 0.2)), rel=1e-5)
    assert term.n_compared == 15


def unrelated_views() -> Views:
    """Of 4096 pairs and 32 latents, active where their pre-activation is above 0.3."""
    generator = torch.Generator().manual_seed(0)
    pre = torch.randn(2, 4096, 32, generator=generator)
    anchors, positives = pre * (pre > 0.3)
    return views_of(anchors, positives, pre_activations=(pre[0], pre[1]))


@pytest.mark.parametrize("on", ["codes", "pre_activations", "union"])
def test_columns_of_shuffled_pairs_is_the_log_of_the_number_of_latents(on: str) -> None:
    value = term_of("columns", max_co_firing=1.0, on=on)(unrelated_views()).value
    # Correlations have a standard deviation of 1/64: 0.08 after the temperature, 0.014 in the mean
    # of 32 on the diagonal.
    assert float(value) == pytest.approx(math.log(32), abs=0.05)


def test_columns_is_symmetric_in_the_views() -> None:
    views, term = random_views(), term_of("columns")
    assert float(term(views).value) == pytest.approx(
        float(term(swap_views(views)).value), rel=1e-12
    )


PARENT, CHILD, OTHER, FOURTH = 0, 1, 2, 3


def a_family(angle: float) -> Views:
    """Four latents of which the child fires only where the parent does; the angle moves the
    correlation of the parent in the anchors with the child in the positives, and nothing else.
    """
    fires = torch.zeros(12, 4)
    fires[0:6, PARENT], fires[0:3, CHILD], fires[6:9, OTHER], fires[9:12, FOURTH] = 1, 1, 1, 1
    anchors, positives = torch.zeros(12, 4), torch.zeros(12, 4)
    for latent in range(4):
        anchors[latent, latent] = positives[latent, latent] = 3
    anchors[4, PARENT] = 3
    positives[4, CHILD], positives[5, CHILD] = 3 * math.cos(angle), 3 * math.sin(angle)
    return views_of(
        fires, fires, pre_activations=(anchors, positives), statistics=unit_statistics(4)
    )


def of_family(angle: float, max_co_firing: float) -> Tensor:
    return columns(
        a_family(angle), min_firings=2, max_co_firing=max_co_firing, on="pre_activations"
    ).value


def test_a_child_is_not_pushed_away_from_its_parent() -> None:
    assert torch.equal(of_family(0.0, 0.5), of_family(math.pi / 2, 0.5))


def test_a_child_is_pushed_away_from_its_parent_where_all_are() -> None:
    assert of_family(0.0, 1.0) > 1.2 * of_family(math.pi / 2, 1.0)


@pytest.mark.parametrize(("max_co_firing", "is_pushed"), [(0.5, False), (1.0, True)])
def test_a_parent_gets_a_gradient_from_its_child_where_all_are_told_apart(
    max_co_firing: float, is_pushed: bool
) -> None:
    term = term_of("columns", max_co_firing=max_co_firing, on="pre_activations")
    gradient = gradients(a_family(0.0), term).pre_activations
    # Row 4 of the anchors: there the positives hold the child alone.
    assert (gradient[2 * 4, PARENT] != 0) == is_pushed


def test_a_family_alone_has_nothing_to_tell_apart() -> None:
    fires = torch.zeros(16, 2)
    fires[:12, PARENT], fires[:8, CHILD] = 1, 1
    term = columns(views_of(fires, fires), max_co_firing=0.5)
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert columns(views_of(fires, fires), max_co_firing=1.0).value > 0


def test_co_firing_is_the_larger_of_both_conditional_probabilities() -> None:
    active = torch.zeros(10, 2, dtype=torch.bool)
    active[:10, 0], active[:4, 1] = True, True
    active[0, 0] = False  # P(0 | 1) = 3/4, P(1 | 0) = 3/9
    assert may_be_told_apart(active, 0.75).tolist() == [[False, True], [True, False]]
    assert not may_be_told_apart(active, 0.74).any()


@pytest.mark.parametrize("fires", [0, 1])
def test_columns_without_two_latents_that_fire_often_enough_is_zero(fires: int) -> None:
    codes = torch.zeros(16, 5)
    codes[:8, :fires] = 1.0
    term = columns(views_of(codes, codes), min_firings=8)
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "latents that fire 8 times in each view"


def test_a_latent_has_to_fire_often_enough_in_each_view() -> None:
    anchors, positives = torch.zeros(2, 8, 4)
    anchors[:5], positives[:5] = 1.0, 1.0
    positives[4, 0], anchors[4, 3] = 0.0, 0.0
    assert sample_latents(views_of(anchors, positives), 10, 5).tolist() == [1, 2]


def firing_at_every_rate(n_latents: int, seed: int) -> Views:
    codes = torch.ones(4, n_latents)
    rate = torch.randperm(n_latents, generator=torch.Generator().manual_seed(seed)) / n_latents
    views = views_of(codes, codes, statistics=unit_statistics(n_latents)._replace(rate=rate))
    return replace(views, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("n_sampled", [2, 7, 19, 29])
@pytest.mark.parametrize("seed", range(3))
def test_as_many_latents_are_sampled_as_wanted_and_none_twice(n_sampled: int, seed: int) -> None:
    latents = sample_latents(firing_at_every_rate(30, seed), n_sampled, 1)
    assert len(set(latents.tolist())) == n_sampled
    assert latents.tolist() == sorted(latents.tolist())


def test_latents_are_sampled_evenly_over_their_firing_rates() -> None:
    views = firing_at_every_rate(40, 0)
    rates = views.statistics.rate[sample_latents(views, 8, 1)]
    assert sorted((rates * 8 + 1e-4).long().tolist()) == list(range(8))


def test_every_latent_is_sampled_at_times_and_equally_often() -> None:
    views = firing_at_every_rate(15, 0)
    drawn = torch.zeros(15)
    for _ in range(1000):
        drawn[sample_latents(views, 5, 1)] += 1
    # Binomial of 1000 draws at 1/3: a standard deviation of 15; 5 of them.
    assert (drawn - 1000 / 3).abs().max() < 75


def test_the_same_generator_samples_the_same_latents() -> None:
    drawn = [sample_latents(firing_at_every_rate(40, 3), 9, 1) for _ in range(2)]
    assert torch.equal(*drawn)
