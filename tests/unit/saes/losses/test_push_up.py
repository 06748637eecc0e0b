"""push_up against a slow reference and known answers."""

from dataclasses import replace

import pytest
import torch

from csae_bench.saes.losses import push_up
from csae_bench.saes.views import Views
from tests.unit.saes.losses.builders import (
    gradient_is_right,
    gradients,
    interleave,
    invariance_slowly,
    random_views,
    swap_views,
    term_of,
    unit_statistics,
    views_of,
)


def push_up_slowly(views: Views, height: float) -> float:
    codes, pre = views.codes.tolist(), views.pre_activations.tolist()
    goal = height * float(views.statistics.threshold)
    weights = invariance_slowly(views.statistics)
    total = 0.0
    for i in range(len(views.pairs)):
        z1, z2, h1, h2 = codes[2 * i], codes[2 * i + 1], pre[2 * i], pre[2 * i + 1]
        for f, w in enumerate(weights):
            s1, s2 = float(z1[f] > 0), float(z2[f] > 0)
            lacking = s1 * (1 - s2) * max(0, goal - h2[f]) + s2 * (1 - s1) * max(0, goal - h1[f])
            total += w * lacking / goal
    return total / len(views.pairs)


@pytest.mark.parametrize("height", [0.5, 1.25])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_push_up_equals_the_definition(seed: int, height: float) -> None:
    views = random_views(seed=seed)
    term = push_up(views, height=height)
    assert float(term.value) == pytest.approx(push_up_slowly(views, height), rel=1e-12)
    assert term.n_compared == sum(w > 0 for w in invariance_slowly(views.statistics))


def test_push_up_has_the_right_gradient() -> None:
    assert gradient_is_right(random_views(8, 6), term_of("push_up"))


def test_push_up_of_views_that_fire_alike_is_zero() -> None:
    views = random_views()
    anchors = views.codes[0::2]
    assert push_up(views_of(anchors, 3 * anchors, statistics=views.statistics)).value == 0


def test_push_up_is_zero_where_the_silent_side_is_high_enough() -> None:
    views = random_views()
    high = replace(views, pre_activations=views.pre_activations + 100)
    assert push_up(high).value == 0
    assert push_up(views).value > 0


def test_push_up_is_symmetric_in_the_views() -> None:
    views = random_views()
    assert float(push_up(views).value) == pytest.approx(
        float(push_up(swap_views(views)).value), rel=1e-12
    )


def silent_in_one_view(views: Views) -> torch.Tensor:
    active = views.codes > 0
    missing = active[0::2] ^ active[1::2]
    return interleave(missing & ~active[0::2], missing & ~active[1::2])


def test_only_the_silent_side_gets_a_gradient() -> None:
    views = random_views()
    codes, pre = gradients(views, push_up)
    silent = silent_in_one_view(views)
    assert codes.abs().sum() == 0
    assert pre[~silent].abs().sum() == 0
    lacking = silent & (views.pre_activations < 1.25 * views.statistics.threshold)
    lacking &= torch.tensor(invariance_slowly(views.statistics)) > 0
    assert (pre[lacking] < 0).all()
    assert (views.pre_activations[lacking] < 0).any()
    assert pre[silent & ~lacking].abs().sum() == 0


def test_a_gradient_step_raises_the_silent_side_and_lowers_the_term() -> None:
    views = random_views()
    gradient = gradients(views, push_up).pre_activations
    stepped = replace(views, pre_activations=views.pre_activations - 0.1 * gradient)
    moved = gradient != 0
    assert (stepped.pre_activations[moved] > views.pre_activations[moved]).all()
    assert push_up(stepped).value < push_up(views).value


def test_a_silent_latent_at_zero_lacks_its_whole_weight() -> None:
    anchors, positives = torch.ones(4, 8), torch.ones(4, 8)
    positives[0, 3] = 0
    views = views_of(anchors, positives, statistics=unit_statistics(8))
    # One latent of invariance 1 in one pair of four.
    assert float(push_up(views).value) == pytest.approx(0.25)


def test_a_latent_without_invariance_is_not_raised() -> None:
    anchors, positives = torch.ones(4, 9), torch.ones(4, 9)
    positives[0, 3] = 0
    statistics = unit_statistics(9)
    statistics.both[3] = 0.25  # as by chance
    term = push_up(views_of(anchors, positives, statistics=statistics))
    assert (float(term.value), term.n_compared) == (0.0, 8)


def test_a_nan_counts_as_active_and_does_not_show() -> None:
    anchors, positives = torch.ones(4, 8), torch.ones(4, 8)
    positives[0, 3] = torch.nan
    assert push_up(views_of(anchors, positives, statistics=unit_statistics(8))).value == 0


def test_push_up_with_fewer_latents_than_it_needs_is_zero() -> None:
    anchors, positives = torch.ones(4, 7), torch.zeros(4, 7)
    term = push_up(views_of(anchors, positives, statistics=unit_statistics(7)))
    assert (float(term.value), term.n_compared) == (0.0, 0)
    assert term.compared == "latents with an invariance above 0"
